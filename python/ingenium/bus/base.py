"""Contract of a bus, kept by `MemoryBus` and `NatsBus`.

Every bus guarantees:

* One subscription runs its handler for one message at a time.
* A handler that raises, or a payload that cannot be read, never ends the subscription: the failure
  becomes an `Incident`.
* Messages that a subscriber may have missed become an `Incident` of kind ``GAP``.

A bus that declares it guarantees more: each `BusGuarantee` in `Bus.guarantees`. `MemoryBus` and
`NatsBus` declare all of them, and components rely on all of them.

Not guaranteed: delivery (`NatsBus` may lose messages over a lost connection), delivery exactly
once, and any order between publishers or subjects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import msgspec

from ingenium.events import ContentType

__all__ = [
    "Bus",
    "BusGuarantee",
    "Incident",
    "IncidentKind",
    "Message",
    "MessageHandler",
    "Subscription",
]


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message on the bus.

    A Struct, since one is created per message and frozen dataclasses are slow to create.

    Attributes:
        subject: Subject that the message was published on.
        payload: Payload bytes.
        headers: NATS headers; empty without headers.
        reply: Reply subject of the publisher; empty if no reply is expected.
    """

    subject: str
    payload: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    reply: str = ""


MessageHandler = Callable[[Message], Awaitable[None] | None]


class BusGuarantee(StrEnum):
    """What a bus may promise beyond the contract of every bus; `BusContract` tests each of them."""

    ORDERED = "ordered"
    """Messages of one publisher on one subject arrive in the order in which they were published."""
    QUEUE_GROUPS = "queue_groups"
    """Of the subscriptions with one group name, one gets each message."""
    DEAD_LETTERS = "dead_letters"
    """A message that a handler or the bus refused becomes a `DeadLetterEvent`."""
    SIZE_LIMIT = "size_limit"
    """A message of ``max_payload`` bytes passes, and one more byte is refused before it is sent."""


class IncidentKind(StrEnum):
    """Kinds of failures that no caller can catch as an exception."""

    GAP = "gap"
    """Messages may have been missed: a slow consumer, or a lost connection."""
    UNDECODABLE = "undecodable"
    """A message could not be read."""
    HANDLER_ERROR = "handler_error"
    """A handler raised."""
    FEED = "feed"
    """An ingestor has ended or failed, or could not send its data."""
    CONFLICT = "conflict"
    """Two different events have the same id; the second one was not processed."""
    BLOCKED = "blocked"
    """A handler blocked the event loop for too long."""
    BEHIND = "behind"
    """A component is behind: it handles events that arrived a while ago."""
    EXIT_DENIED = "exit_denied"
    """An order that only reduces a position was not sent: alert an operator at once."""
    PERMISSION = "permission"
    """The server refused a subject."""
    DISCONNECTED = "disconnected"
    RECONNECTED = "reconnected"
    CLOSED = "closed"
    """The connection was closed for good, and not by this program."""

    @property
    def loses_messages(self) -> bool:
        """Whether messages may have been missed, which makes a replay invalid."""
        return self in {IncidentKind.GAP, IncidentKind.DISCONNECTED, IncidentKind.CLOSED}


@dataclass(frozen=True, slots=True)
class Incident:
    """A failure on the bus.

    Attributes:
        kind: Kind of the failure.
        detail: Description, one line.
        subject: Subject concerned, or empty.
        error: The exception, if any.
    """

    kind: IncidentKind
    detail: str
    subject: str = ""
    error: BaseException | None = None


class Subscription(ABC):
    """A running subscription to messages."""

    is_spare = False
    """Whether messages are also delivered another way, so that a lost connection is not a gap."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The subject or wildcard that was subscribed to."""

    @abstractmethod
    async def stop(self) -> None:
        """Handle what has already arrived, then end. Stopping twice has no effect."""


class Bus(ABC):
    """Carries messages between components, at most once.

    The component runtime works on this level. `EventBus` (``ingenium.connect()``) is built on it
    and handles typed events.
    """

    guarantees: ClassVar[frozenset[BusGuarantee]] = frozenset()
    """What this kind of bus promises beyond the contract of every bus."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Address without credentials: ``"nats://127.0.0.1:4222"`` or ``"memory:"``."""

    @property
    def content_type(self) -> ContentType:
        """Encoding of published events; received messages state their own."""
        return ContentType.JSON

    @property
    @abstractmethod
    def max_payload(self) -> int:
        """Maximum size of a message in bytes, headers included."""

    @abstractmethod
    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish a message.

        Returning means that the bus has accepted the message, not that a subscriber has received
        it; `flush` waits until the server has received it. Accepted messages are sent before the
        bus closes, as far as there is a connection; lost ones become an `Incident` of kind ``GAP``,
        and a `publish` that still waits raises.

        Args:
            subject: Subject without wildcards.
            payload: Payload bytes, at most `max_payload` with the headers.
            headers: Values of one line by ASCII name.

        Raises:
            EventTooLargeError: Payload and headers exceed `max_payload`; nothing was sent.
            SubjectError: The subject cannot be published to.
            BusClosedError: The bus was closed, before the call or before the message was sent.
        """

    @abstractmethod
    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        """Call ``handler`` for every message on ``subject``.

        When this returns, the subscription is active for messages of every publisher.

        Args:
            subject: A subject, or a wildcard: ``*`` for one token, ``>`` for all further tokens.
            handler: Plain or async function, called for one message at a time.
            queue_group: Each message is delivered to one subscription of the group.

        Raises:
            BusPermissionError: The server forbids the subject.
            BusClosedError: The bus was closed.
        """

    @abstractmethod
    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until the server has processed all earlier publishes.

        Raises:
            BusTimeoutError: The server did not answer in time.
            BusPermissionError: The server refused a subject since the last flush.
        """

    @abstractmethod
    async def drain(self) -> None:
        """Handle the messages that have arrived, end all subscriptions, flush, and close.

        Safe while reconnecting and when called twice; bounded in time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close at once. Closing twice has no effect."""

    @abstractmethod
    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        """Call ``callback`` for every `Incident`; it must not block.

        Each incident is also logged to ``ingenium.bus``, with or without callbacks.
        """

    @abstractmethod
    def report(self, incident: Incident) -> None:
        """Log an incident and pass it to the callbacks; for layers above the bus."""
