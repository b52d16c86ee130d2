"""Equity of an account, step by step."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from ingenium.backtest.price_track import PriceHistory
from ingenium.backtest.trading_days import day_of, end_of, periods_in_year
from ingenium.errors import DecodeError
from ingenium.events import DataEvent
from ingenium.runtime.replay import Item, Run
from ingenium.trading import Account, Bar

__all__ = ["EquityCurve"]

_DAY_SECONDS = 86_400
_MOST_BARS = 1024
_FEW_BARS = 16
"""From this many pending steps on, a change of symbol processes them first."""


class _Stretch(NamedTuple):
    """Steps between two bookings.

    Attributes:
        first: Index of its first bar among the pending ones.
        cash: In the account's currency.
        held: Symbols and quantities, negative for shorts.
    """

    first: int
    cash: float
    held: list[tuple[str, float]]


class EquityCurve:
    """Equity, exposure and the price of a benchmark after each step of a backtest.

    Attributes:
        starting_equity: Equity before the first step.
        benchmark_symbol: Symbol of the benchmark; the first one seen when not chosen.
        zone: Time zone of the days; UTC when not chosen.
    """

    def __init__(
        self,
        starting_equity: float,
        benchmark_symbol: str | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        self.starting_equity = starting_equity
        self.benchmark_symbol = benchmark_symbol
        self.zone = zone
        self._timestamps = array("d")
        self._equity = array("d")
        self._exposure = array("d")
        self._benchmark = array("d")
        self._prices = PriceHistory()
        # Pending steps of one bar each, processed as a batch, with their times and closes. All are
        # of one symbol, unless symbols change too often for batches.
        self._bars: list[Bar] = []
        self._stamps = array("d")
        self._values: list[float] = []
        self._symbol = ""
        self._is_mixed = False
        self._close = float("nan")
        self._closes: dict[str, float] = {}
        self._account: Account | None = None
        self._bookings = 0
        # Cash and positions under the pending bars; the last stretch is the current one.
        self._stretches = [_Stretch(0, starting_equity, [])]

    def __len__(self) -> int:
        return len(self._timestamps) + len(self._bars)

    @property
    def timestamps(self) -> array[float]:
        """Seconds since 1970, UTC."""
        self._work_off()
        return self._timestamps

    @property
    def equity(self) -> array[float]:
        """Equity, in the account's currency."""
        self._work_off()
        return self._equity

    @property
    def exposure(self) -> array[float]:
        """Gross market value of all positions, long and short, as a fraction of equity.

        nan where equity is zero or below and a position is open.
        """
        self._work_off()
        return self._exposure

    @property
    def benchmark(self) -> array[float]:
        """Close of the benchmark's symbol; nan before its first bar."""
        self._work_off()
        return self._benchmark

    @property
    def prices(self) -> PriceHistory:
        """Prices of all symbols, thinned, for charts."""
        self._work_off()
        return self._prices

    @property
    def times(self) -> list[datetime]:
        """The times as datetimes, UTC."""
        return [datetime.fromtimestamp(stamp, UTC) for stamp in self.timestamps]

    def record_bar(self, bar: Bar, account: Account) -> None:
        """Record a step with only this bar, at the bar's end; see `record`."""
        self.record_bars([bar], account)

    def record_bars(self, bars: Sequence[Bar], account: Account) -> None:
        """Record steps of one bar each during which nothing was booked; see `record`."""
        for bar in bars:
            self._expect(bar.symbol, account)
            self._bars.append(bar)
            self._stamps.append(bar.end.timestamp())
            self._values.append(bar.close)

    def record_run(self, run: Run, first: int, end: int, account: Account) -> None:
        """Record a part of a run; see `record_bars`.

        Args:
            run: The bars.
            first: Index of the first bar.
            end: Index after the last bar.
            account: The account, unchanged during these bars.
        """
        if first < end:
            self._expect(run.symbol, account)
            self._bars += run.bars[first:end]
            self._stamps.extend(run.stamps(first, end))
            self._values += run.closes[first:end]

    def _expect(self, symbol: str, account: Account) -> None:
        """Prepare to record bars of a symbol."""
        if account is not self._account or account.bookings != self._bookings:
            self._look_at(account)
        waiting = len(self._bars)
        has_changed = symbol != self._symbol and not self._is_mixed
        if waiting >= _MOST_BARS or (has_changed and waiting >= _FEW_BARS):
            self._work_off()
            waiting = 0
        if not waiting:
            self._symbol, self._is_mixed = symbol, False
        elif symbol != self._symbol:
            self._is_mixed = True

    def record(self, time: datetime, account: Account, data: Sequence[Item] = ()) -> None:
        """Add the account's state after a step, and the prices of the step.

        The curve uses floats; the account itself uses exact decimals.
        """
        self._work_off()
        if account is not self._account or account.bookings != self._bookings:
            self._look_at(account)
        bars = [item if isinstance(item, Bar) else _bar_of(item) for item in data]
        self._add(time.timestamp(), [bar for bar in bars if bar is not None], self._stretches[-1])

    def _work_off(self) -> None:
        """Process the pending steps of one bar each."""
        bars, stretches, symbol = self._bars, self._stretches, self._symbol
        if not bars:
            return
        if self.benchmark_symbol is None:
            self.benchmark_symbol = symbol
        is_alone = not self._is_mixed and self.benchmark_symbol == symbol
        for stretch in stretches:
            for name, _ in stretch.held:
                is_alone = is_alone and name == symbol
        ends = [stretch.first for stretch in stretches[1:]] + [len(bars)]
        spans = list(zip(stretches, ends, strict=True))
        if is_alone:
            self._add_all(symbol, bars, spans)
        else:
            for stretch, end in spans:
                for place in range(stretch.first, end):
                    self._add(self._stamps[place], [bars[place]], stretch)
        bars.clear()
        self._stamps = array("d")
        self._values.clear()
        if stretches[-1].first:
            self._stretches = [stretches[-1]._replace(first=0)]

    def _add_all(
        self, symbol: str, bars: Sequence[Bar], spans: Sequence[tuple[_Stretch, int]]
    ) -> None:
        """Add steps of one bar each, where no other symbol is held or compared; see `_add`.

        Args:
            symbol: The symbol of the bars.
            bars: One bar for each step.
            spans: Stretches, each with the index after its last bar.
        """
        stamps, closes = self._stamps, self._values
        self._closes[symbol] = self._close = closes[-1]
        self._prices.see_all(symbol, stamps, bars)
        self._timestamps.extend(stamps)
        self._benchmark.extend(array("d", closes))
        for stretch, end in spans:
            cash, count = stretch.cash, end - stretch.first
            if not stretch.held:
                self._equity.extend(array("d", [cash]) * count)
                self._exposure.extend(array("d", [0.0]) * count)
                continue
            quantity = stretch.held[0][1]
            equity: list[float] = []
            exposure: list[float] = []
            for close in closes[stretch.first : end]:
                market_value = quantity * close
                value = cash + market_value
                equity.append(value)
                exposure.append(_exposure(abs(market_value), value))
            self._equity.extend(array("d", equity))
            self._exposure.extend(array("d", exposure))

    def _add(self, stamp: float, bars: Sequence[Bar], stretch: _Stretch) -> None:
        closes = self._closes
        for bar in bars:
            symbol = bar.symbol
            closes[symbol] = bar.close
            self._prices.see(stamp, bar)
            if self.benchmark_symbol is None:
                self.benchmark_symbol = symbol
            if symbol == self.benchmark_symbol:
                self._close = bar.close
        equity, gross = stretch.cash, 0.0
        for symbol, quantity in stretch.held:
            value = quantity * closes[symbol]
            equity += value
            gross += abs(value)
        self._timestamps.append(stamp)
        self._equity.append(equity)
        self._exposure.append(_exposure(gross, equity))
        self._benchmark.append(self._close)

    def _look_at(self, account: Account) -> None:
        """Read cash and positions, which only a booking changes."""
        self._account, self._bookings = account, account.bookings
        held: list[tuple[str, float]] = []
        for symbol, quantity in account.quantities.items():
            held.append((symbol, float(quantity)))
            if symbol not in self._closes:
                self._closes[symbol] = float(account.price(symbol) or 0)
        stretch = _Stretch(len(self._bars), float(account.cash), held)
        if self._stretches[-1].first == stretch.first:
            self._stretches[-1] = stretch
        else:
            self._stretches.append(stretch)

    def since(self, time: datetime) -> EquityCurve:
        """Return the curve from a time on; its starting equity is the equity before that time.

        Positions open at that time are valued at their last price before it.
        """
        stamps = self.timestamps
        first = bisect_left(stamps, time.timestamp())
        start = self._equity[first - 1] if first else self.starting_equity
        cut = EquityCurve(start, self.benchmark_symbol, self.zone)
        cut._timestamps = stamps[first:]
        cut._equity = self._equity[first:]
        cut._exposure = self._exposure[first:]
        cut._benchmark = self._benchmark[first:]
        cut._prices = self._prices
        return cut

    def daily(self) -> tuple[list[float], list[float]]:
        """Return equity and benchmark at the end of each day in `zone`, the start before the first.

        Bars of a day or more give one value each; shorter ones are combined, so that ratios of
        intraday and daily systems can be compared. A bar that ends at midnight belongs to the day
        before.
        """
        equity, benchmark = [self.starting_equity], [float("nan")]
        for _, last in self.days():
            equity.append(self._equity[last])
            benchmark.append(self._benchmark[last])
        return equity, benchmark

    def days(self) -> Iterator[tuple[int, int]]:
        """Yield the days in `zone` that have steps, as ordinals, and the index of their last step.

        A step that ends at midnight belongs to the day before.
        """
        stamps = self.timestamps
        place, count = 0, len(stamps)
        while place < count:
            day = day_of(stamps[place], self.zone)
            # Most days have many steps, so their steps are not checked one by one.
            place = bisect_right(stamps, end_of(day, self.zone), place + 1, count)
            yield day, place - 1

    @property
    def periods_per_year(self) -> int:
        """Number of `daily` values per year; see `periods_in_year`."""
        return periods_in_year([day for day, _ in self.days()])

    @property
    def years(self) -> float:
        """Length in calendar years of 365.25 days."""
        if len(self.timestamps) < 2:
            return 0.0
        return (self.timestamps[-1] - self.timestamps[0]) / (365.25 * _DAY_SECONDS)


def _exposure(gross: float, equity: float) -> float:
    if equity > 0:
        return gross / equity
    return float("nan") if gross else 0.0


def _bar_of(event: DataEvent) -> Bar | None:
    """Parse the bar of an event; ``None`` if there is none, or it cannot be read."""
    if event.ohlc is None:
        return None
    try:
        return Bar.from_event(event)
    except DecodeError:
        return None  # the components have reported this
