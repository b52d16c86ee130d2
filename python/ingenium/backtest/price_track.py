"""Prices of each symbol, thinned on arrival to the points that a chart needs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import nan

from ingenium.trading import Bar

__all__ = ["PriceHistory", "PriceTrack"]

_FEWEST = 2048


class PriceTrack:
    """Opens, highs, lows and closes of one symbol, over stretches of equally many bars.

    Stretches start as one bar each. At twice `_FEWEST` stretches each two are merged, so memory
    stays bounded as bars arrive, and no high or low is lost.

    Attributes:
        times: End of each stretch, in seconds since 1970, UTC.
        open: First price in it.
        high: Highest price in it.
        low: Lowest price in it.
        close: Last price in it.
        bars: Bars so far.
    """

    __slots__ = (
        "_bars_each",
        "_highest",
        "_lowest",
        "_room",
        "bars",
        "close",
        "high",
        "low",
        "open",
        "times",
    )

    def __init__(self) -> None:
        self.times, self.high = array("d"), array("d")
        self.low, self.close = array("d"), array("d")
        self.open = array("d")
        self.bars = 0
        self._bars_each = 1
        self._room = 0
        self._highest = self._lowest = 0.0

    def __len__(self) -> int:
        return len(self.times)

    @property
    def bars_each(self) -> int:
        """Number of bars per stretch."""
        return self._bars_each

    def add(self, time: float, high: float, low: float, close: float, open: float = nan) -> None:
        """Add a bar that ended at a time."""
        self.bars += 1
        if self._room:
            self._room -= 1
            self.times[-1], self.close[-1] = time, close
            if high > self._highest:
                self._highest = self.high[-1] = high
            if low < self._lowest:
                self._lowest = self.low[-1] = low
            return
        self._make_room()
        self._room -= 1
        self._highest, self._lowest = high, low
        self.times.append(time)
        self.open.append(open)
        self.high.append(high)
        self.low.append(low)
        self.close.append(close)

    def add_all(self, times: Sequence[float], bars: Sequence[Bar]) -> None:
        """Add several bars, a stretch at a time; see `add`."""
        place, count = 0, len(times)
        while place < count:
            is_new = not self._room
            if is_new:
                self._make_room()
                self._highest, self._lowest = bars[place].high, bars[place].low
            end = min(place + self._room, count)
            highest, lowest = self._highest, self._lowest
            for bar in bars[place:end]:
                high, low = bar.high, bar.low
                highest = max(highest, high)
                lowest = min(lowest, low)
            time, close = times[end - 1], bars[end - 1].close
            if is_new:
                self.times.append(time)
                self.open.append(bars[place].open)
                self.high.append(highest)
                self.low.append(lowest)
                self.close.append(close)
            else:
                self.times[-1], self.high[-1] = time, highest
                self.low[-1], self.close[-1] = lowest, close
            self._highest, self._lowest = highest, lowest
            self.bars += end - place
            self._room -= end - place
            place = end

    def _make_room(self) -> None:
        """Start a stretch."""
        if len(self.times) == 2 * _FEWEST:
            self.halve()
            self._bars_each *= 2
        self._room = self._bars_each

    def halve(self) -> None:
        """Merge each two stretches into one."""
        highs, lows = self.high, self.low
        # In pairs; of an odd number, the last one is left over.
        high = array("d", map(max, highs[::2], highs[1::2]))
        low = array("d", map(min, lows[::2], lows[1::2]))
        times, close = self.times[1::2], self.close[1::2]
        if len(highs) % 2:
            for thinned, full in (
                (high, highs), (low, lows), (times, self.times), (close, self.close),
            ):  # fmt: skip
                thinned.append(full[-1])
        self.high, self.low, self.times, self.close = high, low, times, close
        self.open = self.open[::2]

    def at_most(self, stretches: int) -> PriceTrack:
        """Return a track of the same bars with at most ``stretches`` stretches, at least one."""
        track = PriceTrack()
        track.times, track.high, track.low, track.close = (
            self.times[:], self.high[:], self.low[:], self.close[:]
        )  # fmt: skip
        track.open, track.bars = self.open[:], self.bars
        while len(track) > max(stretches, 1):
            track.halve()
        return track


class PriceHistory:
    """The tracks of all symbols, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.tracks: dict[str, PriceTrack] = {}

    def see(self, time: float, bar: Bar) -> None:
        """Record a bar that arrived at a time."""
        track = self.tracks.get(bar.symbol)
        if track is None:
            track = self.tracks[bar.symbol] = PriceTrack()
        track.add(time, bar.high, bar.low, bar.close, bar.open)

    def see_all(self, symbol: str, times: Sequence[float], bars: Sequence[Bar]) -> None:
        """Record bars of one symbol, each with the time at which it arrived."""
        track = self.tracks.get(symbol)
        if track is None:
            track = self.tracks[symbol] = PriceTrack()
        track.add_all(times, bars)
