"""Reads most payloads in about a microsecond, and leaves the rest to `_reading`.

For each type msgspec reads a Struct, and a generated function moves its values into the event.
That is right only for payloads on which msgspec and Go agree, so all others are declined:

- a key that is unknown or in another case, a null, a wrong type: msgspec refuses them here;
- a documented key that is missing: Go has zero values for it;
- escapes: Go has its own way with halves of surrogate pairs;
- a nested object that stands twice: Go lets the second one add to the first. Other keys that
  stand twice are harmless, since the last one wins in both.
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
    has_numbers = any(one.has_numbers for one in parts.values())

    def read_event(payload: bytes) -> Any:
        try:
            event = build(decode(payload), payload)
            # msgspec reads -0 as 0; Go refuses it for an unsigned number, and keeps the sign of a
            # double.
            if _BACKSLASH in payload or (has_numbers and _MINUS_ZERO.search(payload)):
                return read(schema, payload)
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
        return event

    return read_event


@dataclass(slots=True)
class _Part:
    """What is generated for one message type.

    Attributes:
        struct: The Struct that msgspec reads.
        build: Makes the message of a Struct and the payload; declines by raising.
        has_numbers: Whether a field holds a JSON number.
        missing: Fields of the Struct whose keys may be missing.
        grows_within: Whether a nested object could be added to by a second one.
    """

    struct: type[msgspec.Struct]
    build: Callable[[Any, bytes], Any]
    has_numbers: bool
    missing: tuple[str, ...]
    grows_within: bool


def _make(schema: Schema, parts: dict[int, _Part], above: tuple[Schema, ...] = ()) -> _Part:
    """Generate Struct and function of a message type and of all that it holds."""
    if schema in above:
        raise _SelfHoldingError
    if id(schema) in parts:
        return parts[id(schema)]
    names: dict[str, Any] = {
        "cls": schema.cls,
        "new": object.__new__,
        "fromisoformat": datetime.fromisoformat,
        "ZERO": ZERO,
        "once": _once,
        "time": _time,
        "whole": _whole,
        "single": _single,
    }
    types: list[Any] = []
    lines: list[str] = []
    values: list[str] = []
    missing: list[str] = []
    grows_within = False
    for index, field in enumerate(schema.fields):
        inner: _Part | None = None
        if field.message is not None:
            inner = _make(field.message, parts, (*above, schema))
            names[f"build{index}"] = inner.build
            names[f"key{index}"] = f'"{field.key}"'.encode()
            grows_within = grows_within or inner.grows_within or bool(inner.missing)
        kind = _value_type(field, inner)
        if field.optional and not field.written_when_unset:
            # None stands for a missing key only: a null does not fit the type, and is declined.
            types.append((f"v{index}", kind, None))
            missing.append(f"v{index}")
        else:
            types.append((f"v{index}", kind))
        more, value = _field_source(field, index, inner)
        lines += more
        values.append(value)
    reads = msgspec.defstruct(
        schema.name,
        types,
        rename={f"v{index}": field.key for index, field in enumerate(schema.fields)},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    source = ["def build(struct, payload):", *lines, *_construction(schema, values)]
    # The source holds no text from outside: names of attributes come from generated classes.
    exec("\n    ".join(source), names)  # noqa: S102
    part = parts[id(schema)] = _Part(
        struct=reads,
        build=names["build"],
        has_numbers=any(f.kind in (Kind.INT, Kind.DOUBLE, Kind.FLOAT) for f in schema.fields),
        missing=tuple(missing),
        grows_within=grows_within,
    )
    return part


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


def _field_source(field: Field, index: int, inner: _Part | None) -> tuple[list[str], str]:
    """Return the statements that prepare a field's value, and the expression for the value."""
    variable = f"v{index}"
    plain = f"struct.{variable}"
    if field.repeated:
        item = _conversion(field, index, "item")
        if item == "item":
            return [], plain
        lines = [f"{variable} = [{item} for item in {plain}]"]
    else:
        value = _conversion(field, index, variable)
        if value == variable:
            return [], plain
        lines = [f"{variable} = {plain}"]
        if field.kind is Kind.TIME:
            # The separators stand three letters apart. A datetime alone takes more than RFC 3339.
            value = (
                f"fromisoformat({variable}) if {variable}[4::3] == '--T::Z'"
                f" and len({variable}) == 20 and {variable} != {ZERO_TIME!r} else {value}"
            )
        if inner is not None and not inner.grows_within and inner.missing:
            # An object with all of its keys covers all of what an earlier one brought.
            gaps = " or ".join(f"{variable}.{name} is None" for name in inner.missing)
            value_lines = [f"if {gaps}: once(payload, key{index})", f"{variable} = {value}"]
        else:
            value_lines = [f"{variable} = {value}"]
        if field.message is not None and field.written_when_unset:
            # An object that is always written means nothing when all of it is empty.
            value_lines = [*value_lines, f"if not {variable}: {variable} = None"]
            if all(one.kind is Kind.STRING and not one.repeated for one in field.message.fields):
                texts = " or ".join(f"{variable}.v{i}" for i in range(len(field.message.fields)))
                value_lines = [f"{variable} = {value} if {texts} else None"]
        if field.optional and not field.written_when_unset:
            lines += [f"if {variable} is not None:", *[f"    {line}" for line in value_lines]]
        else:
            lines += value_lines
    if inner is not None and (inner.grows_within or (field.repeated and inner.missing)):
        lines.append(f"once(payload, key{index})")
    return lines, variable


def _conversion(field: Field, index: int, variable: str) -> str:
    """Return the expression that makes of what msgspec read what the message holds."""
    match field.kind:
        case Kind.MESSAGE:
            return f"build{index}({variable}, payload)"
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


def _once(payload: bytes, key: bytes) -> None:
    if payload.count(key) != 1:
        raise _DeclineError


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
