"""Latency, incidents and gauges of a live app, each against values worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ingenium import Portfolio, Strategy
from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident, IncidentKind, Message
from ingenium.components import Component, Handling, HandlingKind, Outcome, RunnerKind
from ingenium.deploy.local.live_metrics import live_gauges, set_gauges
from ingenium.errors import StoreError
from ingenium.events import (
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    encode,
)
from ingenium.runtime.live import LiveRunner
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.runtime.progress import Observation, Progress
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.telemetry.prometheus import prometheus_text
from ingenium.testing import Collector, data_event
from ingenium.trading import Bar, Fill

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)


class Watch:
    """A clock of seconds that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Quiet(Portfolio):
    def on_signal(self, event: SignalEvent) -> None:
        pass


def report(order_id: str, update: str, quantity: str = "0") -> ExecutionEvent:
    return ExecutionEvent(
        id=f"{order_id}-{update}", order_id=order_id, symbol="AAPL", side=Side.BUY,
        quantity=quantity, price="10", update=update,
    )  # fmt: skip


def handled(component: Component, event: ExecutionEvent, runner: RunnerKind) -> Handling:
    return Handling(component, event, HandlingKind.EVENT, runner, NOW)


def test_time_from_an_order_to_its_first_fill_only() -> None:
    metrics, watch, portfolio = ProcessMetrics(), Watch(), Quiet(name="fixed")
    counted = MetricsMiddleware(metrics, watch)

    def take(event: ExecutionEvent, runner: RunnerKind = RunnerKind.DURABLE) -> None:
        counted.after(handled(portfolio, event, runner), Outcome())

    for order_id in ("a", "b", "c"):
        order = OrderEvent(id=order_id, symbol="AAPL", side=Side.BUY, quantity="2")
        counted.on_publish(portfolio, order)
        watch.seconds += 1
    # a was sent at 100, b at 101, c at 102, and it is 103.
    take(report("a", "new"))
    take(report("b", "canceled"))
    watch.seconds += 2
    take(report("a", "partial_fill"))
    watch.seconds += 2
    take(report("a", "filled"))
    take(report("b", "filled"))
    take(report("c", "filled"), RunnerKind.REPLAY)
    take(report("unknown", "filled"))
    assert metrics.latency.values.keys() == {("fixed", "order_to_fill")}
    *counts, total = metrics.latency.values["fixed", "order_to_fill"]
    assert (sum(counts), total) == (1, 5.0)


def test_orders_that_are_never_filled_are_forgotten() -> None:
    metrics, portfolio = ProcessMetrics(), Quiet(name="fixed")
    counted = MetricsMiddleware(metrics)
    for number in range(10_001):
        order = OrderEvent(id=str(number), symbol="AAPL", side=Side.BUY, quantity="2")
        counted.on_publish(portfolio, order)
    for order_id in ("0", "1", "10000"):
        event = report(order_id, "filled")
        counted.after(handled(portfolio, event, RunnerKind.LIVE), Outcome())
    *counts, _ = metrics.latency.values["fixed", "order_to_fill"]
    assert sum(counts) == 2


class Member:
    """A runner that says how it stands."""

    def __init__(self, component: Component, seen: Observation | None) -> None:
        self.component = component
        self.progress = Progress()
        self._seen = seen

    def lag(self) -> float | None:
        return None

    def observe(self) -> Observation:
        if self._seen is None:
            raise StoreError("closed")
        return self._seen


def test_time_from_a_bar_to_signal_and_order() -> None:
    metrics, bus = ProcessMetrics(), MemoryBus()
    member = Member(Quiet(name="fixed"), Observation(NOW))
    assert live_gauges([MetricsMiddleware(metrics)], bus, member) is not None
    signal = SignalEvent(id="s", symbol="AAPL", signal=Signal.LONG)
    order = OrderEvent(id="o", symbol="AAPL", side=Side.BUY, quantity="2")
    member.progress.send([signal], NOW, NOW - timedelta(seconds=0.25))
    member.progress.send([order, order], NOW, NOW - timedelta(seconds=4))
    # What goes back to no bar is not measured.
    member.progress.send([order], NOW, None)
    member.progress.send([report("o", "new")], NOW, NOW - timedelta(seconds=9))
    found = {key: (sum(row[:-1]), row[-1]) for key, row in metrics.latency.values.items()}
    assert found == {("fixed", "bar_to_signal"): (1, 0.25), ("fixed", "bar_to_order"): (2, 8.0)}


def test_app_without_metrics_is_not_measured() -> None:
    member = Member(Quiet(name="fixed"), Observation(NOW))
    assert live_gauges([], MemoryBus(), member) is None
    assert member.progress.on_sent is None


def test_incidents_of_a_bus_that_components_share_are_counted_once() -> None:
    metrics, bus, other = ProcessMetrics(), MemoryBus(), MemoryBus()
    counted = MetricsMiddleware(metrics)
    for each in (bus, bus, other):
        counted.watch(each)
    for kind in (IncidentKind.GAP, IncidentKind.GAP, IncidentKind.RECONNECTED):
        bus.report(Incident(kind, "some"))
    other.report(Incident(IncidentKind.RECONNECTED, "some"))
    assert metrics.incidents.values == {("gap",): 2, ("reconnected",): 2}


def test_gauges_are_those_of_the_account() -> None:
    metrics, portfolio = ProcessMetrics(), Quiet(name="fixed")
    account = portfolio.account
    start = account.cash
    for symbol, side, quantity, price in (
        ("AAPL", Side.BUY, 10, "20"), ("IBM", Side.SELL, 3, "100"), ("MSFT", Side.BUY, 1, "50"),
    ):  # fmt: skip
        account.book(
            Fill(id=symbol, order_id=symbol, symbol=symbol, side=side, quantity=Decimal(quantity),
                 price=Decimal(price), time=NOW)
        )  # fmt: skip
        account.mark(symbol, price)
    account.mark("AAPL", "25")
    account.mark("IBM", "90")
    seen = Observation(NOW, waiting=4, outbox=2, lag_seconds=1.5)
    set_gauges(metrics, Member(portfolio, seen))
    cash = start - 200 + 300 - 50
    # Long 10 at 25 and 1 at 50, short 3 at 90.
    assert metrics.cash.values == {("fixed",): float(cash)}
    assert metrics.equity.values == {("fixed",): float(cash + 250 + 50 - 270)}
    assert metrics.exposure.values == {("fixed", "long"): 300.0, ("fixed", "short"): 270.0}
    assert metrics.positions.values == {("fixed", "long"): 2, ("fixed", "short"): 1}
    assert metrics.waiting.values == {("fixed",): 4}
    assert metrics.outbox.values == {("fixed",): 2}
    assert metrics.lag.values == {("fixed",): 1.5}
    assert metrics.working.values == {("fixed", "working"): 0}
    text = prometheus_text(metrics)
    assert "# TYPE ingenium_component_lag_seconds gauge" in text
    assert 'ingenium_component_lag_seconds{ingenium_component="fixed"} 1.5' in text
    labels = 'ingenium_component="fixed",ingenium_position_side="long"'
    assert f"ingenium_account_exposure{{{labels}}} 300.0" in text
    # A component that has stopped keeps its last account, and an unknown lag is left out.
    set_gauges(metrics, Member(portfolio, None))
    assert metrics.equity.values == {("fixed",): float(cash + 30)}
    set_gauges(metrics, Member(portfolio, Observation(NOW)))
    assert metrics.lag.values == {}


class Failing(Strategy):
    def on_bar(self, bar: Bar) -> None:
        raise ValueError("no price")


async def test_dead_letters_over_a_plain_bus() -> None:
    metrics, bus = ProcessMetrics(), MemoryBus()
    runner = LiveRunner(bus, Failing(name="failing"), middleware=[MetricsMiddleware(metrics)])
    letters = Collector[Message]()
    await bus.subscribe("ingenium.deadletter.failing", letters)
    await runner.start()
    for payload in (b"no JSON", encode(data_event(id="1"))):
        await bus.publish("ingenium.ingestor.data.aapl", payload)
    await letters.wait(2)
    await runner.stop()
    assert metrics.dead_letters.values == {("failing",): 2}
