"""Collects the effects of handled events and writes them in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from ingenium.bus.base import Message
from ingenium.bus.content_hash import message_id
from ingenium.bus.envelope import cause_header, make_letter, pack
from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.clock import Clock, format_time
from ingenium.components import Component
from ingenium.components.executor_handle import MAX_ORDER_AGE_SECONDS
from ingenium.components.handle_of import handle_of
from ingenium.events import ContentType, Event
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.runtime.durable.store import Change, Outgoing, Store, StreamPosition
from ingenium.runtime.progress import HURRIED
from ingenium.subjects.names import subject_of

__all__ = ["DEADLINE", "DEADLINE_SECONDS", "Transaction"]

DEADLINE = "Ingenium-Deadline"
"""Header with the deadline after which a message must not be acted upon, RFC 3339."""
DEADLINE_SECONDS = MAX_ORDER_AGE_SECONDS
"""Maximum time of a signal or an order from its cause to being acted upon."""

AddHeaders = Callable[[Event, Mapping[str, str]], Mapping[str, str]]


class Transaction:
    """Collects a transaction.

    Args:
        component: Provides its changed state.
        store: Written to.
        max_message: Maximum size of a message of the stream, in bytes.
        content_type: The encoding of sent events.
        secret: Makes message ids that no other sender can have used; without one they are those of
            the events.
        add_headers: Adds headers to those of a sent event.
    """

    def __init__(
        self,
        component: Component,
        store: Store,
        max_message: int,
        content_type: ContentType = ContentType.JSON,
        secret: str = "",
        add_headers: AddHeaders = lambda _event, headers: headers,
    ) -> None:
        self._add_headers = add_headers
        self._component = component
        self._store = store
        self._max_message = max_message
        self._content_type = content_type
        self._secret = secret
        self._positions: dict[str, StreamPosition] = {}
        # Digest of each handled event.
        self._seen: dict[str, bytes] = {}
        self._outbox: list[Outgoing] = []

    @property
    def sends(self) -> bool:
        """Whether there are events to send."""
        return bool(self._outbox)

    def digest(self, identifier: str) -> bytes | None:
        """Return the digest of a handled event; empty if unknown, ``None`` if never handled."""
        found = self._seen.get(identifier)
        return self._store.digest(identifier) if found is None else found

    def see(self, identifier: str, digest: bytes = b"") -> None:
        """Mark the event of that id as handled.

        Args:
            identifier: Its id.
            digest: Its digest; empty if unknown.
        """
        self._seen[identifier] = digest

    def move(self, position: StreamPosition) -> None:
        """Set the new position of the component."""
        self._positions[position.stream] = position

    def send(
        self,
        events: Iterable[Event],
        now: datetime,
        cause: datetime | None = None,
        handled: Event | None = None,
    ) -> None:
        """Add the events that the component has sent.

        Args:
            events: In the order of sending.
            now: The server's time.
            cause: When their cause was known; ``None`` where that is unknown, and they count from
                now.
            handled: The event whose handling sent them; ``None`` for another call.
        """
        named = cause_header(handled)
        for event in events:
            payload, raw = pack(event, self._component.name, self._content_type)
            headers = dict(raw)
            identifier = headers.pop(MESSAGE_ID, "")
            if isinstance(event, HURRIED):
                if cause is not None:
                    headers[CAUSE_TIME] = format_time(cause)
                since = now if cause is None else min(now, cause)
                headers[DEADLINE] = format_time(since + timedelta(seconds=DEADLINE_SECONDS))
            subject = subject_of(event)
            if self._secret:
                identifier = message_id(identifier, subject, payload, headers, self._secret)
            # Behind the id, which must not depend on whether a trace was known.
            headers |= named
            headers = dict(self._add_headers(event, headers))
            self._outbox.append(Outgoing(identifier, subject, payload, headers))

    def dead_letter(
        self,
        message: Message,
        error: Exception,
        record: tuple[str, Record] | None,
        clock: Clock,
    ) -> None:
        """Add a dead letter of a message that the component could not handle.

        Args:
            message: The message.
            error: The reason.
            record: Name of its stream, and the stream's record of the message.
            clock: Tells the time of the dead letter.
        """
        kept = None if record is None else (record[0], record[1].sequence)
        letter = make_letter(
            self._component.name, message, error, clock, max_payload=self._max_message, kept=kept
        )
        if letter is not None:
            self.send([letter], clock.now())

    def commit(self) -> None:
        """Write the transaction and begin a new one.

        Raises:
            StoreError: It cannot be written.
        """
        component = self._component
        change = Change(
            positions=list(self._positions.values()),
            seen=list(self._seen),
            digests={known: digest for known, digest in self._seen.items() if digest},
            rows=handle_of(component).changed_rows(),
            log=handle_of(component).take_log(),
            outbox=self._outbox,
        )
        if change:
            self._store.commit(change)
        self._positions, self._seen, self._outbox = {}, {}, []
