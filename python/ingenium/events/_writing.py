"""Write any event as JSON, field by field, with an error for one that cannot be written.

This is the reference writer. `wire` uses it for events that the fast one declines: text that needs
escapes, and invalid events.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ingenium.errors import EncodeError
from ingenium.events._schema import Field, Kind, Schema
from ingenium.events._text import ZERO_TIME, double_text, escape, float_text, time_text

__all__ = ["write"]

_LONGEST_SHOWN = 60


def write(schema: Schema, event: Any) -> bytes:
    """Write ``event``.

    Raises:
        EncodeError: The wire format cannot represent the value of a field.
    """
    try:
        return _Writer(schema.name).message(schema, event, "").encode("utf-8")
    except RecursionError:
        raise EncodeError(schema.name, "", "the event nests too deeply") from None


class _Writer:
    """Writes one event; knows its name for error texts."""

    def __init__(self, event_type: str) -> None:
        self._event_type = event_type

    def message(self, schema: Schema, message: Any, path: str) -> str:
        parts = []
        for field in schema.fields:
            place = f"{path}.{field.key}" if path else field.key
            text = self._field(field, getattr(message, field.name), place)
            if text is not None:
                parts.append(f'"{escape(field.key)}":{text}')
        return f"{{{','.join(parts)}}}"

    def _field(self, field: Field, value: Any, path: str) -> str | None:
        if field.repeated:
            if not isinstance(value, list | tuple):
                raise self._wrong(path, f"a list, each {field.kind.value}", value)
            items = [self._value(field, item, f"{path}[{i}]") for i, item in enumerate(value)]
            return f"[{','.join(items)}]"
        if value is None and field.optional:
            return self._unset(field, path)
        return self._value(field, value, path)

    def _unset(self, field: Field, path: str) -> str | None:
        if not field.written_when_unset:
            return None
        if field.message is None:
            return f'"{ZERO_TIME}"'
        return self.message(field.message, field.message.cls(), path)

    def _value(self, field: Field, value: Any, path: str) -> str:
        if field.kind is Kind.MESSAGE:
            schema = field.message
            if schema is None or not isinstance(value, schema.cls):
                name = schema.name if schema is not None else "a message"
                raise self._wrong(path, name, value)
            return self.message(schema, value, path)
        return _SCALARS[field.kind](self, field, value, path)

    def put_string(self, _: Field, value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(path, "a string", value)
        # Members of a StrEnum are strings, but their own str() may differ from the wire's token.
        text = str.__str__(value)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise EncodeError(
                self._event_type,
                path,
                f"the text holds the lone surrogate {text[error.start]!r}, which UTF-8 cannot "
                "carry: remove it",
            ) from None
        return f'"{escape(text)}"'

    def put_bool(self, _: Field, value: Any, path: str) -> str:
        if value is True:
            return "true"
        if value is False:
            return "false"
        raise self._wrong(path, "true or false", value)

    def put_bytes(self, _: Field, value: Any, path: str) -> str:
        if not isinstance(value, bytes):
            raise self._wrong(path, "bytes", value)
        return f'"{b64encode(value).decode("ascii")}"'

    def put_int(self, field: Field, value: Any, path: str) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(path, "a whole number", value)
        low, high = field.limits
        if not low <= value <= high:
            raise self._wrong(path, f"a whole number from {low} to {high}", value)
        return int.__repr__(value)

    def put_long(self, field: Field, value: Any, path: str) -> str:
        return f'"{self.put_int(field, value, path)}"'

    def put_double(self, field: Field, value: Any, path: str) -> str:
        if not isinstance(value, float | int) or isinstance(value, bool):
            raise self._wrong(path, "a number", value)
        try:
            number = float(value)
            return float_text(number) if field.kind is Kind.FLOAT else double_text(number)
        except (ValueError, OverflowError):
            raise self._wrong(path, "a finite number within its range", value) from None

    def put_time(self, _: Field, value: Any, path: str) -> str:
        if not isinstance(value, datetime):
            raise self._wrong(path, "a datetime", value)
        if value.utcoffset() is None:
            raise EncodeError(
                self._event_type,
                path,
                f"the time {value.isoformat()} has no zone: pass an aware datetime, such as "
                "datetime(..., tzinfo=UTC)",
            )
        try:
            return f'"{time_text(value)}"'
        except OverflowError:
            raise EncodeError(
                self._event_type,
                path,
                f"the time {value.isoformat()} is outside of the years 1 to 9999 in UTC",
            ) from None

    def _wrong(self, path: str, expected: str, value: Any) -> EncodeError:
        return EncodeError(self._event_type, path, f"expected {expected}, found {_shown(value)}")


_SCALARS: dict[Kind, Callable[[_Writer, Field, Any, str], str]] = {
    Kind.STRING: _Writer.put_string,
    Kind.BOOL: _Writer.put_bool,
    Kind.BYTES: _Writer.put_bytes,
    Kind.INT: _Writer.put_int,
    Kind.LONG: _Writer.put_long,
    Kind.DOUBLE: _Writer.put_double,
    Kind.FLOAT: _Writer.put_double,
    Kind.TIME: _Writer.put_time,
}


def _shown(value: Any) -> str:
    """Return a value for an error text, with its type where the value does not show it."""
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a repr that fails must not hide what is wrong
        return f"a {type(value).__name__}"
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return text if isinstance(value, bool) else f"{text} ({type(value).__name__})"
