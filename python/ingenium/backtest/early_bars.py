"""Find bars published before their period ends, from the intervals between bars of a series."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ingenium.clock import format_time
from ingenium.components import Ingestor
from ingenium.errors import DecodeError
from ingenium.events import DataEvent
from ingenium.runtime.replay import time_of
from ingenium.trading import Bar
from ingenium.trading.bar_length import DAY, find_length, format_length, kind_of

__all__ = ["EarlyBars"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400
_SHORTEST_SESSION = 4 * 3_600
_SHORTEST_WEEK = 5 * _DAY_SECONDS
_MORNING = 6 * 3_600
_FEW = 3
_ENOUGH_DAYS = 10


@dataclass
class _SymbolBars:
    """The bars of one symbol from one ingestor, in seconds since 1970."""

    has_starts: bool = True
    starts: array[float] = field(default_factory=lambda: array("d"))
    ends: array[float] = field(default_factory=lambda: array("d"))
    known: array[float] = field(default_factory=lambda: array("d"))


class EarlyBars:
    """Collects the bars of ingestors, and reports those published before their period ends."""

    def __init__(self) -> None:
        self._series: dict[str, dict[str, _SymbolBars]] = {}
        self._ingestors: dict[str, Ingestor] = {}

    def see(self, ingestor: Ingestor, event: DataEvent) -> None:
        """Record an event from an ingestor."""
        ohlc = event.ohlc
        if ohlc is None:
            return
        try:
            bar = Bar.from_event(event)
            known = time_of(event).timestamp()
        except DecodeError:
            return  # the components report this
        self._ingestors[ingestor.name] = ingestor
        series = self._series.setdefault(ingestor.name, {}).setdefault(event.symbol, _SymbolBars())
        series.has_starts = series.has_starts and ohlc.timestamp is not None
        series.starts.append(bar.start.timestamp())
        series.ends.append(bar.end.timestamp())
        series.known.append(known)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each ingestor with early bars, and the problem."""
        for name, symbols in self._series.items():
            found = [
                (symbol, problem)
                for symbol, series in symbols.items()
                if (problem := _problem(symbol, series))
            ]
            if not found:
                continue
            symbol, problem = found[0]
            others = f"; so are bars of {len(found) - 1} other symbols" if len(found) > 1 else ""
            yield name, f"{self._file_of(name, symbol)}{problem}{others}"

    def _file_of(self, name: str, symbol: str) -> str:
        """Return the file from which a symbol's bars come, where it is known."""
        files = self._ingestors[name].files()
        named = [file.name for file in files if file.name.split(".")[0] == symbol]
        if not named and len(files) == 1:
            named = [files[0].name]
        return f"reads {named[0]}: " if named else "feeds "


def _problem(symbol: str, series: _SymbolBars) -> str:
    """Return the problem with the times of a series; empty if there is none."""
    starts, ends, known = series.starts, series.ends, series.known
    early = [place for place in range(len(known)) if known[place] < ends[place]]
    if early:
        first = early[0]
        return (
            f"{_bar(symbol, starts[first])} is known at {_text(known[first])}, before it ends at "
            f"{_text(ends[first])} ({len(early)} of {len(known)} bars): make the timestamp of its "
            "event the end of the bar"
        )
    if not series.has_starts:
        return _midnight(symbol, known) or _by_distance(symbol, starts, known, only_stated=True)
    return _by_distance(symbol, starts, known, only_stated=False)


def _by_distance(
    symbol: str, starts: Sequence[float], known: Sequence[float], *, only_stated: bool
) -> str:
    """Find bars whose period is shorter than the interval between bars."""
    edges = sorted(set(starts))
    if len(edges) < 2:
        return ""
    found, distances = find_length([_time(edge) for edge in edges])
    length = found or min(distances.kinds)
    least = _least(length.total_seconds())
    early = []
    for place, start in enumerate(starts):
        lasts = known[place] - start
        if lasts >= least or (only_stated and lasts <= 0):
            continue
        next_place = bisect_right(edges, start)
        if next_place == len(edges):
            early.append(place)
            continue
        gap = edges[next_place] - start
        if lasts < gap and kind_of(timedelta(seconds=gap)) == length:
            if lasts >= _SHORTEST_SESSION and length == DAY and start % _DAY_SECONDS:
                continue  # a session of that day
            early.append(place)
    sure = [place for place in early if starts[place] < edges[-1]]
    if not sure or (len(sure) == 1 and len(edges) > _FEW):
        return ""
    first = sure[0]
    lasts = known[first] - starts[first]
    after = f"after {format_length(timedelta(seconds=lasts))}" if lasts > 0 else "at its start"
    said = format_length(length)
    return (
        f"{_bar(symbol, starts[first])} is known {after}, at {_text(known[first])}, though bars "
        f"are {said} apart ({len(early)} of {len(known)} bars): leave period out or pass "
        f"period='{said}', and make the timestamp of an event the end of its bar"
    )


def _least(length: float) -> float:
    """Return the shortest length of a bar that includes all of its trading."""
    return _SHORTEST_WEEK if length == 7 * _DAY_SECONDS else length


def _midnight(symbol: str, known: Sequence[float]) -> str:
    """Find daily bars published at the midnight on which their day begins.

    Where no start is stated, bars from Monday to Friday end from Tuesday to Saturday.
    """
    days = sorted(set(known))
    if len(days) < _ENOUGH_DAYS or any(time % _DAY_SECONDS > _MORNING for time in days):
        return ""
    weekdays = {_time(time).weekday() for time in days}
    found, _ = find_length([_time(time) for time in days])
    if found != DAY or weekdays != {0, 1, 2, 3, 4}:
        return ""
    return (
        f"{symbol}'s bar of {_time(days[0]):%A} {_text(days[0])} is known at the midnight with "
        "which that day begins, as bars come from Monday to Friday and not from Tuesday to "
        "Saturday: make the timestamp of an event the end of its bar, and state the bar's start "
        "and period"
    )


def _bar(symbol: str, start: float) -> str:
    return f"{symbol}'s bar of {_text(start)}"


def _time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _text(seconds: float) -> str:
    return format_time(_time(seconds))
