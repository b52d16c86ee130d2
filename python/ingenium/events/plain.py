"""Writes the numbers of an event plainly, as the wire format wants them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ingenium._gen.ingenium.v1 import (
    DataEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)

__all__ = ["plain_text", "write_plainly"]

_EXPONENT = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][+-]?[0-9]{1,2}", re.ASCII)
_OF_BAR = ("open", "high", "low", "close", "volume")
_OF_STOP_LOSS = ("limit_price", "stop_price")
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    SignalEvent: ("strength",),
    OrderEvent: (
        "quantity",
        "limit_price",
        "stop_price",
        "take_profit",
        "trail_price",
        "trail_percent",
    ),
    ReplaceEvent: ("quantity", "limit_price", "stop_price", "trail_price", "trail_percent"),
    ExecutionEvent: ("quantity", "price", "commission", "leaves_quantity"),
}


def plain_text(text: str) -> str:
    """Write a number plainly that has an exponent; any other text stays as it is."""
    if ("e" not in text and "E" not in text) or _EXPONENT.fullmatch(text) is None:
        return text
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def write_plainly(event: Any) -> None:
    """Write out the exponents in the numbers of an event, ``"1e-05"`` as ``"0.00001"``.

    Args:
        event: Is changed. One of another type than the bus's own stays as it is.
    """
    if event.__class__ is DataEvent:
        if event.ohlc is not None:
            _write(event.ohlc, _OF_BAR)
        return
    names = _FIELDS.get(event.__class__)
    if names is not None:
        _write(event, names)
        if event.__class__ is OrderEvent and event.stop_loss is not None:
            _write(event.stop_loss, _OF_STOP_LOSS)


def _write(message: Any, names: tuple[str, ...]) -> None:
    for name in names:
        text = getattr(message, name)
        if text and text.__class__ is str and ("e" in text or "E" in text):
            setattr(message, name, plain_text(text))
