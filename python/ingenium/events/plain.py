"""Write the numbers of an event in plain notation, as the wire format requires."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from decimal import Decimal
from typing import Any

from ingenium.events._schema import Schema, SchemaError, schema_of

__all__ = ["id_prefix_of", "plain_text", "write_plainly"]

_EXPONENT = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][+-]?[0-9]{1,2}", re.ASCII)

_Decimals = tuple[tuple[str, ...], tuple[tuple[str, "_Decimals"], ...]]
"""Fields of a message that contain decimals, and those with messages that have such fields."""
_known: dict[type[Any], _Decimals] = {}


def id_prefix_of(cls: type[Any]) -> str:
    """Return the id prefix of an event class, ``"order"`` for `OrderEvent`."""
    return schema_of(cls).id_prefix


def plain_text(text: str) -> str:
    """Return a number with an exponent in plain notation; any other text unchanged."""
    if ("e" not in text and "E" not in text) or _EXPONENT.fullmatch(text) is None:
        return text
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def write_plainly(event: Any) -> None:
    """Rewrite numbers with exponents in an event, ``"1e-05"`` as ``"0.00001"``.

    Args:
        event: Changed in place: only fields that the schema marks as decimals.
    """
    decimals = _known.get(event.__class__)
    if decimals is None:
        decimals = _known[event.__class__] = _decimals_of(event.__class__)
    _write(event, decimals)


def _decimals_of(cls: type[Any]) -> _Decimals:
    # Other messages are written by their own libraries.
    if not is_dataclass(cls):
        return (), ()
    try:
        return _decimals_in(schema_of(cls), ())
    except SchemaError:
        return (), ()


def _decimals_in(schema: Schema, above: tuple[Schema, ...]) -> _Decimals:
    names = tuple(field.name for field in schema.fields if field.is_decimal)
    nested: list[tuple[str, _Decimals]] = []
    for field in schema.fields:
        message = field.message
        if message is None or field.repeated or message in (*above, schema):
            continue
        inner = _decimals_in(message, (*above, schema))
        if inner != ((), ()):
            nested.append((field.name, inner))
    return names, tuple(nested)


def _write(message: Any, decimals: _Decimals) -> None:
    names, nested = decimals
    for name in names:
        text = getattr(message, name)
        if text and text.__class__ is str and ("e" in text or "E" in text):
            setattr(message, name, plain_text(text))
    for name, inner in nested:
        held = getattr(message, name)
        if held is not None:
            _write(held, inner)
