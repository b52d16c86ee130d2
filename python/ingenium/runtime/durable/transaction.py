"""What handling one or several events has changed, until it is written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ingenium.bus.base import Message
from ingenium.bus.content_hash import message_id
from ingenium.bus.envelope import make_letter, pack
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
"""Header of what must not be acted upon after a time, RFC 3339."""
DEADLINE_SECONDS = MAX_ORDER_AGE_SECONDS
"""How long a signal or an order may take from its cause to where it is acted upon."""


class Transaction:
    """Collects a transaction.

    Args:
        component: Whose state it is; tells what has changed.
        store: Where it is written.
        max_message: Bytes that a message of the stream may have.
        content_type: The form in which events are sent.
        secret: Makes the ids by which the stream knows messages such that nobody else can have used
            them; without one they are those of the events.
    """

    def __init__(
        self,
        component: Component,
        store: Store,
        max_message: int,
        content_type: ContentType = ContentType.JSON,
        secret: str = "",
    ) -> None:
        self._component = component
        self._store = store
        self._max_message = max_message
        self._content_type = content_type
        self._secret = secret
        self._positions: dict[str, StreamPosition] = {}
        # What each event said that was handled.
        self._seen: dict[str, bytes] = {}
        self._outbox: list[Outgoing] = []

    @property
    def sends(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._outbox)

    def digest(self, identifier: str) -> bytes | None:
        """Return what the event of that id said; empty if unknown, ``None`` if it never came."""
        found = self._seen.get(identifier)
        return self._store.digest(identifier) if found is None else found

    def see(self, identifier: str, digest: bytes = b"") -> None:
        """Take note that an event of that id is handled.

        Args:
            identifier: Its id.
            digest: What it said; empty if unknown.
        """
        self._seen[identifier] = digest

    def move(self, position: StreamPosition) -> None:
        """Take note of how far the component has come."""
        self._positions[position.stream] = position

    def send(self, events: Iterable[Event], now: datetime, cause: datetime | None = None) -> None:
        """Add what the component has sent.

        Args:
            events: In the order of sending.
            now: The server's time.
            cause: Since when what they go back to is known; ``None`` where it is not known, and
                they count from now.
        """
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
            self._outbox.append(Outgoing(identifier, subject, payload, headers))

    def dead_letter(
        self,
        message: Message,
        error: Exception,
        record: tuple[str, Record] | None,
        clock: Clock,
    ) -> None:
        """Add the dead letter of what the component could not take.

        Args:
            message: What it could not take.
            error: Why.
            record: Name of its stream, and the message as that keeps it.
            clock: Tells the time of the letter.
        """
        kept = None if record is None else (record[0], record[1].sequence)
        letter = make_letter(
            self._component.name, message, error, clock, max_payload=self._max_message, kept=kept
        )
        if letter is not None:
            self.send([letter], clock.now())

    def commit(self) -> None:
        """Write it all and begin a new one.

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
