"""Bars a second of an event-driven backtest, beside backtesting.py and backtrader.

The same 200,000 one-minute bars and the same cross of two averages, over 10 and 30 bars. Peers read
the bars before the clock starts; Ingenium reads its CSV file, and digests every event, within it.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from ingenium import App
from ingenium.backtest import replay
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillPolicy
from ingenium.ingest import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

BARS = 200_000
FAST, SLOW, QUANTITY = 10, 30, 10
ROUNDS = 3


def _write_bars(path: Path) -> None:
    random = Random(7)
    price = 100.0
    start = datetime(2020, 1, 1, tzinfo=UTC)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for minute in range(BARS):
            close = max(1.0, price * (1 + random.gauss(0, 0.0008)))
            high, low = max(price, close) + 0.01, min(price, close) - 0.01
            time = (start + timedelta(minutes=minute)).isoformat()
            numbers = [f"{n:.2f}" for n in (price, high, low, close)]
            rows.writerow([time, *numbers, random.randint(1_000, 100_000)])
            price = close


def _ingenium(path: Path) -> float:
    app = App(
        ingestors=[CsvIngestor(path, symbol="XYZ")],
        strategies=[SmaCross(["XYZ"], fast=FAST, slow=SLOW)],
        portfolio=FixedQuantity(QUANTITY),
        executor=PaperExecutor(FillPolicy(volume_cap=None)),
    )
    began = perf_counter()
    result = replay(app)
    if result.data != BARS:
        raise RuntimeError(f"{result.data} of {BARS} bars were read")
    return perf_counter() - began


def _backtesting(path: Path) -> float:
    import warnings

    import pandas as pd

    warnings.simplefilter("ignore")
    import backtesting
    from backtesting.lib import crossover
    from backtesting.test import SMA

    backtesting.backtesting._tqdm = lambda rows, **_: rows
    frame = pd.read_csv(path, parse_dates=["timestamp"], index_col=0)
    frame.columns = ["Open", "High", "Low", "Close", "Volume"]

    class Cross(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(SMA, self.data.Close, FAST)
            self.slow = self.I(SMA, self.data.Close, SLOW)

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.position.close()
                self.buy(size=QUANTITY)
            elif crossover(self.slow, self.fast):
                self.position.close()
                self.sell(size=QUANTITY)

    began = perf_counter()
    backtesting.Backtest(frame, Cross, cash=100_000, finalize_trades=False).run()
    return perf_counter() - began


def _backtrader(path: Path) -> float:
    import backtrader as bt
    import pandas as pd

    frame = pd.read_csv(path, parse_dates=["timestamp"], index_col=0)

    class Cross(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            averages = [bt.indicators.SMA(period=period) for period in (FAST, SLOW)]
            self.cross = bt.indicators.CrossOver(*averages)

        def next(self) -> None:
            if self.cross > 0:
                self.order_target_size(target=QUANTITY)
            elif self.cross < 0:
                self.order_target_size(target=-QUANTITY)

    engine = bt.Cerebro(stdstats=False)
    engine.broker.setcash(100_000)
    engine.adddata(bt.feeds.PandasData(dataname=frame))
    engine.addstrategy(Cross)
    began = perf_counter()
    engine.run()
    return perf_counter() - began


def main() -> None:
    """Print the table."""
    contenders: dict[str, Callable[[Path], float]] = {
        "Ingenium": _ingenium,
        "backtesting.py": _backtesting,
        "backtrader": _backtrader,
    }
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        _write_bars(path)
        for _ in range(ROUNDS):
            for name, run in contenders.items():
                try:
                    times.setdefault(name, []).append(run(path))
                except ImportError as error:
                    print(f"{name}: not installed ({error.name})")
    ours = median(times["Ingenium"])
    for name, seconds in times.items():
        if seconds:
            took = median(seconds)
            print(
                f"{name:16} {BARS / took:10,.0f} bars/s, Ingenium is {took / ours:5.2f} x as fast"
            )
    print("aim: 2 x backtesting.py")


if __name__ == "__main__":
    main()
