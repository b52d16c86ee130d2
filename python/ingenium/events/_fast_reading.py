"""Reads most payloads in about a microsecond, and leaves the rest to `_reading`.

For each type msgspec reads a Struct, and a generated function moves its values into the event.
That is right only for payloads on which msgspec and Go agree, so all others are declined:

- a null or a wrong type, which msgspec refuses here;
- a documented key that is missing, which msgspec refuses, too, and Go fills with a zero value;
- escapes, since Go has its own way with halves of surrogate pairs;
- keys that are unknown, in another case, or twice. Without escapes a payload has two quotes for
  each key and each string, so one that has just those of the keys and strings that were found
  holds no other key.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import betterproto2
import msgspec

from ingenium.events._reading import read
from ingenium.events._schema import Field, Kind, Schema
from ingenium.events._text import ZERO_TIME
from ingenium.events._time import ZERO, TimeError, read_time

__all__ = ["compile_reader"]

_BACKSLASH = ord("\\")
_QUOTE = b'"'
_MINUS_ZERO = re.compile(rb"-0[^0-9.]")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_TYPES: dict[Kind, Any] = {
    Kind.STRING: str,
    Kind.BOOL: bool,
    Kind.BYTES: bytes,
    Kind.LONG: str,
    Kind.DOUBLE: float,
    Kind.FLOAT: float,
    Kind.TIME: str,
}


class _DeclineError(Exception):
    """The slow reader has to look at this payload."""


class _SelfHoldingError(Exception):
    """The type holds itself; such types are read by the slow reader only."""


def compile_reader(schema: Schema) -> Callable[[bytes], Any]:
    """Return the function that reads events of one type.

    Returns:
        A function from a payload to an event; it raises ``DecodeError``.
    """
    parts: dict[int, _Part] = {}
    try:
        part = _make(schema, parts)
    except _SelfHoldingError:
        return lambda payload: read(schema, payload)
    decode = msgspec.json.Decoder(part.struct).decode
    build = part.build
    quotes = part.quotes
    has_numbers = any(
        field.kind in (Kind.INT, Kind.DOUBLE, Kind.FLOAT)
        for one in parts.values()
        for field in one.schema.fields
    )

    def read_event(payload: bytes) -> Any:
        try:
            values = decode(payload)
            # msgspec reads -0 as 0; Go refuses it for an unsigned number, and keeps the sign of a
            # double.
            if (
                payload.count(_QUOTE) != quotes(values)
                or _BACKSLASH in payload
                or (has_numbers and _MINUS_ZERO.search(payload))
            ):
                return read(schema, payload)
            return build(values)
        except (
            _DeclineError,
            msgspec.MsgspecError,
            TimeError,
            ArithmeticError,
            AttributeError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            return read(schema, payload)

    return read_event


@dataclass(slots=True)
class _Part:
    """What is generated for one message type.

    Attributes:
        schema: The type.
        struct: The Struct that msgspec reads.
        build: Makes the message of a Struct; declines by raising.
        quotes: Counts the quotes in the JSON of a Struct.
    """

    schema: Schema
    struct: type[msgspec.Struct]
    build: Callable[[Any], Any]
    quotes: Callable[[Any], int]


def _make(schema: Schema, parts: dict[int, _Part], above: tuple[Schema, ...] = ()) -> _Part:
    """Generate Struct and functions of a message type and of all that it holds."""
    if schema in above:
        raise _SelfHoldingError
    if id(schema) in parts:
        return parts[id(schema)]
    names: dict[str, Any] = {
        "cls": schema.cls,
        "new": object.__new__,
        "fromisoformat": datetime.fromisoformat,
        "ZERO": ZERO,
        "time": _time,
        "whole": _whole,
        "single": _single,
    }
    types: list[Any] = []
    build: list[str] = []
    values: list[str] = []
    quotes: list[str] = []
    always = 0
    for index, field in enumerate(schema.fields):
        inner: _Part | None = None
        if field.message is not None:
            inner = _make(field.message, parts, (*above, schema))
            names[f"build{index}"] = inner.build
            names[f"quotes{index}"] = inner.quotes
        kind = _value_type(field, inner)
        # None stands for a missing key only: a null does not fit the type, and is declined.
        types.append((f"v{index}", kind, None) if _may_miss(field) else (f"v{index}", kind))
        lines, value = _field_source(field, index)
        build += lines
        values.append(value)
        fixed, lines = _quotes_source(field, index)
        always += fixed
        quotes += lines
    reads = msgspec.defstruct(
        schema.name,
        types,
        rename={f"v{index}": field.key for index, field in enumerate(schema.fields)},
        kw_only=True,
        gc=False,
    )
    # The sources hold no text from outside: names of attributes come from generated classes.
    for source in (
        ["def build(struct):", *build, *_construction(schema, values)],
        ["def quotes(struct):", f"count = {always}", *quotes, "return count"],
    ):
        exec("\n    ".join(source), names)  # noqa: S102
    part = parts[id(schema)] = _Part(schema, reads, names["build"], names["quotes"])
    return part


def _may_miss(field: Field) -> bool:
    return field.optional and not field.written_when_unset


def _value_type(field: Field, inner: _Part | None) -> Any:
    """Return the type that msgspec shall read for a field."""
    kind: Any
    if inner is not None:
        kind = inner.struct
    elif field.kind is Kind.INT:
        low, high = field.limits
        kind = Annotated[int, msgspec.Meta(ge=low, le=high)]
    else:
        kind = _TYPES[field.kind]
    return list[kind] if field.repeated else kind


def _quotes_source(field: Field, index: int) -> tuple[int, list[str]]:
    """Return how many quotes a field always has, and the statements that count the others."""
    variable = f"struct.v{index}"
    of_string = 2 if _TYPES.get(field.kind) in (str, bytes) else 0
    if field.repeated:
        if field.message is not None:
            return 2, [f"count += sum([quotes{index}(item) for item in {variable}])"]
        return 2, [f"count += {of_string} * len({variable})"] if of_string else []
    if field.message is not None:
        of_value = f"quotes{index}({variable})"
        if _may_miss(field):
            return 0, [f"if {variable} is not None: count += 2 + {of_value}"]
        return 2, [f"count += {of_value}"]
    if _may_miss(field):
        return 0, [f"if {variable} is not None: count += {2 + of_string}"]
    return 2 + of_string, []


def _field_source(field: Field, index: int) -> tuple[list[str], str]:
    """Return the statements that prepare a field's value, and the expression for the value."""
    variable = f"v{index}"
    plain = f"struct.{variable}"
    if field.repeated:
        item = _conversion(field, index, "item")
        if item == "item":
            return [], plain
        return [f"{variable} = [{item} for item in {plain}]"], variable
    value = _conversion(field, index, variable)
    if value == variable:
        return [], plain
    if field.kind is Kind.TIME:
        # The separators stand three letters apart. fromisoformat alone takes more than RFC 3339.
        value = (
            f"fromisoformat({variable}) if {variable}[4::3] == '--T::Z'"
            f" and len({variable}) == 20 and {variable} != {ZERO_TIME!r} else {value}"
        )
    lines = [f"{variable} = {value}"]
    if field.message is not None and field.written_when_unset:
        # An object that is always written means nothing when all of it is empty.
        lines = [f"{variable} = {value}", f"if not {variable}: {variable} = None"]
        if all(one.kind is Kind.STRING and not one.repeated for one in field.message.fields):
            texts = " or ".join(f"{variable}.v{i}" for i in range(len(field.message.fields)))
            lines = [f"{variable} = {value} if {texts} else None"]
    if _may_miss(field):
        lines = [f"if {variable} is not None:", *[f"    {line}" for line in lines]]
    return [f"{variable} = {plain}", *lines], variable


def _conversion(field: Field, index: int, variable: str) -> str:
    """Return the expression that makes of what msgspec read what the message holds."""
    match field.kind:
        case Kind.MESSAGE:
            return f"build{index}({variable})"
        case Kind.TIME:
            return f"time({variable}{', ZERO' if field.repeated else ''})"
        case Kind.LONG:
            low, high = field.limits
            return f"whole({variable}, {low}, {high})"
        case Kind.FLOAT:
            return f"single({variable})"
    return variable


def _construction(schema: Schema, values: list[str]) -> list[str]:
    """Return the statements that make the message and return it."""
    cls: Any = schema.cls
    base: Any = betterproto2.Message
    pairs = [(field.name, value) for field, value in zip(schema.fields, values, strict=True)]
    if (
        cls.__post_init__ is not base.__post_init__
        or cls.__setattr__ is not object.__setattr__
        or "__dataclass_fields__" not in vars(cls)
    ):
        # A class that does something of its own when it is made.
        return [f"return cls({', '.join(f'{name}={value}' for name, value in pairs)})"]
    # What the generated __init__ and __post_init__ do, in a third of their time.
    return [
        "message = new(cls)",
        *[f"message.{name} = {value}" for name, value in pairs],
        'message._unknown_fields = b""',
        "return message",
    ]


def _time(text: str, zero: datetime | None = None) -> datetime | None:
    # Fractions of a second, which live components send; the zero time is not for here.
    if (
        text[4:20:3] == "--T::."
        and text[0] != "0"
        and text[-1] == "Z"
        and text[20:-1].isdecimal()
        and text.isascii()
    ):
        return datetime.fromisoformat(text)
    return read_time(text) or zero


def _whole(text: str, low: int, high: int) -> int:
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise _DeclineError
    return int(text)


def _single(value: float) -> float:
    number: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return number
