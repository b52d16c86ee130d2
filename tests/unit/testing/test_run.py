"""`ingenium.testing.run`: one component on bars and events, as a backtest runs it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium import (
    App,
    Bar,
    DataEvent,
    ExecutionEvent,
    Executor,
    External,
    Ingestor,
    OrderEvent,
    Portfolio,
    Signal,
    SignalEvent,
    Strategy,
    backtest,
)
from ingenium.brokers import PaperExecutor
from ingenium.errors import ComponentError, ConfigError, IngeniumError
from ingenium.events import DenialEvent, encode
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.risk import RiskLimits
from ingenium.strategies import RsiStrategy
from ingenium.testing import bar, data_event, fill, order, run, signal_event

DAY = timedelta(days=1)
FIRST_END = datetime(2024, 1, 3, tzinfo=UTC)


class Each(Strategy):
    """Sends a signal for each bar, and remembers what was called and when."""

    def __init__(self, symbols: list[str] | None = None) -> None:
        super().__init__(symbols)
        self.calls: list[tuple[str, datetime]] = []

    def on_start(self) -> None:
        self.calls.append(("start", self.now))

    async def on_bar(self, bar: Bar) -> None:
        await asyncio.sleep(0)
        self.calls.append((bar.symbol, self.now))
        self.send_signal(bar.symbol, Signal.LONG)

    def on_stop(self) -> None:
        self.calls.append(("stop", self.now))


def test_strategy_sends_what_it_says_of_its_bars() -> None:
    strategy = RsiStrategy(["AAPL"], period=2, buy_below=5, sell_above=95)
    # Two losses in a row: the average gain is 0, and so is the RSI.
    [signal] = run(strategy, [bar(close=close, number=n) for n, close in enumerate("321")])
    assert isinstance(signal, SignalEvent)
    assert (signal.symbol, signal.signal) == ("AAPL", Signal.LONG)
    assert signal.timestamp == FIRST_END + 2 * DAY


def test_hooks_and_coroutines_are_called_at_the_time_of_their_items() -> None:
    strategy = Each()
    sent = run(strategy, [bar("A"), bar("B", number=1)])
    assert strategy.calls == [
        ("start", FIRST_END),
        ("A", FIRST_END),
        ("B", FIRST_END + DAY),
        ("stop", FIRST_END + DAY),
    ]
    assert [each.timestamp for each in sent] == [FIRST_END, FIRST_END + DAY]


def test_earlier_item_is_handled_at_the_time_reached_so_far() -> None:
    strategy = Each()
    run(strategy, [bar("A", number=3), bar("B", number=1)])
    assert strategy.calls[2] == ("B", FIRST_END + 3 * DAY)


def test_symbols_that_were_not_asked_for_are_skipped() -> None:
    [sent] = run(Each(["A"]), [bar("B"), bar("A"), data_event("C")])
    assert isinstance(sent, SignalEvent)
    assert sent.symbol == "A"


def test_events_equal_those_of_a_backtest(tmp_path: Any) -> None:
    rows = ["timestamp,open,high,low,close,volume"]
    rows += [f"2024-01-{day:02},{day},{day},{day},{day},100" for day in range(1, 6)]
    path = tmp_path / "A.csv"
    path.write_text("\n".join(rows))
    seen: list[bytes] = []

    class Seeing(Portfolio):
        def on_signal(self, event: SignalEvent) -> None:
            seen.append(encode(event))

    feed = CsvIngestor(path, name="prices")
    backtest.run(
        App(
            ingestors=[feed],
            strategies=[Each()],
            portfolio=Seeing(),
            executor=PaperExecutor(),
        )
    )
    bars = [
        bar("A", day, open=day, start=datetime(2024, 1, day, tzinfo=UTC)) for day in range(1, 6)
    ]
    given = [Bar.from_event(each.event) for each in bars]
    for events in (bars, given, [each.event for each in bars]):
        assert [encode(each) for each in run(Each(), events, source="prices")] == seen
    assert len(seen) == 5


def test_what_was_passed_is_not_changed() -> None:
    event = data_event()
    before = encode(event)
    passed = bar()
    run(Each(), [event, passed])
    assert encode(event) == before
    assert passed.name is None


def test_portfolio_is_run_step_by_step() -> None:
    portfolio = FixedQuantity(10, cash=10_000)
    [sent] = run(portfolio, [bar(close=50), signal_event()], stop=False)
    assert isinstance(sent, OrderEvent)
    assert (sent.symbol, sent.side, sent.quantity) == ("AAPL", "buy", "10")
    assert run(portfolio, [fill(sent, "50.5", quantity=4, commission="1")], stop=False) == []
    assert portfolio.position("AAPL").quantity == 4
    assert portfolio.pending("AAPL") == 6
    assert portfolio.account.cash == Decimal(10000) - 4 * Decimal("50.5") - 1
    run(portfolio, [signal_event(signal=Signal.LONG)])
    with pytest.raises(ComponentError, match=r"has already run.*pass stop=False"):
        run(portfolio, [bar()])


def test_limits_are_those_that_were_passed() -> None:
    portfolio = FixedQuantity(1000)
    [sent] = run(portfolio, [bar(), signal_event()], risk=RiskLimits(max_order_quantity=100))
    assert isinstance(sent, DenialEvent)
    assert sent.detail == "quantity 1000 is above 100"


def test_executor_fills_an_order_by_the_bar_that_follows() -> None:
    sent = run(PaperExecutor(), [bar(), order(), bar(close=102, open=101, number=1)])
    assert all(isinstance(each, ExecutionEvent) for each in sent)
    found = [(each.update, each.price) for each in sent if isinstance(each, ExecutionEvent)]
    assert found == [("new", None), ("filled", "101")]


class History(Ingestor):
    def read_bars(self) -> Iterator[Bar]:
        return iter([bar("A", number=n) for n in range(3)])


class Live(Ingestor):
    def __init__(self, *, ends: bool) -> None:
        super().__init__()
        self.ends = ends

    async def ingest(self) -> None:
        self.send_data(data_event("A"))
        if not self.ends:
            await asyncio.Event().wait()


def test_ingestor_gives_what_it_reads_or_sends() -> None:
    history = run(History())
    assert [each.timestamp for each in history] == [
        f"2024-01-0{day}T00:00:00Z" for day in (3, 4, 5)
    ]
    assert len({each.id for each in history}) == 3
    [sent] = run(Live(ends=True))
    assert isinstance(sent, DataEvent)
    assert sent.id
    with pytest.raises(ComponentError, match=r"not done after 0\.05 s: .*timeout_seconds"):
        run(Live(ends=False), timeout_seconds=0.05)


async def test_it_can_be_called_within_a_coroutine() -> None:
    assert len(run(Each(), [bar()])) == 1


def test_error_of_a_handler_names_component_and_event() -> None:
    class Broken(Strategy):
        def on_bar(self, bar: Bar) -> None:
            raise ValueError("no such thing")

    with pytest.raises(
        ComponentError, match=r"strategy 'broken' failed on DataEvent.*no such thing"
    ):
        run(Broken(), [bar()])


@pytest.mark.parametrize(
    ("component", "items", "text"),
    [
        (Each, [], r"component is the class Each: pass an object, Each\(\)"),
        (7, [], "component is 7: pass a Strategy, Portfolio, Executor or Ingestor"),
        (External("strategy", ["x"]), [], "strategy 'strategy' is another program: test it with"),
        (Each(), bar(), r"events_or_bars is one Bar: pass a list, \[bar\]"),
        (Each(), [3], "item 0 is 3: pass bars and events"),
        (
            Each(),
            [bar(), signal_event()],
            "item 1 is a SignalEvent, which strategy",
        ),
        (Executor(), [bar(), fill(order())], "item 1 is a ExecutionEvent, which executor"),
        (History(), [bar()], "ingestor 'history' handles no events, and 1 were passed"),
    ],
)
def test_what_cannot_be_run_is_refused_with_value_and_cure(
    component: Any, items: Any, text: str
) -> None:
    with pytest.raises(IngeniumError, match=text):
        run(component, items)


def test_risk_of_a_component_without_orders_is_refused() -> None:
    with pytest.raises(ConfigError, match="strategy 'each' has no risk gate"):
        run(Each(), [bar()], risk=RiskLimits())


def test_fill_of_more_than_was_ordered_is_refused() -> None:
    with pytest.raises(ConfigError, match="quantity 11 is more than the 10 of order 'order_1'"):
        fill(order(), quantity=11)
    with pytest.raises(ConfigError, match=r"order of AAPL has no id"):
        fill(order(id=""))


def test_package_gives_testing_and_backtest_without_a_further_import() -> None:
    code = "import ingenium; print(ingenium.testing.run.__name__, ingenium.backtest.run.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["run", "run"]
