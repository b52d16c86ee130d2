"""The handle by which the runtime runs a component: clock, collected sends, saved state.

Component logic does no I/O. A handler sees an event and the clock; the events it sends are
collected by the component's handle, from which the runner (a backtest, a process on the bus, a
test) takes them. So the same object runs everywhere, and its class shows only what its author
needs.
"""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
)
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar, cast

from ingenium.clock import Clock, format_time
from ingenium.components.saved_parts import SAVED, SavedParts
from ingenium.errors import ComponentError, DecodeError, StateError
from ingenium.events import ControlEvent, DataEvent, Event, write_plainly
from ingenium.ids import make_id
from ingenium.state.rows import GivenRows, LogRow, read_row, write_json
from ingenium.subjects.names import subject_of
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["ComponentHandle", "Handled", "Sent", "UserState", "event_of"]

Handled = Awaitable[None] | None
"""The result of a handler: ``None``, or an awaitable of ``None``."""

Sent = Event | Order | LazyExecution
"""A sent event, or within a process an order or a report in its place."""

_EventT = TypeVar("_EventT", bound=Event)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UserState(Protocol):
    """The state that a component's class saves itself, with ``get_state`` and ``set_state``."""

    def row(self) -> bytes | None:
        """Return the state as a row; ``None`` without any.

        Raises:
            ComponentError: The state cannot be saved, or there is no ``set_state``.
        """
        ...

    def restore(self, row: bytes) -> None:
        """Restore the result of `row`.

        Raises:
            StateError: The component refuses the state.
        """
        ...


class ComponentHandle:
    """Runtime side of a component: its clock, the events it has sent, and its saved state.

    Args:
        name: Name of the component.
        role: ``"ingestor"``, ``"strategy"``, ``"portfolio"`` or ``"executor"``.
    """

    own_rows: ClassVar[Collection[str]] = ("nameless", SAVED, "user")
    """Keys of the rows that every component may have; see `state_rows`."""
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """The number of last rows of each kind of `take_log` that `restore_log` needs."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.has_run = False
        """Whether a backtest or replay has run it: its state is no longer that of a new object."""
        self.outbox: list[Sent] | None = None
        """Events sent and not yet taken; ``None`` before the first `begin`."""
        self.hands_over = False
        """Whether orders and reports are handed over without events; see `hand_over`."""
        self.time = _EPOCH
        """Time of the handled event, UTC; see `now`."""
        self.cause: str | Bar | LazyExecution = ""
        """The cause being handled: an id, or an object with one."""
        self._sent_of_cause = 0
        self._nameless_causes = 0
        self.id_secret = ""
        """Part of the ids of sent events, so that others on the server cannot guess them."""
        self.notify: Callable[[], None] | None = None
        """Called for each send; set where events may be sent outside of a handler."""
        self.clock: Clock | None = None
        """Tells the time on live data; a replay sets the time with `begin` instead."""
        self.cause_time: datetime | None = None
        """When the handled event, or its cause, was known by the server's clock, UTC; ``None`` when
        unknown."""
        self.follows_data = False
        """Whether events sent on live data state the time of the data."""
        self.data_time: datetime | None = None
        """Time of the handled data, UTC, if `follows_data` is set and the time is known."""
        self.saved_parts = SavedParts(name)
        """The parts that the component's class saves with ``saved``, and those of its runner."""
        self.user_state: UserState | None = None
        """The state that the class saves with ``get_state``; ``None`` for a class without it."""
        self.state_refused = ""
        """Why a saved state was not restored; empty if it was, or there is none."""
        self._given = GivenRows()

    @property
    def now(self) -> datetime:
        """The present time, UTC."""
        return self.time if self.clock is None else self.clock.now()

    # Sending.

    def begin(self, cause: str | Bar | LazyExecution, now: datetime) -> None:
        """Set the time to ``now`` and start to collect the events sent while handling ``cause``.

        Args:
            cause: Id of the event about to be handled, or the value in its place; ids of sent
                events follow from it.
            now: The present time, UTC.
        """
        self.time = now
        self.cause = cause
        self._sent_of_cause = 0
        if self.outbox is None:
            self.outbox = []

    def hand_over(self) -> None:
        """Put orders and reports into the outbox without events, for `take_sent`.

        Called by a runner before the first event; the runner makes events only where they are read.
        """

    def handle_run(
        self,
        bars: Iterator[Bar],
        handler: Callable[[Bar], Handled],
        symbol: str,
        marks: MutableMapping[str, Any],
    ) -> Handled:
        """Call a handler for bars until it sends an event, or returns an awaitable.

        Equals `begin` and the handler, one bar after another, with less overhead. Not compiled,
        since plain Python calls plain Python faster than an extension module does.

        Args:
            bars: Bars of one symbol, each handled at its end; unhandled bars stay in the iterator.
            handler: Handles a bar.
            symbol: Symbol of the bars.
            marks: Receives each bar as the last price before it is handled.

        Returns:
            The awaitable of the handler.
        """
        if self.outbox is None:
            self.outbox = []
        for bar in bars:
            marks[symbol] = bar
            self.time = bar.end
            self.cause = bar
            self._sent_of_cause = 0
            handled = handler(bar)
            if handled is not None or self.outbox:
                return handled
        return None

    def name_cause(self, payload: bytes, now: datetime) -> str:
        """Make a name for an event without an id, which the documented format allows.

        Two such events may be equal to the byte, and are still two, so their number is part of it.
        """
        self._nameless_causes += 1
        text = payload.decode("utf-8", "backslashreplace")
        return make_id("cause", text, format_time(now), str(self._nameless_causes))

    def take(self) -> list[Event]:
        """Return the events sent since the last call, in the order of sending."""
        sent = self.take_sent()
        return [event_of(each) for each in sent] if self.hands_over else cast("list[Event]", sent)

    def take_sent(self) -> list[Sent]:
        """Return the same as `take`, with handed-over orders and reports without events."""
        sent = self.outbox
        if not sent:
            return []
        self.outbox = []
        return sent

    def withdraw(self) -> None:
        """Drop events sent and not yet taken: their handler has failed."""
        self.take()

    def take_refusal(self) -> DecodeError | None:
        """Return why the last event could not be booked, although its handler returned."""
        return None

    def send(self, event: _EventT, prefix: str) -> _EventT:
        """Collect an event that the component sends.

        Args:
            event: Its empty id and timestamp are filled.
            prefix: Prefix of its id.

        Raises:
            SubjectError: Its symbol cannot be part of a subject.
            ComponentError: The component is not running.
        """
        outbox = self.outbox
        if outbox is None:
            raise self._outside()
        # Raises SubjectError for a symbol invalid in a subject, where the user can see it.
        subject_of(event)
        write_plainly(event)
        if not event.id:
            event.id = self.next_id(prefix)
        if not event.timestamp:
            # The documented format has a string here for data and a time for the others.
            if event.__class__ is DataEvent:
                event.timestamp = format_time(self.now)
            else:
                event.timestamp = self.data_time or self.now
        outbox.append(event)
        if self.notify is not None:
            self.notify()
        return event

    def send_as_is(self, sent: Order | LazyExecution) -> None:
        """Collect a value in place of an event, with the id and the numbers of that event."""
        if self.outbox is None:
            raise self._outside()
        self.outbox.append(sent)

    def next_number(self) -> int:
        """Count a send; return the number of earlier ones of the present cause."""
        number = self._sent_of_cause
        self._sent_of_cause = number + 1
        return number

    def next_id(self, prefix: str) -> str:
        """Return the id of the next send of the present cause."""
        return self.id_about(prefix, str(self.next_number()))

    def id_about(self, prefix: str, what: str) -> str:
        """Return the id of the cause's event about a thing, whatever other events it sends."""
        secret = (self.id_secret,) if self.id_secret else ()
        return make_id(prefix, self.name, self.cause_id, what, *secret)

    @property
    def cause_id(self) -> str:
        """Id of the cause being handled."""
        cause = self.cause
        if not isinstance(cause, str):
            cause = self.cause = cause.id
        return cause

    def _outside(self) -> ComponentError:
        return ComponentError(
            f"component {self.name!r} cannot send events outside a run: run the component with "
            "its app, or with ingenium.testing.run in a test"
        )

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Handle a signal or an order that came too late to be acted upon.

        Args:
            event: The event.
            age_seconds: Its age by the server's clock.
        """
        return None

    def handle_control(self, event: ControlEvent) -> Handled:
        """Apply a control event of an operator."""
        return None

    @property
    def max_data_age_seconds(self) -> float | None:
        """Age above which live market data is skipped, in seconds; ``None`` for never."""
        return None

    # Saving.

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of this component, as small rows of JSON.

        Returns:
            Rows by key; the same bytes for the same state. ``"user"`` holds the result of
            ``get_state``.

        Raises:
            ComponentError: The state of the class cannot be saved, or it has no ``set_state``.
        """
        rows: dict[str, bytes] = {}
        state = None if self.user_state is None else self.user_state.row()
        if state is not None:
            rows["user"] = state
        if self._nameless_causes:
            # Ids of sent events follow from the count, so a repeated count would repeat an id.
            rows["nameless"] = write_json(self._nameless_causes)
        if self.saved_parts:
            rows |= self.saved_parts.rows()
        return rows

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that differ from those of the last call; all of them the first time.

        Returns:
            Rows by key; ``None`` for one that is to be deleted. `restore_rows` counts as a call.
        """
        return self._given.changes("", self.state_rows())

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `state_rows`, on a component that has handled nothing.

        Raises:
            ComponentError: A row has no place in this component, or cannot be read.
        """
        parts = {key: data for key, data in rows.items() if key.partition("/")[0] == SAVED}
        for key in sorted(rows.keys() - parts.keys()):
            self._restore_row(key, rows[key])
        try:
            if self.state_refused:
                raise StateError(self.state_refused)
            self.saved_parts.restore(parts)
            # Last, so that it may use the state of its base class.
            if "user" in rows and self.user_state is not None:
                self.user_state.restore(rows["user"])
        except StateError as error:
            self.state_refused = str(error)
            self.saved_parts.forget()
        present = {key for key in self.changed_rows() if key.partition("/")[0] == SAVED}
        # The next change deletes stored rows that are missing here, and writes those missing there.
        stale = {*parts, "user"} & rows.keys() if self.state_refused else parts.keys() - present
        self._given.expect_change("", stale | (present - parts.keys()))

    def _restore_row(self, key: str, data: bytes) -> None:
        """Restore one row."""
        if key == "nameless":
            self._nameless_causes = read_row(int, data, key)
        elif key != "user":
            raise ComponentError(
                f"{self.role} {self.name!r} does not know the saved row {key!r}: run the class "
                "of component that saved it, or start with an empty state"
            )

    def take_log(self) -> list[LogRow]:
        """Return entries completed since the last call, for an append-only table.

        The first call returns all entries. The handle of each role documents its kinds.
        """
        return []

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore rows of `take_log`, the newest of each kind, oldest first.

        Raises:
            ComponentError: A row is of a kind that this component does not have.
        """
        for kind, row_id, _ in rows:
            raise ComponentError(
                f"{self.role} {self.name!r} does not know the saved row {row_id!r} of kind "
                f"{kind!r}: run the class of component that saved it, or start with an empty "
                "state"
            )


def event_of(sent: Sent) -> Event:
    """Return the sent event, made from the value in its place if necessary."""
    if isinstance(sent, LazyExecution):
        return sent.event
    return sent.to_event() if isinstance(sent, Order) else sent
