"""Writes most events in about a microsecond, and leaves the rest to `_writing`.

For each type a function is generated that checks an event's values and moves them into a msgspec
Struct, which msgspec then writes. An event is declined, never written wrongly: when a value is not
what the schema says, or when its JSON needs one of the escapes that Go has and msgspec has not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingenium.events._schema import Field, Kind, Schema
from ingenium.events._text import ZERO_TIME, double_text, float_text, time_text
from ingenium.events._writing import write

__all__ = ["compile_writer"]

_BACKSLASH, _LESS, _GREATER, _AMPERSAND = b"\\<>&"
# Both line ends of JavaScript, U+2028 and U+2029, begin with these bytes in UTF-8.
_LINE_ENDS = b"\xe2\x80"


class _DeclineError(Exception):
    """The slow writer has to look at this event."""


class _SelfHoldingError(Exception):
    """The type holds itself; such types are written by the slow writer only."""


def compile_writer(schema: Schema) -> Callable[[Any], bytes]:
    """Return the function that writes events of one type.

    Returns:
        A function from an event to its JSON; it raises ``EncodeError``.
    """
    try:
        convert = _converter(schema)
    except _SelfHoldingError:
        return lambda event: write(schema, event)
    encode = msgspec.json.Encoder().encode

    def write_event(event: Any) -> bytes:
        try:
            payload = encode(convert(event))
        except (_DeclineError, TypeError, ValueError, OverflowError, RecursionError):
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


def _converter(schema: Schema, above: tuple[Schema, ...] = ()) -> Callable[[Any], Any]:
    """Generate the function that moves a message's values into a Struct."""
    if schema in above:
        raise _SelfHoldingError
    names: dict[str, Any] = {
        "Struct": _struct(schema),
        "UNSET": msgspec.UNSET,
        "UTC": UTC,
        "datetime": datetime,
        "decline": _decline,
        "text": _text,
        "time": _time,
        "whole": _whole,
        "number": _number,
        "single": _single,
    }
    lines = ["def convert(message):"]
    for index, field in enumerate(schema.fields):
        if field.message is not None:
            names[f"Class{index}"] = field.message.cls
            names[f"convert{index}"] = _converter(field.message, (*above, schema))
            if field.written_when_unset:
                names[f"empty{index}"] = names[f"convert{index}"](field.message.cls())
        lines += [f"    {line}" for line in _field_lines(field, index)]
    lines.append(f"    return Struct({', '.join(f'v{i}' for i in range(len(schema.fields)))})")
    # The source holds no text from outside: names of attributes come from generated classes.
    exec("\n".join(lines), names)  # noqa: S102
    convert: Callable[[Any], Any] = names["convert"]
    return convert


def _struct(schema: Schema) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        schema.name,
        [(f"v{index}", Any) for index in range(len(schema.fields))],
        rename={f"v{index}": field.key for index, field in enumerate(schema.fields)},
        gc=False,
    )


def _field_lines(field: Field, index: int) -> list[str]:
    """Return the source that takes one field's value into the variable ``v<index>``."""
    variable = f"v{index}"
    take = f"{variable} = message.{field.name}"
    if field.repeated:
        each = [f"    {line}" for line in _value_lines(field, index, "item")]
        return [
            take,
            f"if type({variable}) is not list: decline()",
            "items = []",
            f"for item in {variable}:",
            *each,
            "    items.append(item)",
            f"{variable} = items",
        ]
    lines = _value_lines(field, index, variable)
    if not field.optional:
        return [take, *lines]
    unset = "UNSET"
    if field.written_when_unset:
        unset = f"empty{index}" if field.message is not None else repr(ZERO_TIME)
    return [
        take,
        f"if {variable} is None: {variable} = {unset}",
        "else:",
        *[f"    {line}" for line in lines],
    ]


def _value_lines(field: Field, index: int, variable: str) -> list[str]:
    """Return the source that checks a value and makes of it what msgspec writes as Go would."""
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
            # msgspec writes times of UTC as Go does, but for zeros at the end of a fraction.
            ready = f"type({variable}) is datetime and {variable}.tzinfo is UTC"
            zeros = f"{variable}.microsecond and not {variable}.microsecond % 10"
            return [f"if not ({ready}) or {zeros}: {variable} = time({variable})"]
        case Kind.MESSAGE:
            return [
                f"if type({variable}) is not Class{index}: decline()",
                f"{variable} = convert{index}({variable})",
            ]


def _decline() -> None:
    raise _DeclineError


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _DeclineError
    # A member of a StrEnum is a string of its own type.
    return str.__str__(value)


def _time(value: Any) -> str:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise _DeclineError
    return time_text(value)


def _whole(value: Any, low: int, high: int) -> str:
    if type(value) is not int or not low <= value <= high:
        raise _DeclineError
    return str(value)


def _number(value: Any) -> msgspec.Raw:
    if type(value) is not float:
        raise _DeclineError
    return msgspec.Raw(double_text(value).encode("ascii"))


def _single(value: Any) -> msgspec.Raw:
    if type(value) is not float:
        raise _DeclineError
    return msgspec.Raw(float_text(value).encode("ascii"))
