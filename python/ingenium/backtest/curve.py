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
        self._closes: dict[str, float] = {}
        self._account: Account | None = None
        self._bookings = 0
        self._cash = starting_equity
        self._held: list[tuple[str, float]] = []

    def __len__(self) -> int:
        return len(self.timestamps)

    @property
    def times(self) -> list[datetime]:
        """The times as datetimes, UTC."""
        return [datetime.fromtimestamp(stamp, UTC) for stamp in self.timestamps]

    def record(self, time: datetime, account: Account, data: Sequence[Item] = ()) -> None:
        """Add the account's state after a step, and the prices that the step brought.

        In floats: the account itself counts in decimals, and is exact.
        """
        stamp = time.timestamp()
        closes, symbols = self._closes, self.prices
        for item in data:
            bar = item if item.__class__ is Bar else _bar_of(item)  # type: ignore[arg-type]
            if bar is not None:
                symbol = bar.symbol
                closes[symbol] = bar.close
                symbols.see(stamp, bar)
                if symbol == self.benchmark_symbol:
                    self._close = bar.close
                elif self.benchmark_symbol is None:
                    self.benchmark_symbol = symbol
                    self._close = bar.close
        if account is not self._account or account.bookings != self._bookings:
            self._look_at(account)
        equity, gross = self._cash, 0.0
        for symbol, quantity in self._held:
            value = quantity * closes[symbol]
            equity += value
            gross += abs(value)
        self.timestamps.append(stamp)
        self.equity.append(equity)
        self.exposure.append(gross / equity if equity > 0 else 0.0)
        self.benchmark.append(self._close)

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
