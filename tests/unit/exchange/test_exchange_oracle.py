"""The whole chain on real prices, held against the trades of two other engines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from ingenium.backtest import replay
from ingenium.brokers import PaperExecutor
from ingenium.components import App, Ingestor
from ingenium.events import DataEvent
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from ingenium.trading import Bar

ROOT = Path(__file__).parents[3]
PRICES = ROOT / "examples" / "data" / "IBM.csv"
ORACLE = ROOT / "tests" / "data" / "oracles" / "ibm_sma20_50_trades.csv"


class Daily(Ingestor):
    """Reads the daily prices of IBM."""

    def read(self) -> Iterator[DataEvent]:
        for row in csv.DictReader(PRICES.read_text().splitlines()):
            start = datetime.fromisoformat(row.pop("timestamp"))
            yield Bar.make("IBM", start, period=timedelta(days=1), **row).event


def test_sma_cross_on_ibm_makes_the_trades_of_backtesting_py_and_backtrader() -> None:
    result = replay(
        App(
            ingestors=[Daily()],
            strategies=[SmaCross(["IBM"], fast=20, slow=50)],
            portfolio=FixedQuantity(100, cash=1_000_000, allow_short=False),
            executor=PaperExecutor(),
        )
    )
    expected = [
        (
            datetime.fromisoformat(row["entry_time"]),
            Decimal(row["entry_price"]),
            datetime.fromisoformat(row["exit_time"]),
            Decimal(row["exit_price"]),
            Decimal(row["quantity"]),
            Decimal(row["pnl"]),
        )
        for row in csv.DictReader(ORACLE.read_text().splitlines())
        if row["exit_time"]  # the last one is still open
    ]
    trades = [
        (t.entry_time, t.entry_price, t.exit_time, t.exit_price, t.quantity, t.pnl)
        for t in result.trades
    ]
    assert len(expected) == 36
    assert trades == expected
    account = result.account
    assert account.realized_pnl == -2336
    assert account.unrealized_pnl == 882
    assert account.equity == 998_546
    assert not result.problems
