"""Read most payloads in about a microsecond, and leave the rest to `_reading`.

For each type msgspec reads a Struct, and a generated function copies its values into the event.
This is correct only for payloads on which msgspec and Go agree, so all others are declined:

- a null or a wrong type, which msgspec refuses here;
- a missing documented key, which msgspec refuses too, and Go fills with a zero value;
- escapes, since Go treats unpaired surrogates in its own way;
- unknown keys, keys in another case, and duplicate keys. Without escapes a payload has two quotes
  for each key and each string, so a payload with exactly the quotes of the keys and strings found
  contains no other key.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ingenium.events._declining import DeclineError
from ingenium.events._reading import read
from ingenium.events._schema import Field, Kind, Schema, holds_itself, is_plain
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


def compile_reader(schema: Schema) -> Callable[[bytes], Any]:
    """Return the function that reads events of one type.

    Returns:
        A function from a payload to an event; it raises ``DecodeError``.
    """
    if holds_itself(schema):
        return lambda payload: read(schema, payload)
    decode = msgspec.json.Decoder(_struct(schema)).decode
    build = _ReaderSource(schema).function()
    has_numbers = _has_numbers(schema)

    def read_event(payload: bytes) -> Any:
        try:
            # msgspec reads -0 as 0; Go refuses -0 for an unsigned number, and keeps the sign for a
            # double.
            if _BACKSLASH in payload or (has_numbers and _MINUS_ZERO.search(payload)):
                return read(schema, payload)
            event, quotes = build(decode(payload))
            if payload.count(_QUOTE) == quotes:
                return event
        except (
            DeclineError,
            msgspec.MsgspecError,
            TimeError,
            ArithmeticError,
            AttributeError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            pass
        return read(schema, payload)

    return read_event


def _has_numbers(schema: Schema) -> bool:
    return any(
        field.kind in (Kind.INT, Kind.DOUBLE, Kind.FLOAT)
        or (field.message is not None and _has_numbers(field.message))
        for field in schema.fields
    )


def _may_miss(field: Field) -> bool:
    return field.optional and not field.written_when_unset


def _struct(schema: Schema) -> type[msgspec.Struct]:
    """Create the Struct that msgspec reads; its fields are ``v0``, ``v1`` and so on."""
    fields: list[Any] = []
    for index, field in enumerate(schema.fields):
        kind: Any
        if field.message is not None:
            kind = _struct(field.message)
        elif field.kind is Kind.INT:
            low, high = field.limits
            kind = Annotated[int, msgspec.Meta(ge=low, le=high)]
        else:
            kind = _TYPES[field.kind]
        kind = list[kind] if field.repeated else kind
        # None means a missing key only: a null does not match the type, and is declined.
        fields.append((f"v{index}", kind, None) if _may_miss(field) else (f"v{index}", kind))
    return msgspec.defstruct(
        schema.name,
        fields,
        rename={f"v{index}": field.key for index, field in enumerate(schema.fields)},
        kw_only=True,
        gc=False,
    )


class _ReaderSource:
    """The source of a function from a Struct to its message and the quotes in its JSON.

    Nested messages are created inline: a call for each would cost as much as creating them.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._number = 0
        self._names: dict[str, Any] = {
            "new": object.__new__,
            "fromisoformat": datetime.fromisoformat,
            "ZERO": ZERO,
            "time": _time,
            "whole": _whole,
            "single": _single,
        }

    def function(self) -> Callable[[Any], tuple[Any, int]]:
        """Compile the function."""
        always, lines = self._message(self._schema, "struct", "message")
        source = ["def build(struct):", f"count = {always}", *lines, "return message, count"]
        # The source contains no external text: attribute names come from generated classes.
        exec("\n    ".join(source), self._names)  # noqa: S102
        function: Callable[[Any], tuple[Any, int]] = self._names["build"]
        return function

    def _name(self, value: Any = None) -> str:
        """Return a new name, bound to ``value``."""
        self._number += 1
        name = f"x{self._number}"
        self._names[name] = value
        return name

    def _message(self, schema: Schema, struct: str, target: str) -> tuple[int, list[str]]:
        """Return the number of quotes that a message always has, and the lines that create it."""
        always = 0
        lines: list[str] = []
        values: list[str] = []
        for index, field in enumerate(schema.fields):
            quotes, more, value = self._field(field, f"{struct}.v{index}")
            always += quotes
            lines += more
            values.append(value)
        return always, [*lines, *self._construction(schema, values, target)]

    def _field(self, field: Field, taken: str) -> tuple[int, list[str], str]:
        """Return the quotes that a field always has, source lines, and its value's expression."""
        of_string = 2 if _TYPES.get(field.kind) in (str, bytes) else 0
        value = self._name()
        if field.repeated:
            return self._list(field, taken, value, of_string)
        if field.message is not None:
            quotes, lines = self._message(field.message, value, value)
            if field.written_when_unset:
                lines += self._none_when_empty(field.message, value)
        else:
            quotes = of_string
            converted = _conversion(field, value)
            if converted == value and not _may_miss(field):
                return 2 + quotes, [], taken
            lines = [] if converted == value else [f"{value} = {converted}"]
        if _may_miss(field):
            lines = [f"count += {2 + quotes}", *lines]
            lines = [f"if {value} is not None:", *[f"    {line}" for line in lines]]
            return 0, [f"{value} = {taken}", *lines], value
        return 2 + quotes, [f"{value} = {taken}", *lines], value

    def _list(
        self, field: Field, taken: str, value: str, of_string: int
    ) -> tuple[int, list[str], str]:
        lines: list[str] = []
        if field.message is not None:
            build = self._name(_ReaderSource(field.message).function())
            return (
                2,
                [
                    f"{value} = [{build}(item) for item in {taken}]",
                    f"count += sum([item[1] for item in {value}])",
                    f"{value} = [item[0] for item in {value}]",
                ],
                value,
            )
        if of_string:
            lines.append(f"count += {of_string} * len({taken})")
        converted = _conversion(field, "item")
        if converted == "item":
            return 2, lines, taken
        return 2, [*lines, f"{value} = [{converted} for item in {taken}]"], value

    def _none_when_empty(self, schema: Schema, value: str) -> list[str]:
        """Return the lines that reset an always-written object to ``None`` when it is empty."""
        if all(field.kind is Kind.STRING and not field.repeated for field in schema.fields):
            # Equivalent to the message's __bool__, in a twentieth of the time.
            texts = " or ".join(f"{value}.{field.name}" for field in schema.fields)
            return [f"if not ({texts}): {value} = None"]
        return [f"if not {value}: {value} = None"]

    def _construction(self, schema: Schema, values: list[str], target: str) -> list[str]:
        """Return the lines that create a message from its values."""
        name = self._name(schema.cls)
        pairs = [(field.name, value) for field, value in zip(schema.fields, values, strict=True)]
        if not is_plain(schema.cls):
            return [f"{target} = {name}({', '.join(f'{key}={value}' for key, value in pairs)})"]
        # Equivalent to the generated __init__ and __post_init__, in a third of the time.
        made = self._name()
        return [
            f"{made} = new({name})",
            *[f"{made}.{key} = {value}" for key, value in pairs],
            f'{made}._unknown_fields = b""',
            f"{target} = {made}",
        ]


def _conversion(field: Field, variable: str) -> str:
    """Return the expression that converts msgspec's value to the message's value."""
    match field.kind:
        case Kind.TIME if field.repeated:
            return f"time({variable}, ZERO)"
        case Kind.TIME:
            # The separators are three characters apart. fromisoformat alone accepts more than Go.
            return (
                f"fromisoformat({variable}) if {variable}[4::3] == '--T::Z'"
                f" and len({variable}) == 20 and {variable} != {ZERO_TIME!r} else time({variable})"
            )
        case Kind.LONG:
            low, high = field.limits
            return f"whole({variable}, {low}, {high})"
        case Kind.FLOAT:
            return f"single({variable})"
    return variable


def _time(text: str, zero: datetime | None = None) -> datetime | None:
    if text == ZERO_TIME:
        return zero
    # Fractions of a second, which live components send.
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
        raise DeclineError
    return int(text)


def _single(value: float) -> float:
    number: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return number
