"""Charts as SVG that scales with the page; their labels are HTML, which keeps its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape
from math import ceil, floor, isnan, log10

__all__ = ["Scale", "chart", "dots", "line", "span"]

_WIDTH = 100_000
_HEIGHT = 10_000
_Y_TICKS = 5
_X_TICKS = 6
_HOUR = 3600
_DAY = 86_400
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_STEPS = tuple(
    60 * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps times and values to positions in a chart.

    Attributes:
        first: Time at the left, in seconds since 1970.
        last: Time at the right.
        low: Value at the bottom.
        high: Value at the top.
    """

    first: float
    last: float
    low: float
    high: float

    @classmethod
    def over(cls, times: Sequence[float], *series: Iterable[float]) -> Scale:
        """Return the scale that contains all points, with a margin above and below."""
        values = [value for each in series for value in each if not isnan(value)]
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
        first, last = (times[0], times[-1]) if times else (0.0, 1.0)
        if last <= first:
            first, last = first - _HOUR, last + _HOUR
        return cls(first, last, low - room, high + room)

    def x(self, time: float) -> int:
        """Return the position of a time, from 0 at the left."""
        return round((time - self.first) / (self.last - self.first) * _WIDTH)

    def y(self, value: float) -> int:
        """Return the position of a value, from 0 at the top."""
        return round((self.high - value) / (self.high - self.low) * _HEIGHT)


def line(scale: Scale, times: Sequence[float], values: Sequence[float]) -> str:
    """Return the path of a line, interrupted where values are nan."""
    parts: list[str] = []
    x = y = 0
    pen = False
    for time, value in zip(times, values, strict=True):
        if isnan(value):
            pen = False
            continue
        to_x, to_y = scale.x(time), scale.y(value)
        # Relative steps are shorter texts than absolute positions.
        parts.append(f"l{to_x - x} {to_y - y}" if pen else f"M{to_x} {to_y}")
        x, y, pen = to_x, to_y, True
    return "".join(parts)


def span(
    scale: Scale, times: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> str:
    """Return the path of the area between two lines."""
    if not times:
        return ""
    there = line(scale, times, highs)
    back = line(scale, times[::-1], lows[::-1])
    return f"{there}L{back[1:]}Z"


def dots(scale: Scale, points: Iterable[tuple[float, float]]) -> str:
    """Return a path of zero-length lines, which round line caps draw as dots."""
    return "".join(f"M{scale.x(time)} {scale.y(value)}h0" for time, value in points)


def chart(
    scale: Scale,
    paths: Sequence[tuple[str, str]],
    *,
    label: str,
    percent: bool = False,
    attributes: str = "",
    zone: tzinfo = UTC,
) -> str:
    """Return a chart.

    Args:
        scale: Positions of times and values.
        paths: CSS class and path of each element, from back to front.
        label: Description of the chart, for screen readers.
        percent: Whether values are fractions to show in percent.
        attributes: Further attributes of the outer element, escaped.
        zone: Time zone of the axis labels.
    """
    ticks = value_ticks(scale.low, scale.high)
    times = time_ticks(scale.first, scale.last, zone)
    grid = "".join(f"M0 {scale.y(tick)}h{_WIDTH}" for tick in ticks)
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in paths if path)
    side = "".join(
        f'<span style="top:{scale.y(tick) / _HEIGHT:.3%}">{text}</span>'
        for tick, text in zip(ticks, value_texts(ticks, percent=percent), strict=True)
    )
    below = "".join(
        f'<span style="left:{scale.x(time) / _WIDTH:.3%}">{escape(text)}</span>'
        for time, text in times
    )
    return (
        f'<figure class="chart" data-scale="{scale.first!r} {scale.last!r} {scale.low!r} '
        f'{scale.high!r}" data-percent="{int(percent)}" {attributes}><div class="plot">'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><path class="grid" d="{grid}"/>{drawn}</svg>'
        f'<div class="y">{side}</div><div class="x">{below}</div></div></figure>'
    )


def value_ticks(low: float, high: float) -> list[float]:
    """Return about five round values between two values."""
    rough = (high - low) / _Y_TICKS
    if not rough > 0:
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def time_ticks(first: float, last: float, zone: tzinfo = UTC) -> list[tuple[float, str]]:
    """Return about six times between two times, round in a zone, with their texts."""
    start, end = datetime.fromtimestamp(first, zone), datetime.fromtimestamp(last, zone)
    days = (last - first) / _DAY
    if days > 365 * 2:
        step = max(1, round(days / 365 / _X_TICKS))
        years = range(start.year + 1, end.year + 1)
        found = [(_stamp(year, 1, zone), str(year)) for year in years if year % step == 0]
    elif days > 60:
        step = next((s for s in (1, 2, 3, 6) if days / 30.4 / s <= _X_TICKS), 6)
        months = range(start.year * 12 + start.month, end.year * 12 + end.month)
        found = [
            (
                _stamp(m // 12, m % 12 + 1, zone),
                f"{datetime(m // 12, m % 12 + 1, 1, tzinfo=zone):%b %Y}",
            )
            for m in months
            if m % step == 0
        ]
    else:
        if days > _X_TICKS / 2:
            seconds, form = ceil(days / _X_TICKS) * _DAY, "%b %d"
        else:
            wanted = (last - first) / _X_TICKS
            seconds, form = next((s for s in _STEPS if s >= wanted), _DAY), "%b %d %H:%M"
        offset = int((start.utcoffset() or timedelta()).total_seconds())
        begin = ceil((first + offset) / seconds) * seconds - offset
        found = [
            (float(t), f"{datetime.fromtimestamp(t, zone):{form}}")
            for t in range(begin, floor(last) + 1, seconds)
        ]
    # A tick at the very edge would be cut off.
    margin = (last - first) * 0.02
    return [(time, text) for time, text in found if first + margin < time < last - margin]


def _stamp(year: int, month: int, zone: tzinfo) -> float:
    return datetime(year, month, 1, tzinfo=zone).timestamp()


def value_texts(ticks: Sequence[float], *, percent: bool = False) -> list[str]:
    """Format ticks with enough digits to tell them apart."""
    if percent:
        ticks = [tick * 100 for tick in ticks]
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) if ticks else 1.0
    unit, letter = next((each for each in _UNITS if step >= each[0]), (1.0, ""))
    if percent:
        unit, letter = 1.0, "%"
    # A step of 2.5 needs one digit more than its magnitude.
    decimals = max(0, -floor(log10(step / unit * 1.0001)) if step else 0)
    decimals += not (step / unit * 10**decimals + 1e-6) % 1 < 1e-5
    small = step / 1000
    return [
        f"{tick / unit:,.{decimals}f}{letter}" if abs(tick) > small else f"0{'%' * percent}"
        for tick in ticks
    ]
