"""The only caller of handlers: runs one component for one event, and takes what it sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from ingenium.bus.base import Message
from ingenium.components.base import Component, Handled, Sent
from ingenium.components.blame import text_of, where
from ingenium.components.data_time import event_time
from ingenium.components.executor import Executor
from ingenium.components.middleware import Handling, HandlingKind, Middleware, RunnerKind
from ingenium.components.overrides import overrides_of
from ingenium.components.portfolio import Portfolio
from ingenium.components.risk_gated import RiskGated
from ingenium.components.strategy import Strategy
from ingenium.errors import ComponentError, DecodeError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DenialEvent,
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
"""The cause of what a component sends when it stops."""

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
        return {
            DataEvent: component.handle_data,
            SignalEvent: component.handle_signal,
            ExecutionEvent: component.handle_execution,
            **_controls_of(component),
        }
    if isinstance(component, Executor):
        return {
            DataEvent: component.on_data if component.gate is None else component.handle_data,
            **dict.fromkeys(_REQUESTS, component.handle_request),
            **_controls_of(component),
        }
    return {}


def _controls_of(component: RiskGated) -> dict[type[Event], Handler]:
    return {} if component.gate is None else {ControlEvent: component.handle_control}


class Dispatcher:
    """Calls the handlers of one component, whatever runs it.

    Runners on a bus await `handle`, `start`, `stop` and `end_instant`. A backtest calls
    `bar_handler` and the others directly: they are chosen once, so that without a middleware there
    is nothing between it and the user's own method.

    Args:
        component: The one whose handlers it calls.
        middleware: Called around each call; see `Middleware`.
        runner: What runs the component.
        on_refusal: Takes refusals of the handlers that are called directly.
        elapsed: Seconds, by a clock that only goes forward.

    Attributes:
        handlers: What handles an event, by its type; called directly in a backtest.
        unbooked: Why the last event could not be taken in, though its handler went on.
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
        self._gated = component if isinstance(component, RiskGated) else None
        self._handlers = _handlers_of(component)
        self.handlers = {kind: self._direct(each) for kind, each in self._handlers.items()}

    @property
    def has_middleware(self) -> bool:
        """Whether a middleware has to see each event."""
        return self._chain is not None

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
        """Let the component handle one event, of one of the types that it handles.

        Args:
            event: What it handles.
            now: The present time, UTC.
            cause: What ids follow from when the event has none; a name is made when left out.
            message: What it came in.
            age_seconds: How old it is, for one that is too old to act upon.
            is_repeated: Whether it is an order or a replacement under an id that an executor has
                handled before.

        Returns:
            What it sent, in order; to be awaited.

        Raises:
            EventRefusedError: A middleware refused; the component has not been called.
            ComponentError: The handler raised; what it had sent before is dropped.
        """
        component, kind = self.component, HandlingKind.EVENT
        handler = self._handlers.get(type(event), component.handle_control)
        if age_seconds is not None:
            kind = HandlingKind.LATE
            handler = partial(component.handle_late, age_seconds=age_seconds)
        elif is_repeated and isinstance(component, Executor):
            kind, handler = HandlingKind.REPEATED, component.handle_repeated
        work = self._handle(handler, event, now, cause)
        return self._watched(kind, event, now, cause, message, work)

    def start(self, now: datetime, life: str = "") -> Coroutine[Any, Any, list[Event]]:
        """Run ``on_start`` and return what it sent; to be awaited.

        Args:
            now: The present time, UTC.
            life: Tells one start of a component that remembers from its next one.

        Raises:
            ComponentError: It raised, or a middleware refused.
        """
        cause = f"start/{life}" if life else "start"
        work = self._run_hook(self.component.on_start, "start", cause, now)
        return self._watched(HandlingKind.START, None, now, cause, None, work)

    def stop(self, now: datetime, life: str = "") -> Coroutine[Any, Any, list[Event]]:
        """Run ``on_stop`` and return what it sent; arguments and errors as for `start`."""
        cause = f"{STOP}/{life}" if life else STOP
        work = self._run_hook(self.component.on_stop, STOP, cause, now)
        return self._watched(HandlingKind.STOP, None, now, cause, None, work)

    def end_instant(self) -> Coroutine[Any, Any, list[Sent]]:
        """Let an executor finish what waited for the rest of an instant's data.

        Ids of what it sends follow from the last event that it handled.

        Returns:
            What it sent; to be awaited.

        Raises:
            ComponentError: It raised; what it had sent is dropped.
        """
        now = self.component.now
        return self._watched(HandlingKind.INSTANT_END, None, now, "", None, self._end_instant())

    def apply(self, cause: str, act: Callable[[], None], now: datetime) -> list[Event]:
        """Let a component take in a change from outside of the bus, and return what it sent.

        Args:
            cause: What ids of what is sent follow from.
            act: Changes the component, and sends.
            now: The present time, UTC.

        Raises:
            Exception: What ``act`` raised; what it had sent before is dropped.
            EventRefusedError: A middleware refused; nothing has changed.
        """
        component = self.component

        def work() -> list[Event]:
            component.begin(cause, now)
            try:
                act()
            except Exception:
                component.withdraw()
                raise
            return component.take()

        if self._chain is None:
            return work()
        handling = Handling(component, None, HandlingKind.EXTERNAL, self._runner, now, cause)
        return self._chain.apply(handling, work)

    def apply_control(self, event: ControlEvent) -> None:
        """Let a component take in what an operator says about trading; for use within `apply`."""
        self.component.handle_control(event)

    # For a backtest and a warm-up, which call `begin` of the component first.

    def bar_handler(self) -> Callable[[Bar], Handled]:
        """Return what handles a bar, as the handler of `DataEvent` would handle its event."""
        component = self.component
        if isinstance(component, Strategy):
            if overrides_of(component, Strategy) & {"on_data", "handle_bar"}:
                return self._direct(component.handle_bar)
            return self._direct(component.on_bar)
        if isinstance(component, Portfolio | Executor):
            if component.gate is None:
                return self._direct(component.handle_bar)
            handle_data = component.handle_data  # which shows the gate what it has to see
            return self._direct(lambda bar: handle_data(bar.event))
        return self._direct(lambda _bar: None)

    def order_handler(self) -> Callable[[Order], Handled]:
        """Return what handles an order whose event has not been made."""
        component = self.component
        return self._direct(
            component.handle_order if isinstance(component, Executor) else lambda _order: None
        )

    def report_handler(self) -> Callable[[LazyExecution], Handled]:
        """Return what handles an execution whose event has not been made."""
        component = self.component
        return self._direct(
            component.handle_report if isinstance(component, Portfolio) else lambda _report: None
        )

    def _direct(self, handler: Callable[[_ItemT], Handled]) -> Callable[[_ItemT], Handled]:
        """Return a handler with what surrounds it: the handler itself, where that is nothing."""
        if self._gated is not None and self._gated.gate is not None:
            handler = partial(_then_share_news, self._gated, handler)
        return handler if self._chain is None else self._chain.around(handler)

    # How it is done.

    async def _handle(
        self, handler: Handler, event: Event, now: datetime, cause: str
    ) -> list[Event]:
        component = self.component
        component.begin(event.id or cause or component.name_cause(encode(event), now), now)
        if component.follows_data:
            component.data_time = event_time(event, component.now)
        try:
            result = handler(event)
            if result is not None:
                await result
            if self._gated is not None and self._gated.news:
                await _share_news(self._gated)
        except MemoryError:
            # No fault of the event: the process ends, and the next one handles it.
            raise
        except Exception as error:
            raise failed_on(component, event, error) from error
        self.unbooked = component.take_refusal()
        return component.take()

    async def _run_hook(
        self, hook: Callable[[], Handled], what: str, cause: str, now: datetime
    ) -> list[Event]:
        component = self.component
        component.begin(cause, now)
        try:
            result = hook()
            if result is not None:
                await result
            if self._gated is not None and self._gated.news:
                await _share_news(self._gated)
        except Exception as error:
            component.withdraw()
            raise ComponentError(
                f"{component.role} {component.name!r} failed to {what}: {type(error).__name__}: "
                f"{error}{where(error)}"
            ) from error
        return component.take()

    async def _end_instant(self) -> list[Sent]:
        executor = self.component
        if not isinstance(executor, Executor):
            return []
        try:
            result = executor.end_instant()
            if result is not None:
                await result
            if executor.news:
                await _share_news(executor)
        except Exception as error:
            executor.withdraw()
            raise ComponentError(
                f"{executor.role} {executor.name!r} failed at the end of an instant: "
                f"{text_of(error)}{where(error)}"
            ) from error
        return executor.take_sent()

    def _watched(
        self,
        kind: HandlingKind,
        event: Event | None,
        now: datetime,
        cause: str,
        message: Message | None,
        work: Coroutine[Any, Any, list[_SentT]],
    ) -> Coroutine[Any, Any, list[_SentT]]:
        """Return some work with the middleware around it: the work itself, where there is none."""
        chain = self._chain
        if chain is None:
            return work
        handling = Handling(self.component, event, kind, self._runner, now, cause)
        if message is not None:
            handling.subject, handling.headers = message.subject, message.headers
        if kind is not HandlingKind.EVENT:
            return chain.watch(handling, work)
        return chain.watch(handling, work, lambda: self.unbooked)


def _then_share_news(
    component: RiskGated, handler: Callable[[_ItemT], Handled], item: _ItemT
) -> Handled:
    """Call a handler, and then the handlers of what its risk gate has decided."""
    result = handler(item)
    if result is not None:
        return _finish_and_share(component, result)
    return _share_news(component) if component.news else None


async def _finish_and_share(component: RiskGated, result: Awaitable[None]) -> None:
    await result
    if component.news:
        await _share_news(component)


async def _share_news(component: RiskGated) -> None:
    """Call `on_denied` and `on_trading_state` for what has happened.

    A denial that comes while they run is not shared: that could go on without an end.
    """
    news, component.news = component.news, []
    for each in news:
        if isinstance(each, DenialEvent):
            result = component.on_denied(each)
        else:
            result = component.on_trading_state(each)
        if result is not None:
            await result
    component.news = [each for each in component.news if not isinstance(each, DenialEvent)]
