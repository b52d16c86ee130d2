"""Write most events in about a microsecond, and leave the rest to `_writing`.

For each type a function is generated that checks an event's values and copies them into a msgspec
Struct, which msgspec then writes. An event is declined, never written wrongly, when a value is not
of the schema's type, or when its JSON needs an escape that Go writes and msgspec does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingenium.events._declining import DeclineError, decline, text
from ingenium.events._schema import Field, Kind, Schema, holds_itself
from ingenium.events._text import ZERO_TIME, double_text, float_text, time_text
from ingenium.events._writing import write

__all__ = ["compile_writer"]

_BACKSLASH, _LESS, _GREATER, _AMPERSAND = b"\\<>&"
# JavaScript's line ends U+2028 and U+2029 begin with these bytes in UTF-8.
_LINE_ENDS = b"\xe2\x80"


def compile_writer(schema: Schema) -> Callable[[Any], bytes]:
    """Return the function that writes events of one type.

    Returns:
        A function from an event to its JSON; it raises ``EncodeError``.
    """
    if holds_itself(schema):
        return lambda event: write(schema, event)
    convert = _WriterSource(schema).function()
    encode = msgspec.json.Encoder().encode

    def write_event(event: Any) -> bytes:
        try:
            payload = encode(convert(event))
        except (DeclineError, TypeError, ValueError, OverflowError, RecursionError):
            return write(schema, event)
        if (
            _BACKSLASH in payload
            or _LESS in payload
            or _GREATER in payload
            or _AMPERSAND in payload
            or (not payload.isascii() and _LINE_ENDS in payload)
        ):
            return write(schema, event)
        return payload

    return write_event


class _WriterSource:
    """The source of a function that copies a message's values into a Struct.

    Nested messages are copied inline: a call for each would cost as much as copying them.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._number = 0
        self._names: dict[str, Any] = {
            "UNSET": msgspec.UNSET,
            "UTC": UTC,
            "datetime": datetime,
            "decline": decline,
            "text": text,
            "time": _time,
            "whole": _whole,
            "number": _number,
            "single": _single,
        }

    def function(self) -> Callable[[Any], Any]:
        """Compile the function."""
        lines = self._message(self._schema, "message")
        source = ["def convert(message):", *lines, "return message"]
        # The source contains no external text: attribute names come from generated classes.
        exec("\n    ".join(source), self._names)  # noqa: S102
        function: Callable[[Any], Any] = self._names["convert"]
        return function

    def _name(self, value: Any = None) -> str:
        """Return a new name, bound to ``value``."""
        self._number += 1
        name = f"x{self._number}"
        self._names[name] = value
        return name

    def _message(self, schema: Schema, message: str) -> list[str]:
        """Return the lines that replace a message by its Struct."""
        lines: list[str] = []
        values = []
        for field in schema.fields:
            value = self._name()
            values.append(value)
            lines += [f"{value} = {message}.{field.name}", *self._field(field, value)]
        struct = self._name(_struct(schema))
        return [*lines, f"{message} = {struct}({', '.join(values)})"]

    def _field(self, field: Field, value: str) -> list[str]:
        """Return the lines that replace a value by the one that msgspec writes."""
        if field.repeated:
            items = self._name()
            each = [f"    {line}" for line in self._value(field, "item")]
            return [
                f"if type({value}) is not list: decline()",
                f"{items} = []",
                f"for item in {value}:",
                *each,
                f"    {items}.append(item)",
                f"{value} = {items}",
            ]
        lines = self._value(field, value)
        if not field.optional:
            return lines
        unset = "UNSET"
        if field.written_when_unset and field.message is not None:
            unset = self._name(_WriterSource(field.message).function()(field.message.cls()))
        elif field.written_when_unset:
            unset = repr(ZERO_TIME)
        return [
            f"if {value} is None: {value} = {unset}",
            "else:",
            *[f"    {line}" for line in lines],
        ]

    def _value(self, field: Field, value: str) -> list[str]:
        if field.message is None:
            return _value_lines(field, value)
        cls = self._name(field.message.cls)
        check = f"if type({value}) is not {cls}: decline()"
        return [check, *self._message(field.message, value)]


def _struct(schema: Schema) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        schema.name,
        [(f"v{index}", Any) for index in range(len(schema.fields))],
        rename={f"v{index}": field.key for index, field in enumerate(schema.fields)},
        gc=False,
    )


def _value_lines(field: Field, variable: str) -> list[str]:
    """Return the source that checks a value and converts it so that msgspec writes Go's form."""
    low, high = field.limits
    match field.kind:
        case Kind.STRING:
            return [f"if type({variable}) is not str: {variable} = text({variable})"]
        case Kind.BOOL:
            return [f"if {variable} is not True and {variable} is not False: decline()"]
        case Kind.BYTES:
            return [f"if type({variable}) is not bytes: decline()"]
        case Kind.INT:
            return [
                f"if type({variable}) is not int or not {low} <= {variable} <= {high}: decline()"
            ]
        case Kind.LONG:
            return [f"{variable} = whole({variable}, {low}, {high})"]
        case Kind.DOUBLE:
            return [f"{variable} = number({variable})"]
        case Kind.FLOAT:
            return [f"{variable} = single({variable})"]
        case Kind.TIME:
            # msgspec writes UTC times as Go does, except for trailing zeros of a fraction.
            ready = f"type({variable}) is datetime and {variable}.tzinfo is UTC"
            zeros = f"{variable}.microsecond and not {variable}.microsecond % 10"
            return [f"if not ({ready}) or {zeros}: {variable} = time({variable})"]
    raise AssertionError(f"no rule for {field.kind}")


def _time(value: Any) -> str:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise DeclineError
    return time_text(value)


def _whole(value: Any, low: int, high: int) -> str:
    if type(value) is not int or not low <= value <= high:
        raise DeclineError
    return str(value)


def _number(value: Any) -> msgspec.Raw:
    if type(value) is not float:
        raise DeclineError
    return msgspec.Raw(double_text(value).encode("ascii"))


def _single(value: Any) -> msgspec.Raw:
    if type(value) is not float:
        raise DeclineError
    return msgspec.Raw(float_text(value).encode("ascii"))
