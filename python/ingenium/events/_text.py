"""Format single values as Go's encoding/json does: strings, numbers, times."""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime

__all__ = ["ZERO_TIME", "double_text", "escape", "float_text", "time_text"]

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, which means an unset time."""

# Go escapes for HTML, and the two line ends of JavaScript; neither DEL nor the slash.
_SPECIAL = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape_letter(found: re.Match[str]) -> str:
    letter = found[0]
    return _SHORT.get(letter) or f"\\u{ord(letter):04x}"


def escape(text: str) -> str:
    """Return ``text`` escaped for use between the quotes of a JSON string."""
    return _SPECIAL.sub(_escape_letter, text)


def time_text(time: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, without trailing zeros in its fraction.

    Raises:
        OverflowError: The time is outside of the years 1 to 9999 in UTC.
    """
    utc = time.astimezone(UTC)
    # Formatted by hand, since subclasses of datetime may override isoformat.
    text = (
        f"{utc.year:04}-{utc.month:02}-{utc.day:02}T{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    )
    if utc.microsecond:
        text = f"{text}.{utc.microsecond:06}".rstrip("0")
    return text + "Z"


def double_text(value: float) -> str:
    """Return the shortest decimal that reads back as ``value``, in Go's form.

    Raises:
        ValueError: The value is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return _go_form(repr(value))


def float_text(value: float) -> str:
    """Return the shortest decimal that reads back as ``value`` in single precision.

    Raises:
        ValueError: The value is not finite.
        OverflowError: The value is too large for single precision.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    packed = struct.pack("<f", value)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == packed:
            break
    return _go_form(text)


def _go_form(text: str) -> str:
    """Write the digits of a Python number the way Go does.

    Go uses an exponent below 1e-6 and from 1e21 on; Python below 1e-4 and from 1e16 on.
    """
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The number is 0.<digits> times ten to the power of `point`.
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    if not digits:
        return f"{sign}0"
    if not -5 <= point <= 21:
        rest = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"
