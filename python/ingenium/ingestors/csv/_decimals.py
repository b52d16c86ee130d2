"""Detect the decimal sign of a file, 1.5 or 1,5, from unambiguous numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ingenium.ingestors.csv._numbers import bare_number

__all__ = ["decimal_sign"]

# Before three digits, a sign may be a decimal sign or a thousands separator.
_OPEN_COMMA = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}", re.ASCII)
_OPEN_POINT = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}", re.ASCII)
_NUMBER = re.compile(r"[0-9]*([.,]?)[0-9]*", re.ASCII)


def decimal_sign(
    prices: Sequence[str], volumes: Sequence[str], others: Iterable[str], delimiter: str
) -> str | None:
    """Return the decimal sign, ``"."`` or ``","``; ``None`` if ambiguous.

    Args:
        prices: Prices of the file.
        volumes: Volumes of the file.
        others: All other cells, used only if prices and volumes are ambiguous.
        delimiter: Separator of columns. With ``;`` an ambiguous comma is treated as the decimal
            sign, since such files use ``;`` for that reason, unless other numbers suggest a
            thousands separator.
    """
    signs = _signs(prices)
    if signs & {",", "."}:
        return "," if "," in signs else "."
    if "" in signs and len(signs) == 1:
        # Whole numbers show no sign, and need none, except a volume such as 5,10K.
        return "," if "," in _signs(volumes) else "."
    of_volumes = _signs(volumes)
    further = (of_volumes & {",", "."}) or (_signs(others) & {",", "."})
    if len(further) == 1:
        return further.pop()
    # Volumes do not have three decimals, and if prices have three decimals, all have them.
    points = "?," not in signs
    grouped = "" in signs or ("?." if points else "?,") in of_volumes
    if delimiter == ";":
        return None if grouped else "." if points else ","
    return "." if grouped or points else None


def _signs(texts: Iterable[str]) -> set[str]:
    """Return the signs found in numbers: a sign, or ``"?,"`` or ``"?."`` for an ambiguous one."""
    return {_sign(text) for text in texts if text}


def _sign(text: str) -> str:
    if "," not in text and "." not in text:
        return ""
    number = bare_number(text)
    comma, point = number.rfind(","), number.rfind(".")
    if comma >= 0 and point >= 0:
        return "," if comma > point else "."
    if number.count(",") > 1:
        return "."
    if number.count(".") > 1:
        return ","
    if _OPEN_COMMA.fullmatch(number):
        return "?,"
    if _OPEN_POINT.fullmatch(number):
        return "?."
    match = _NUMBER.fullmatch(number)
    return match[1] if match else ""
