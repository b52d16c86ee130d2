"""Small backtests whose problems the tests look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ingenium import App, Bar, Ingestor, Portfolio, Strategy, backtest
from ingenium.backtest import BacktestResult
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Row = tuple[float, float]
"""Open and close; high and low are those."""


class Prices(Ingestor):
    """Days, or other bars, of one symbol."""

    def __init__(
        self,
        rows: Sequence[float | Row],
        symbol: str = "AAA",
        *,
        period: timedelta = DAY,
        volume: str = "1000000",
    ) -> None:
        super().__init__("prices-" + "".join(c for c in symbol.lower() if c.isalnum())[:20])
        self.rows = [row if isinstance(row, tuple) else (row, row) for row in rows]
        self.symbol, self.period, self.volume = symbol, period, volume

    def read_bars(self) -> Iterator[Bar]:
        for place, (first, last) in enumerate(self.rows):
            yield Bar.make(
                self.symbol, START + place * self.period, open=str(first), close=str(last),
                high=str(max(first, last)), low=str(min(first, last)), volume=self.volume,
                period=self.period,
            )  # fmt: skip


class Says(Strategy):
    """Sends signals at numbered bars of each symbol."""

    def __init__(self, plan: dict[int, Any], symbols: Sequence[str] | None = None) -> None:
        super().__init__(symbols)
        self.plan, self.seen = plan, dict[str, int]()

    def on_bar(self, bar: Bar) -> None:
        count = self.seen[bar.symbol] = self.seen.get(bar.symbol, 0) + 1
        if (signal := self.plan.get(count)) is not None:
            self.send_signal(bar.symbol, signal)


class Sends(Portfolio):
    """Sends orders at numbered bars of any symbol."""

    def __init__(self, plan: dict[int, dict[str, Any]], cash: int = 100_000) -> None:
        super().__init__(cash)
        self.plan, self.count = plan, 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if order := self.plan.get(self.count):
            self.send_order(**{"symbol": bar.symbol, **order})


def row(*values: object) -> tuple[object, ...]:
    """Numbers of any type, to compare."""
    return values


def run(
    *prices: Ingestor,
    strategy: Strategy | None = None,
    portfolio: Portfolio | None = None,
    executor: PaperExecutor | None = None,
    **options: Any,
) -> BacktestResult:
    app = App(
        ingestors=prices or [Prices([100] * 5)],
        strategies=[] if strategy is None else [strategy],
        portfolio=portfolio or FixedQuantity(10),
        executor=executor or PaperExecutor(),
    )
    return backtest.run(app, **options)


BUY = {"side": "buy", "quantity": 10}
