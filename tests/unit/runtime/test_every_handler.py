"""Every public handler of every role, in every runner, counted against what the input says.

The counts are worked out by hand. There are six daily bars. The strategy says long at the second
and at the fifth. At the first signal the portfolio sends a limit order; at the report ``new`` it
asks to replace it, and at the report ``replaced`` to cancel what took its place, which the executor
reports as ``canceled``. At the second signal it sends an order of 100, which its gate with a limit
of 10 denies. Then trading halts: on live data an operator says so, in history the portfolio does.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from support.replaying import START, replay_on

from ingenium import App, Executor, Ingestor, Middleware, Portfolio, Strategy
from ingenium.backtest.engine import replay_async
from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident
from ingenium.bus.stream import MESSAGE_ID, MemoryStream
from ingenium.components import Handling, Outcome, arm
from ingenium.components.handle_of import handle_of
from ingenium.errors import EventRefusedError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Signal,
    SignalEvent,
    TradingState,
    decode,
    encode,
)
from ingenium.risk import RiskLimits
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.live import LiveRunner
from ingenium.subjects.names import TRADING, subject_of
from ingenium.testing import wait_until
from ingenium.trading import Bar

BARS = 6
SPOKEN_AT = (2, 5)
LIMITS = RiskLimits(max_order_quantity=10, duplicate_seconds=None)

ON_A_BUS = ("live", "durable")
RUNNERS = ("backtest", "replay", *ON_A_BUS)


class Source(Ingestor):
    """Six daily bars of one symbol, one a day."""

    calls: Counter[str]

    def bars(self) -> Iterator[Bar]:
        for day in range(BARS):
            yield Bar.make(
                "AAPL",
                START + timedelta(days=day),
                open="100", high="100", low="100", close="100", volume="1000",
                period=timedelta(days=1),
            )  # fmt: skip


class History(Source):
    def read_bars(self) -> Iterator[Bar]:
        self.calls["read_bars"] += 1
        return self.bars()


class Feed(Source):
    async def ingest(self) -> None:
        self.calls["ingest"] += 1
        for bar in self.bars():
            self.send_data(bar.event)
        await asyncio.Event().wait()


class Speaker(Strategy):
    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars in SPOKEN_AT:
            self.send_signal(bar.symbol, Signal.LONG)


class Trader(Portfolio):
    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.signals = 0
        self.halts_itself = True

    def on_signal(self, event: SignalEvent) -> None:
        self.signals += 1
        if self.signals == 1:
            self.send_order("AAPL", "buy", 1, type="limit", limit_price=100)
        else:
            self.send_order("AAPL", "buy", 100)
            if self.halts_itself:
                handle_of(self).risk.halt("a test")

    def on_execution(self, event: ExecutionEvent) -> None:
        if event.update == "new":
            self.replace_order(event.order_id, quantity=2)
        elif event.update == "replaced":
            [order_id] = self.orders
            self.cancel_order(order_id)


class Desk(Executor):
    def on_order(self, event: OrderEvent) -> None:
        self._report(event, event.id, "new")

    def on_replace(self, event: ReplaceEvent) -> None:
        self._report(event, event.order_id, "replaced")

    def on_cancel(self, event: CancelEvent) -> None:
        self._report(event, event.order_id, "canceled")

    def _report(self, event: Any, order_id: str, update: str) -> None:
        self.send_execution(ExecutionEvent(order_id=order_id, symbol=event.symbol, update=update))


def counting(base: type[Any], *, waits: bool, without: Sequence[str] = ()) -> type[Any]:
    """Make a class whose public handlers count their calls and then do what those of a base do.

    Args:
        base: What they do.
        waits: Whether they are coroutine functions, which wait.
        without: Handlers that are not overridden.
    """

    def handler(name: str) -> Any:
        body = getattr(base, name)

        def plain(self: Any, *args: Any) -> Any:
            self.calls[name] += 1
            return body(self, *args)

        async def waiting(self: Any, *args: Any) -> None:
            self.calls[name] += 1
            await asyncio.sleep(0)
            if (handled := body(self, *args)) is not None:
                await handled

        return waiting if waits else plain

    def begin(self: Any, name: str) -> None:
        base.__init__(self, name=name)
        self.calls = Counter()

    names = [name for name in dir(base) if name.startswith("on_") and name not in without]
    own = {name: handler(name) for name in names}
    return type(f"Counting{base.__name__}", (base,), {"__init__": begin, **own})


@dataclass
class Run:
    """What came of a run.

    Attributes:
        calls: How often each handler of each component was called.
        problems: What was reported.
        letters: Dead letters.
    """

    calls: dict[str, dict[str, int]]
    problems: list[str] = field(default_factory=list)
    letters: int = 0


@dataclass
class Parts:
    """The components of one run."""

    ingestor: Any
    strategy: Any
    portfolio: Any
    executor: Any
    middleware: Sequence[Middleware] = ()

    @property
    def all(self) -> list[Any]:
        return [self.ingestor, self.strategy, self.portfolio, self.executor]

    def app(self) -> App:
        return App(
            ingestors=[self.ingestor],
            strategies=[self.strategy],
            portfolio=self.portfolio,
            executor=self.executor,
            risk=LIMITS,
            middleware=self.middleware,
        )

    def calls(self) -> dict[str, dict[str, int]]:
        return {each.name: dict(each.calls) for each in self.all}


READS = {
    "on_data and on_bar": ((), ()),
    "on_bar": (("on_data",), ("on_data",)),
    # As most apps: the fast loop of a backtest calls the strategy only.
    "on_bar of the strategy": (("on_data",), ("on_data", "on_bar")),
}
"""What strategy, and what portfolio and executor, do not override, by what they read."""


def make(
    runner: str,
    *,
    waits: bool,
    middleware: Sequence[Middleware] = (),
    reads: str = "on_data and on_bar",
) -> Parts:
    source = Feed if runner in ON_A_BUS else History
    of_strategy, of_others = READS[reads]
    parts = Parts(
        counting(source, waits=waits)("source"),
        counting(Speaker, waits=waits, without=of_strategy)("speaker"),
        counting(Trader, waits=waits, without=of_others)("trader"),
        counting(Desk, waits=waits, without=of_others)("desk"),
        middleware,
    )
    if runner in ON_A_BUS:
        parts.portfolio.halts_itself = False
        arm(parts.portfolio, LIMITS)
        arm(parts.executor, LIMITS)
    return parts


async def run(
    runner: str,
    parts: Parts,
    is_done: Callable[[], bool],
    is_over: Callable[[], bool] = lambda: True,
) -> Run:
    """Run components to the end of history; on live data until they are done.

    Args:
        runner: Which.
        parts: The components.
        is_done: Whether all data has been handled, with what it has caused; trading halts then.
        is_over: Whether what the halt has caused has been handled.
    """
    if runner == "backtest":
        result = await replay_async(parts.app())
        return Run(parts.calls(), list(result.problems), result.dead_letters)
    if runner == "replay":
        result = await replay_on(MemoryBus(), parts.app())
        return Run(parts.calls(), list(result.problems), result.dead_letters)
    if runner == "live":
        return await run_live(parts, is_done, is_over)
    return await run_durable(parts, is_done, is_over)


@asynccontextmanager
async def running(member: LiveRunner | DurableRunner) -> AsyncIterator[None]:
    await member.start()
    task = asyncio.create_task(member.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await member.stop()


HALT = ControlEvent(id="control_1", state=TradingState.HALTED, sender="ann@desk", reason="a test")


def has_halted(parts: Parts) -> bool:
    return all(each.calls["on_trading_state"] for each in (parts.portfolio, parts.executor))


async def run_live(parts: Parts, is_done: Callable[[], bool], is_over: Callable[[], bool]) -> Run:
    bus = MemoryBus()
    incidents: list[Incident] = []
    letters: list[Any] = []
    bus.on_incident(incidents.append)
    await bus.subscribe("ingenium.deadletter.>", letters.append)
    async with AsyncExitStack() as stack:
        for each in (parts.executor, parts.portfolio, parts.strategy, parts.ingestor):
            member = LiveRunner(bus, each, middleware=parts.middleware)
            await stack.enter_async_context(running(member))
        await wait_until(is_done, what="all events")
        await bus.publish(subject_of(HALT), encode(HALT))
        await wait_until(lambda: has_halted(parts) and is_over(), what="the halt")
    await bus.drain()
    return Run(parts.calls(), [each.detail for each in incidents], len(letters))


async def run_durable(
    parts: Parts, is_done: Callable[[], bool], is_over: Callable[[], bool]
) -> Run:
    bus, stream = MemoryBus(), MemoryStream("INGENIUM")
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    async with AsyncExitStack() as stack:
        for each in (parts.executor, parts.portfolio, parts.strategy):
            store = Store(sqlite3.connect(":memory:"))
            member = DurableRunner(bus, stream, each, store, middleware=parts.middleware)
            await stack.enter_async_context(running(member))
        feed = LiveRunner(bus, parts.ingestor, middleware=parts.middleware)
        await stack.enter_async_context(running(feed))
        await wait_until(is_done, what="all events")
        await stream.append(TRADING, encode(HALT), {MESSAGE_ID: HALT.id})
        await wait_until(lambda: has_halted(parts) and is_over(), what="the halt")
    letters = [each for each in stream._records if "deadletter" in each.message.subject]
    for each in letters:
        decode(DeadLetterEvent, each.message.payload)
    return Run(parts.calls(), [each.detail for each in incidents], len(letters))


def expected(runner: str, reads: str = "on_data and on_bar") -> dict[str, dict[str, int]]:
    """Return how often each handler has to be called; see the top of this file."""
    life = {"on_start": 1, "on_stop": 1}
    data = {"on_data": BARS, "on_bar": BARS}
    of_strategy, of_others = (
        {name: count for name, count in data.items() if name not in without}
        for without in READS[reads]
    )
    is_live = runner in ON_A_BUS
    halted = {"on_trading_state": 1}
    return {
        "source": life | ({"ingest": 1} if is_live else {"read_bars": 1}),
        "speaker": life | of_strategy,
        "trader": life | of_others | {"on_signal": 2, "on_execution": 3, "on_denied": 1} | halted,
        "desk": life | of_others | {"on_order": 1, "on_replace": 1, "on_cancel": 1} | halted,
    }


def all_done(parts: Parts, reads: str = "on_data and on_bar") -> Callable[[], bool]:
    of_others = {} if reads == "on_bar of the strategy" else {"on_bar": BARS}
    wanted = (
        (parts.strategy, {"on_bar": BARS}),
        (parts.portfolio, {"on_signal": 2, "on_execution": 3, "on_denied": 1} | of_others),
        (parts.executor, {"on_cancel": 1} | of_others),
    )

    def is_done() -> bool:
        return all(
            component.calls[name] >= count
            for component, counts in wanted
            for name, count in counts.items()
        )

    return is_done


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("runner", RUNNERS)
async def test_handler_is_called_as_often_as_the_input_says(
    runner: str, waits: bool, reads: str
) -> None:
    parts = make(runner, waits=waits, reads=reads)
    found = await run(runner, parts, all_done(parts, reads))
    assert found.calls == expected(runner, reads)
    assert found.letters == 0


def test_no_public_handler_is_left_out() -> None:
    counted = expected("live")
    for role, base in (("source", Ingestor), ("speaker", Strategy), ("trader", Portfolio)):
        assert {name for name in dir(base) if name.startswith("on_")} - counted[
            role
        ].keys() == set()
    # An executor reports what its gate denies as rejected, so nothing calls this one.
    public = {name for name in dir(Executor) if name.startswith("on_")}
    assert public - counted["desk"].keys() <= {"on_denied"}


# With a middleware.


class Count(Middleware):
    """Counts what is handled, by component."""

    def __init__(self) -> None:
        self.before_calls: Counter[tuple[str, str]] = Counter()
        self.after_calls: Counter[tuple[str, str]] = Counter()
        self.runners: set[str] = set()
        self.sent: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.untimed = 0
        self.subjects: set[str] = set()

    def before(self, handling: Handling) -> None:
        self.before_calls[self._key(handling)] += 1
        self.runners.add(str(handling.runner))
        self.subjects.add(handling.subject)

    def after(self, handling: Handling, outcome: Outcome) -> None:
        self.after_calls[self._key(handling)] += 1
        self.sent[handling.component.name] += len(outcome.sent)
        if outcome.error is not None:
            self.failures.append(outcome.error)
        self.untimed += not outcome.seconds > 0

    def _key(self, handling: Handling) -> tuple[str, str]:
        event = handling.event
        what = str(handling.kind) if event is None else type(event).__name__
        return handling.component.name, what


@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("runner", RUNNERS)
async def test_middleware_sees_each_event_of_each_component(runner: str, waits: bool) -> None:
    count = Count()
    parts = make(runner, waits=waits, middleware=[count])
    found = await run(runner, parts, all_done(parts))
    assert found.calls == expected(runner)
    is_live = runner in ON_A_BUS
    handled: dict[str, dict[type[Event], int]] = {
        "source": {},
        "speaker": {DataEvent: BARS},
        "trader": {DataEvent: BARS, SignalEvent: 2, ExecutionEvent: 3},
        "desk": {DataEvent: BARS, OrderEvent: 1, ReplaceEvent: 1, CancelEvent: 1},
    }
    # That of an operator is for both; its own word a portfolio does not hear again.
    handled["desk"][ControlEvent] = 1
    if is_live:
        handled["trader"][ControlEvent] = 1
    wanted = {
        (name, kind.__name__): times
        for name, kinds in handled.items()
        for kind, times in kinds.items()
    } | {(name, hook): 1 for name in handled for hook in ("start", "stop")}
    assert dict(count.before_calls) == wanted
    assert dict(count.after_calls) == wanted
    # Signals; an order, a replacement, a cancellation, a denial, and the halt where it is its own;
    # three reports. An ingestor sends outside of handlers.
    assert count.sent == {
        "source": 0,
        "speaker": 2,
        "trader": 4 if is_live else 5,
        "desk": 3,
    }
    assert count.failures == []
    assert count.untimed == 0
    # An ingestor is never durable: it has nothing to remember.
    assert count.runners == ({"durable", "live"} if runner == "durable" else {runner})
    assert (runner == "backtest") == (count.subjects == {""})


class Refuse(Middleware):
    """Keeps the report that an order is replaced from the portfolio."""

    def before(self, handling: Handling) -> None:
        event = handling.event
        if isinstance(event, ExecutionEvent) and event.update == "replaced":
            raise EventRefusedError("no replacements today")


@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("runner", RUNNERS)
async def test_event_that_is_refused_is_reported_and_not_handled(runner: str, waits: bool) -> None:
    outer, inner = Count(), Count()
    parts = make(runner, waits=waits, middleware=[outer, Refuse(), inner])

    def is_refused() -> bool:
        portfolio, executor = parts.portfolio.calls, parts.executor.calls
        all_data = portfolio["on_bar"] == executor["on_bar"] == BARS
        return bool(all_data and portfolio["on_denied"] == 1 and outer.failures)

    def is_canceled() -> bool:
        return bool(parts.portfolio.calls["on_execution"] == 2)

    found = await run(runner, parts, is_refused, is_canceled)
    wanted = expected(runner)
    # ``new`` and, as the halt cancels the order, which still works, ``canceled``.
    wanted["trader"]["on_execution"] = 2
    assert found.calls == wanted
    assert [type(each) for each in outer.failures] == [EventRefusedError]
    assert inner.failures == []
    key = ("trader", "ExecutionEvent")
    assert inner.before_calls[key] == wanted["trader"]["on_execution"]
    assert outer.before_calls[key] == wanted["trader"]["on_execution"] + 1
    assert found.letters == 1
    if runner != "replay":
        assert [each for each in found.problems if "no replacements today" in each]
