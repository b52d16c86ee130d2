"""Asks a server for something of its streams, and says what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.errors import ConnectionReconnectingError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError, ServiceUnavailableError

from ingenium.bus.nats_bus import NatsBus
from ingenium.errors import BusPermissionError, BusTimeoutError

__all__ = ["CALL_SECONDS", "call_server"]

CALL_SECONDS = 2.0
"""How long an answer may take."""

_T = TypeVar("_T")


async def call_server(
    bus: NatsBus,
    stream: str,
    what: str,
    call: Callable[[], Awaitable[_T]],
    subject: str = "$JS.",
) -> _T:
    """Ask the server.

    Raises:
        APIError: It says something definite about the request.
        BusPermissionError: It forbids the subject.
        BusTimeoutError: No answer, or none of a stream: JetStream may still be starting.
    """
    try:
        return await call()
    except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
        raise BusTimeoutError(
            f"the server at {bus.url} does not {what} now: it has no JetStream, or no stream "
            f"{stream}"
        ) from error
    except APIError:
        raise
    except ConnectionReconnectingError as error:
        raise BusTimeoutError(
            f"the connection to {bus.url} was lost when the server was to {what}"
        ) from error
    except (TimeoutError, NatsError, OSError) as error:
        if refused := bus.refused(subject):
            raise BusPermissionError(
                f"the server at {bus.url} forbids it to {what}: {refused}", subject
            ) from error
        raise BusTimeoutError(
            f"the server at {bus.url} did not {what} within {CALL_SECONDS:g} s"
        ) from error
