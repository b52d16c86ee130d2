"""Detect the decimal sign of a file, 1.5 or 1,5, from unambiguous numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ingenium.ingestors.csv._numbers import bare_number

__all__ = ["decimal_sign"]

# With three digits behind it, a sign may stand before decimals or between thousands.
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
        others: All other cells, looked at only where prices and volumes leave it open.
        delimiter: What stands between columns. With ``;`` a comma that may be either is taken for
            the decimal one, since that is why such files use ``;``, unless other numbers look as
            if it stood between thousands.
    """
    signs = _signs(prices)
    if signs & {",", "."}:
        return "," if "," in signs else "."
    if "" in signs and len(signs) == 1:
        # Whole numbers say nothing, and need nothing, but for a volume such as 5,10K.
        return "," if "," in _signs(volumes) else "."
    of_volumes = _signs(volumes)
    further = (of_volumes & {",", "."}) or (_signs(others) & {",", "."})
    if len(further) == 1:
        return further.pop()
    # Volumes have no three decimals, and of prices with three decimals all have them.
    points = "?," not in signs
    grouped = "" in signs or ("?." if points else "?,") in of_volumes
    if delimiter == ";":
        return None if grouped else "." if points else ","
    return "." if grouped or points else None


def _signs(texts: Iterable[str]) -> set[str]:
    """Return what the numbers show: a sign, ``"?,"`` or ``"?."`` for one left open, or nothing."""
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
