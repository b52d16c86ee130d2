"""Decimal texts of the wire to numbers and back.

The wire holds numbers as plain decimal strings. Python's own ``Decimal`` and ``float`` take more
than that (``"1_000"``, ``"NaN"``, ``"1E+999999"``, Arabic digits), so every text is held against
the rule first.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from math import isfinite

from ingenium.errors import DecodeError, EncodeError

__all__ = ["as_written", "format_decimal", "parse_decimal", "parse_float", "parse_price"]

# Up to 15 digits before the point and 18 behind it: the cents of any market and the wei of a coin.
_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,18})?", re.ASCII)
_EXPONENT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?", re.ASCII)

_FINEST = Decimal("1e-18")
_FINEST_EXPONENT = 18
_FEW_DIGITS = 15
_WIDE = Context(prec=64)

# What texts have been read as, and numbers written as: those of money come again and again.
_REMEMBERED = 4096
_numbers: dict[str, Decimal] = {}
_texts: dict[Decimal, str] = {}


def parse_decimal(text: str, event_type: str, path: str) -> Decimal:
    """Parse a decimal of the money path: exact, and plain notation only.

    Args:
        text: What the event holds.
        event_type: For the error, ``"OrderEvent"``.
        path: For the error, the field's wire name.

    Raises:
        DecodeError: The text is empty or no plain decimal.
    """
    number = _plain(text)
    if number is None:
        raise DecodeError(
            event_type, path, f"expected a plain decimal like '12.50', found {text!r}"
        )
    return number


def parse_price(text: str, event_type: str, path: str) -> Decimal:
    """Parse a price or volume of market data exactly; takes what `parse_float` takes.

    What is finer than the 18 decimals that an event of the money path can hold is rounded.

    Raises:
        DecodeError: The text is empty, no finite decimal, or 10^15 or more.
    """
    plain = _plain(text)
    if plain is not None:
        return plain
    if abs(parse_float(text, event_type, path)) >= 1e15:
        raise DecodeError(event_type, path, f"expected a number below 10^15, found {text!r}")
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -_FINEST_EXPONENT <= exponent <= 0:
        return number
    # Quantizing also writes out a positive exponent, so that no text of it ever holds one.
    return number.quantize(_FINEST, context=_WIDE)


def parse_float(text: str, event_type: str, path: str) -> float:
    """Parse a price or volume of market data; an exponent, which some sources write, is taken.

    Raises:
        DecodeError: The text is empty or no finite decimal.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    # float takes "1_0", " 1" and other digits too; the pattern is only paid for by odd texts.
    if not isfinite(number) or not (
        text.isascii() and (text.replace(".", "", 1).isdigit() or _EXPONENT.fullmatch(text))
    ):
        raise DecodeError(event_type, path, f"expected a decimal like '12.50', found {text!r}")
    return number


def format_decimal(number: Decimal) -> str:
    """Write a decimal plainly: no exponent, no trailing zeros behind the point, no ``-0``.

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
    """Return a number as it is read back from its text: equal, and without zeros at its end.

    Raises:
        DecodeError: No event can hold it.
        EncodeError: The number is not finite.
    """
    text = str(number)
    if len(text) <= _FEW_DIGITS and (
        text.isdigit() or (text[-1] != "0" and text.replace(".", "", 1).isdigit())
    ):
        return number  # as most are
    return parse_decimal(format_decimal(number), "number", "")


def _plain(text: str) -> Decimal | None:
    """Read a plain decimal; ``None`` when it is none."""
    number = _numbers.get(text)
    if number is None and _PLAIN.fullmatch(text) is not None:
        number = Decimal(text)
        if len(_numbers) >= _REMEMBERED:
            _numbers.clear()
        _numbers[text] = number
    return number
