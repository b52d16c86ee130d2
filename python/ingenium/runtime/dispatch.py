"""The only caller of handlers: runs a component for one event and collects the events it sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from ingenium.bus.base import Message
from ingenium.components.blame import text_of, where
from ingenium.components.component import Component
from ingenium.components.data_time import event_time
from ingenium.components.executor import Executor
from ingenium.components.executor_handle import ExecutorHandle
from ingenium.components.handle import Handled, Sent
from ingenium.components.handle_of import handle_of, risk_of
from ingenium.components.middleware import Handling, HandlingKind, Middleware, RunnerKind
from ingenium.components.portfolio import Portfolio
from ingenium.components.portfolio_handle import PortfolioHandle
from ingenium.components.risk_control import RiskControl
from ingenium.components.strategy import Strategy
from ingenium.errors import ComponentError, DecodeError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    encode,
)
from ingenium.runtime.incidents import failed_on
from ingenium.runtime.middleware_chain import MiddlewareChain, OnRefusal
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["STOP", "BarHandler", "Dispatcher", "Handler", "handled_types"]

STOP = "stop"
"""Cause of the events that a component sends when it stops."""

Handler = Callable[..., Handled]
BarHandler = Callable[[Bar], Handled]
_SentT = TypeVar("_SentT", bound=Event | Order | LazyExecution)
_ItemT = TypeVar("_ItemT", bound=Event | Bar | Order | LazyExecution)

_REQUESTS: tuple[type[Event], ...] = (OrderEvent, CancelEvent, ReplaceEvent)


def handled_types(component: Component) -> tuple[type[Event], ...]:
    """Return the types of events that a component handles."""
    return tuple(_handlers_of(component))


def _handlers_of(component: Component) -> dict[type[Event], Handler]:
    if isinstance(component, Strategy):
        return {DataEvent: component.on_data}
    if isinstance(component, Portfolio):
        portfolio = handle_of(component)
        return {
            DataEvent: portfolio.handle_data,
            SignalEvent: portfolio.handle_signal,
            ExecutionEvent: portfolio.handle_execution,
            **_controls_of(portfolio),
        }
    if isinstance(component, Executor):
        executor = handle_of(component)
        return {
            DataEvent: component.on_data if executor.risk.gate is None else executor.handle_data,
            **dict.fromkeys(_REQUESTS, executor.handle_request),
            **_controls_of(executor),
        }
    return {}


def _controls_of(handle: PortfolioHandle | ExecutorHandle) -> dict[type[Event], Handler]:
    return {} if handle.risk.gate is None else {ControlEvent: handle.handle_control}


class Dispatcher:
    """Calls the handlers of one component, in every runner.

    Runners on a bus await `handle`, `start`, `stop` and `end_instant`. A backtest calls
    `bar_handler` and the others directly: they are chosen once, so that without a middleware the
    user's own method is called directly.

    Args:
        component: The component whose handlers are called.
        middleware: Called around each call; see `Middleware`.
        runner: Kind of the runner of the component.
        on_refusal: Receives refusals of the handlers that are called directly.
        elapsed: Returns seconds of a monotonic clock.

    Attributes:
        handlers: Handler by event type; called directly in a backtest.
        unbooked: Why the last event could not be booked, although its handler ran.
    """

    def __init__(
        self,
        component: Component,
        middleware: Sequence[Middleware] = (),
        runner: RunnerKind = RunnerKind.LIVE,
        *,
        on_refusal: OnRefusal = lambda _handling, _error: None,
        elapsed: Callable[[], float] = perf_counter,
    ) -> None:
        self.component = component
        self.unbooked: DecodeError | None = None
        self._runner = runner
        self._chain: MiddlewareChain | None = None
        if middleware:
            self._chain = MiddlewareChain(component, middleware, runner, on_refusal, elapsed)
        self._handle = handle_of(component)
        self._risk = risk_of(component)
        self._handlers = _handlers_of(component)
        self.handlers = {kind: self._direct(each) for kind, each in self._handlers.items()}

    @property
    def is_gated(self) -> bool:
        """Whether the component checks orders against risk limits."""
        return self._risk is not None and self._risk.gate is not None

    # For runners on a bus.

    def handle(
        self,
        event: Event,
        now: datetime,
        cause: str = "",
        message: Message | None = None,
        *,
        age_seconds: float | None = None,
        is_repeated: bool = False,
    ) -> Coroutine[Any, Any, list[Event]]:
        """Have the component handle one event of a type that it handles.

        Args:
            event: The event to handle.
            now: The present time, UTC.
            cause: The seed of ids when the event has no id; a name is made when left out.
            message: The message that carried the event.
            age_seconds: Age of the event, if it is too old to act upon.
            is_repeated: Whether it is an order or a replacement under an id that an executor has
                handled before.

        Returns:
            The events it sent, in order; to be awaited.

        Raises:
            EventRefusedError: A middleware refused; the component has not been called.
            ComponentError: The handler raised; events it had sent before are dropped.
        """
        running, kind = self._handle, HandlingKind.EVENT
        handler = self._handlers.get(type(event), running.handle_control)
        if age_seconds is not None:
            kind = HandlingKind.LATE
            handler = partial(running.handle_late, age_seconds=age_seconds)
        elif is_repeated and isinstance(running, ExecutorHandle):
            kind, handler = HandlingKind.REPEATED, running.handle_repeated
        work = self._handle_event(handler, event, now, cause)
        return self._watched(kind, event, now, cause, message, work)

    def start(self, now: datetime, life: str = "") -> Coroutine[Any, Any, list[Event]]:
        """Run ``on_start`` and return the events it sent; to be awaited.

        Args:
            now: The present time, UTC.
            life: Distinguishes the starts of a component that saves its state.

        Raises:
            ComponentError: It raised, or a middleware refused.
        """
        cause = f"start/{life}" if life else "start"
        work = self._run_hook(self.component.on_start, "start", cause, now)
        return self._watched(HandlingKind.START, None, now, cause, None, work)

    def stop(self, now: datetime, life: str = "") -> Coroutine[Any, Any, list[Event]]:
        """Run ``on_stop`` and return the events it sent; arguments and errors as for `start`."""
        cause = f"{STOP}/{life}" if life else STOP
        work = self._run_hook(self.component.on_stop, STOP, cause, now)
        return self._watched(HandlingKind.STOP, None, now, cause, None, work)

    def end_instant(self) -> Coroutine[Any, Any, list[Sent]]:
        """Have an executor finish the work that waited for the rest of an instant's data.

        Ids of the events it sends follow from the last event that it handled.

        Returns:
            The events it sent; to be awaited.

        Raises:
            ComponentError: It raised; the events it had sent are dropped.
        """
        now = self._handle.now
        return self._watched(HandlingKind.INSTANT_END, None, now, "", None, self._end_instant())

    def apply(self, cause: str, act: Callable[[], None], now: datetime) -> list[Event]:
        """Apply a change from outside of the bus to the component, and return the events it sent.

        Args:
            cause: The seed of the ids of the sent events.
            act: Changes the component, and sends.
            now: The present time, UTC.

        Raises:
            Exception: Any error of ``act``; events it had sent before are dropped.
            EventRefusedError: A middleware refused; nothing has changed.
        """
        running = self._handle

        def work() -> list[Event]:
            running.begin(cause, now)
            try:
                act()
            except Exception:
                running.withdraw()
                raise
            return running.take()

        if self._chain is None:
            return work()
        handling = Handling(self.component, None, HandlingKind.EXTERNAL, self._runner, now, cause)
        return self._chain.apply(handling, work)

    def add_headers(self, event: Event, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of the message of a sent event, with those of the middleware."""
        chain = self._chain
        return headers if chain is None else chain.add_headers(event, headers)

    def apply_control(self, event: ControlEvent) -> None:
        """Apply an operator's control event to the component; for use within `apply`."""
        self._handle.handle_control(event)

    # For a backtest and a warm-up, which call `begin` of the component first.

    def bar_handler(self) -> Callable[[Bar], Handled]:
        """Return the handler of a bar, equal to the handler of its `DataEvent`."""
        component = self.component
        if isinstance(component, Strategy):
            strategy = handle_of(component)
            return self._direct(component.on_bar if strategy.reads_bars else strategy.handle_bar)
        running = self._handle
        if isinstance(running, PortfolioHandle | ExecutorHandle):
            if running.risk.gate is None:
                return self._direct(running.handle_bar)
            handle_data = running.handle_data  # which shows the gate what it has to see
            return self._direct(lambda bar: handle_data(bar.event))
        return self._direct(_skip)

    def order_handler(self) -> Callable[[Order], Handled]:
        """Return the handler of an order whose event has not been made."""
        running = self._handle
        return self._direct(running.handle_order if isinstance(running, ExecutorHandle) else _skip)

    def report_handler(self) -> Callable[[LazyExecution], Handled]:
        """Return the handler of an execution whose event has not been made."""
        running = self._handle
        return self._direct(
            running.handle_report if isinstance(running, PortfolioHandle) else _skip
        )

    def _direct(self, handler: Callable[[_ItemT], Handled]) -> Callable[[_ItemT], Handled]:
        """Return a handler with its wrappers: the handler itself where there are none."""
        if self._risk is not None and self.is_gated:
            handler = partial(_then_share_news, self._risk, handler)
        return handler if self._chain is None else self._chain.around(handler)

    # How it is done.

    async def _handle_event(
        self, handler: Handler, event: Event, now: datetime, cause: str
    ) -> list[Event]:
        running, risk = self._handle, self._risk
        running.begin(event.id or cause or running.name_cause(encode(event), now), now)
        if running.follows_data:
            running.data_time = event_time(event, running.now)
        try:
            result = handler(event)
            if result is not None:
                await result
            if risk is not None and risk.news:
                await risk.share_news()
        except MemoryError:
            # Not caused by the event: the process ends, and the next one handles the event.
            raise
        except Exception as error:
            raise failed_on(self.component, event, error) from error
        self.unbooked = running.take_refusal()
        return running.take()

    async def _run_hook(
        self, hook: Callable[[], Handled], what: str, cause: str, now: datetime
    ) -> list[Event]:
        running, risk = self._handle, self._risk
        running.begin(cause, now)
        try:
            result = hook()
            if result is not None:
                await result
            if risk is not None and risk.news:
                await risk.share_news()
        except Exception as error:
            running.withdraw()
            raise ComponentError(
                f"{self.component} failed to {what}: {type(error).__name__}: {error}{where(error)}"
            ) from error
        return running.take()

    async def _end_instant(self) -> list[Sent]:
        running = self._handle
        if not isinstance(running, ExecutorHandle):
            return []
        try:
            result = running.end_instant()
            if result is not None:
                await result
            if running.risk.news:
                await running.risk.share_news()
        except Exception as error:
            running.withdraw()
            raise ComponentError(
                f"{self.component} failed at the end of the instant: {text_of(error)}{where(error)}"
            ) from error
        return running.take_sent()

    def _watched(
        self,
        kind: HandlingKind,
        event: Event | None,
        now: datetime,
        cause: str,
        message: Message | None,
        work: Coroutine[Any, Any, list[_SentT]],
    ) -> Coroutine[Any, Any, list[_SentT]]:
        """Return work wrapped in the middleware: the work itself where there is none."""
        chain = self._chain
        if chain is None:
            return work
        if message is None:
            handling = Handling(self.component, event, kind, self._runner, now, cause)
        else:
            subject, headers = message.subject, message.headers
            handling = Handling(
                self.component, event, kind, self._runner, now, cause, subject, headers
            )
        if kind is not HandlingKind.EVENT:
            return chain.watch(handling, work)
        return chain.watch(handling, work, lambda: self.unbooked)


def _skip(_item: object) -> Handled:
    return None


def _then_share_news(
    risk: RiskControl, handler: Callable[[_ItemT], Handled], item: _ItemT
) -> Handled:
    """Call a handler, and then the handlers of the risk gate's decisions."""
    result = handler(item)
    if result is not None:
        return _finish_and_share(risk, result)
    return risk.share_news() if risk.news else None


async def _finish_and_share(risk: RiskControl, result: Awaitable[None]) -> None:
    await result
    if risk.news:
        await risk.share_news()
