"""An app object is good for one backtest: another one is an error in words, not another result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.replaying import replay_on

from ingenium import App, Ingestor, Portfolio, Strategy, backtest
from ingenium.backtest import check_lookahead
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.errors import BacktestError, ConfigError, IngeniumError
from ingenium.events import Signal
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.trading import Bar

FILE = """
from pathlib import Path
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

app = App(
    ingestors=[CsvIngestor(Path(__file__).with_name("X.csv"))],
    strategies=[SmaCross(fast=2, slow=4)],
    portfolio=FixedQuantity(10),
    executor=PaperExecutor(),
)
"""


class Prices(Ingestor):
    """Gives what an iterator of its own has left: nothing, the second time."""

    def __init__(self, count: int = 12) -> None:
        super().__init__(name="prices")
        self.left = iter(range(1, count + 1))

    def read_bars(self) -> Iterator[Bar]:
        start = datetime(2024, 1, 1, tzinfo=UTC)
        for day in self.left:
            price = str(100 + day % 5)
            yield Bar.make(
                "X",
                start + timedelta(days=day),
                open=price,
                high=price,
                low=price,
                close=price,
                volume="1000000",
                period=timedelta(days=1),
            )


class Buys(Strategy):
    def __init__(self) -> None:
        super().__init__(name="buys")
        self.count = 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.count == 3:
            self.send_signal(bar.symbol, Signal.LONG)


def make(strategy: Strategy | None = None, portfolio: Portfolio | None = None) -> App:
    return App(
        ingestors=[Prices()],
        strategies=[strategy or Buys()],
        portfolio=portfolio or FixedQuantity(10, cash=Decimal(10_000)),
        executor=PaperExecutor(),
    )


def write(folder: Path) -> None:
    closes = [10, 11, 12, 11, 10, 9, 10, 11, 12, 13, 12, 11, 10, 9, 8, 9, 10, 11, 12, 13]
    rows = [f"2024-01-{day:02},{c},{c},{c},{c},1000000" for day, c in enumerate(closes, 1)]
    (folder / "X.csv").write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, ""]))


def test_app_that_ran_is_refused_by_name_and_with_the_cure() -> None:
    app = make()
    assert backtest.run(app).stats.fills == 1
    with pytest.raises(BacktestError, match=r"'buys' has already run.*pass a function"):
        backtest.run(app)
    with pytest.raises(BacktestError, match="has already run"):
        asyncio.run(backtest.replay_async(app))


def test_component_that_ran_in_another_app_is_refused_by_name() -> None:
    strategy, portfolio = Buys(), FixedQuantity(10, cash=Decimal(10_000))
    backtest.run(make(strategy, portfolio))
    with pytest.raises(BacktestError, match="strategy 'buys' has already run"):
        backtest.run(make(strategy))
    with pytest.raises(BacktestError, match="portfolio 'fixed-quantity' has already run"):
        backtest.run(make(None, portfolio))


class Again(Prices):
    """Reads from the beginning each time."""

    def read_bars(self) -> Iterator[Bar]:
        self.left = iter(range(1, 13))
        return super().read_bars()


def app_of(ingestor: Ingestor) -> App:
    return App(
        ingestors=[ingestor],
        strategies=[Buys()],
        portfolio=FixedQuantity(10, cash=Decimal(10_000)),
        executor=PaperExecutor(),
    )


def test_ingestor_that_reads_from_the_beginning_can_be_shared_by_apps(tmp_path: Path) -> None:
    write(tmp_path)
    for ingestor in (Again(), CsvIngestor(tmp_path / "X.csv")):
        first, second = backtest.run(app_of(ingestor)), backtest.run(app_of(ingestor))
        assert first.events_digest == second.events_digest
        assert first.stats == second.stats
        assert first.stats.fills == 1


@pytest.mark.parametrize(
    ("end", "says"),
    [(None, "gives nothing now"), (datetime(2024, 1, 6, tzinfo=UTC), r"begins at 2024-0\d.* now")],
)
def test_ingestor_that_goes_on_where_it_ended_is_refused(end: datetime | None, says: str) -> None:
    ingestor = Prices(200)
    backtest.run(app_of(ingestor), end=end)
    with pytest.raises(BacktestError, match=f"ingestor 'prices' {says}.*from the start each time"):
        backtest.run(app_of(ingestor))


def test_app_whose_run_failed_half_way_is_refused_too() -> None:
    class Fails(Buys):
        def on_bar(self, bar: Bar) -> None:
            raise ValueError("odd")

    app = make(Fails())
    with pytest.raises(BacktestError, match="odd"):
        backtest.run(app)
    with pytest.raises(BacktestError, match="has already run"):
        backtest.run(app)


def test_app_whose_data_was_missing_can_be_run_when_it_is_there(tmp_path: Path) -> None:
    app = App(ingestors=[CsvIngestor(tmp_path / "X.csv")], strategies=[])
    with pytest.raises(IngeniumError):
        backtest.run(app)
    write(tmp_path)
    assert backtest.run(app).replay.data == 20


def test_function_that_makes_the_app_can_be_run_again_and_gives_the_same() -> None:
    first, second = backtest.run(make), backtest.run(make)
    assert first.stats == second.stats
    assert first.events_digest == second.events_digest
    assert first.stats.fills == 1


def test_function_that_gives_one_app_again_is_refused() -> None:
    app = make()
    result = backtest.run(lambda: app)
    assert result.run_stressed is not None
    with pytest.raises(BacktestError, match="has already run"):
        result.run_stressed(None)


@pytest.mark.parametrize("target", ["{folder}/ran_once.py", "ran_once", "ran_once:app"])
def test_app_object_in_a_file_or_module_is_made_anew_for_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    write(tmp_path)
    (tmp_path / "ran_once.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "ran_once", raising=False)
    named = target.format(folder=tmp_path)
    first = backtest.run(named)
    second = backtest.run(named)
    assert first.stats.trades > 0
    assert second.stats == first.stats
    assert second.events_digest == first.events_digest
    assert first.run_stressed is not None
    assert first.run_stressed(None).stats.trades > 0
    assert check_lookahead(named, cuts=2) == []


@pytest.mark.parametrize("target", ["{folder}/takes_other.py", "takes_other"])
def test_app_object_that_a_file_takes_from_another_module_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    write(tmp_path)
    (tmp_path / "has_app.py").write_text(FILE)
    (tmp_path / "takes_other.py").write_text("from has_app import app\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("has_app", "takes_other"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    named = target.format(folder=tmp_path)
    assert backtest.run(named).stats.trades > 0
    with pytest.raises(BacktestError, match="has already run"):
        backtest.run(named)


def test_times_of_no_zone_or_order_are_refused_before_and_after_the_app_is_made() -> None:
    with pytest.raises(ConfigError, match="no zone"):
        backtest.run(make, end=datetime(2024, 1, 1))  # noqa: DTZ001
    with pytest.raises(ConfigError, match="'Mars/Olympus' is not known"):
        backtest.run(make, timezone="Mars/Olympus")


def test_app_that_ran_on_a_bus_is_refused_on_a_bus_and_in_a_backtest() -> None:
    app = make()
    on_bus = asyncio.run(replay_on(MemoryBus(), app))
    assert on_bus.events_digest == backtest.run(make).events_digest
    with pytest.raises(ConfigError, match="'buys' has already run"):
        asyncio.run(replay_on(MemoryBus(), app))
    with pytest.raises(BacktestError, match="'buys' has already run"):
        backtest.run(app)
