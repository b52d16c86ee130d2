"""Backtests over what should not be: gaps, repeats, no volume, no data, no money, no library."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingenium import (
    App,
    BacktestError,
    Bar,
    DataEvent,
    DataFileError,
    ExecutionEvent,
    Ingestor,
    MissingDependencyError,
    Portfolio,
    Side,
    Signal,
    SignalEvent,
    Strategy,
    backtest,
)
from ingenium.backtest import BacktestResult
from ingenium.backtest.report import render
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedFraction, FixedQuantity

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Bars(Ingestor):
    """Bars on given days, all at one price, or at given prices."""

    def __init__(self, days: list[int], *, volume: str = "100000", prices: str = "") -> None:
        super().__init__()
        self.days, self.volume = days, volume
        self.prices = prices.split() or ["10"] * len(days)

    def read(self) -> Iterator[DataEvent]:
        for day, price in zip(self.days, self.prices, strict=True):
            yield Bar.make(
                "A", START + day * DAY, open=price, high=price, low=price, close=price,
                volume=self.volume, period=DAY,
            ).event  # fmt: skip


class Buys(Strategy):
    def __init__(self, symbol: str = "A") -> None:
        super().__init__()
        self.symbol, self.seen = symbol, 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 1:
            self.send_signal(self.symbol, Signal.LONG)


def run(ingestor: Ingestor, portfolio: Portfolio | None = None, **options: Any) -> BacktestResult:
    return backtest.run(
        App(
            ingestors=[ingestor],
            strategies=[options.pop("strategy", None) or Buys()],
            portfolio=portfolio or FixedQuantity(10, cash=Decimal(1000)),
            executor=PaperExecutor(**options),
        )
    )


def test_gap_of_a_month_is_one_step_and_fills_at_its_end() -> None:
    result = run(Bars([0, 31, 32], prices="10 20 30"))
    assert len(result.equity) == 3
    assert result.account.position("A").average_price == 20
    assert result.stats.final_equity == 1100


def test_bar_that_comes_twice_is_one_step_and_one_order() -> None:
    result = run(Bars([0, 1, 1, 2]))
    assert (result.replay.data, result.replay.steps, len(result.equity)) == (4, 3, 3)
    assert result.stats.fills == 1


def test_bar_that_comes_twice_in_a_file_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "A.csv"
    path.write_text("Date,Open,High,Low,Close\n2024-01-01,1,1,1,1\n2024-01-01,1,1,1,1\n")
    with pytest.raises(DataFileError, match="line 3"):
        run(CsvIngestor(path, period="1d"))


def test_bars_out_of_order_name_the_time() -> None:
    with pytest.raises(BacktestError, match=r"2024-01-02.* comes after 2024-01-03") as caught:
        run(Bars([0, 1, 0]))
    assert isinstance(caught.value.partial, BacktestResult)
    # The source is read one event ahead of the steps.
    assert len(caught.value.partial.equity) == 1


@pytest.mark.parametrize("volume", ["0", ""])
def test_bars_without_volume_fill_and_the_result_says_so(volume: str) -> None:
    result = run(Bars([0, 1, 2], volume=volume))
    assert result.stats.uncapped_fills == result.stats.fills == 1
    assert any("bars without a volume" in line for line in result.flattering())


def test_order_for_a_symbol_without_data_is_rejected_and_the_run_goes_on() -> None:
    rejected: list[ExecutionEvent] = []

    class Listens(FixedQuantity):
        def on_execution(self, event: ExecutionEvent) -> None:
            rejected.append(event)

    result = run(Bars([0, 1, 2]), Listens(10), strategy=Buys("NONE"))
    assert [event.update for event in rejected] == ["rejected"]
    assert "'NONE' has had no data" in (rejected[0].reason or "")
    assert (result.complete, len(result.equity), result.stats.fills) == (True, 3, 0)


def test_cash_that_runs_out_is_borrowed_and_the_result_says_so() -> None:
    result = run(Bars([0, 1, 2], prices="10 10 10"), FixedQuantity(300, cash=Decimal(1000)))
    assert result.account.cash == -2000
    assert any("3.0 times equity" in line for line in result.flattering())


def test_equity_that_is_lost_ends_without_figures_that_have_no_meaning() -> None:
    result = run(Bars([0, 1, 2, 3], prices="10 10 1 1"), FixedQuantity(300, cash=Decimal(1000)))
    assert result.stats.final_equity == -1700
    assert (result.stats.cagr, result.stats.turnover) == (None, None)
    assert any("equity fell to zero" in line for line in result.flattering())
    assert "<title>" in render(result)


def test_fraction_of_lost_equity_sends_no_more_orders() -> None:
    class Again(Buys):
        def on_bar(self, bar: Bar) -> None:
            side = Signal.LONG if bar.start.day % 2 else Signal.FLAT
            self.send_signal("A", side)

    class Levered(FixedFraction):
        def target(self, event: SignalEvent, direction: int) -> Decimal | None:
            quantity = super().target(event, direction)
            return None if quantity is None else quantity * 5

    portfolio = Levered(1, cash=Decimal(1000))
    result = run(Bars([0, 1, 2, 3, 4, 5], prices="10 10 1 1 1 1"), portfolio, strategy=Again())
    assert result.stats.final_equity < 0
    assert any("cannot size a position" in problem for problem in portfolio.problems)


class SellsTwice(Portfolio):
    def on_signal(self, event: SignalEvent) -> None:
        self.send_order("A", Side.SELL, 1)
        self.send_order("A", Side.SELL, 1)


def test_two_orders_of_one_instant_fill_in_their_order_at_one_price() -> None:
    result = run(Bars([0, 1, 2]), SellsTwice(100))
    assert result.account.position("A").quantity == -2
    assert result.stats.fills == 2


# Frames, with and without the libraries that make them.


class _Frame:
    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns = columns
        self.index = ""

    def set_index(self, name: str) -> _Frame:
        self.index = name
        return self


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_hold_curve_and_trades_by_columns(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType(library)
    module.DataFrame = _Frame  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, library, module)
    result = run(Bars([0, 1, 2, 3]), strategy=_Flips())
    curve: Any
    trades: Any
    curve, trades = getattr(result, f"to_{library}")()
    assert list(curve.columns) == ["time", "equity", "exposure", "benchmark"]
    assert curve.columns["time"][-1] == START + 4 * DAY
    assert curve.columns["equity"] == [1000.0] * 4
    assert trades.columns["side"] == ["long"]
    assert trades.columns["exit_price"] == [10.0]
    assert trades.columns["entry_time"] == [START + DAY]
    assert curve.index == ("time" if library == "pandas" else "")
    empty = getattr(run(Bars([0])), f"to_{library}")()[1]
    assert list(empty.columns) == list(trades.columns)


class _Flips(Strategy):
    def on_bar(self, bar: Bar) -> None:
        if bar.start == START:
            self.send_signal("A", Signal.LONG)
        elif bar.start == START + DAY:
            self.send_signal("A", Signal.FLAT)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_without_their_library_say_how_to_install_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'ingenium\[{library}\]'"):
        getattr(run(Bars([0])), f"to_{library}")()


class Follows(Strategy):
    """Sees the symbols that it asks for."""


def test_symbol_that_nobody_sends_is_named_with_those_there_are() -> None:
    app = App(
        ingestors=[Bars([1, 2])],
        strategies=[Follows(["a", "AAPL"])],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    problems = backtest.run(app).replay.problems
    assert problems == (
        "strategy 'follows' waits for a, which no ingestor sent; A differs in case: the data has A",
        "strategy 'follows' waits for AAPL, which no ingestor sent: the data has A",
    )


class Stumbles(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.stumble()

    def stumble(self) -> None:
        raise ValueError("over a stone")


def test_exception_of_a_component_names_the_line_of_its_own_code() -> None:
    app = App(
        ingestors=[Bars([1, 2])],
        strategies=[Stumbles()],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    line = Stumbles.stumble.__code__.co_firstlineno + 1
    file = Path(__file__).name
    with pytest.raises(BacktestError, match=rf"over a stone \({file}, line {line}\)$"):
        backtest.run(app)
