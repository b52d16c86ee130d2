"""Requests to NATS micro services for their identity and statistics."""

from __future__ import annotations

import asyncio

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.requests import CALL_SECONDS
from ingenium.errors import BusTimeoutError, ConfigError, NoListenerError
from ingenium.ids import random_id
from ingenium.subjects.server_names import service_subject

__all__ = ["SERVICE_ERROR", "ask_services", "request_answer"]

SERVICE_ERROR = "Nats-Service-Error"
"""Header of an answer that refuses a request: why."""

_LONGEST_SECONDS = 1.0
"""Time for services to answer."""
_QUIET_SECONDS = 0.3
"""Time without a further answer after which none is expected; how many will answer is unknown."""


async def ask_services(bus: NatsBus, verb: str, name: str = "") -> list[bytes]:
    """Return the answers of all services.

    Args:
        bus: Connection with the rights of an operator.
        verb: ``"PING"``, ``"INFO"`` or ``"STATS"``.
        name: Name of a service; all when left out.

    Raises:
        BusError: The server does not answer.
    """
    client = bus.client
    inbox = f"{client.inbox_prefix}.{random_id('services')}"
    answers: list[bytes] = []
    arrived = asyncio.Event()

    def deliver(_subject: bytes, _reply: bytes, _headers: bytes, payload: bytes) -> None:
        if payload:  # without: the server says that nothing is subscribed
            answers.append(payload)
            arrived.set()

    sid = client.listen(inbox, "", deliver)
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST_SECONDS
    try:
        client.send(f"PUB {service_subject(verb, name)} {inbox} 0\r\n\r\n".encode())
        await bus.flush()
        while (left := end - loop.time()) > 0:
            arrived.clear()
            try:
                async with asyncio.timeout(min(left, _QUIET_SECONDS)):
                    await arrived.wait()
            except TimeoutError:
                break
    finally:
        client.forget(sid)
    return answers


async def request_answer(bus: NatsBus, subject: str, payload: bytes, who: str) -> bytes:
    """Return the answer of one service to a request.

    Args:
        bus: Connection with the rights of an operator.
        subject: Subject of the request, as on the server.
        payload: Payload of the request.
        who: The service, for errors.

    Raises:
        NoListenerError: It has ended, or takes no such request.
        BusTimeoutError: It does not answer.
        ConfigError: It refuses the request.
    """
    try:
        answer = await bus.client.request(subject, payload, timeout=CALL_SECONDS)
    except NoRespondersError as error:
        raise NoListenerError(
            f"{who} takes no command: that start of it has ended, or its program takes none"
        ) from error
    except (TimeoutError, NatsError) as error:
        raise BusTimeoutError(
            f"{who} did not answer within {CALL_SECONDS:g} s: if a handler blocks its process, it "
            "obeys later; see ingenium components"
        ) from error
    if refusal := (answer.headers or {}).get(SERVICE_ERROR):
        raise ConfigError(f"{who} refuses: {refusal}")
    return answer.data
