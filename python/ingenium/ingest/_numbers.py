"""Numbers as files write them, to the plain decimal text of the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

__all__ = ["ADJUSTED_PLACES", "PLAIN_ROW", "adjust", "has_decimal_comma", "plain_number"]

ADJUSTED_PLACES = 8
"""Decimals of an adjusted price."""

_DIGITS = r"[0-9]{1,15}+(?:\.[0-9]{1,18}+)?+"
PLAIN_ROW = re.compile(rf"\[{_DIGITS},{_DIGITS},{_DIGITS},{_DIGITS},{_DIGITS}\]", re.ASCII)
"""Four prices and a volume that may go to the wire as they are, as a list of JSON."""

_PLAIN = re.compile(rf"-?{_DIGITS}", re.ASCII)
_NUMBER = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?", re.ASCII)
_GROUPED_BY_DOTS = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+", re.ASCII)
_COMMA_DECIMAL = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+", re.ASCII)
# Between thousands, or around the number: spaces of all widths and apostrophes.
_SPACES = dict.fromkeys(map(ord, " \t'\u00a0\u2009\u202f\u2019"))
_SIZES = {"k": 3, "m": 6, "b": 9}
_LIMIT = Decimal(10) ** 15
_SMALLEST = Decimal(1).scaleb(-18)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def has_decimal_comma(texts: Iterable[str], delimiter: str) -> bool:
    """Tell whether numbers use a comma where others use a point.

    Args:
        texts: Numbers of the file.
        delimiter: What stands between its columns; with ``;`` a comma that could be either is
            taken for the decimal one, since that is why such files use ``;``.
    """
    for text in texts:
        number = text.strip()
        if _COMMA_DECIMAL.fullmatch(number) and (
            delimiter == ";" or _GROUPED.fullmatch(number) is None
        ):
            return True
    return False


def plain_number(text: str, *, decimal_comma: bool = False, sizes: bool = False) -> str:
    """Rewrite a number in the plain notation of the wire, its digits kept.

    Signs of money, spaces, quoted thousands and exponents are rewritten; more than 18 decimals are
    rounded, half to even.

    Args:
        text: ``"1,234.50"``, ``"$5"``, ``"1e-05"``.
        decimal_comma: Whether ``"1.234,50"`` is meant.
        sizes: Whether ``K``, ``M`` and ``B`` may follow, as some vendors write volumes.

    Raises:
        ValueError: It is none; the text goes on from the number, ``"is no number"``.
    """
    if _PLAIN.fullmatch(text) and not decimal_comma:
        return text
    number = text.translate(_SPACES).lstrip("$€£")
    if not number:
        raise ValueError("is empty")
    power = 0
    if sizes and number[-1].lower() in _SIZES:
        power = _SIZES[number[-1].lower()]
        number = number[:-1]
    if decimal_comma:
        if "," in number:
            if _COMMA_DECIMAL.fullmatch(number) is None:
                raise ValueError("is no number with a decimal comma, as others in the file are")
            number = number.replace(".", "").replace(",", ".")
        elif _GROUPED_BY_DOTS.fullmatch(number):
            number = number.replace(".", "")
    elif "," in number:
        if _GROUPED.fullmatch(number) is None:
            raise ValueError("is no number: a comma may only stand between thousands")
        number = number.replace(",", "")
    match = _NUMBER.fullmatch(number)
    if match is None or not (match[2] or match[3]):
        raise ValueError("is no number")
    sign, whole, decimals, exponent = match.groups()
    if exponent is None and not power and len(whole) <= 15 and len(decimals) <= 18:
        plain = whole or "0"
        return f"{'-' if sign == '-' else ''}{plain}{'.' if decimals else ''}{decimals}"
    value = Decimal(number).scaleb(power, _EXACT)
    if abs(value) >= _LIMIT:
        raise ValueError("is too large: 15 digits before the point are the most")
    return _written(value.quantize(_SMALLEST, context=_EXACT))


def adjust(prices: tuple[str, str, str, str], adjusted_close: str) -> tuple[str, str, str, str]:
    """Scale the prices of a bar so that its close is the adjusted one.

    Each becomes ``price * adjusted_close / close``, worked out exactly and rounded once, half to
    even, to `ADJUSTED_PLACES` decimals; so their order stays.

    Args:
        prices: Open, high, low and close, plain.
        adjusted_close: The adjusted close, plain.
    """
    close = Decimal(prices[3])
    target = Decimal(adjusted_close)
    place = Decimal(1).scaleb(-ADJUSTED_PLACES)
    open_, high, low, last = (
        _written(_EXACT.divide(_EXACT.multiply(Decimal(price), target), close).quantize(place))
        for price in prices
    )
    return open_, high, low, last


def _written(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
