"""What an account was worth, step by step."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime

from ingenium.backtest.prices import PriceHistory
from ingenium.events import DataEvent, Event
from ingenium.trading import Account

__all__ = ["EquityCurve"]

_DAY_SECONDS = 86_400
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday
_SATURDAY = 5
_PERIODS = (365, 252, 52, 12, 4, 1)
_NEAR = 0.08
_ENOUGH_YEARS = 0.5


class EquityCurve:
    """Equity, exposure and the price of a benchmark after each step of a backtest.

    Attributes:
        timestamps: Seconds since 1970, UTC.
        equity: In the account's currency.
        exposure: Market value of all positions, long and short, as a part of equity.
        benchmark: Close of the benchmark's symbol; nan before its first bar.
        benchmark_symbol: Which symbol that is; the first one seen when not chosen.
        prices: Prices of all symbols, thinned, for charts.
    """

    def __init__(self, starting_equity: float, benchmark_symbol: str | None = None) -> None:
        self.starting_equity = starting_equity
        self.benchmark_symbol = benchmark_symbol
        self.timestamps = array("d")
        self.equity = array("d")
        self.exposure = array("d")
        self.benchmark = array("d")
        self.prices = PriceHistory()
        self._close = float("nan")

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def times(self) -> list[datetime]:
        """The times as datetimes, UTC."""
        return [datetime.fromtimestamp(stamp, UTC) for stamp in self.timestamps]

    def record(self, time: datetime, account: Account, data: Sequence[Event] = ()) -> None:
        """Add the account's state after a step, and the prices that the step brought."""
        stamp = time.timestamp()
        for event in data:
            if isinstance(event, DataEvent):
                self._see(stamp, event)
        equity = float(account.equity)
        gross = float(account.gross_value)
        self.timestamps.append(stamp)
        self.equity.append(equity)
        self.exposure.append(gross / equity if equity > 0 else 0.0)
        self.benchmark.append(self._close)

    def _see(self, stamp: float, event: DataEvent) -> None:
        if event.ohlc is None:
            return
        close = self.prices.see(stamp, event.symbol, event.ohlc)
        if self.benchmark_symbol is None:
            self.benchmark_symbol = event.symbol
        if close is not None and event.symbol == self.benchmark_symbol:
            self._close = close

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
