"""Runs one handler of one component for one event, and takes what it sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ingenium.bus.base import Bus, Incident, IncidentKind, Message
from ingenium.bus.envelope import source_of
from ingenium.clock import format_time
from ingenium.components.base import Component, Handled
from ingenium.components.blame import text_of, where
from ingenium.components.data_time import event_time
from ingenium.components.executor import Executor
from ingenium.components.portfolio import Portfolio
from ingenium.components.risk_gated import RiskGated
from ingenium.components.strategy import Strategy
from ingenium.errors import ComponentError, DecodeError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    encode,
)
from ingenium.subjects.names import PORTFOLIO, data_subject, share_subject, subject_for
from ingenium.trading.bar import Bar
from ingenium.trading.timestamp import is_stated

__all__ = [
    "STOP",
    "BarHandler",
    "Handler",
    "bar_handler_of",
    "describe",
    "failed_on",
    "handle",
    "handlers_of",
    "incident_of",
    "note_arrival",
    "start_component",
    "stop_component",
    "subscriptions_of",
    "wants",
]

STOP = "stop"
"""The cause of what a component sends when it stops."""

Handler = Callable[..., Handled]
BarHandler = Callable[[Bar], Handled]

_OF_PORTFOLIOS: tuple[type[Event], ...] = (OrderEvent, CancelEvent, ReplaceEvent)


def handlers_of(component: Component) -> dict[type[Event], Handler]:
    """Return what a component handles: a handler for each type of event it wants to see."""
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
            **dict.fromkeys(_OF_PORTFOLIOS, component.handle_request),
            **_controls_of(component),
        }
    return {}


def _controls_of(component: RiskGated) -> dict[type[Event], Handler]:
    return {} if component.gate is None else {ControlEvent: component.handle_control}


def bar_handler_of(component: Component) -> BarHandler:
    """Return what a component does with a bar whose event nobody has made yet.

    It does the same as the handler of `DataEvent` with the bar's event.
    """
    if isinstance(component, Strategy):
        cls = type(component)
        is_plain = cls.on_data is Strategy.on_data and cls.handle_bar is Strategy.handle_bar
        return component.on_bar if is_plain else component.handle_bar
    if isinstance(component, Portfolio | Executor):
        if component.gate is None:
            return component.handle_bar
        handle_data = component.handle_data  # which shows the gate what it has to see
        return lambda bar: handle_data(bar.event)
    return lambda bar: None


def subscriptions_of(component: Component) -> list[tuple[str, type[Event] | None]]:
    """Return the subjects that a component subscribes to, and the type of what arrives there.

    Returns:
        Subjects and types; a type of ``None`` depends on each message's own subject.

    Raises:
        SubjectError: A symbol of it cannot be part of a subject.
    """
    symbols = getattr(component, "symbols", None)
    found: dict[str, type[Event] | None] = {}
    for event_type in handlers_of(component):
        if event_type is DataEvent and symbols is not None:
            # Two spellings of one symbol share a subject, and one subscription is enough.
            found.update(dict.fromkeys((data_subject(s) for s in symbols), event_type))
        elif event_type in _OF_PORTFOLIOS:
            # Only within one subscription an order and its cancellation surely keep their order.
            found[PORTFOLIO] = None
        else:
            found[subject_for(event_type)] = event_type
    return list(found.items())


def wants(component: Component, event: Event, message: Message) -> bool:
    """Whether a component has asked for an event.

    A symbol counts as it is written: ``"aapl"`` is not ``"AAPL"``, although both have one subject.
    A program that does not say who it is, as those of the original Go library, knows only the
    subject: of its data the case does not count.

    Args:
        component: The one that may handle it.
        event: What came.
        message: The message that it came in.
    """
    symbols = getattr(component, "symbols", None)
    if symbols is None or not isinstance(event, DataEvent) or event.symbol in symbols:
        return True
    if source_of(message):
        return False
    return any(share_subject(event.symbol, symbol) for symbol in symbols)


def note_arrival(event: Event, now: datetime) -> None:
    """Put the time of arrival into live market data that states no time."""
    if isinstance(event, DataEvent) and not is_stated(event.timestamp):
        event.timestamp = format_time(now)


async def handle(
    component: Component, handler: Handler, event: Event, now: datetime, cause: str = ""
) -> list[Event]:
    """Let a component handle one event.

    Args:
        component: The one whose handler it is.
        handler: One of `handlers_of`.
        event: What it handles.
        now: The present time, UTC.
        cause: What ids follow from when the event has none; a name is made when left out.

    Returns:
        What it sent, in order.

    Raises:
        ComponentError: The handler raised; what it had sent before is dropped.
    """
    component.begin(event.id or cause or component.name_cause(encode(event), now), now)
    if component.follows_data:
        component.data_time = event_time(event, component.now)
    try:
        result = handler(event)
        if result is not None:
            await result
        if isinstance(component, RiskGated) and component.news:
            await component.share_news()
    except MemoryError:
        # No fault of the event: the process ends, and the next one handles it.
        raise
    except Exception as error:
        raise failed_on(component, event, error) from error
    return component.take()


async def end_instant(executor: Executor) -> None:
    """Let an executor finish what waited for the rest of an instant's data; `take` what it sent.

    Args:
        executor: Which; ids of what it sends follow from the last event that it handled.

    Raises:
        ComponentError: It raised; what it had sent is dropped.
    """
    try:
        result = executor.end_instant()
        if result is not None:
            await result
        if executor.news:
            await executor.share_news()
    except Exception as error:
        executor.withdraw()
        raise ComponentError(
            f"{executor.role} {executor.name!r} failed at the end of an instant: "
            f"{text_of(error)}{where(error)}"
        ) from error


def failed_on(component: Component, event: Event, error: Exception) -> ComponentError:
    """Make the error of a handler that raised; what it had sent is dropped."""
    component.withdraw()
    return ComponentError(
        f"{component.role} {component.name!r} failed on {describe(event)}: "
        f"{text_of(error)}{where(error)}"
    )


def incident_of(error: DecodeError | ComponentError, subject: str) -> Incident:
    """Make the incident of an event that could not be read or handled."""
    undecodable = isinstance(error, DecodeError)
    kind = IncidentKind.UNDECODABLE if undecodable else IncidentKind.HANDLER_ERROR
    return Incident(kind, str(error), subject, error)


def report_alarms(bus: Bus, component: Component) -> None:
    """Let the alarms of a component be incidents of a bus."""
    if isinstance(component, RiskGated):
        component.on_alarm = lambda text: bus.report(Incident(IncidentKind.EXIT_DENIED, text))


def describe(event: Event) -> str:
    """Say in a few words which event this is."""
    if isinstance(event, DeadLetterEvent):
        return f"DeadLetterEvent of {event.component}"
    parts = [type(event).__name__]
    if not isinstance(event, ControlEvent):
        parts += ["of", event.symbol or "no symbol"]
    if event.timestamp:
        parts += ["at", str(event.timestamp)]
    return " ".join(parts)


async def start_component(component: Component, now: datetime, life: str = "") -> list[Event]:
    """Run ``on_start`` and return what it sent.

    Args:
        component: Which.
        now: The present time, UTC.
        life: Tells one start of a component that remembers from its next one.

    Raises:
        ComponentError: It raised.
    """
    return await _run_hook(component, component.on_start, "start", now, life)


async def stop_component(component: Component, now: datetime, life: str = "") -> list[Event]:
    """Run ``on_stop`` and return what it sent; arguments as for `start_component`.

    Raises:
        ComponentError: It raised.
    """
    return await _run_hook(component, component.on_stop, STOP, now, life)


async def _run_hook(
    component: Component, hook: Callable[[], Handled], what: str, now: datetime, life: str
) -> list[Event]:
    component.begin(f"{what}/{life}" if life else what, now)
    try:
        result = hook()
        if result is not None:
            await result
        if isinstance(component, RiskGated) and component.news:
            await component.share_news()
    except Exception as error:
        component.withdraw()
        raise ComponentError(
            f"{component.role} {component.name!r} failed to {what}: {type(error).__name__}: "
            f"{error}{where(error)}"
        ) from error
    return component.take()
