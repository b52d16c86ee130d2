"""Receive messages, and pass on only those whose subject matches the subscription."""

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
    """Return the receiver of raw messages of a subscription.

    A message whose subject is unreadable or does not match the subscription becomes a dead letter.
    The latter arrives when a user has the server reply to a foreign subject, to get around publish
    permissions.

    Args:
        bus: Bus of the subscription.
        subscription: Receives the messages.
        space: Subject space on the server.
    """
    # Cached: decoding a subject and matching the pattern once is enough.
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
            f"a message of {name[:80]!r} was redirected to subscribers of {pattern!r}: a "
            "client tries to get around its publish permissions"
        )
    bus.refuse_soon(message, DecodeError("message", "", problem))
    return None
