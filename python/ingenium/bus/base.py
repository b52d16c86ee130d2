"""What a bus is: the contract that `MemoryBus` and `NatsBus` both keep.

Promised by every bus:

* One subscription runs its handler for one message at a time.
* A handler that raises, or a payload that cannot be read, never ends the subscription: it becomes
  an `Incident`.
* What a subscriber may have missed becomes an `Incident` of kind ``GAP``.

Promised by a bus that declares it: each `BusGuarantee` in `Bus.guarantees`. `MemoryBus` and
`NatsBus` declare all of them, and components rely on all of them.

Not promised: that a message arrives at all (`NatsBus` over a lost connection), that it arrives
once, or any order between publishers or subjects.
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
    """One message as it travels.

    A Struct, since one is made for every message and frozen dataclasses are slow to make.

    Attributes:
        subject: Where it was published.
        payload: Its bytes.
        headers: NATS headers; empty when it has none.
        reply: Subject on which the publisher waits for an answer; empty when it does not.
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
    """What can go wrong without an exception at the place where one could be caught."""

    GAP = "gap"
    """Messages may have been missed: a slow consumer, or a connection that was lost."""
    UNDECODABLE = "undecodable"
    """A message could not be read."""
    HANDLER_ERROR = "handler_error"
    """A handler raised."""
    FEED = "feed"
    """An ingestor has ended or failed, or could not send its data."""
    CONFLICT = "conflict"
    """Two events that differ have one id: the second one was not acted upon."""
    BLOCKED = "blocked"
    """A handler kept everything else from running for too long."""
    BEHIND = "behind"
    """A component handles what came a while ago."""
    EXIT_DENIED = "exit_denied"
    """An order that only reduces a position did not leave: a person should look at once."""
    PERMISSION = "permission"
    """The server refused a subject."""
    DISCONNECTED = "disconnected"
    RECONNECTED = "reconnected"
    CLOSED = "closed"
    """The connection is gone for good, and not by our own close."""

    @property
    def loses_messages(self) -> bool:
        """Whether messages may have been missed, so that a replay cannot go on."""
        return self in {IncidentKind.GAP, IncidentKind.DISCONNECTED, IncidentKind.CLOSED}


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong on the bus.

    Attributes:
        kind: What sort of thing.
        detail: One line for a person.
        subject: Where, or empty.
        error: The exception, where there was one.
    """

    kind: IncidentKind
    detail: str
    subject: str = ""
    error: BaseException | None = None


class Subscription(ABC):
    """A running subscription to messages."""

    is_spare = False
    """Whether what it brings comes another way too, so that a lost connection is no gap in it."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The subject or wildcard that was subscribed to."""

    @abstractmethod
    async def stop(self) -> None:
        """Handle what has already arrived, then end. Stopping twice does no harm."""


class Bus(ABC):
    """Carries messages between components.

    This is the level that the component runtime works on. `EventBus` (``ingenium.connect()``)
    stands on it and speaks of typed events.
    """

    guarantees: ClassVar[frozenset[BusGuarantee]] = frozenset()
    """What this kind of bus promises beyond the contract of every bus."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the bus is, without credentials: ``"nats://127.0.0.1:4222"``, ``"memory:"``."""

    @property
    def content_type(self) -> ContentType:
        """The form in which events are published here; what arrives says itself what it is."""
        return ContentType.JSON

    @property
    @abstractmethod
    def max_payload(self) -> int:
        """Bytes that one message may have, headers included."""

    @abstractmethod
    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Hand a message to the bus.

        Returning means that the bus has taken it, not that anybody received it; `flush` waits
        until the server has. What the bus has taken goes out before it closes, as far as there is
        a connection then; what is lost is an `Incident` of kind ``GAP``, and a `publish` that
        still waits raises.

        Args:
            subject: Where to; without wildcards.
            payload: Bytes, at most `max_payload` with the headers.
            headers: ASCII names to one-line values.

        Raises:
            EventTooLargeError: Payload and headers exceed `max_payload`; nothing was sent.
            SubjectError: The subject cannot be published to.
            BusClosedError: The bus was closed, before the call or before the message was sent.
        """

    @abstractmethod
    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        """Run ``handler`` for every message on ``subject`` from now on.

        When this returns, a message that is published afterwards, by anybody, reaches the handler.

        Args:
            subject: A subject, or a wildcard: ``*`` for one part, ``>`` for all that follow.
            handler: Plain or async. It runs for one message at a time.
            queue_group: Of the subscriptions with one group name, one gets each message.

        Raises:
            BusPermissionError: The server forbids the subject.
            BusClosedError: The bus was closed.
        """

    @abstractmethod
    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until the server has processed all that was published before.

        Raises:
            BusTimeoutError: It did not say so in time.
            BusPermissionError: It refused a subject since the last flush.
        """

    @abstractmethod
    async def drain(self) -> None:
        """End all subscriptions after what has arrived is handled, flush, and close.

        Safe while reconnecting and when called twice; bounded in time.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close at once. Closing twice does no harm."""

    @abstractmethod
    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        """Call ``callback`` for every `Incident`; it must not block.

        Each incident is also logged to ``ingenium.bus``, with or without callbacks.
        """

    @abstractmethod
    def report(self, incident: Incident) -> None:
        """Log an incident and hand it to the callbacks; for layers that stand on the bus."""
