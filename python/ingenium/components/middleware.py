"""Middleware: what stands between the runtime and the handlers of components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ingenium.components.base import Component
from ingenium.components.handle import Sent, event_of
from ingenium.errors import EventRefusedError
from ingenium.events import Event
from ingenium.trading.bar import Bar

__all__ = ["Handling", "HandlingKind", "Middleware", "Outcome", "RunnerKind"]


class RunnerKind(StrEnum):
    """What runs a component."""

    BACKTEST = "backtest"
    """In one process, on simulated time."""
    REPLAY = "replay"
    """Over a bus, on simulated time, in lockstep."""
    LIVE = "live"
    """Over a bus without streams: at most once."""
    DURABLE = "durable"
    """Over streams: at least once, with effects written once."""
    WARM_UP = "warm-up"
    """With history, before a live run; what is sent is dropped."""


class HandlingKind(StrEnum):
    """What a component is called for."""

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
    """A change that comes from outside of the bus, such as a broker's answer."""


@dataclass(slots=True, eq=False)
class Handling:
    """One call of a component.

    Attributes:
        component: What is called.
        item: The event; in a backtest and a warm-up the trading value that stands for it, a `Bar`,
            an `Order` or a `LazyExecution`. ``None`` where no event is handled.
        kind: What it is called for.
        runner: What runs it.
        time: The present time of the component, UTC: simulated in a backtest or replay.
        cause: The id that ids of what is sent follow from, where that is not the event's own.
        subject: The subject of the message; empty where there is none.
        headers: The headers of the message.
        notes: For a middleware to keep what it needs in `Middleware.after`.
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call of a component.

    Attributes:
        sent: What the component has sent, in order: events, or trading values that stand for them.
            Empty when it failed, since what a failed handler has sent is dropped.
        error: What the handler has raised. `EventRefusedError` when a middleware refused;
            `DecodeError` for an execution that could not be booked. ``None`` when all went well.
        seconds: How long the handler took, with what it awaited; 0 when it was not called.
    """

    sent: tuple[Sent, ...] = ()
    error: BaseException | None = None
    seconds: float = 0.0

    @property
    def events(self) -> list[Event]:
        """What was sent, as events."""
        return [event_of(each) for each in self.sent]

    @property
    def is_refused(self) -> bool:
        """Whether a middleware kept the component from being called."""
        return isinstance(self.error, EventRefusedError)


class Middleware:
    """Stands between the runtime and the handlers of all components of an app.

    Override `before`, `after` or both, and pass it as ``App(middleware=[...])``. It is called
    around each call of a component, in a backtest, a replay, live and durable running. Of several,
    `before` runs in the order of the list and `after` in the reverse order. Both are plain
    functions that must not wait, and run in the context (`contextvars`) of the handler.

    With a middleware a backtest takes no shortcuts, since each bar has to pass it; without one,
    nothing is spent on it.

    What is not promised: `ingest` and `read` of an ingestor do not pass here, nor does what a
    component sends outside of a handler, such as from a timer of its own.
    """

    def before(self, handling: Handling) -> None:
        """See what is about to be handled.

        Raises:
            EventRefusedError: It must not be handled. `after` of this middleware and of those
                before it is called; the component and the ones behind it see nothing. Live, it
                becomes an incident and a dead letter, in a replay a dead letter, in a backtest a
                problem of the result. A component whose start is refused does not start.
        """

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """See what came of it. An exception is logged once of its kind, and changes nothing.

        Args:
            handling: The object that `before` was given.
            outcome: What was sent or raised, and how long it took.
        """
