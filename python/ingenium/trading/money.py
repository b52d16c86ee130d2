"""Money arithmetic: exact sums and products, and one rounding rule for quotients."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from ingenium.errors import ConfigError, DecodeError
from ingenium.trading.numbers import parse_decimal

__all__ = ["EXACT", "QUOTIENT", "ZERO", "Number", "to_decimal"]

Number = Decimal | int | float | str
"""Types accepted for money and quantities."""

ZERO = Decimal(0)

_TRAPS = [InvalidOperation, DivisionByZero, Overflow]

EXACT = Context(prec=192, rounding=ROUND_HALF_EVEN, traps=_TRAPS)
"""For sums and products.

A number of the wire has at most 43 digits, so a product of three has at most 129, and the sum of
any number of them that a run can make fits as well: nothing is ever rounded.
"""

QUOTIENT = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=_TRAPS)
"""For quotients, such as an average price, which may have no end: 28 significant digits."""


def to_decimal(value: Number, name: str) -> Decimal:
    """Convert a number passed by a user to an exact decimal.

    A float is read as Python prints it: 0.1 is a tenth.

    Args:
        value: The number; a text must be a plain decimal.
        name: Name of the argument, for the error.

    Raises:
        ConfigError: The value is not a finite number.
    """
    try:
        if isinstance(value, str):
            return parse_decimal(value, "number", "")
        if isinstance(value, float):
            value = repr(value)
        number = Decimal(value)
        if number.is_finite() and not isinstance(value, bool):
            # Adding zero expands 1E+5, so that its text never holds an exponent.
            return EXACT.add(number, ZERO)
    except (DecodeError, InvalidOperation, TypeError, ValueError):
        pass
    raise ConfigError(f"{name} is {value!r}: pass a finite decimal, such as Decimal('12.50')")
