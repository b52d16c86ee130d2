"""What an account was worth, step by step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime

from ingenium.backtest.prices import PriceHistory
from ingenium.errors import DecodeError
from ingenium.events import DataEvent
from ingenium.lockstep import Item
from ingenium.trading import Account, Bar

__all__ = ["EquityCurve"]

_DAY_SECONDS = 86_400
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday
_SATURDAY = 5
_PERIODS = (365, 252, 52, 12, 4, 1)
_NEAR = 0.08
_ENOUGH_YEARS = 0.5
_MOST_BARS = 1024


class EquityCurve:
    """Equity, exposure and the price of a benchmark after each step of a backtest.

    Attributes:
        starting_equity: What the account was worth before the first step.
        benchmark_symbol: Symbol of the benchmark; the first one seen when not chosen.
    """

    def __init__(self, starting_equity: float, benchmark_symbol: str | None = None) -> None:
        self.starting_equity = starting_equity
        self.benchmark_symbol = benchmark_symbol
        self._timestamps = array("d")
        self._equity = array("d")
        self._exposure = array("d")
        self._benchmark = array("d")
        self._prices = PriceHistory()
        # Steps of one bar each, all of one symbol, that are worked off together.
        self._bars: list[Bar] = []
        self._symbol = ""
        self._close = float("nan")
        self._closes: dict[str, float] = {}
        self._account: Account | None = None
        self._bookings = 0
        self._cash = starting_equity
        self._held: list[tuple[str, float]] = []

    def __len__(self) -> int:
        return len(self._timestamps) + len(self._bars)

    @property
    def timestamps(self) -> array[float]:
        """Seconds since 1970, UTC."""
        self._work_off()
        return self._timestamps

    @property
    def equity(self) -> array[float]:
        """What the account was worth, in its currency."""
        self._work_off()
        return self._equity

    @property
    def exposure(self) -> array[float]:
        """Market value of all positions, long and short, as a part of equity."""
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
        """Do as `record` for a step that brought a bar and nothing else, at the bar's end."""
        bars = self._bars
        if (
            account is not self._account
            or account.bookings != self._bookings
            or bar.symbol != self._symbol
            or len(bars) >= _MOST_BARS
        ):
            self._work_off()
            if account is not self._account or account.bookings != self._bookings:
                self._look_at(account)
            self._symbol = bar.symbol
        bars.append(bar)

    def record(self, time: datetime, account: Account, data: Sequence[Item] = ()) -> None:
        """Add the account's state after a step, and the prices that the step brought.

        In floats: the account itself counts in decimals, and is exact.
        """
        self._work_off()
        if account is not self._account or account.bookings != self._bookings:
            self._look_at(account)
        bars = [item if isinstance(item, Bar) else _bar_of(item) for item in data]
        self._add(time.timestamp(), [bar for bar in bars if bar is not None])

    def _work_off(self) -> None:
        """Add the steps of one bar each that have been noted only."""
        bars = self._bars
        if not bars:
            return
        symbol = self._symbol
        if self.benchmark_symbol is None:
            self.benchmark_symbol = symbol
        held = [quantity for name, quantity in self._held if name == symbol]
        if len(held) != len(self._held) or self.benchmark_symbol != symbol:
            for bar in bars:
                self._add(bar.end.timestamp(), [bar])
            bars.clear()
            return
        stamps = [bar.end.timestamp() for bar in bars]
        closes = [bar.close for bar in bars]
        self._closes[symbol] = self._close = closes[-1]
        self._prices.see_all(symbol, stamps, bars, closes)
        self._timestamps.extend(stamps)
        self._benchmark.extend(closes)
        cash = self._cash
        if held:
            quantity = held[0]
            equity = [cash + quantity * close for close in closes]
            self._equity.extend(equity)
            self._exposure.extend(
                [
                    abs(quantity * close) / value if value > 0 else 0.0
                    for close, value in zip(closes, equity, strict=True)
                ]
            )
        else:
            self._equity.extend([cash] * len(closes))
            self._exposure.extend([0.0] * len(closes))
        bars.clear()

    def _add(self, stamp: float, bars: Sequence[Bar]) -> None:
        closes = self._closes
        for bar in bars:
            symbol = bar.symbol
            closes[symbol] = bar.close
            self._prices.see(stamp, bar)
            if self.benchmark_symbol is None:
                self.benchmark_symbol = symbol
            if symbol == self.benchmark_symbol:
                self._close = bar.close
        equity, gross = self._cash, 0.0
        for symbol, quantity in self._held:
            value = quantity * closes[symbol]
            equity += value
            gross += abs(value)
        self._timestamps.append(stamp)
        self._equity.append(equity)
        self._exposure.append(gross / equity if equity > 0 else 0.0)
        self._benchmark.append(self._close)

    def _look_at(self, account: Account) -> None:
        """Take note of cash and positions, which only a booking changes."""
        self._account, self._bookings = account, account.bookings
        self._cash = float(account.cash)
        self._held = []
        for symbol, position in account.positions.items():
            self._held.append((symbol, float(position.quantity)))
            if symbol not in self._closes:
                self._closes[symbol] = float(account.price(symbol) or 0)

    def daily(self) -> tuple[list[float], list[float]]:
        """Return equity and benchmark at the end of each day in UTC, the start before the first.

        Bars of a day or more give one value each; shorter ones are put together, so that ratios
        of intraday and of daily systems can be compared. A bar that ends at midnight belongs to
        the day before.
        """
        equity, benchmark = [self.starting_equity], [float("nan")]
        last_day: float | None = None
        for stamp, value, price in zip(self.timestamps, self.equity, self.benchmark, strict=True):
            day = (stamp - 1e-6) // _DAY_SECONDS
            if day == last_day:
                equity[-1], benchmark[-1] = value, price
            else:
                equity.append(value)
                benchmark.append(price)
                last_day = day
        return equity, benchmark

    @property
    def periods_per_year(self) -> int:
        """How many values of `daily` make a year.

        From half a year on they are counted, and the count is taken for one of 365, 252, 52, 12,
        4 or 1 when it comes near. Before that 365 where bars fall on weekends too, else 252.
        """
        days = {int((stamp - 1e-6) // _DAY_SECONDS) for stamp in self.timestamps}
        if self.years < _ENOUGH_YEARS:
            on_weekends = any((day + _FIRST_WEEKDAY) % 7 >= _SATURDAY for day in days)
            return 365 if on_weekends else 252
        rate = (len(days) - 1) / self.years
        near = min(_PERIODS, key=lambda periods: abs(periods - rate))
        return near if abs(near - rate) <= _NEAR * near else max(round(rate), 1)

    @property
    def years(self) -> float:
        """Length in calendar years of 365.25 days."""
        if len(self.timestamps) < 2:
            return 0.0
        return (self.timestamps[-1] - self.timestamps[0]) / (365.25 * _DAY_SECONDS)


def _bar_of(event: DataEvent) -> Bar | None:
    """Parse the bar of an event; ``None`` where there is none, or it cannot be read."""
    if event.ohlc is None:
        return None
    try:
        return Bar.from_event(event)
    except DecodeError:
        return None  # the components have said so
