"""Rebuilds a portfolio's state from its orders and executions in the stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from ingenium.bus.base import Message
from ingenium.bus.envelope import is_from, unpack
from ingenium.bus.stream import Record, Stream
from ingenium.components import Component, Portfolio
from ingenium.components.handle_of import handle_of
from ingenium.errors import IngeniumError
from ingenium.events import CancelEvent, Event, ExecutionEvent, OrderEvent, ReplaceEvent
from ingenium.runtime.durable.store import Outgoing, Store
from ingenium.subjects.names import ALL_EVENTS, event_type_of

__all__ = ["Learner", "history", "rebuild"]

_log = logging.getLogger("ingenium.runtime.durable")
_PROGRESS = 100_000
_REQUESTS = {OrderEvent, ReplaceEvent, CancelEvent}
_LEARNED = {*_REQUESTS, ExecutionEvent}


async def rebuild(
    component: Component,
    stream: Stream,
    last: int,
    *,
    executions_until: int | None = None,
    store: Store | None = None,
) -> list[str]:
    """Rebuild the state of a portfolio without stored state from the stream.

    Its orders are followed and their executions are booked. Signals are not acted upon again: the
    orders they caused are in the stream. Other components have no state in the stream.

    Args:
        component: A fresh object.
        stream: Has the history.
        last: Sequence of the last message to read.
        executions_until: Sequence of the last execution to book; ``last`` when left out.
        store: The portfolio's file: its unsent messages, and the prices at which it has booked
            executions that state none.

    Returns:
        Ids of the executions that were booked.
    """
    if not isinstance(component, Portfolio):
        return []
    until = last if executions_until is None else executions_until
    handle = handle_of(component)
    learner = Learner(component, stream.name, (await stream.state()).created, until)
    # Books must not depend on when they are rebuilt: the time is that of each message.
    clock, handle.clock = handle.clock, None
    waiting: list[Outgoing] = []
    if store is not None:
        waiting = store.outbox(limit=-1)
        if priced := [("priced", id, data) for id, data in store.log("priced")]:
            handle.books.price_as(priced)
    said = 0
    async with aclosing(history(stream, last)) as arriving:
        async for records in arriving:
            for record in records:
                learner.learn(record)
            if (end := records[-1].sequence) >= said + _PROGRESS:
                said = end
                _log.info(
                    "%s: %d of %d messages of stream %s", component.name, end, last, stream.name
                )
    for problem in learner.recall_waiting(waiting):
        _log.warning("%s: %s", component.name, problem)
    handle.books.price_as(None)
    handle.clock = clock
    handle.take()
    return list(learner.seen)


async def history(stream: Stream, last: int) -> AsyncGenerator[list[Record], None]:
    """Yield all messages of a stream, in batches, and end.

    Args:
        stream: The stream to read.
        last: Sequence of the last message to yield; the stream has it.
    """
    async with aclosing(stream.read_many([ALL_EVENTS], 0)) as arriving:
        async for records in arriving:
            if records[-1].sequence < last:
                yield records
                continue
            if wanted := [record for record in records if record.sequence <= last]:
                yield wanted
            return


class Learner:
    """Applies the orders and executions of a stream to a portfolio, one message at a time.

    Args:
        portfolio: A fresh object.
        stream: Name of the stream.
        created: When the stream was created.
        until: Sequence of the last execution to book.

    Attributes:
        seen: Ids of the handled executions.
        sent: Ids of the portfolio's orders, and of its requests to replace or cancel one.
    """

    def __init__(self, portfolio: Portfolio, stream: str, created: str, until: int) -> None:
        self.seen: dict[str, None] = {}
        self.sent: dict[str, None] = {}
        self._portfolio = portfolio
        self._handle = handle_of(portfolio)
        self._cause = f"{stream}/{created}/"
        self._until = until

    def learn(self, record: Record) -> Event | None:
        """Apply a message to the portfolio.

        Returns:
            Its event; ``None`` when the message is of no kind that a portfolio is rebuilt from, or
            cannot be read.
        """
        message = record.message
        kind = event_type_of(message.subject)
        if kind not in _LEARNED:
            return None
        try:
            event = unpack(kind, message)
            self._tell(record, event)
        except (IngeniumError, ValueError) as error:
            _log.warning("%s: message %d: %s", self._portfolio.name, record.sequence, error)
            return None
        return event

    def recall_waiting(self, outbox: Iterable[Outgoing]) -> list[str]:
        """Apply the portfolio's own unsent messages to it.

        Returns:
            The messages that could not be applied, in words.
        """
        problems: list[str] = []
        for outgoing in outbox:
            kind = event_type_of(outgoing.subject)
            if kind not in _REQUESTS:
                continue
            try:
                message = Message(outgoing.subject, outgoing.payload, outgoing.headers)
                event = unpack(kind, message)
                if (
                    isinstance(event, OrderEvent | ReplaceEvent | CancelEvent)
                    and event.id not in self.sent
                ):
                    self.sent[event.id] = None
                    self._handle.books.recall(event)
            except (IngeniumError, ValueError) as error:
                problems.append(f"order {outgoing.id!r} in the outbox: {error}")
        return problems

    def _tell(self, record: Record, event: Event) -> None:
        portfolio = self._portfolio
        identifier = event.id or ""
        if isinstance(event, ExecutionEvent):
            if record.sequence > self._until or identifier in self.seen:
                return
            self._handle.begin(identifier or f"{self._cause}{record.sequence}", record.time)
            self._handle.booker.book(event)
            # One that could not be booked may come again.
            if identifier and self._handle.take_refusal() is None:
                self.seen[identifier] = None
            return
        # An event put back from a dead letter is there twice.
        is_own = identifier not in self.sent and is_from(record.message, portfolio.name)
        if is_own and isinstance(event, OrderEvent | ReplaceEvent | CancelEvent):
            self.sent[identifier] = None
            self._handle.books.recall(event)
