"""Components that know the future are found, and honest ones are left alone."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.running import ingenium

from ingenium import App, BacktestError, Bar, ConfigError, Signal, Strategy
from ingenium.backtest import check_lookahead
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "A.csv"
    with path.open("w") as file:
        file.write("Date,Open,High,Low,Close,Volume\n")
        for day in range(120):
            price = 100 + day * 37 % 11
            date = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
            file.write(f"{date:%Y-%m-%d},{price},{price + 1},{price - 1},{price},100000\n")
    return path


def make(prices: Path, strategy: Callable[[CsvIngestor], Strategy]) -> App:
    ingestor = CsvIngestor(prices)
    return App(
        ingestors=[ingestor],
        strategies=[strategy(ingestor)],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )


class Peeks(Strategy):
    """Trades on tomorrow's close, wherever it has it from."""

    def __init__(self, future: list[float] | None = None) -> None:
        super().__init__(name="peeks")
        self.future = future or []
        self.day = 0

    def on_bar(self, bar: Bar) -> None:
        self.day += 1
        if self.day < len(self.future):
            rises = self.future[self.day] > bar.close
            self.send_signal(bar.symbol, Signal.LONG if rises else Signal.SHORT)


def closes(path: Path) -> list[float]:
    with path.open() as file:
        return [float(row["Close"]) for row in csv.DictReader(file)]


def test_honest_strategy_is_left_alone(prices: Path) -> None:
    assert check_lookahead(lambda: make(prices, lambda _: RsiStrategy())) == []


def test_strategy_that_reads_the_file_in_its_handler_is_found(prices: Path) -> None:
    class ReadsAll(Peeks):
        def on_bar(self, bar: Bar) -> None:
            self.future = self.future or closes(prices)
            super().on_bar(bar)

    [found] = check_lookahead(lambda: make(prices, lambda _: ReadsAll()))
    assert found.component == "peeks"
    assert "reads A.csv while it handles events" in found.problem


def test_strategy_that_reads_another_file_of_prices_is_found(prices: Path, tmp_path: Path) -> None:
    copy = tmp_path / "future.csv"
    copy.write_text(prices.read_text())

    class ReadsCopy(Peeks):
        def on_start(self) -> None:
            self.future = closes(copy)

    [found] = check_lookahead(lambda: make(prices, lambda _: ReadsCopy()))
    assert "reads future.csv" in str(found)


def test_app_that_reads_the_fed_file_while_it_is_made_is_found(prices: Path) -> None:
    [found] = check_lookahead(lambda: make(prices, lambda _: Peeks(closes(prices))))
    assert found.component == ""
    assert "reads A.csv while it is loaded" in found.problem


def test_strategy_that_asks_the_ingestor_for_the_future_is_found(prices: Path) -> None:
    class Asks(Peeks):
        def __init__(self, ingestor: CsvIngestor) -> None:
            super().__init__()
            self.ingestor = ingestor

        def on_start(self) -> None:
            events: list[Any] = list(self.ingestor.read())
            self.future = [float(event.ohlc.close) for event in events]

    found = check_lookahead(lambda: make(prices, Asks))
    assert {each.component for each in found} == {"peeks"}
    assert any("decides otherwise" in each.problem for each in found)


def test_strategy_that_depends_on_chance_is_found_too(prices: Path) -> None:
    class Chance(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if os.urandom(1)[0] % 2:
                self.send_signal(bar.symbol, Signal.LONG)

    [found] = check_lookahead(lambda: make(prices, lambda _: Chance()), cuts=2)
    assert found.component == "chance"
    assert "chance" in found.problem


def test_what_is_sent_on_stop_is_no_decision(prices: Path) -> None:
    class Flattens(RsiStrategy):
        def on_stop(self) -> None:
            self.send_signal("A", Signal.FLAT)

    assert check_lookahead(lambda: make(prices, lambda _: Flattens())) == []


def test_app_object_and_no_cuts_are_refused(prices: Path) -> None:
    app = make(prices, lambda _: RsiStrategy())
    with pytest.raises(BacktestError, match="needs a new App"):
        check_lookahead(app)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cuts is 0"):
        check_lookahead(lambda: app, cuts=0)


CHEAT = """
import csv
from pathlib import Path
from ingenium import App, Signal, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

class Cheat(Strategy):
    def on_bar(self, bar):
        rows = list(csv.DictReader(Path("A.csv").open()))
        if float(rows[-1]["Close"]) > bar.close:
            self.send_signal(bar.symbol, Signal.LONG)

def make(strategy):
    return App(ingestors=[CsvIngestor("A.csv")], strategies=[strategy],
               portfolio=FixedQuantity(10), executor=PaperExecutor())

def honest():
    return make(RsiStrategy())

def cheat():
    return make(Cheat())
"""


def test_command_line_names_the_cheat_and_exits_1(prices: Path) -> None:
    folder = prices.parent
    (folder / "app.py").write_text(CHEAT)
    cheat = ingenium("backtest", "app.py:cheat", "--check-lookahead", cwd=folder)
    assert cheat.code == 1
    assert "look-ahead: cheat reads A.csv" in cheat.out
    honest = ingenium("backtest", "app.py:honest", "--check-lookahead", "--json", cwd=folder)
    assert (honest.code, honest.out) == (0, '{"lookahead": []}\n')
