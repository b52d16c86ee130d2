"""Fewer points for charts, without losing a high or a low."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["extremes"]


def extremes(values: Sequence[float], most: int) -> list[int]:
    """Return the places of values that draw the same line as all of them.

    Of each of ``most / 2`` stretches the lowest and the highest are kept, and the first and the
    last of all; when there are no more than ``most``, all are. Linear in the number of values.

    Args:
        values: What is drawn, from left to right.
        most: About how many to keep, at least 4.

    Returns:
        Places, ascending.
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
