"""Validation of the arguments of order methods."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from ingenium.errors import ConfigError, InvalidOrderError
from ingenium.trading.money import Number, to_decimal
from ingenium.trading.numbers import format_decimal

__all__ = ["exact", "exact_or_none", "text_of", "token"]

_TokenT = TypeVar("_TokenT", bound=StrEnum)


def token(kind: type[_TokenT], name: str, value: str) -> _TokenT:
    """Return an argument as its enum token.

    Raises:
        InvalidOrderError: The value is not a token of this kind.
    """
    if isinstance(value, kind):
        return value  # the common case; enum lookup is slow
    try:
        return kind(value)
    except ValueError:
        raise InvalidOrderError(
            f"order {name} is {value!r}: use one of {', '.join(kind)}"
        ) from None


def exact(value: Number, name: str) -> Decimal:
    """Return a numeric argument as an exact decimal.

    Raises:
        InvalidOrderError: The value is not a finite number.
    """
    try:
        return to_decimal(value, f"order {name}")
    except ConfigError as error:
        raise InvalidOrderError(str(error)) from None


def exact_or_none(value: Number | None, name: str) -> Decimal | None:
    """Return an optional numeric argument as an exact decimal."""
    return None if value is None else exact(value, name)


def text_of(value: Number | None, name: str) -> str:
    """Return a number in the wire format of events; empty for ``None``."""
    return "" if value is None else format_decimal(exact(value, name))
