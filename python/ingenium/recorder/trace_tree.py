"""The trace of an event as a tree, made from events alone.

The id of a sent event is a hash of its sender, of the id of the event that the sender handled, and
of a count; so the children of an event are found by computing their ids. On a server with accounts
a secret is part of ids. There the header ``Ingenium-Cause`` connects events, and in older
recordings ``traceparent``, or the time of the bar that signals and orders state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ingenium.errors import ConfigError, RecorderError
from ingenium.events import (
    CancelEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    decode,
)
from ingenium.ids import make_id
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.trace_event import TraceEvent
from ingenium.subjects.names import event_type_of
from ingenium.telemetry.trace_context import process_span_id, send_span_id, trace_id_of
from ingenium.trading.order import protective_ids

__all__ = ["Hop", "MarketData", "TraceEvents", "TraceTree"]

_DATA, _SIGNAL = DataEvent.__name__, SignalEvent.__name__
_ORDER, _EXECUTION = OrderEvent.__name__, ExecutionEvent.__name__
_REPLACE = ReplaceEvent.__name__
_LETTER = DeadLetterEvent.__name__
_ON_ORDERS = {kind.__name__ for kind in (CancelEvent, ReplaceEvent, DenialEvent)}
_SENT_BY_ID = {_SIGNAL, _ORDER, *_ON_ORDERS}
_PREFIXES = ("signal", "order", "cancel", "denial")
# A handler sends few events, numbered from 0.
_MOST_SENT = 32
_UNUSED = 4
_NEAREST = 2000
_SAME_CAUSE = 1_000_000_000


class MarketData(Protocol):
    """The market data of a stream or a recording, of which there is too much to hold it all."""

    def with_id(self, identifier: str, near: int | None = None) -> TraceEvent | None:
        """Return the event of an id.

        Args:
            identifier: The id.
            near: About when the stream stored it, nanoseconds since 1970, if that is known.
        """
        ...

    def of_trace(self, trace_id: str) -> TraceEvent | None:
        """Return the event whose id gives this trace id."""
        ...

    def before(self, event: TraceEvent, symbol: str, most: int) -> Sequence[TraceEvent]:
        """Return the events that were there when another was sent, the latest first.

        Args:
            event: The other event.
            symbol: Only of this symbol; empty for all.
            most: How many at most.
        """
        ...

    def nearest(self, symbol: str, received: int) -> TraceEvent | None:
        """Return the event of a symbol that was stored nearest to a time in nanoseconds."""
        ...


@dataclass(slots=True, eq=False)
class Hop:
    """An event of a trace.

    Attributes:
        event: The event.
        component: Its sender; empty when unknown.
        link: How its place was found: ``"id"``, ``"cause"``, ``"order"`` and ``"letter"`` are
            exact, ``"header"`` is by the trace in the header, ``"time"`` by the time of the bar;
            empty for the root.
        parent: What the sender handled; ``None`` for the root.
        children: What its handling by other components sent.
    """

    event: TraceEvent
    component: str
    link: str = ""
    parent: Hop | None = None
    children: list[Hop] = field(default_factory=list)

    @property
    def span_id(self) -> str:
        """Id of the span of its sending."""
        return send_span_id(self.event.id)

    @property
    def parent_span_id(self) -> str:
        """Id of the span of the handling that sent it; empty for the root."""
        return "" if self.parent is None else process_span_id(self.parent.event.id, self.component)


class TraceEvents:
    """The events of a scope other than market data, found by what they state.

    Args:
        events: The events, in the order of their streams.
        senders: Names of components with their roles, for events that do not state theirs.
        is_live: Whether the streams stored the events when they happened.
    """

    def __init__(
        self,
        events: Iterable[TraceEvent],
        senders: Iterable[tuple[str, str]] = (),
        *,
        is_live: bool,
    ) -> None:
        self.is_live = is_live
        self.all: list[TraceEvent] = []
        self.by_id: dict[str, TraceEvent] = {}
        self.by_order: dict[str, list[TraceEvent]] = {}
        self.by_cause: dict[str, list[TraceEvent]] = {}
        self.letters: dict[str, list[TraceEvent]] = {}
        self._order_of_leg: dict[str, str] = {}
        roles = list(senders)
        self.senders = {name for name, _ in roles}
        self._executors = [name for name, role in roles if role == "executor"]
        self._ingestors = [name for name, role in roles if role == "ingestor"]
        for event in events:
            if event.id and event.id in self.by_id:
                continue  # Stored twice, as every reader knows.
            self.all.append(event)
            if event.id:
                self.by_id[event.id] = event
            if event.source:
                self.senders.add(event.source)
            if event.cause and event.type in _SENT_BY_ID:
                self.by_cause.setdefault(event.cause, []).append(event)
            if event.type == _ORDER:
                self._order_of_leg.update(dict.fromkeys(protective_ids(event.id), event.id))
            if event.type == _EXECUTION or event.type in _ON_ORDERS:
                self.by_order.setdefault(event.order, []).append(event)
            elif event.type == _LETTER and (about := _letter_about(event)):
                self.letters.setdefault(about, []).append(event)

    def order_of(self, order_id: str) -> TraceEvent | None:
        """Return the order of an id, or the one that a protective order of this id belongs to."""
        return self.by_id.get(order_id) or self.by_id.get(self._order_of_leg.get(order_id, ""))

    def about(self, order_id: str) -> Iterable[TraceEvent]:
        """Return executions, denials and requests of an order and of its protective orders."""
        for each in (order_id, *protective_ids(order_id)):
            yield from self.by_order.get(each, ())

    def sender_of(self, event: TraceEvent) -> str:
        """Return the sender of an event; empty when unknown."""
        known = {_DATA: self._ingestors, _EXECUTION: self._executors}.get(event.type, [])
        return event.source or (known[0] if len(known) == 1 else "")

    def of_type(self, *types: str) -> Iterable[TraceEvent]:
        """Return the events of some types."""
        return (event for event in self.all if event.type in types)


class TraceTree:
    """Finds the trace of an event.

    Args:
        events: Events other than market data.
        data: Market data.
    """

    def __init__(self, events: TraceEvents, data: MarketData) -> None:
        self._events = events
        self._data = data

    def of(self, identifier: str) -> Hop:
        """Return the root of the trace of an event.

        Args:
            identifier: Id of an event, or a trace id of 32 hexadecimal digits.

        Raises:
            RecorderError: There is no such event or trace.
        """
        found = self._find(identifier)
        if found is None:
            raise RecorderError(f"nothing has the id {identifier!r}")
        seen = {found.id}
        while (cause := self._cause_of(found)) is not None and cause.id not in seen:
            seen.add(cause.id)
            found = cause
        return self._grow(found)

    def _find(self, identifier: str) -> TraceEvent | None:
        known = self._events.by_id.get(identifier) or self._data.with_id(identifier)
        if known is not None:
            return known
        trace_id = identifier.lower()
        if len(trace_id) != 32 or trace_id.strip("0123456789abcdef"):
            return None
        for event in self._events.all:
            if event.trace_id == trace_id or trace_id_of(event.id) == trace_id:
                return event
        return self._data.of_trace(trace_id)

    # Up to the root.

    def _cause_of(self, event: TraceEvent) -> TraceEvent | None:
        if event.type == _DATA:
            return None
        known = self._events.by_id
        if event.type == _LETTER:
            about = _letter_about(event)
            return known.get(about) or self._data.with_id(about)
        if event.type == _EXECUTION:
            return self._events.order_of(event.order)
        if event.type not in _SENT_BY_ID:
            return None
        found = self._cause_as_stated(event) or self._cause_by_id(event)
        if found is None and event.type in _ON_ORDERS:
            found = self._events.order_of(event.order)
        return found or self._cause_by_header(event) or self._cause_by_time(event)

    def _cause_as_stated(self, event: TraceEvent) -> TraceEvent | None:
        if not event.cause:
            return None
        known = self._events.by_id.get(event.cause)
        return known or self._data.with_id(event.cause, _cause_time(event) or event.received)

    def _cause_by_id(self, event: TraceEvent) -> TraceEvent | None:
        senders = [event.source] if event.source else sorted(self._events.senders)
        symbol = event.symbol
        others: list[Callable[[], Iterable[TraceEvent]]] = [
            lambda: self._before(event),
            lambda: self._data.before(event, symbol, _NEAREST) if symbol else (),
            lambda: self._data.before(event, "", _NEAREST),
        ]
        for candidates in others:
            for cause in candidates():
                if any(event.id in _ids_of_sent(event, each, cause) for each in senders):
                    return cause
        return None

    def _before(self, event: TraceEvent) -> list[TraceEvent]:
        """Return what a portfolio handles beside market data, the latest first."""
        found = [
            each
            for each in self._events.of_type(_SIGNAL, _EXECUTION, _ORDER)
            if each is not event and each.received <= event.received
        ]
        return found[-_NEAREST:][::-1]

    def _cause_by_header(self, event: TraceEvent) -> TraceEvent | None:
        if not (trace_id := event.trace_id):
            return None
        if event.type != _SIGNAL and (signal := self._signal_of(event, trace_id)) is not None:
            return signal
        return self._data.of_trace(trace_id)

    def _signal_of(self, event: TraceEvent, trace_id: str) -> TraceEvent | None:
        found = [
            each
            for each in self._events.of_type(_SIGNAL)
            if each.trace_id == trace_id
            and each.symbol == event.symbol
            and each.received <= event.received
        ]
        return found[-1] if found else None

    def _cause_by_time(self, event: TraceEvent) -> TraceEvent | None:
        time = _cause_time(event) if event.type in (_SIGNAL, _ORDER) else None
        if time is None:
            return None
        if event.type == _ORDER:
            for each in self._events.of_type(_SIGNAL):
                if each.cause_time == event.cause_time and each.symbol == event.symbol:
                    return each
        bar = self._data.nearest(event.symbol, time)
        return bar if bar is not None and abs(bar.received - time) < _SAME_CAUSE else None

    # Down from the root.

    def _grow(self, root: TraceEvent) -> Hop:
        top = Hop(root, self._events.sender_of(root))
        placed = {root.id}
        self._add_children(top, placed)
        if root.type == _DATA:
            self._add_others(top, placed)
        _sort(top)
        return top

    def _add_children(self, hop: Hop, placed: set[str]) -> None:
        event = hop.event
        if not event.id:
            return
        for found, sender in self._sent_for(event):
            self._place(hop, found, sender, "id", placed)
        for found in self._events.by_cause.get(event.id, ()):
            self._place(hop, found, found.source, "cause", placed)
        if event.type in (_ORDER, _REPLACE):
            for found in self._events.about(event.id):
                self._place(hop, found, self._events.sender_of(found), "order", placed)
        for found in self._events.letters.get(event.id, ()):
            self._place(hop, found, found.source, "letter", placed)

    def _place(
        self, hop: Hop, event: TraceEvent, sender: str, link: str, placed: set[str]
    ) -> Hop | None:
        if event.id in placed:
            return None
        placed.add(event.id)
        child = Hop(event, sender, link, hop)
        hop.children.append(child)
        self._add_children(child, placed)
        return child

    def _sent_for(self, cause: TraceEvent) -> Iterable[tuple[TraceEvent, str]]:
        known = self._events.by_id
        for sender in sorted(self._events.senders):
            unused = 0
            for number in range(_MOST_SENT):
                found = [
                    event
                    for prefix in _PREFIXES
                    if (event := known.get(make_id(prefix, sender, cause.id, str(number))))
                ]
                unused = 0 if found else unused + 1
                if unused == _UNUSED:
                    break
                yield from ((event, sender) for event in found)

    def _add_others(self, top: Hop, placed: set[str]) -> None:
        """Add what ids do not connect, because a secret is part of them."""
        trace_id, root = trace_id_of(top.event.id), top.event
        for event in self._events.of_type(_SIGNAL, _ORDER, *_ON_ORDERS):
            if event.id in placed:
                continue
            if self._events.is_live and event.received <= root.received - _SAME_CAUSE:
                continue
            header = event.trace_id
            if header:
                if header != trace_id:
                    continue
                cause, link = self._cause_by_header(event), "header"
            elif event.cause_time and self._events.is_live:
                cause, link = self._cause_by_time(event), "time"
            else:
                continue
            hop = None if cause is None else _hop_of(top, cause.id)
            if hop is not None:
                self._place(hop, event, event.source, link, placed)


def _ids_of_sent(event: TraceEvent, sender: str, cause: TraceEvent) -> Iterable[str]:
    prefix = event.id.partition("_")[0]
    return (make_id(prefix, sender, cause.id, str(number)) for number in range(_MOST_SENT // 4))


def _cause_time(event: TraceEvent) -> int | None:
    try:
        return nanoseconds(datetime.fromisoformat(event.cause_time))
    except (ConfigError, ValueError):
        return None


def _letter_about(letter: TraceEvent) -> str:
    """Return the id of the event that a dead letter is about; empty if that has none."""
    event = letter.event
    kind = event_type_of(event.original_subject) if isinstance(event, DeadLetterEvent) else None
    if kind is None:
        return ""
    try:
        return decode(kind, event.data).id or ""
    except ValueError:
        return ""


def _hop_of(top: Hop, identifier: str) -> Hop | None:
    if top.event.id == identifier:
        return top
    return next((hop for each in top.children if (hop := _hop_of(each, identifier))), None)


def _sort(hop: Hop) -> None:
    hop.children.sort(key=lambda each: (each.event.received, each.event.sequence))
    for each in hop.children:
        _sort(each)
