"""What is held when a judged stretch begins is held in it, at its price then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from ingenium import App, Ingestor, Strategy, backtest
from ingenium.backtest.sweep.parameters import Point
from ingenium.backtest.sweep.sweep import SweepRun
from ingenium.backtest.sweep.sweep_run import Task, run_task
from ingenium.backtest.sweep.walk_forward import make_windows, walk_forward
from ingenium.brokers import PaperExecutor
from ingenium.errors import ConfigError
from ingenium.events import Signal
from ingenium.exchange import FeePerShare
from ingenium.portfolios import FixedQuantity
from ingenium.trading import Bar

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CASH = 10_000
FEE = 2.5
"""Of 10 shares at 0.25 each."""


class Closes(Ingestor):
    def __init__(self, closes: Sequence[float]) -> None:
        super().__init__(name="closes")
        self.closes = closes

    def read_bars(self) -> Iterator[Bar]:
        for number, close in enumerate(self.closes):
            price = f"{close:.2f}"
            yield Bar.make(
                "X",
                START + number * DAY,
                open=price,
                high=price,
                low=price,
                close=price,
                volume="1000000",
                period=DAY,
            )


class Signals(Strategy):
    """Sends signals at numbered bars."""

    def __init__(self, plan: dict[int, Signal]) -> None:
        super().__init__(name="signals")
        self.plan, self.count = plan, 0

    def on_bar(self, bar: Bar) -> None:
        if self.count in self.plan:
            self.send_signal(bar.symbol, self.plan[self.count])
        self.count += 1


def app(closes: Sequence[float], plan: dict[int, Signal]) -> App:
    return App(
        ingestors=[Closes(closes)],
        strategies=[Signals(plan)],
        portfolio=FixedQuantity(10, cash=Decimal(CASH)),
        executor=PaperExecutor(fees=FeePerShare(Decimal("0.25"))),
    )


def end_of(number: int) -> datetime:
    """Return when a bar is over."""
    return START + (number + 1) * DAY


def worth(closes: Sequence[float], fills: dict[int, int]) -> list[float]:
    """Return equity after each bar; fills are at a bar's open, which is its close here."""
    cash, held, values = float(CASH), 0, []
    for number, close in enumerate(closes):
        if quantity := fills.get(number, 0):
            cash -= quantity * close + FEE
            held += quantity
        values.append(cash + held * close)
    return values


@pytest.mark.parametrize(("signal", "quantity"), [(Signal.LONG, 10), (Signal.SHORT, -10)])
@pytest.mark.parametrize("seed", range(3))
def test_figures_from_a_bar_on_count_what_was_held_before(
    signal: Signal, quantity: int, seed: int
) -> None:
    walk, price, closes = Random(seed), 100.0, []
    for _ in range(40):
        price = round(price * walk.uniform(0.95, 1.06), 2)
        closes.append(price)
    whole = worth(closes, {4: quantity})
    first = 15
    result = backtest.run(
        lambda: app(closes, {3: signal}), figures_from=end_of(first), end=end_of(30)
    )
    stats = result.stats
    assert list(result.equity.equity) == pytest.approx(whole[first:31])
    assert stats.starting_equity == pytest.approx(whole[first - 1])
    assert stats.total_return == pytest.approx(whole[30] / whole[first - 1] - 1)
    assert stats.start == end_of(first)
    # It was bought and paid for before.
    assert (stats.fills, stats.commissions, stats.trades, stats.turnover) == (0, 0, 0, 0)
    assert stats.exposure == 1
    assert result.manifest.figures_from == end_of(first)


def test_figures_from_a_bar_on_count_the_fills_trades_and_fees_since_then() -> None:
    closes = [100.0 + n for n in range(30)]
    plan = {2: Signal.LONG, 9: Signal.SHORT, 19: Signal.LONG}
    result = backtest.run(lambda: app(closes, plan), figures_from=end_of(10))
    stats = result.stats
    # Long 10 at 103, turned at 110 in the first bar that counts, and again at 120.
    fills = sum(each.quantity for each in result.trades)
    assert stats.fills in {2, 4}  # to turn may be one fill or two
    assert [float(trade.pnl) for trade in result.trades] == [70, -100]
    assert fills == 20
    assert stats.trades == 2
    assert stats.commissions == pytest.approx(4 * FEE)


def test_figures_from_behind_the_data_are_none() -> None:
    closes = [100.0, 101.0, 102.0, 103.0]
    stats = backtest.run(lambda: app(closes, {0: Signal.LONG}), figures_from=end_of(50)).stats
    assert (stats.start, stats.total_return, stats.fills) == (None, None, 0)
    with pytest.raises(ConfigError, match=r"figures_from .* has no zone"):
        backtest.run(lambda: app(closes, {}), figures_from=datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(("signal", "side"), [(Signal.LONG, 10), (Signal.SHORT, -10)])
@pytest.mark.parametrize("way", ["rolling", "anchored"])
@pytest.mark.parametrize("folds", [1, 3, 6])
def test_walk_forward_of_what_is_held_throughout_is_worth_what_holding_is(
    signal: Signal, side: int, way: str, folds: int
) -> None:
    """One signal at the third bar, right to the end: each judged stretch earns its part."""
    closes = [100.0 + side / 20 * n for n in range(100)]
    whole = worth(closes, {3: side})

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        runs = []
        for point in points:
            result = backtest.run(
                lambda: app(closes, {2: signal}), figures_from=start, end=end, digest=False
            )
            figures = result.to_json(trades=False)["stats"]
            runs.append(SweepRun(point, figures, "", "", (0.0, 0.0, 3.0, 0)))
        return runs

    windows = make_windows(end_of(0), end_of(99), folds, way=way)
    walk = walk_forward([{"n": 1}], windows, run_window, by="total_return")
    before = max(n for n in range(100) if end_of(n) <= windows[0].split)
    assert walk.total_return == pytest.approx(whole[99] / whole[before] - 1)
    assert walk.total_return > 0.01
    assert all((fold.outside.figure("total_return") or 0) > 0 for fold in walk.folds)
    assert all((fold.inside.figure("total_return") or 0) > 0 for fold in walk.folds)


def test_task_with_figures_from_has_a_key_of_its_own_and_survives_json() -> None:
    task = Task("app.py", "00", {"n": 1}, None, end_of(9), end_of(5))
    assert Task.from_json(task.to_json()) == task
    others = [
        Task("app.py", "00", {"n": 1}),
        Task("app.py", "00", {"n": 1}, None, end_of(9)),
        Task("app.py", "00", {"n": 1}, end_of(5), end_of(9)),
        Task("app.py", "00", {"n": 1}, None, end_of(9), end_of(6)),
    ]
    assert len({each.key for each in (task, *others)}) == 5


def test_task_whose_app_exits_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "exits_app.py"
    path.write_text("import sys\n\ndef app(n):\n    sys.exit('no')\n")
    assert "app_digest" in Task(str(path), "", {"n": 1}).to_json()
    from ingenium.backtest.manifest import source_digest

    run = run_task(Task(f"{path}:app", source_digest(str(path)), {"n": 1}))
    assert run.error == "SystemExit: no (exits_app.py, line 4)"
