"""Conversion of wire decimals to numbers and back.

Numbers are written as plain decimal strings. Other writers print floats and decimals as their
language does, ``"1e-05"`` or ``"1E+6"``, which are read exactly too. Python's own ``Decimal`` and
``float`` take more than that (``"1_000"``, ``"NaN"``, ``"1E+999999"``, Arabic digits), so every
text is checked first.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from math import isfinite

from ingenium.errors import DecodeError, EncodeError

__all__ = [
    "NUMBER_LIMIT",
    "WHOLE_DIGITS",
    "as_written",
    "format_decimal",
    "parse_decimal",
    "parse_float",
    "parse_price",
]

WHOLE_DIGITS = 15
"""Maximum number of digits before the point."""
NUMBER_LIMIT = Decimal(10) ** WHOLE_DIGITS
"""Exclusive upper bound of all prices, quantities and sums from outside."""

# 28 digits after the point hold the cents of any market, the wei of a coin, and all 17 digits of a
# float as small as the price of the smallest coin.
_FINEST_EXPONENT = 28
_PLAIN = re.compile(rf"-?[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,{_FINEST_EXPONENT}}})?", re.ASCII)
_EXPONENT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)

_ONE = Decimal(1)
_FINEST = Decimal("1e-28")
_FEW_DIGITS = 15
_WIDE = Context(prec=64)
_LONG = Context(prec=96)

# Cache size for parsed texts and formatted numbers: amounts of money repeat often.
_REMEMBERED = 4096
_numbers: dict[str, Decimal] = {}
_texts: dict[Decimal, str] = {}


def parse_decimal(text: str, event_type: str, path: str) -> Decimal:
    """Parse a decimal of the money path exactly; an exponent is accepted.

    Args:
        text: The field's value.
        event_type: For the error, ``"OrderEvent"``.
        path: For the error, the field's wire name.

    Raises:
        DecodeError: The text is empty or not a decimal, or has more than 15 digits before the point
            or 28 after it.
    """
    number = _plain(text)
    if number is None:
        number = _with_exponent(text)
    if number is None:
        raise DecodeError(
            event_type, path, f"expected a plain decimal like '12.50', found {text!r}"
        )
    return number


def parse_price(text: str, event_type: str, path: str) -> Decimal:
    """Parse a price or volume of market data exactly; accepts the same texts as `parse_float`.

    Numbers finer than the 28 decimals that an event of the money path can hold are rounded.

    Raises:
        DecodeError: The text is empty, not a finite decimal, or 10^15 or more.
    """
    exact = _plain(text) or _with_exponent(text)
    if exact is not None:
        return exact
    if abs(parse_float(text, event_type, path)) >= NUMBER_LIMIT:
        raise DecodeError(event_type, path, f"expected a number below 10^15, found {text!r}")
    return Decimal(text).quantize(_FINEST, context=_WIDE)


def parse_float(text: str, event_type: str, path: str) -> float:
    """Parse a price or volume of market data; an exponent, which some sources write, is accepted.

    Raises:
        DecodeError: The text is empty or not a finite decimal.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    # float accepts "1_0", " 1" and non-ASCII digits too; only unusual texts pay for the pattern.
    if not isfinite(number) or not (
        text.isascii() and (text.replace(".", "", 1).isdigit() or _EXPONENT.fullmatch(text))
    ):
        raise DecodeError(event_type, path, f"expected a decimal like '12.50', found {text!r}")
    return number


def format_decimal(number: Decimal) -> str:
    """Format a decimal plainly: no exponent, no trailing zeros after the point, no ``-0``.

    Raises:
        EncodeError: The number is not finite.
    """
    if not number.is_finite():
        raise EncodeError("number", "", f"expected a finite decimal, found {number}")
    known = _texts.get(number)
    if known is not None:
        return known
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text == "-0":
        text = "0"
    if len(_texts) >= _REMEMBERED:
        _texts.clear()
    _texts[number] = text
    return text


def as_written(number: Decimal) -> Decimal:
    """Return a number as parsed back from its text: equal, and without trailing zeros.

    Raises:
        DecodeError: No event can hold it.
        EncodeError: The number is not finite.
    """
    text = str(number)
    if len(text) <= _FEW_DIGITS and (
        text.isdigit() or (text[-1] != "0" and text.replace(".", "", 1).isdigit())
    ):
        return number  # the common case
    return parse_decimal(format_decimal(number), "number", "")


def _plain(text: str) -> Decimal | None:
    """Parse a plain decimal; ``None`` for any other text."""
    number = _numbers.get(text)
    if number is None and _PLAIN.fullmatch(text) is not None:
        number = Decimal(text)
        if len(_numbers) >= _REMEMBERED:
            _numbers.clear()
        _numbers[text] = number
    return number


def _with_exponent(text: str) -> Decimal | None:
    """Parse a decimal with an exponent or trailing zeros; ``None`` for any other text."""
    if _EXPONENT.fullmatch(text) is None:
        return None
    number = Decimal(text)
    if not number:
        return Decimal(0)
    if not -_FINEST_EXPONENT <= number.adjusted() < WHOLE_DIGITS:
        return None
    number = number.normalize(_LONG)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_FINEST_EXPONENT:
        return None
    # Expanded, so that its text never holds an exponent.
    return number.quantize(_ONE, context=_WIDE) if exponent > 0 else number
