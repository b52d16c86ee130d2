"""Three strategies for two engines: what each decides is worked out by the same code.

`ingenium_app` runs them here. `peer_result` runs them on backtesting.py, which ``make bench``
installs; ``bench/trades.py`` compares the two, and writes what the peer says for the tests.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingenium import App, Bar, Portfolio, Side, Signal, SignalEvent, Strategy, indicators
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FeeBasisPoints, FillPolicy
from ingenium.ingestors import CsvIngestor

__all__ = ["CASES", "Case", "bars_of", "ingenium_app", "peer_result"]

CASH = 1_000_000
SKIPPED = 40
"""Bars before the first decision: engines differ in when they let a strategy begin."""


@dataclass(frozen=True)
class Case:
    """One strategy, and how it trades.

    Attributes:
        name: ``cross``, ``dips`` or ``breakout``.
        basis_points: Commission, of the traded value.
    """

    name: str
    basis_points: int


CASES = (Case("cross", 20), Case("dips", 0), Case("breakout", 10))


class Rule:
    """Decides from the bars alone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bars = 0
        self.fast, self.slow = indicators.Sma(10), indicators.Sma(30)
        self.rsi = indicators.Rsi(2)
        self.channel = indicators.Donchian(20)
        self.gap = 0.0

    def update(self, high: float, low: float, close: float) -> Signal | None:
        """Take a bar."""
        self.bars += 1
        decision = getattr(self, f"_{self.name}")(high, low, close)
        return decision if self.bars > SKIPPED else None

    def _cross(self, high: float, low: float, close: float) -> Signal | None:
        before, self.gap = self.gap, self.fast.update(close) - self.slow.update(close)
        if before <= 0 < self.gap:
            return Signal.LONG
        return Signal.SHORT if before >= 0 > self.gap else None

    def _dips(self, high: float, low: float, close: float) -> Signal | None:
        value = self.rsi.update(close)
        if value < 10:
            return Signal.LONG
        return Signal.FLAT if value > 70 else None

    def _breakout(self, high: float, low: float, close: float) -> Signal | None:
        upper, lower = self.channel.upper, self.channel.lower
        self.channel.update(high, low)
        if close > upper:
            return Signal.LONG
        return Signal.SHORT if close < lower else None


def limit_below(close: float, digits: int) -> float:
    """Return where the dips are bought."""
    return round(close * (0.995 if digits == 2 else 0.9999), digits)


def bracket(close: float, side: int, digits: int) -> tuple[float, float]:
    """Return stop and target of a breakout, so near that a bar may touch both."""
    width = 0.02 if digits == 2 else 0.002
    return round(close * (1 - width * side), digits), round(
        close * (1 + 1.5 * width * side), digits
    )


# Here.


class Decides(Strategy):
    def __init__(self, case: Case) -> None:
        super().__init__()
        self.rule = Rule(case.name)

    def on_bar(self, bar: Bar) -> None:
        signal = self.rule.update(bar.high, bar.low, bar.close)
        if signal is not None:
            self.send_signal(bar.symbol, signal)


class Trades(Portfolio):
    def __init__(self, case: Case, quantity: int, digits: int) -> None:
        super().__init__(CASH)
        self.case, self.quantity, self.digits = case, quantity, digits

    def on_signal(self, event: SignalEvent) -> None:
        getattr(self, f"_{self.case.name}")(event.symbol, event.signal)

    def _move(self, symbol: str, to: int) -> None:
        difference = to - self.position(symbol).quantity - self.pending(symbol)
        if difference:
            side = Side.BUY if difference > 0 else Side.SELL
            self.send_order(symbol, side, abs(difference), time_in_force="gtc")

    def _is_idle(self, symbol: str) -> bool:
        return not self.position(symbol).quantity and not self.pending(symbol)

    def _close(self, symbol: str) -> float:
        return float(self.price(symbol) or 0)

    def _cross(self, symbol: str, signal: str) -> None:
        self._move(symbol, self.quantity if signal == Signal.LONG else -self.quantity)

    def _dips(self, symbol: str, signal: str) -> None:
        if signal == Signal.FLAT:
            if self.position(symbol).quantity:
                self._move(symbol, 0)
        elif self._is_idle(symbol):
            self.send_order(
                symbol, Side.BUY, self.quantity, type="limit", time_in_force="gtc",
                limit_price=limit_below(self._close(symbol), self.digits),
            )  # fmt: skip

    def _breakout(self, symbol: str, signal: str) -> None:
        if self._is_idle(symbol):
            side = 1 if signal == Signal.LONG else -1
            stop, target = bracket(self._close(symbol), side, self.digits)
            self.send_order(
                symbol, Side.BUY if side > 0 else Side.SELL, self.quantity,
                time_in_force="gtc", stop_loss=stop, take_profit=target,
            )  # fmt: skip


def ingenium_app(case: Case, path: Path, quantity: int, digits: int) -> App:
    """Return the app, on an exchange that fills as backtesting.py does."""
    return App(
        ingestors=[CsvIngestor(path)],
        strategies=[Decides(case)],
        portfolio=Trades(case, quantity, digits),
        executor=PaperExecutor(
            FillPolicy(touch_fills=True, volume_cap=None),
            fees=FeeBasisPoints(Decimal(case.basis_points)),
        ),
    )


def bars_of(path: Path) -> dict[datetime, set[int]]:
    """Return which bars begin or end at a time, by their numbers."""
    found: dict[datetime, set[int]] = {}
    for number, event in enumerate(CsvIngestor(path).read()):
        bar = Bar.from_event(event)
        found.setdefault(bar.start, set()).add(number)
        found.setdefault(bar.end, set()).add(number)
    return found


# There.


def peer_result(case: Case, path: Path, quantity: int, digits: int) -> dict[str, Any]:
    """Run a case on backtesting.py, and return its trades and some of its figures."""
    import backtesting
    import pandas as pd

    backtesting.backtesting._tqdm = lambda rows, **_: rows
    frame = pd.read_csv(path, parse_dates=["timestamp"], index_col=0)
    frame.columns = ["Open", "High", "Low", "Close", "Volume"]

    class Peer(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.rule = Rule(case.name)

        def next(self) -> None:
            signal = None
            data = self.data
            while self.rule.bars < len(data):
                at = self.rule.bars
                signal = self.rule.update(data.High[at], data.Low[at], data.Close[at])
            if signal is not None:
                getattr(self, f"_{case.name}")(signal, float(data.Close[-1]))

        def _cross(self, signal: Signal, close: float) -> None:
            self.position.close()
            (self.buy if signal is Signal.LONG else self.sell)(size=quantity)

        def _dips(self, signal: Signal, close: float) -> None:
            if signal is Signal.FLAT:
                self.position.close()
            elif not self.position and not self.orders:
                self.buy(size=quantity, limit=limit_below(close, digits))

        def _breakout(self, signal: Signal, close: float) -> None:
            if not self.position and not self.orders:
                side = 1 if signal is Signal.LONG else -1
                stop, target = bracket(close, side, digits)
                (self.buy if side > 0 else self.sell)(size=quantity, sl=stop, tp=target)

    with warnings.catch_warnings():
        # Of trades that are open at the end, which is meant so.
        warnings.simplefilter("ignore")
        stats = backtesting.Backtest(
            frame, Peer, cash=CASH, commission=case.basis_points / 10_000, finalize_trades=False
        ).run()
    trades = stats["_trades"].sort_values(["ExitBar", "EntryBar"])
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Commission"]
    return {
        "trades": _rows(trades[columns].itertuples(index=False)),
        "final_equity": float(stats["Equity Final [$]"]),
        "total_return": float(stats["Return [%]"]) / 100,
        "max_drawdown": float(stats["Max. Drawdown [%]"]) / 100,
        "win_rate": float(stats["Win Rate [%]"]) / 100,
        "sqn": float(stats["SQN"]),
    }


def _rows(rows: Any) -> list[Sequence[float]]:
    return [[int(v) if float(v).is_integer() else float(v) for v in row] for row in rows]
