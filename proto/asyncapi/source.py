"""The schemas as `buf build` gives them: names, types, presence and comments."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import (  # type: ignore[import-untyped]
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

__all__ = ["TOP", "Field", "Message", "read_schemas"]

TOP = Path(__file__).parents[2]
_PACKAGE = "ingenium.v1"
# Numbers of descriptor.proto, which say where in a file a comment belongs.
_MESSAGES, _FIELDS = 4, 2


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        name: As in the schema, ``"limit_price"``.
        key: As in JSON, ``"LimitPrice"``.
        number: Its tag.
        type: ``"string"``, ``"bool"``, ``"bytes"``, ``"uint32"``, or the name of a message, that
            of a time being ``"google.protobuf.Timestamp"``.
        optional: Whether it is marked so; messages have presence in any case.
        comment: What the schema says about it, in one line.
        is_list: Whether it holds any number of such values.
    """

    name: str
    key: str
    number: int
    type: str
    optional: bool
    comment: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message: an event, a part of one, or a report.

    Attributes:
        name: ``"OrderEvent"``.
        comment: What the schema says about it, in one line.
        fields: In the order in which they are written.
    """

    name: str
    comment: str
    fields: tuple[Field, ...]

    @property
    def full_name(self) -> str:
        """``"ingenium.v1.OrderEvent"``."""
        return f"{_PACKAGE}.{self.name}"


_SCALARS = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_UINT32: "uint32",
}


def read_schemas() -> dict[str, Message]:
    """Return all messages of the schemas by their names.

    Raises:
        RuntimeError: buf is not there, or a field is of a type that the document has no rule for.
    """
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        raise RuntimeError("buf is not on PATH: run make setup")
    image = subprocess.run([buf, "build", "-o", "-"], cwd=TOP, capture_output=True, check=True)
    messages: dict[str, Message] = {}
    for file in FileDescriptorSet.FromString(image.stdout).file:
        if file.package == _PACKAGE:
            messages.update((message.name, message) for message in _messages(file))
    return messages


def _messages(file: FileDescriptorProto) -> Iterator[Message]:
    comments = {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
    }
    for index, message in enumerate(file.message_type):
        at = (_MESSAGES, index)
        fields = tuple(
            _field(message, field, comments.get((*at, _FIELDS, place), ""))
            for place, field in enumerate(message.field)
        )
        yield Message(message.name, comments.get(at, ""), fields)


def _field(message: DescriptorProto, field: FieldDescriptorProto, comment: str) -> Field:
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        kind = field.type_name.removeprefix(".").removeprefix(f"{_PACKAGE}.")
    elif field.type in _SCALARS:
        kind = _SCALARS[field.type]
    else:
        raise RuntimeError(
            f"{message.name}.{field.name} is of type {field.type}: add a rule to proto/asyncapi"
        )
    is_list = field.label == FieldDescriptorProto.LABEL_REPEATED
    if is_list and field.type != FieldDescriptorProto.TYPE_MESSAGE:
        raise RuntimeError(
            f"{message.name}.{field.name} is a list of {kind}: add a rule to "
            "proto/asyncapi/schemas.py"
        )
    return Field(
        field.name, field.json_name, field.number, kind, field.proto3_optional, comment, is_list
    )
