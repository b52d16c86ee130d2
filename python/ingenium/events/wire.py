"""The JSON of the bus, implemented only here and described in docs/wire-format.md.

`encode` and `decode` work for the package's events and for any message class that betterproto2
generated. The codec of a type is compiled from its descriptor on first use. Classes of plain
``google.protobuf`` are written and read by that library's own JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ingenium.errors import DecodeError, EncodeError
from ingenium.events._fast_reading import compile_reader
from ingenium.events._fast_writing import compile_writer
from ingenium.events._google import google_reader, google_writer, is_google_message
from ingenium.events._schema import SchemaError, schema_of
from ingenium.events.binary_form import decode_binary, encode_binary

__all__ = ["decode", "encode"]

T = TypeVar("T")

_writers: dict[type[Any], Callable[[Any], bytes]] = {}
_readers: dict[type[Any], Callable[[bytes], Any]] = {}


def encode(event: Any) -> bytes:
    """Write an event as JSON.

    Args:
        event: A message, ``DataEvent(symbol="AAPL")``.

    Returns:
        One JSON object in UTF-8, with keys in schema order and no newline at the end.

    Raises:
        EncodeError: The wire format cannot represent the value of a field.
    """
    try:
        write = _writers[type(event)]
    except KeyError:
        write = _writer(type(event))
    return write(event)


def decode(event_type: type[T], payload: bytes) -> T:
    """Read an event from JSON, as Go's encoding/json would read it into the same struct.

    Args:
        event_type: Expected type of the payload, ``DataEvent``.
        payload: The JSON text in UTF-8.

    Raises:
        DecodeError: The payload is not JSON, or a field has another type than in the schema.
    """
    try:
        read = _readers[event_type]
    except (KeyError, TypeError):
        read = _reader(event_type)
    event: T = read(payload)
    return event


def _writer(event_type: type[Any]) -> Callable[[Any], bytes]:
    if is_google_message(event_type):
        write = _writers[event_type] = google_writer(event_type, encode, decode_binary)
        return write
    try:
        write = _writers[event_type] = compile_writer(schema_of(event_type))
    except SchemaError as error:
        raise EncodeError(event_type.__name__, error.path, error.problem) from None
    return write


def _reader(event_type: Any) -> Callable[[bytes], Any]:
    if is_google_message(event_type):
        read = _readers[event_type] = google_reader(event_type, decode, encode_binary)
        return read
    try:
        read = _readers[event_type] = compile_reader(schema_of(event_type))
    except SchemaError as error:
        name = getattr(event_type, "__name__", repr(event_type))
        raise DecodeError(name, error.path, error.problem) from None
    return read
