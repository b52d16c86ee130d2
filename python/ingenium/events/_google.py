"""Messages of plain ``google.protobuf`` and of other generators, in the forms of the bus.

A user's project may have classes of its own for the events of the bus: those that ``protoc`` makes,
`ingenium.v1.events_pb2`, or a copy that its own ``buf generate`` made. They are known by the full
name of their message.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError as ParseError  # type: ignore[import-untyped]
from google.protobuf.message import EncodeError as WriteError
from google.protobuf.message import Message

from ingenium._gen.ingenium import v1
from ingenium.errors import DecodeError, EncodeError

__all__ = [
    "full_name_of",
    "is_google_message",
    "own_type",
    "google_binary_reader",
    "google_reader",
    "google_writer",
    "write_google_binary",
]

_OWN: dict[str, type[Any]] = {f"ingenium.v1.{name}": getattr(v1, name) for name in v1.__all__}


def full_name_of(cls: Any) -> str:
    """Return the full name of a class's message, ``"ingenium.v1.DataEvent"``; empty for others."""
    descriptor = getattr(cls, "DESCRIPTOR", None)
    return str(descriptor.full_name) if isinstance(descriptor, Descriptor) else ""


def own_type(cls: Any) -> type[Any] | None:
    """Return the SDK's class for the message of a generated class; ``None`` if it has none."""
    return _OWN.get(full_name_of(cls))


def is_google_message(cls: Any) -> bool:
    """Whether a class is one of plain ``google.protobuf``."""
    return isinstance(cls, type) and issubclass(cls, Message)


def google_writer(
    cls: type[Any], of_own: Callable[[Any], bytes], from_binary: Callable[[Any, bytes], Any]
) -> Callable[[Any], bytes]:
    """Make what writes messages of a class of google.protobuf as JSON.

    Args:
        cls: The class.
        of_own: Writes events of the SDK's classes.
        from_binary: Reads one of a class from its binary form.
    """
    own = own_type(cls)
    name = cls.__name__

    def write(message: Any) -> bytes:
        from google.protobuf import json_format  # type: ignore[import-untyped]

        try:
            if own is not None:
                return of_own(from_binary(own, message.SerializeToString()))
            values = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
            values = _in_order(message.DESCRIPTOR, values)
            return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        except (json_format.Error, WriteError, ValueError) as error:
            raise EncodeError(name, "", str(error)) from None

    return write


def _in_order(descriptor: Any, values: Any) -> Any:
    """Return the values of a message with keys in the order of the schema, as all is written here.

    google.protobuf puts what is empty behind what is set.
    """
    if not isinstance(values, dict) or descriptor.full_name.startswith("google.protobuf."):
        return values
    ordered: dict[str, Any] = {}
    for field in descriptor.fields:
        if field.json_name not in values:
            continue
        value, nested = values[field.json_name], field.message_type
        if nested is not None and not nested.GetOptions().map_entry:
            if isinstance(value, list):
                value = [_in_order(nested, each) for each in value]
            else:
                value = _in_order(nested, value)
        ordered[field.json_name] = value
    # Extensions and the like have no place in the schema.
    return ordered | {key: value for key, value in values.items() if key not in ordered}


def google_reader(
    cls: type[Any], of_own: Callable[[Any, bytes], Any], to_binary: Callable[[Any], bytes]
) -> Callable[[bytes], Any]:
    """Make what reads messages of a class of google.protobuf from JSON.

    Args:
        cls: The class.
        of_own: Reads an event of one of the SDK's classes.
        to_binary: Writes one in its binary form.
    """
    own = own_type(cls)
    name = cls.__name__

    def read(payload: bytes) -> Any:
        from google.protobuf import json_format

        if own is not None:
            return cls.FromString(to_binary(of_own(own, payload)))
        if payload.lstrip()[:1] != b"{":
            # google.protobuf takes a list, and finds no keys in it.
            raise DecodeError(name, "", f"expected an object, found {payload[:40]!r}")
        try:
            return json_format.Parse(payload, cls(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(name, "", str(error)) from None

    return read


def write_google_binary(message: Any) -> bytes:
    """Write a message of google.protobuf in its binary form."""
    try:
        return bytes(message.SerializeToString())
    except (WriteError, ValueError) as error:
        raise EncodeError(type(message).__name__, "", str(error)) from None


def google_binary_reader(cls: type[Any]) -> Callable[[bytes], Any]:
    """Make what reads messages of a class of google.protobuf from their binary form."""

    def read(payload: bytes) -> Any:
        try:
            return cls.FromString(payload)
        except ParseError:
            problem = f"{len(payload)} bytes that are no binary {full_name_of(cls)}"
            raise DecodeError(cls.__name__, "", problem) from None

    return read
