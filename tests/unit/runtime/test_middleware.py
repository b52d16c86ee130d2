"""What a middleware is told, in which order, and what becomes of its own errors."""

from __future__ import annotations

import ast
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ingenium
from ingenium import App, Executor, Ingestor, Middleware, Portfolio, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.bus.base import Message
from ingenium.components import Handling, HandlingKind, Outcome, RunnerKind
from ingenium.components.executor_handle import ExecutorHandle
from ingenium.components.handle_of import handle_of
from ingenium.components.portfolio_handle import PortfolioHandle
from ingenium.components.strategy import StrategyHandle
from ingenium.errors import ComponentError, ConfigError, EventRefusedError
from ingenium.events import DataEvent, Signal
from ingenium.runtime.dispatch import Dispatcher
from ingenium.testing import data_event
from ingenium.trading import Bar

NOW = datetime(2024, 1, 3, tzinfo=UTC)


class Clock:
    """Counts seconds."""

    def __init__(self) -> None:
        self.seconds = 7.0

    def __call__(self) -> float:
        return self.seconds


class Talkative(Strategy):
    """Says something, and takes 2.5 seconds for it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(name="talkative")
        self._clock = clock

    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG)
        self._clock.seconds += 2.5


class TalkativeInTime(Talkative):
    async def on_bar(self, bar: Bar) -> None:  # type: ignore[override]
        super().on_bar(bar)


class Stumbling(Talkative):
    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        raise ValueError("stumbled")


class StumblingInTime(Stumbling):
    async def on_bar(self, bar: Bar) -> None:  # type: ignore[override]
        super().on_bar(bar)


class Notes(Middleware):
    """Writes down what it is told."""

    def __init__(self, name: str = "", said: list[str] | None = None) -> None:
        self.name = name
        self.said: list[str] = [] if said is None else said
        self.handlings: list[Handling] = []
        self.outcomes: list[Outcome] = []

    def before(self, handling: Handling) -> None:
        self.said.append(f"before {self.name}")
        self.handlings.append(handling)

    def after(self, handling: Handling, outcome: Outcome) -> None:
        assert handling is self.handlings[-1]
        self.said.append(f"after {self.name}")
        self.outcomes.append(outcome)


class Refusing(Notes):
    def before(self, handling: Handling) -> None:
        super().before(handling)
        raise EventRefusedError("not today")


class Broken(Notes):
    def before(self, handling: Handling) -> None:
        super().before(handling)
        raise KeyError("broken")


class BrokenBehind(Notes):
    def after(self, handling: Handling, outcome: Outcome) -> None:
        super().after(handling, outcome)
        raise KeyError("broken")


def dispatcher(strategy: Strategy, *middleware: Middleware, clock: Clock | None = None) -> Any:
    return Dispatcher(strategy, middleware, RunnerKind.LIVE, elapsed=clock or Clock())


def event() -> DataEvent:
    return data_event(id="data_1")


@pytest.mark.parametrize("kind", [Talkative, TalkativeInTime])
async def test_outcome_has_what_was_sent_and_how_long_it_took(kind: type[Talkative]) -> None:
    clock, notes = Clock(), Notes()
    strategy = kind(clock)
    message = Message("ingenium.ingestor.data.aapl", b"{}", {"traceparent": "00-1-2-01"})
    sent = await dispatcher(strategy, notes, clock=clock).handle(event(), NOW, "c", message)
    [handling], [outcome] = notes.handlings, notes.outcomes
    assert handling.component is strategy
    assert handling.event == event()
    assert (handling.kind, handling.runner) == (HandlingKind.EVENT, RunnerKind.LIVE)
    assert (handling.time, handling.cause) == (NOW, "c")
    assert handling.subject == "ingenium.ingestor.data.aapl"
    assert handling.headers == {"traceparent": "00-1-2-01"}
    assert list(outcome.sent) == sent
    assert [each.symbol for each in sent] == ["AAPL"]
    assert (outcome.seconds, outcome.error) == (2.5, None)


@pytest.mark.parametrize("kind", [Talkative, TalkativeInTime])
async def test_handler_that_is_called_directly_is_watched_too(kind: type[Talkative]) -> None:
    clock, notes = Clock(), Notes()
    strategy = kind(clock)
    handler = dispatcher(strategy, notes, clock=clock).bar_handler()
    bar = Bar.from_event(event())
    handle_of(strategy).begin(bar, NOW)
    if (handled := handler(bar)) is not None:
        await handled
    [handling], [outcome] = notes.handlings, notes.outcomes
    assert handling.item is bar
    assert handling.time == NOW
    assert [each.symbol for each in outcome.sent] == ["AAPL"]
    assert outcome.seconds == 2.5


@pytest.mark.parametrize("kind", [Stumbling, StumblingInTime])
async def test_outcome_of_a_failure_is_the_handlers_own_error(kind: type[Talkative]) -> None:
    clock, notes = Clock(), Notes()
    with pytest.raises(ComponentError, match="stumbled"):
        await dispatcher(kind(clock), notes, clock=clock).handle(event(), NOW)
    [outcome] = notes.outcomes
    assert isinstance(outcome.error, ValueError)
    assert (outcome.sent, outcome.seconds) == ((), 2.5)


@pytest.mark.parametrize("kind", [Stumbling, StumblingInTime])
async def test_failure_of_a_handler_that_is_called_directly(kind: type[Talkative]) -> None:
    clock, notes = Clock(), Notes()
    strategy = kind(clock)
    handler = dispatcher(strategy, notes, clock=clock).bar_handler()
    bar = Bar.from_event(event())
    handle_of(strategy).begin(bar, NOW)

    async def handle() -> None:
        if (handled := handler(bar)) is not None:
            await handled

    with pytest.raises(ValueError, match="stumbled"):
        await handle()
    [outcome] = notes.outcomes
    assert isinstance(outcome.error, ValueError)
    assert (outcome.sent, outcome.seconds) == ((), 2.5)


async def test_first_middleware_is_the_outermost() -> None:
    said: list[str] = []
    await dispatcher(Talkative(Clock()), Notes("a", said), Notes("b", said)).handle(event(), NOW)
    assert said == ["before a", "before b", "after b", "after a"]


async def test_refusal_stops_before_those_behind_it_and_the_component() -> None:
    said: list[str] = []
    clock = Clock()
    outer, refusing = Notes("a", said), Refusing("b", said)
    calls = dispatcher(Talkative(clock), outer, refusing, Notes("c", said), clock=clock)
    with pytest.raises(EventRefusedError, match="not today"):
        await calls.handle(event(), NOW)
    assert said == ["before a", "before b", "after b", "after a"]
    assert clock.seconds == 7
    assert [each.is_refused for each in (*outer.outcomes, *refusing.outcomes)] == [True, True]


async def test_refused_start_keeps_a_component_from_starting() -> None:
    with pytest.raises(EventRefusedError, match="not today"):
        await dispatcher(Talkative(Clock()), Refusing()).start(NOW)


async def test_middleware_that_fails_before_a_handler_keeps_it_from_being_called() -> None:
    clock = Clock()
    with pytest.raises(ComponentError, match=r"'talkative' failed on DataEvent of AAPL.*broken"):
        await dispatcher(Talkative(clock), Broken(), clock=clock).handle(event(), NOW)
    assert clock.seconds == 7


async def test_middleware_that_fails_behind_a_handler_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outer = Notes()
    with caplog.at_level(logging.WARNING, "ingenium.runtime"):
        calls = dispatcher(Talkative(Clock()), outer, BrokenBehind())
        sent = [await calls.handle(event(), NOW) for _ in range(3)]
    assert [len(each) for each in sent] == [1, 1, 1]
    assert [outcome.events for outcome in outer.outcomes] == sent
    [record] = caplog.records
    assert record.getMessage().startswith(
        "BrokenBehind failed after a handler of strategy 'talkative': KeyError: 'broken'"
    )


async def test_handler_runs_in_the_context_of_its_middleware() -> None:
    current: ContextVar[str] = ContextVar("current", default="")
    seen: list[str] = []

    class Tracing(Middleware):
        def before(self, handling: Handling) -> None:
            handling.notes["token"] = current.set("span")

        def after(self, handling: Handling, outcome: Outcome) -> None:
            current.reset(handling.notes["token"])

    class Looking(Strategy):
        async def on_bar(self, bar: Bar) -> None:
            seen.append(current.get())

    await dispatcher(Looking(), Tracing()).handle(event(), NOW)
    assert seen == ["span"]
    assert current.get() == ""


def test_change_from_outside_is_watched() -> None:
    notes = Notes()
    strategy = Talkative(Clock())
    sent = dispatcher(strategy, notes).apply(
        "broker/1", lambda: strategy.send_signal("AAPL", Signal.FLAT), NOW
    )
    [handling], [outcome] = notes.handlings, notes.outcomes
    assert (handling.kind, handling.cause) == (HandlingKind.EXTERNAL, "broker/1")
    assert handling.event is None
    assert list(outcome.sent) == sent
    assert len(sent) == 1


def test_handlers_are_the_users_own_without_a_middleware() -> None:
    strategy = Talkative(Clock())
    assert Dispatcher(strategy).bar_handler() == strategy.on_bar
    assert Dispatcher(strategy).handlers == {DataEvent: strategy.on_data}


def test_app_refuses_what_is_no_middleware() -> None:
    with pytest.raises(ConfigError, match=r"middleware holds .*Clock"):
        App(
            ingestors=[],
            portfolio=Portfolio(name="p"),
            executor=PaperExecutor(),
            middleware=[Clock()],  # type: ignore[list-item]
        )


_ROOMS = ("runtime", "backtest", "deploy", "operations", "cli")
_OTHERS = {
    # Methods of the dispatcher, and of others that have nothing to do with components.
    "self._dispatcher.end_instant",
    "self._executor.dispatcher.end_instant",
}


def test_only_the_dispatcher_calls_handlers() -> None:
    """By name: a call of ``on_...``, ``handle_...`` or ``end_instant`` of something else."""
    root = Path(ingenium.__file__).parent
    classes = [Strategy, Portfolio, Executor, Ingestor, StrategyHandle, PortfolioHandle]
    names = {
        name
        for each in (*classes, ExecutorHandle)
        for name in dir(each)
        if name.startswith(("on_", "handle_")) or name == "end_instant"
    } - {"handle_run"}
    found = [
        f"{path.relative_to(root)}: {text}"
        for room in _ROOMS
        for path in sorted((root / room).rglob("*.py"))
        if path != root / "runtime" / "dispatch.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in names
        if (text := ast.unparse(node)) not in _OTHERS
    ]
    assert found == []
