"""Requests to the JetStream API, with errors that state the outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.errors import ConnectionReconnectingError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

from ingenium.bus.nats.bus import NatsBus
from ingenium.errors import BusPermissionError, BusTimeoutError, NoListenerError

__all__ = ["CALL_SECONDS", "call_server", "unanswered"]

CALL_SECONDS = 2.0
"""Timeout of an answer."""

_T = TypeVar("_T")


async def call_server(
    bus: NatsBus,
    stream: str,
    what: str,
    call: Callable[[], Awaitable[_T]],
    subject: str = "$JS.",
) -> _T:
    """Send a request to the server.

    Raises:
        APIError: The server returned a definite error.
        BusPermissionError: The server forbids the subject.
        NoListenerError: The request has no receiver: no stream and no subscriber.
        BusTimeoutError: No answer, or no stream: JetStream may still be starting.
    """
    try:
        return await call()
    except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
        kind = BusTimeoutError if isinstance(error, ServiceUnavailableError) else NoListenerError
        raise kind(
            f"the server at {bus.url} does not {what} now: it has no JetStream, or no stream "
            f"{stream}"
        ) from error
    except APIError:
        raise
    except (TimeoutError, NatsError, OSError) as error:
        raise unanswered(bus, what, error, subject) from error


def unanswered(bus: NatsBus, what: str, error: Exception, *subjects: str) -> Exception:
    """Return the error that explains why a server did not answer.

    Args:
        bus: Connection to the server.
        what: The request, as it follows "did not".
        error: Error of the client.
        subjects: Prefixes of the subjects that the request needs, its own first.
    """
    if isinstance(error, ConnectionReconnectingError):
        return BusTimeoutError(
            f"the connection to {bus.url} was lost when the server was to {what}"
        )
    for subject in subjects:
        if refused := bus.refused(subject):
            return BusPermissionError(
                f"the server at {bus.url} forbids it to {what}: {refused}", subjects[0]
            )
    return BusTimeoutError(f"the server at {bus.url} did not {what} within {CALL_SECONDS:g} s")
