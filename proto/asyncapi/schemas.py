"""JSON Schemas of the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncapi.formats import format_of
from asyncapi.source import Field, Message
from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]

from ingenium.events._schema import schema_of

__all__ = ["json_schema"]

_OTHERS: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "uint32": {"type": "integer", "minimum": 0, "maximum": 4_294_967_295},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}


def json_schema(message: Message, types: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Return the schema of one message.

    Args:
        message: From the descriptors.
        types: The generated classes, by name: the codec knows what it always writes.

    Raises:
        RuntimeError: A string field has no format.
    """
    written = {
        field.key
        for field in schema_of(types[message.name]).fields
        if not field.optional or field.written_when_unset
    }
    descriptors = types[message.name].DESCRIPTOR.fields_by_name
    properties = {
        field.key: _property(field, descriptors.get(field.name)) for field in message.fields
    }
    return {
        "title": message.name,
        "description": message.comment,
        "type": "object",
        "required": [key for key in properties if key in written],
        "properties": properties,
    }


def _property(field: Field, descriptor: FieldDescriptor) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.type == "string":
        schema = format_of(descriptor)
    elif field.type in _OTHERS:
        schema = _OTHERS[field.type]
    else:
        reference = {"$ref": f"#/components/schemas/{field.type}"}
        schema = {"type": "array", "items": reference} if field.is_list else {"allOf": [reference]}
    return {"description": field.comment, **schema, "x-protobuf-number": field.number}
