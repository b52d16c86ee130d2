"""Takes messages from a server, and passes on only those that belong to the subscription."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingenium.bus.base import Message
from ingenium.bus.headers import RawHeaders
from ingenium.bus.subscription import QueuedSubscription, ReportingBus
from ingenium.errors import DecodeError
from ingenium.subjects.grammar import matches
from ingenium.subjects.space import SubjectSpace

if TYPE_CHECKING:
    from ingenium.bus.nats.frames import Deliver

__all__ = ["deliver_to"]

_CACHE_LIMIT = 65_536
_NO_HEADERS: Mapping[str, str] = {}


def deliver_to(bus: ReportingBus, subscription: QueuedSubscription, space: SubjectSpace) -> Deliver:
    """Return what takes the messages of a subscription as they are on the wire.

    A message whose subject cannot be read, or is none that was subscribed to, becomes a dead
    letter. A server delivers the latter when somebody has it answer onto a foreign subject, as a
    way around what he may publish.

    Args:
        bus: Where the subscription is.
        subscription: Gets the messages.
        space: Where the subjects are on the server.
    """
    # Reading a subject and holding it against the pattern once is enough.
    names: dict[bytes, str] = {}
    offer = subscription.offer

    def deliver(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        name = names.get(subject)
        if name is None:
            if (name := _read(bus, subscription.subject, subject, payload, space)) is None:
                return
            if len(names) < _CACHE_LIMIT:
                names[subject] = name
        offer(
            Message(
                name,
                payload,
                RawHeaders(headers) if headers else _NO_HEADERS,
                reply.decode("utf-8", "replace") if reply else "",
            )
        )

    return deliver


def _read(
    bus: ReportingBus, pattern: str, subject: bytes, payload: bytes, space: SubjectSpace
) -> str | None:
    try:
        name = subject.decode()
    except UnicodeDecodeError as error:
        message = Message(subject.decode("utf-8", "backslashreplace"), payload)
        problem = f"the subject {subject[:80]!r} is no UTF-8: {error.reason}"
    else:
        if matches(space.to_server(pattern), name):
            return space.from_server(name)
        message = Message(name, payload)
        problem = (
            f"a message of {name[:80]!r} was sent on to who listens to {pattern!r}: somebody "
            "tries to get around what he may publish"
        )
    bus.refuse_soon(message, DecodeError("message", "", problem))
    return None
