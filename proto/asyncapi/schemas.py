"""JSON Schemas of the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncapi.formats import FORMATS
from asyncapi.source import Field, Message

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
        RuntimeError: A string field has no format, or a format has no field.
    """
    written = {
        field.key
        for field in schema_of(types[message.name]).fields
        if not field.optional or field.written_when_unset
    }
    formats = dict(FORMATS.get(message.name, {}))
    properties = {field.key: _property(message, field, formats) for field in message.fields}
    if formats:
        raise RuntimeError(f"proto/asyncapi/formats.py: {message.name} has no {', '.join(formats)}")
    return {
        "title": message.name,
        "description": message.comment,
        "type": "object",
        "required": [key for key in properties if key in written],
        "properties": properties,
    }


def _property(message: Message, field: Field, formats: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.type == "string":
        if field.name not in formats:
            raise RuntimeError(
                f"{message.name}.{field.name} has no format: add it to proto/asyncapi/formats.py"
            )
        schema = formats.pop(field.name)
    elif field.type in _OTHERS:
        schema = _OTHERS[field.type]
    else:
        reference = {"$ref": f"#/components/schemas/{field.type}"}
        schema = {"type": "array", "items": reference} if field.is_list else {"allOf": [reference]}
    return {"description": field.comment, **schema, "x-protobuf-number": field.number}
