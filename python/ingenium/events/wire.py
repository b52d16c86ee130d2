"""The JSON of the bus: the only code that knows it. docs/wire-format.md describes it.

`encode` and `decode` work for the package's events and for any message class that betterproto2
generated. What they know of a type comes from its descriptor, once, on first use.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ingenium.errors import DecodeError, EncodeError
from ingenium.events._reading import read
from ingenium.events._schema import SchemaError, schema_of
from ingenium.events._writing import write

__all__ = ["decode", "encode"]

T = TypeVar("T")


def encode(event: Any) -> bytes:
    """Write an event as JSON.

    Args:
        event: A message, ``DataEvent(symbol="AAPL")``.

    Returns:
        One JSON object in UTF-8, keys in the order of the schema, no new line at its end.

    Raises:
        EncodeError: A field holds what the wire format cannot carry.
    """
    try:
        schema = schema_of(type(event))
    except SchemaError as error:
        raise EncodeError(type(event).__name__, error.path, error.problem) from None
    return write(schema, event)


def decode(event_type: type[T], payload: bytes) -> T:
    """Read an event from JSON, as Go's encoding/json would read it into the same struct.

    Args:
        event_type: What the payload is expected to hold, ``DataEvent``.
        payload: The JSON text in UTF-8.

    Raises:
        DecodeError: The payload is not JSON, or a field of another type than the schema's.
    """
    try:
        schema = schema_of(event_type)
    except SchemaError as error:
        name = getattr(event_type, "__name__", repr(event_type))
        raise DecodeError(name, error.path, error.problem) from None
    event: T = read(schema, payload)
    return event
