"""The binary form of events, as any protobuf runtime writes and reads it for the same schema.

It contains exactly what the JSON contains: for the same event `decode_binary` and `decode` return
equal results, and an event that `encode` refuses is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import (  # type: ignore[import-untyped]
    DecodeError as ParseError,
)

from ingenium.errors import DecodeError, EncodeError
from ingenium.events._binary_reading import WrongValueError, compile_binary_reader
from ingenium.events._binary_writing import compile_binary_writer
from ingenium.events._google import google_binary_reader, is_google_message, write_google_binary
from ingenium.events._schema import Schema, SchemaError, schema_of
from ingenium.events.content import ContentType

__all__ = ["decode_binary", "encode_binary"]

T = TypeVar("T")

_writers: dict[type[Any], Callable[[Any], bytes]] = {}
_readers: dict[type[Any], Callable[[bytes], Any]] = {}


def encode_binary(event: Any) -> bytes:
    """Write an event in protobuf's binary form.

    Args:
        event: A message, ``DataEvent(symbol="AAPL")``.

    Returns:
        The bytes, for a message with the header ``Content-Type: application/protobuf``.

    Raises:
        EncodeError: The wire format cannot represent the value of a field.
    """
    try:
        write = _writers[type(event)]
    except KeyError:
        write = _writer(type(event))
    return write(event)


def decode_binary(event_type: type[T], payload: bytes) -> T:
    """Read an event from protobuf's binary form.

    Fields unknown to the schema are dropped, as unknown keys of JSON are.

    Args:
        event_type: Expected type of the payload, ``DataEvent``.
        payload: The bytes.

    Raises:
        DecodeError: The payload is not of this form, or has a time or a number that no event can
            contain.
    """
    try:
        read = _readers[event_type]
    except (KeyError, TypeError):
        read = _reader(event_type)
    event: T = read(payload)
    return event


def _writer(event_type: type[Any]) -> Callable[[Any], bytes]:
    if is_google_message(event_type):
        _writers[event_type] = write_google_binary
        return write_google_binary
    try:
        write = _writers[event_type] = compile_binary_writer(schema_of(event_type))
    except SchemaError as error:
        raise EncodeError(event_type.__name__, error.path, error.problem) from None
    return write


def _reader(event_type: Any) -> Callable[[bytes], Any]:
    if is_google_message(event_type):
        read_message = _readers[event_type] = google_binary_reader(event_type)
        return read_message
    try:
        schema = schema_of(event_type)
    except SchemaError as error:
        name = getattr(event_type, "__name__", repr(event_type))
        raise DecodeError(name, error.path, error.problem) from None
    read = compile_binary_reader(schema)

    def read_event(payload: bytes) -> Any:
        try:
            return read(payload)
        except WrongValueError as error:
            raise DecodeError(schema.name, error.path, error.problem) from None
        except (ParseError, RecursionError, TypeError):
            raise DecodeError(schema.name, "", _problem(schema, payload)) from None

    _readers[event_type] = read_event
    return read_event


def _problem(schema: Schema, payload: bytes) -> str:
    name = schema.cls.DESCRIPTOR.full_name
    if payload.lstrip()[:1] == b"{":
        return (
            f"the payload looks like JSON, and its header Content-Type says {ContentType.PROTOBUF}:"
            f" send {ContentType.JSON}, or no such header"
        )
    return (
        f"{len(payload)} bytes are not a binary {name}: send the protobuf encoding of this "
        f"message, or JSON with Content-Type: {ContentType.JSON}"
    )
