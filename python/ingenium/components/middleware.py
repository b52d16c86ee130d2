"""Middleware: hooks around the handlers of components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from ingenium.components.component import Component
from ingenium.components.handle import Sent, event_of
from ingenium.errors import EventRefusedError
from ingenium.events import Event
from ingenium.trading.bar import Bar

__all__ = ["Handling", "HandlingKind", "Middleware", "Outcome", "RunnerKind"]


class RunnerKind(StrEnum):
    """The kinds of runners of a component."""

    BACKTEST = "backtest"
    """In one process, on simulated time."""
    REPLAY = "replay"
    """Over a bus, on simulated time, in lockstep."""
    LIVE = "live"
    """Over a bus without streams: at most once."""
    DURABLE = "durable"
    """Over streams: at least once, with effects written once."""
    WARM_UP = "warm-up"
    """With history, before a live run; sent events are dropped."""

    # That of an enumeration is written in Python, and telemetry looks kinds up for each call.
    __hash__ = str.__hash__


class HandlingKind(StrEnum):
    """The reasons for which a component is called."""

    EVENT = "event"
    START = "start"
    STOP = "stop"
    LATE = "late"
    """An order or a signal that is too old to act upon."""
    REPEATED = "repeated"
    """An order under the id of another one."""
    INSTANT_END = "instant-end"
    """All market data of an instant has been handled."""
    EXTERNAL = "external"
    """A change from outside of the bus, such as a broker's answer."""

    __hash__ = str.__hash__


@dataclass(slots=True, eq=False)
class Handling:
    """One call of a component.

    Attributes:
        component: The called component.
        item: The event; in a backtest and a warm-up the trading value in its place, a `Bar`, an
            `Order` or a `LazyExecution`. ``None`` where no event is handled.
        kind: The reason of the call.
        runner: The kind of its runner.
        time: The present time of the component, UTC: simulated in a backtest or replay.
        cause: The id from which ids of sent events follow, where that is not the event's own.
        subject: The subject of the message; empty where there is none.
        headers: The headers of the message.
        notes: Storage of a middleware for use in `Middleware.after`.
    """

    component: Component
    item: Sent | Bar | None
    kind: HandlingKind
    runner: RunnerKind
    time: datetime
    cause: str = ""
    subject: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> Event | None:
        """The event, made from the trading value if there is none yet; ``None`` for no event."""
        item = self.item
        if item is None:
            return None
        return item.event if isinstance(item, Bar) else event_of(item)


class Outcome(NamedTuple):
    """The outcome of one call of a component.

    Attributes:
        sent: Sent events in order, or trading values in their place. Empty when the handler failed,
            since events sent by a failed handler are dropped.
        error: The error that the handler raised. `EventRefusedError` when a middleware refused;
            `DecodeError` for an execution that could not be booked. ``None`` on success.
        seconds: Duration of the handler, with its awaits; 0 when it was not called.
    """

    sent: tuple[Sent, ...] = ()
    error: BaseException | None = None
    seconds: float = 0.0

    @property
    def events(self) -> list[Event]:
        """The sent events, made from trading values where necessary."""
        return [event_of(each) for each in self.sent]

    @property
    def is_refused(self) -> bool:
        """Whether a middleware kept the component from being called."""
        return isinstance(self.error, EventRefusedError)


class Middleware:
    """Hooks around the handlers of all components of an app.

    Override `before`, `after` or `on_publish`, and pass it as ``App(middleware=[...])``. It is
    called around each call of a component, in a backtest, a replay, and live and durable runs. Of
    several, `before` runs in the order of the list and `after` in the reverse order. All are plain
    functions that must not wait; `before` and `after` run in the context (`contextvars`) of the
    handler.

    With a middleware a backtest takes no shortcuts, since each bar has to pass it; without one
    there is no cost.

    Not covered: `ingest` and `read` of an ingestor, and events that a component sends outside of a
    handler, such as from a timer of its own.
    """

    def before(self, handling: Handling) -> None:
        """Observe or refuse a call before it is made.

        Raises:
            EventRefusedError: The event must not be handled. `after` of this middleware and of
                those before it is called; the component and the middleware behind it are not. Live,
                the event becomes an incident and a dead letter, in a replay a dead letter, in a
                backtest a problem of the result. A component whose start is refused does not start.
        """

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Observe the outcome. An exception is logged once per kind, and has no effect.

        Args:
            handling: The object passed to `before`.
            outcome: Sent events or the error, and the duration.
        """

    def on_publish(self, component: Component, event: Event) -> Mapping[str, str]:
        """Return further headers for the message of a sent event; none by default.

        Called on a bus, before each event of a component is published, also for those of an
        ingestor and others that are sent outside of a handler. An exception is logged as one of
        `after` is, and the event is published without the headers.

        Args:
            component: The sender.
            event: The event, with its id.

        Returns:
            Headers of one line each, with names that Ingenium does not use.
        """
        return {}
