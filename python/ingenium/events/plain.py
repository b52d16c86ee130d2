"""Write the numbers of an event in plain notation, as the wire format requires."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

from ingenium.events._schema import Schema, SchemaError, schema_of
from ingenium.events.wire import encode

__all__ = ["id_prefix_of", "plain_text", "write_plainly"]

_EXPONENT = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][+-]?[0-9]{1,2}", re.ASCII)

_DecimalFields = tuple[
    Callable[[Any], Any] | None, Callable[[Any], tuple[Any, ...]], tuple[str, ...]
]
"""How to find a message within the event and read its decimals, and the names of these."""
_Decimals = tuple[_DecimalFields, ...]
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

    Raises:
        EncodeError: A decimal is not text.
    """
    decimals = _known.get(event.__class__)
    if decimals is None:
        decimals = _known[event.__class__] = _decimals_of(event.__class__)
    for find, read, names in decimals:
        message = event if find is None else find(event)
        if message is not None:
            for text in read(message):
                if text.__class__ is str:
                    if "e" in text or "E" in text:
                        _rewrite(message, names)
                        break
                elif text is not None and not isinstance(text, str):
                    # Raises with the name of the field, which matters only here.
                    encode(event)


def _rewrite(message: Any, names: tuple[str, ...]) -> None:
    for name in names:
        text = getattr(message, name)
        if text.__class__ is str:
            setattr(message, name, plain_text(text))


def _decimals_of(cls: type[Any]) -> _Decimals:
    # Other messages are written by their own libraries.
    if not is_dataclass(cls):
        return ()
    try:
        return tuple(_decimals_in(schema_of(cls), None, ()))
    except SchemaError:
        return ()


def _decimals_in(
    schema: Schema, find: Callable[[Any], Any] | None, above: tuple[Schema, ...]
) -> Iterator[_DecimalFields]:
    if names := tuple(field.name for field in schema.fields if field.is_decimal):
        # An attrgetter of one name returns no tuple.
        read = attrgetter(*names) if len(names) > 1 else attrgetter(names[0], names[0])
        yield find, read, names
    for field in schema.fields:
        message = field.message
        if message is not None and not field.repeated and message not in (*above, schema):
            yield from _decimals_in(message, _within(find, field.name), (*above, schema))


def _within(find: Callable[[Any], Any] | None, name: str) -> Callable[[Any], Any]:
    """Return a function that reads a field of a message that another one finds in an event."""
    if find is None:
        return attrgetter(name)
    outer = find

    def find_inner(event: Any) -> Any:
        message = outer(event)
        return None if message is None else getattr(message, name)

    return find_inner
