"""Convert numbers in files to the plain decimal text of the wire format."""

# Currencies in other scripts.
# ruff: noqa: RUF001

from __future__ import annotations

import re
from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Context, Decimal

from ingenium.trading.numbers import NUMBER_LIMIT, WHOLE_DIGITS

__all__ = [
    "ADJUSTED_PLACES",
    "PLAIN_ROW",
    "UNKNOWN",
    "adjust",
    "bare_number",
    "is_number",
    "plain_number",
    "scaled",
]

ADJUSTED_PLACES = 8
"""Decimals of an adjusted price."""
UNKNOWN = frozenset(
    ("", "-", "--", "---", "\u2013", "\u2014", "nan", "null", "none", "n/a", "na", "#n/a", "n.a.",
     "n/d", "nd", "s/d", "nil", "unknown")
)  # fmt: skip
"""Vendors' markers of an unknown number, in lower case."""

_DIGITS = rf"[0-9]{{1,{WHOLE_DIGITS}}}+(?:\.[0-9]{{1,18}}+)?+"
PLAIN_ROW = re.compile(rf"\[{_DIGITS},{_DIGITS},{_DIGITS},{_DIGITS},{_DIGITS}\]", re.ASCII)
"""Four prices and a volume that may go to the wire unchanged, as a JSON list."""

_PLAIN = re.compile(rf"-?{_DIGITS}", re.ASCII)
_NUMBER = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)([eE][+-]?[0-9]{1,3})?", re.ASCII)
# By thousands, or as in India by lakh and crore: 12,34,567.
_GROUPED = re.compile(
    r"[+-]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.[0-9]*)?",
    re.ASCII,
)
_GROUPED_BY_DOTS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+", re.ASCII)
_COMMA_DECIMAL = re.compile(r"[+-]?(?:[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),[0-9]+", re.ASCII)
_SPACED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?: [0-9]{3})+(?:[.,][0-9]*)?", re.ASCII)
_QUOTED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:'[0-9]{3})+(?:[.,][0-9]*)?", re.ASCII)
# 110'165 is 110 and 16.5/32 of a bond's price, or a hundred and ten thousand.
_FRACTION = re.compile(r"[+-]?[0-9]{1,3}'[0-9]{3}", re.ASCII)
# Spaces of all widths, quotes that group thousands, minus signs, and digits of double width.
_LETTERS: dict[int, str] = {
    **dict.fromkeys(map(ord, "\t\u00a0\u2007\u2009\u202f\u2002\u2003\u3000"), " "),
    **dict.fromkeys(map(ord, "\u2019\u02bc\u2018`\u00b4"), "'"),
    **dict.fromkeys(map(ord, "\u2212\uff0d\u2010\u2011\u2013"), "-"),
    **{0xFF10 + digit: str(digit) for digit in range(10)},
    ord("\uff0e"): ".",
    ord("\uff0c"): ",",
    ord("\uff0b"): "+",
}
_CODES = (
    "USD|EUR|GBP|JPY|CHF|AUD|CAD|NZD|CNY|HKD|SGD|KRW|INR|TRY|RUB|BRL|MXN|ZAR|SEK|NOK|DKK|PLN|CZK|"
    "HUF|THB|TWD|ILS|USDT|USDC"
)
_MONEY = (
    rf"(?:{_CODES}|US\$|R\$|HK\$|A\$|C\$|S\$|NT\$|Rs\.?|[$€£¥₹₩₽₺₫฿₪₴]|zł|Kč|kr\.?|руб\.?|元|円|원)"
)
_BEFORE = re.compile(rf"([+-]?)\s*{_MONEY}\s*")
_BEHIND = re.compile(rf"\s*{_MONEY}")
_SIZE = re.compile(r"(.*[0-9.,])\s*([^\W\d_]+)\.?")
_SIZES = {
    "k": 3, "tsd": 3, "thousand": 3, "m": 6, "mn": 6, "mm": 6, "mio": 6, "mln": 6, "million": 6,
    "млн": 6, "тыс": 3, "b": 9, "bn": 9, "bln": 9, "mrd": 9, "billion": 9, "млрд": 9, "t": 12,
    "tn": 12, "trn": 12, "trillion": 12, "lakh": 5, "lakhs": 5, "lac": 5, "lacs": 5, "cr": 7,
    "crore": 7, "crores": 7, "万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8,
}  # fmt: skip
_SMALLEST = Decimal(1).scaleb(-18)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def bare_number(text: str) -> str:
    """Return the digits, points and commas of a number, without all other characters."""
    number = _without_money(text.translate(_LETTERS).strip(" ()%"))[0]
    if sized := _SIZE.fullmatch(number):
        number = sized[1]
    return number.lstrip("+-").replace(" ", "").replace("'", "")


def _without_money(number: str) -> tuple[str, bool]:
    """Remove a leading or trailing currency sign or code; return whether there was one."""
    found = False
    if match := _BEFORE.match(number):
        number, found = match[1] + number[match.end() :], True
    for match in _BEHIND.finditer(number):
        if match.end() == len(number) and match.start():
            return number[: match.start()], True
    return number, found


def plain_number(text: str, *, decimal_comma: bool = False, volume: bool = False) -> str:
    """Rewrite a number in the plain notation of the wire, keeping its digits.

    Currency signs, grouped digits, parentheses for a minus and exponents are rewritten; more than
    18 decimals are rounded, half to even.

    Args:
        text: ``"1,234.50"``, ``"1,02,500"``, ``"$5"``, ``"5 zł"``, ``"(5)"``, ``"1e-05"``.
        decimal_comma: Whether the decimal sign is a comma, as in ``"1.234,50"``.
        volume: Whether the number is a volume, so that a multiplier such as ``K``, ``M``, ``bn`` or
            ``lakh`` may follow, and a currency may not.

    Raises:
        ValueError: The text is not a number; the message continues after it, ``"is no number"``.
    """
    if not decimal_comma and _PLAIN.fullmatch(text) and text[0] != "-":
        return text
    number = text.translate(_LETTERS).strip()
    if not number:
        raise ValueError("is empty")
    minus = number[0] == "(" and number[-1] == ")"
    if minus:
        number = number[1:-1].strip()
    number, money = _without_money(number)
    if money and volume:
        raise ValueError("is an amount of money, not what was traded: name another column")
    power = 0
    if volume and (sized := _SIZE.fullmatch(number)) and sized[2].lower() in _SIZES:
        power = _SIZES[sized[2].lower()]
        number = sized[1]
    number = _ungrouped(number, decimal_comma, volume)
    match = _NUMBER.fullmatch(number)
    if match is None or not (match[2] or match[3]) or (minus and match[1]):
        raise ValueError("is not a number")
    sign, whole, decimals, exponent = match.groups()
    if minus:
        sign, number = "-", f"-{number}"
    if exponent is None and not power and len(whole) <= WHOLE_DIGITS and len(decimals) <= 18:
        plain = whole or "0"
        has_value = bool((whole + decimals).strip("0"))
        return (
            f"{'-' if sign == '-' and has_value else ''}{plain}{'.' if decimals else ''}{decimals}"
        )
    return _limited(Decimal(number).scaleb(power, _EXACT))


def is_number(text: str) -> bool:
    """Return whether a cell may be a price or a volume, in any supported form."""
    for decimal_comma in (False, True):
        for volume in (False, True):
            with suppress(ValueError):
                plain_number(text, decimal_comma=decimal_comma, volume=volume)
                return True
    return False


def _ungrouped(number: str, decimal_comma: bool, volume: bool) -> str:
    """Remove the separators of digit groups, and replace a decimal comma by a point."""
    if "'" in number:
        if _QUOTED.fullmatch(number) is None or (not volume and _FRACTION.fullmatch(number)):
            raise ValueError(
                "may be a fraction, as bonds and grains have them, or thousands: write it as a "
                "decimal number"
            )
        number = number.replace("'", "")
    elif " " in number:
        if _SPACED.fullmatch(number) is None:
            raise ValueError("is not a number: a space may only stand between thousands")
        number = number.replace(" ", "")
    if decimal_comma:
        if "," in number:
            if _COMMA_DECIMAL.fullmatch(number) is None:
                raise ValueError("is not a number with a decimal comma, as others in the file are")
            return number.replace(".", "").replace(",", ".")
        return number.replace(".", "") if _GROUPED_BY_DOTS.fullmatch(number) else number
    if "," in number:
        if _GROUPED.fullmatch(number) is None:
            raise ValueError("is not a number: a comma may only stand between thousands")
        return number.replace(",", "")
    return number


def scaled(number: str, scale: Decimal) -> str:
    """Multiply a plain number exactly; more than 18 decimals are rounded, half to even.

    Raises:
        ValueError: The result is 10^15 or more; the message continues after the number.
    """
    return _limited(_EXACT.multiply(Decimal(number), scale))


def adjust(prices: tuple[str, str, str, str], adjusted_close: str) -> tuple[str, str, str, str]:
    """Scale the prices of a bar so that its close is the adjusted one.

    Each becomes ``price * adjusted_close / close``, computed exactly and rounded once, half to
    even, to `ADJUSTED_PLACES` decimals, so their order is preserved.

    Args:
        prices: Open, high, low and close, in plain notation.
        adjusted_close: The adjusted close, in plain notation.
    """
    close = Decimal(prices[3])
    target = Decimal(adjusted_close)
    place = Decimal(1).scaleb(-ADJUSTED_PLACES)
    open_, high, low, last = (
        _written(_EXACT.divide(_EXACT.multiply(Decimal(price), target), close).quantize(place))
        for price in prices
    )
    return open_, high, low, last


def _limited(value: Decimal) -> str:
    if abs(value) >= NUMBER_LIMIT:
        raise ValueError("is too large: 15 digits before the point are the most")
    return _written(value.quantize(_SMALLEST, context=_EXACT))


def _written(number: Decimal) -> str:
    text = format(number or abs(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
