"""Thin the points of a chart without losing a high or a low."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["extremes"]


def extremes(values: Sequence[float], most: int) -> list[int]:
    """Return the indexes of values that draw the same line as all of them.

    The lowest and the highest value of each of ``most / 2`` stretches are kept, and the first and
    last of all; up to ``most`` values are all kept. Linear in the number of values.

    Args:
        values: Values to draw, from left to right.
        most: Approximate number to keep, at least 4.

    Returns:
        Indexes, ascending.
    """
    count = len(values)
    if count <= most:
        return list(range(count))
    stretches = most // 2
    kept = {0, count - 1}
    for number in range(stretches):
        places = range(number * count // stretches, (number + 1) * count // stretches)
        kept.add(min(places, key=values.__getitem__))
        kept.add(max(places, key=values.__getitem__))
    return sorted(kept)
