"""Find price jumps near the ratio of a split."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from math import log
from statistics import median
from typing import NamedTuple

from ingenium.backtest.price_track import PriceTrack

__all__ = ["Jump", "find_jumps"]

_SPLITS = [Fraction(1, n) for n in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)]
_SPLITS.append(Fraction(2, 3))
_RATIOS = sorted([*_SPLITS, *(1 / ratio for ratio in _SPLITS if ratio <= Fraction(1, 2))])
_LOGS = [log(ratio) for ratio in _RATIOS]
_DOWN, _UP = 0.72, 1.9
"""Smaller moves are not near any split ratio."""
_BEFORE = 20
_FEW, _RARE = 3, 200
_USUAL = 2.5
_NEAREST, _FARTHEST = 0.015, 0.06


class Jump(NamedTuple):
    """A jump of a price from one bar to the next, near the ratio of a split.

    Attributes:
        time: End of the bar that opened after it, UTC.
        known: End of the bar before, when the old price was current.
        before: Last close before the jump.
        after: First open after the jump.
        ratio: Ratio of the nearest split, new price over old.
    """

    time: datetime
    known: datetime
    before: float
    after: float
    ratio: Fraction


def find_jumps(track: PriceTrack) -> list[Jump]:
    """Return the jumps of a symbol that may be splits.

    A jump counts when its distance from the ratio of a split is within the price's usual move from
    one bar to the next. A crash may count, too: prices alone cannot tell them apart.

    Args:
        track: The prices.

    Returns:
        The jumps in order; none if there are so many that such moves are usual.
    """
    found: list[Jump] = []
    opens, closes, times = track.open, track.close, track.times
    # Between two stretches, and within one of several bars.
    pairs = [(closes[:-1], opens[1:])]
    if track.bars_each > 1:
        pairs.append((opens[1:], closes[1:]))
    for befores, afters in pairs:
        for place, (before, after) in enumerate(zip(befores, afters, strict=True), 1):
            if _DOWN * before < after < _UP * before or before <= 0 or after <= 0:
                continue
            ratio = _ratio_near(log(after / before), _usual_move(closes, place))
            if ratio is not None:
                known = times[place - 1]
                found.append(Jump(_time(times[place]), _time(known), before, after, ratio))
    found.sort(key=lambda jump: jump.time)
    return found if len(found) <= _FEW + len(times) // _RARE else []


def _usual_move(closes: Sequence[float], place: int) -> float:
    near = closes[max(place - _BEFORE, 0) : place]
    moves = [abs(log(b / a)) for a, b in pairwise(near) if a > 0 and b > 0]
    return median(moves) if moves else 0.0


def _ratio_near(moved: float, usual: float) -> Fraction | None:
    tolerance = min(max(_USUAL * usual, _NEAREST), _FARTHEST)
    distance, ratio = min(
        (abs(moved - logarithm), ratio) for logarithm, ratio in zip(_LOGS, _RATIOS, strict=True)
    )
    return ratio if distance <= tolerance else None


def _time(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
