"""Bars a second of an event-driven backtest, beside backtesting.py, backtrader and NautilusTrader.

The same 200,000 one-minute bars and the same cross of two averages: 10 and 30 bars, an order every
26 bars, and 50 and 200, an order every 160. All have their bars in memory before the clock starts.
Figures of the result are part of a run where the peer makes them, too. Beside it stands what
Ingenium takes with the digest of every event, and with reading the CSV file as well.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

from ingenium import App
from ingenium._native import is_compiled
from ingenium.backtest import run as backtest
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillPolicy
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from ingenium.trading import Bar

BARS = 200_000
AVERAGES = ((10, 30), (50, 200))
QUANTITY = 10
ROUNDS = 3


def write_bars(path: Path, bars: int = BARS) -> None:
    """Write one-minute bars of a random walk, always the same."""
    random = Random(7)
    price = 100.0
    start = datetime(2020, 1, 1, tzinfo=UTC)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for minute in range(bars):
            close = max(1.0, price * (1 + random.gauss(0, 0.0008)))
            high, low = max(price, close) + 0.01, min(price, close) - 0.01
            time = (start + timedelta(minutes=minute)).isoformat()
            numbers = [f"{n:.2f}" for n in (price, high, low, close)]
            rows.writerow([time, *numbers, random.randint(1_000, 100_000)])
            price = close


class _InMemory(CsvIngestor):
    """Gives bars that have been read before, as the peers have theirs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, symbol="XYZ")
        self._bars = list(super().read_bars())

    def read_bars(self) -> Iterator[Bar]:
        return iter(self._bars)


def make_app(ingestor: CsvIngestor, fast: int, slow: int) -> App:
    """Return the app that is measured."""
    return App(
        ingestors=[ingestor],
        strategies=[SmaCross(["XYZ"], fast=fast, slow=slow)],
        portfolio=FixedQuantity(QUANTITY),
        executor=PaperExecutor(FillPolicy(volume_cap=None)),
    )


def _timed(app: App, *, digest: bool) -> float:
    began = perf_counter()
    result = backtest(app, digest=digest)
    if result.replay.data != BARS:
        raise RuntimeError(f"{result.replay.data} of {BARS} bars were read")
    return perf_counter() - began


def _ingenium(path: Path, fast: int, slow: int) -> float:
    return _timed(make_app(_InMemory(path), fast, slow), digest=False)


def _with_digest(path: Path, fast: int, slow: int) -> float:
    return _timed(make_app(_InMemory(path), fast, slow), digest=True)


def _from_csv(path: Path, fast: int, slow: int) -> float:
    return _timed(make_app(CsvIngestor(path, symbol="XYZ"), fast, slow), digest=True)


def _backtesting(path: Path, fast: int, slow: int) -> float:
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
            self.fast = self.I(SMA, self.data.Close, fast)
            self.slow = self.I(SMA, self.data.Close, slow)

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


def _backtrader(path: Path, fast: int, slow: int) -> float:
    import backtrader as bt
    import pandas as pd

    frame = pd.read_csv(path, parse_dates=["timestamp"], index_col=0)

    class Cross(bt.Strategy):  # type: ignore[misc]
        def __init__(self) -> None:
            averages = [bt.indicators.SMA(period=period) for period in (fast, slow)]
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


def _nautilus(path: Path, fast: int, slow: int) -> float:
    import pandas as pd
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import BarType, Money, Venue
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    frame = pd.read_csv(path, parse_dates=["timestamp"], index_col=0)
    venue = Venue("SIM")
    instrument = TestInstrumentProvider.equity(symbol="XYZ", venue="SIM")
    kind = BarType.from_str("XYZ.SIM-1-MINUTE-LAST-EXTERNAL")

    class Cross(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.fast, self.slow = SimpleMovingAverage(fast), SimpleMovingAverage(slow)
            self.is_long: bool | None = None
            self.register_indicator_for_bars(kind, self.fast)
            self.register_indicator_for_bars(kind, self.slow)
            self.subscribe_bars(kind)

        def on_bar(self, _bar: object) -> None:
            if not self.indicators_initialized():
                return
            before, self.is_long = self.is_long, self.fast.value > self.slow.value
            if before is None or before is self.is_long:
                return
            held = int(self.portfolio.net_position(instrument.id))
            change = (QUANTITY if self.is_long else -QUANTITY) - held
            side = OrderSide.BUY if change > 0 else OrderSide.SELL
            self.submit_order(
                self.order_factory.market(instrument.id, side, instrument.make_qty(abs(change)))
            )

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(100_000, USD)],
    )
    engine.add_instrument(instrument)
    engine.add_data(BarDataWrangler(kind, instrument).process(frame))
    engine.add_strategy(Cross())
    began = perf_counter()
    engine.run()
    took = perf_counter() - began
    engine.dispose()
    return took


def main() -> None:
    """Print the table."""
    print("the inner loop of Ingenium is", "compiled" if is_compiled() else "plain Python")
    contenders: dict[str, Callable[[Path, int, int], float]] = {
        "Ingenium": _ingenium,
        "backtesting.py": _backtesting,
        "backtrader": _backtrader,
        "NautilusTrader": _nautilus,
        "with the digest": _with_digest,
        "and from CSV": _from_csv,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        write_bars(path)
        for fast, slow in AVERAGES:
            times: dict[str, list[float]] = {}
            for _ in range(ROUNDS):
                for name, run in contenders.items():
                    try:
                        times.setdefault(name, []).append(run(path, fast, slow))
                    except ImportError as error:
                        print(f"{name}: not installed ({error.name})")
            print(f"averages over {fast} and {slow} bars")
            ours = median(times["Ingenium"])
            for name, seconds in times.items():
                if seconds:
                    took = median(seconds)
                    print(
                        f"  {name:16} {BARS / took:10,.0f} bars/s, Ingenium is "
                        f"{took / ours:5.2f} x as fast"
                    )
    print("aim: 2 x backtesting.py, 15 x NautilusTrader")


if __name__ == "__main__":
    main()
