"""Reads the arguments of those who send orders."""

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
    """Return the word that an argument is.

    Raises:
        InvalidOrderError: It is none of its kind.
    """
    if isinstance(value, kind):
        return value  # as most are; to look one up is slow
    try:
        return kind(value)
    except ValueError:
        raise InvalidOrderError(
            f"order {name} is {value!r}: use one of {', '.join(kind)}"
        ) from None


def exact(value: Number, name: str) -> Decimal:
    """Return a number that an argument is, exactly.

    Raises:
        InvalidOrderError: It is no finite number.
    """
    try:
        return to_decimal(value, f"order {name}")
    except ConfigError as error:
        raise InvalidOrderError(str(error)) from None


def exact_or_none(value: Number | None, name: str) -> Decimal | None:
    """Do as `exact` with what may be left out."""
    return None if value is None else exact(value, name)


def text_of(value: Number | None, name: str) -> str:
    """Write a number as events hold it; empty for what is left out."""
    return "" if value is None else format_decimal(exact(value, name))
