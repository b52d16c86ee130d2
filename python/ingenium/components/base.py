"""What all components share: a name, the clock, and sends that the runtime collects.

Component logic does no I/O. A handler sees an event and the clock; what it sends is put into an
outbox, and whoever runs the component (a backtest, a process on the bus, a test) takes it from
there. So the same object runs everywhere.
"""

from __future__ import annotations

import re
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
from typing import Any, ClassVar, TypeVar, cast

from ingenium.clock import Clock, format_time
from ingenium.components.by_symbol import BySymbol, Stateful
from ingenium.components.overrides import overrides_of
from ingenium.components.saved_parts import SAVED, SavedParts
from ingenium.errors import ComponentError, DecodeError, StateError
from ingenium.events import ControlEvent, DataEvent, Event, write_plainly
from ingenium.ids import make_id
from ingenium.state.rows import GivenRows, LogRow, read_row, write_json
from ingenium.state.user_state import read_user_state, write_user_state
from ingenium.subjects.names import subject_of
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["Component", "Handled", "Sent", "event_of", "ran_already"]

Handled = Awaitable[None] | None
"""What a handler returns: nothing, or something to await that gives nothing."""

Sent = Event | Order | LazyExecution
"""What a component sends: an event, or within a process an order or a report that stands for it."""

_EventT = TypeVar("_EventT", bound=Event)
_PartT = TypeVar("_PartT", bound=Stateful | BySymbol[Any])
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _default_name(cls: type) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__)
    return words.lower().lstrip("_") or "component"


class Component:
    """Base of `Ingestor`, `Strategy`, `Portfolio` and `Executor`.

    Args:
        name: Unique within its app, lower-case letters, digits, ``-`` and ``_``. The class name
            in that form when left out: ``RsiStrategy`` becomes ``rsi-strategy``.

    Raises:
        ComponentError: The name has other letters, or more than 40.
    """

    role: str = "component"
    """``"ingestor"``, ``"strategy"``, ``"portfolio"`` or ``"executor"``."""
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """How many of the last rows of each kind of `take_log` `restore_log` needs."""

    max_data_age_seconds: float | None = None
    """From which age on live market data is passed over, up to the newest of each symbol, seconds
    since the server took it; ``None`` for never. It needs a server with JetStream."""

    has_run: bool = False
    """Whether a backtest or replay has run it: it remembers that, and another run would differ."""

    own_rows: ClassVar[Collection[str]] = ("nameless", SAVED, "user")
    """Keys of the rows that every component may have; see `state_rows`."""

    def __init__(self, name: str | None = None) -> None:
        self.name = _default_name(type(self)) if name is None else name
        if _NAME.fullmatch(self.name) is None:
            raise ComponentError(
                f"component name {self.name!r} does not fit: use up to 40 lower-case letters, "
                "digits, - and _"
            )
        self.outbox: list[Sent] | None = None
        """What was sent and not yet taken; for those who run components."""
        self.hands_over = False
        """Whether orders and reports are handed over as they are; see `hand_over`."""
        self._now = _EPOCH
        self._cause: str | Bar | LazyExecution = ""
        self._sent_of_cause = 0
        self._nameless_causes = 0
        self.id_secret = ""
        """Goes into the ids of what is sent, where others on the server are not to guess them."""
        self.notify: Callable[[], None] | None = None
        """Called for each send; set where something may be sent outside of a handler."""
        self.clock: Clock | None = None
        """Tells the time in live running; a replay stands the time with `begin` instead."""
        self.cause_time: datetime | None = None
        """Since when what is being handled, or what it goes back to, is known by the server's
        clock, UTC; ``None`` when that is not known. Set by who runs it from a stream."""
        self.follows_data = False
        """Whether what it sends on live data states the time of the data; set by who runs it."""
        self.data_time: datetime | None = None
        """Time of the data that is handled, UTC, where it `follows_data` and that is known."""
        self._given = GivenRows()
        self.saved_parts = SavedParts(self.name)
        """What `saved` was given; for those who run components."""
        self.state_refused = ""
        """Why a saved state is not taken back; empty if it is, or there is none."""

    def on_start(self) -> Handled:
        """Prepare; called once, before the first event. Sends made here go out first."""
        return None

    def on_stop(self) -> Handled:
        """Clean up; called once, after the last event.

        On live data, what is sent here still goes out; a replay has no instant left for it, and
        drops it.
        """
        return None

    def get_state(self) -> object | None:
        """Return what this component must remember over a restart, beside what its base class does.

        Override it together with `set_state`. It is called after each event, so keep it small.

        Returns:
            Texts, numbers, ``bool``, ``None``, ``Decimal`` and aware ``datetime``, and lists and
            dicts with texts as keys of such; ``None`` for nothing.
        """
        return None

    def set_state(self, state: Any) -> None:
        """Take back what `get_state` returned; called before `on_start`.

        Args:
            state: Equal to what was returned. Tuples have become lists, the keys of dicts are
                sorted, and times are in UTC.

        Raises:
            ComponentError: The class overrides `get_state` only.
        """
        raise self._no_set_state()

    def saved(self, name: str, part: _PartT) -> _PartT:
        """Save a part of this component with it, so that a restart goes on where it was.

        Call it in the constructor: ``self._rsi = self.saved("rsi", indicators.Rsi(14))``. After
        each event that changes something it is written down, and taken back before `on_start`.
        A state of other parameters is refused, and the component starts without it.

        Args:
            name: Unique within the component.
            part: An indicator, `BySymbol` of them, or an object with ``state()`` and
                ``restore(state)``.

        Returns:
            The part.

        Raises:
            ConfigError: The name is taken or does not fit, or the part cannot be saved.
        """
        return self.saved_parts.add(name, part)

    @property
    def now(self) -> datetime:
        """The present time, UTC: the simulated one in a replay, the machine's in live running."""
        return self._now if self.clock is None else self.clock.now()

    # What follows is for those who run components, and save what they remember.

    def state_rows(self) -> dict[str, bytes]:
        """Return all that this component must remember, as small rows of JSON.

        Returns:
            Rows by key; the same bytes for the same state. ``"user"`` holds what `get_state`
            returned.

        Raises:
            ComponentError: `get_state` returned what cannot be saved, or there is no `set_state`.
        """
        rows: dict[str, bytes] = {}
        state = self.get_state()
        if state is not None:
            if "set_state" not in overrides_of(self, Component):
                # Said when the state is saved first, not when it is needed.
                raise self._no_set_state()
            rows["user"] = write_user_state(state, self.name)
        if self._nameless_causes:
            # Ids of what is sent follow from it, so a repeated count would repeat an id.
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
        """Take back what `state_rows` returned, on a component that has handled nothing.

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
            # Last, so that it may look at what its base class has.
            if "user" in rows:
                self.set_state(read_user_state(rows["user"], self.name))
        except StateError as error:
            self.state_refused = str(error)
            self.saved_parts.forget()
        present = {key for key in self.changed_rows() if key.partition("/")[0] == SAVED}
        # What is stored and not there is deleted with the next change, the other way is written.
        stale = {*parts, "user"} & rows.keys() if self.state_refused else parts.keys() - present
        self._given.expect_change("", stale | (present - parts.keys()))

    def _restore_row(self, key: str, data: bytes) -> None:
        """Take back one row."""
        if key == "nameless":
            self._nameless_causes = read_row(int, data, key)
        elif key != "user":
            raise ComponentError(
                f"{self.role} {self.name!r} has no place for the saved row {key!r}: run the kind "
                "of component that saved it, or start with an empty state"
            )

    def _no_set_state(self) -> ComponentError:
        return ComponentError(
            f"{type(self).__name__} {self.name!r} keeps a state of its own, but has no set_state: "
            "define set_state(self, state), which takes what get_state returned"
        )

    def take_log(self) -> list[LogRow]:
        """Return what came to an end since the last call, for a table that only grows.

        The first call returns all that there is. Base classes say which kinds they have.
        """
        return []

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Take back rows of `take_log`, the newest of each kind, oldest first.

        Raises:
            ComponentError: A row is of a kind that this component does not have.
        """
        for kind, row_id, _ in rows:
            raise ComponentError(
                f"{self.role} {self.name!r} has no place for the saved row {row_id!r} of kind "
                f"{kind!r}: run the kind of component that saved it, or start with an empty state"
            )

    # What follows is for those who run components.

    def begin(self, cause: str | Bar | LazyExecution, now: datetime) -> None:
        """Stand the clock at ``now`` and start collecting what the handling of ``cause`` sends.

        Args:
            cause: Id of the event that is about to be handled, or what stands for it; ids of what
                is sent follow from it.
            now: The present time, UTC.
        """
        self._now = now
        self._cause = cause
        self._sent_of_cause = 0
        if self.outbox is None:
            self.outbox = []

    def hand_over(self) -> None:
        """Put orders and reports into the outbox as they are, for `take_sent`.

        Who calls it, before the first event, makes their events when somebody asks for them.
        """

    def handle_run(
        self,
        bars: Iterator[Bar],
        handler: Callable[[Bar], Handled],
        symbol: str,
        marks: MutableMapping[str, Any],
    ) -> Handled:
        """Let a handler handle bars until it sends something, or gives something to await.

        Does as `begin` and the handler, one bar after another, with less between them. It is not
        compiled, since plain Python calls plain Python faster than an extension module does.

        Args:
            bars: All of one symbol, each handled at its end; what is left is left in it.
            handler: Handles a bar.
            symbol: That of the bars.
            marks: Takes each bar as the last price before it is handled.

        Returns:
            What the handler gave to await.
        """
        if self.outbox is None:
            self.outbox = []
        for bar in bars:
            marks[symbol] = bar
            self._now = bar.end
            self._cause = bar
            self._sent_of_cause = 0
            handled = handler(bar)
            if handled is not None or self.outbox:
                return handled
        return None

    def name_cause(self, payload: bytes, now: datetime) -> str:
        """Make a name for an event without an id, as the documented format has them.

        Two of them may be equal to the byte, and are still two; so their number counts.
        """
        self._nameless_causes += 1
        text = payload.decode("utf-8", "backslashreplace")
        return make_id("cause", text, format_time(now), str(self._nameless_causes))

    def take(self) -> list[Event]:
        """Return what was sent since the last call, in the order of sending."""
        sent = self.take_sent()
        return [event_of(each) for each in sent] if self.hands_over else cast("list[Event]", sent)

    def take_sent(self) -> list[Sent]:
        """Do as `take`, with orders and reports as they are where they are handed over."""
        sent = self.outbox
        if not sent:
            return []
        self.outbox = []
        return sent

    def withdraw(self) -> None:
        """Drop what was sent and not yet taken: its handler has failed."""
        self.take()

    def take_refusal(self) -> DecodeError | None:
        """Return why the last event could not be taken in, though its handler went on."""
        return None

    def _send(self, event: _EventT, prefix: str) -> _EventT:
        outbox = self.outbox
        if outbox is None:
            raise self._outside()
        # Raises SubjectError for a symbol that no subject can hold, where the user can see it.
        subject_of(event)
        write_plainly(event)
        if not event.id:
            event.id = self._next_id(prefix)
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

    def _next_number(self) -> int:
        """Count a send; what the present cause had sent before."""
        number = self._sent_of_cause
        self._sent_of_cause = number + 1
        return number

    def _next_id(self, prefix: str) -> str:
        return self._id_about(prefix, str(self._next_number()))

    def _id_about(self, prefix: str, what: str) -> str:
        """Return an id of what the present cause says about something, whatever else it says."""
        cause = self._cause
        if not isinstance(cause, str):
            cause = self._cause = cause.id
        secret = (self.id_secret,) if self.id_secret else ()
        return make_id(prefix, self.name, cause, what, *secret)

    def _hand_over(self, sent: Order | LazyExecution) -> None:
        """Send what stands for an event; its id and its numbers are those of that event."""
        if self.outbox is None:
            raise self._outside()
        self.outbox.append(sent)

    def _outside(self) -> ComponentError:
        return ComponentError(
            f"component {self.name!r} cannot send outside of a run: run it with its app, or "
            "call begin() on it in a test"
        )

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Handle a signal or an order that came too late to be acted upon.

        Args:
            event: What came.
            age_seconds: How old it is by the server's clock.
        """
        return None

    def handle_control(self, event: ControlEvent) -> Handled:
        """Handle what an operator says about trading."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def ran_already(component: Component) -> str:
    """Say that a component cannot be run once more."""
    return (
        f"{component.role} {component.name!r} has run already, and its next run would begin with "
        "what it remembers"
    )


def event_of(sent: Sent) -> Event:
    """Return the event that was sent, or that stands for what was."""
    if isinstance(sent, LazyExecution):
        return sent.event
    return sent.to_event() if isinstance(sent, Order) else sent
