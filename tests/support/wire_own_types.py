"""Messages of a user's own, as `buf generate` makes them."""

# The classes below look as the generator writes them.
# ruff: noqa: RUF009

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import betterproto2
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    timestamp_pb2,
)

from ingenium._gen.google.protobuf import Timestamp

__all__ = ["NOON", "QUOTE", "Lasting", "Level", "LoudQuote", "Quote", "Tree"]

# The descriptor that protoc would leave in the generated module.
_FILE = descriptor_pb2.FileDescriptorProto(
    name="acme/v1/quote.proto",
    package="acme.v1",
    syntax="proto3",
    dependency=["google/protobuf/timestamp.proto", "google/protobuf/duration.proto"],
)
_TYPES = descriptor_pb2.FieldDescriptorProto


def _message(name: str, *fields: tuple[str, int, bool, str]) -> None:
    message = _FILE.message_type.add(name=name)
    for number, (field, kind, repeated, type_name) in enumerate(fields, 1):
        json_name = "".join(part.capitalize() for part in field.split("_"))
        label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
        added = message.field.add(
            name=field, json_name=json_name, number=number, type=kind, label=label
        )
        if type_name:
            added.type_name = type_name


_message("Level", ("price", _TYPES.TYPE_DOUBLE, False, ""), ("size", _TYPES.TYPE_INT64, False, ""))
_message(
    "Quote",
    ("venue", _TYPES.TYPE_STRING, False, ""),
    ("levels", _TYPES.TYPE_MESSAGE, True, ".acme.v1.Level"),
    ("tags", _TYPES.TYPE_STRING, True, ""),
    ("times", _TYPES.TYPE_MESSAGE, True, ".google.protobuf.Timestamp"),
    ("best", _TYPES.TYPE_MESSAGE, False, ".acme.v1.Level"),
    ("sequence", _TYPES.TYPE_UINT64, False, ""),
    ("change", _TYPES.TYPE_INT32, False, ""),
    ("ratio", _TYPES.TYPE_FLOAT, False, ""),
    ("raw", _TYPES.TYPE_BYTES, False, ""),
    ("firm", _TYPES.TYPE_BOOL, False, ""),
)
_message(
    "Tree",
    ("name", _TYPES.TYPE_STRING, False, ""),
    ("branches", _TYPES.TYPE_MESSAGE, True, ".acme.v1.Tree"),
)
_message("Lasting", ("span", _TYPES.TYPE_MESSAGE, False, ".google.protobuf.Duration"))
_pool = descriptor_pool.DescriptorPool()
for needed in (timestamp_pb2, duration_pb2):
    _pool.AddSerializedFile(needed.DESCRIPTOR.serialized_pb)
_DESCRIPTORS = _pool.AddSerializedFile(_FILE.SerializeToString()).message_types_by_name


@dataclass(eq=False, repr=False)
class Level(betterproto2.Message):
    @betterproto2.staticproperty
    @staticmethod
    def DESCRIPTOR() -> Any:
        return _DESCRIPTORS["Level"]

    price: float = betterproto2.field(1, betterproto2.TYPE_DOUBLE)
    size: int = betterproto2.field(2, betterproto2.TYPE_INT64)


@dataclass(eq=False, repr=False)
class Quote(betterproto2.Message):
    @betterproto2.staticproperty
    @staticmethod
    def DESCRIPTOR() -> Any:
        return _DESCRIPTORS["Quote"]

    venue: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    levels: list[Level] = betterproto2.field(2, betterproto2.TYPE_MESSAGE, repeated=True)
    tags: list[str] = betterproto2.field(3, betterproto2.TYPE_STRING, repeated=True)
    times: list[datetime] = betterproto2.field(
        4, betterproto2.TYPE_MESSAGE, unwrap=lambda: Timestamp, repeated=True
    )
    best: Level | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)
    sequence: int = betterproto2.field(6, betterproto2.TYPE_UINT64)
    change: int = betterproto2.field(7, betterproto2.TYPE_INT32)
    ratio: float = betterproto2.field(8, betterproto2.TYPE_FLOAT)
    raw: bytes = betterproto2.field(9, betterproto2.TYPE_BYTES)
    firm: bool = betterproto2.field(10, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class Tree(betterproto2.Message):
    @betterproto2.staticproperty
    @staticmethod
    def DESCRIPTOR() -> Any:
        return _DESCRIPTORS["Tree"]

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    branches: list[Tree] = betterproto2.field(2, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class Lasting(betterproto2.Message):
    @betterproto2.staticproperty
    @staticmethod
    def DESCRIPTOR() -> Any:
        return _DESCRIPTORS["Lasting"]

    span: timedelta | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)


class LoudQuote(Quote):
    """A class of the user's own on top of the generated one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.venue = self.venue.upper()


NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
QUOTE = Quote(
    venue="XNAS",
    levels=[Level(price=184.25, size=300), Level(price=0.1, size=-(2**63))],
    times=[NOON, NOON + timedelta(microseconds=10)],
    best=Level(price=1e-7, size=2**63 - 1),
    sequence=2**64 - 1,
    change=-(2**31),
    ratio=0.5,
    raw=b"\x00\xff",
    firm=True,
)
