"""Stream of the last status of each component, and requests for a new one."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime

import msgspec
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.requests import CALL_SECONDS, call_server
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.stream import Record
from ingenium.errors import BusError
from ingenium.subjects.names import observed_subject, status_subject
from ingenium.subjects.server_names import STATUS_STREAM_NAME

__all__ = ["KeptStatuses", "ask", "keep_statuses", "kept_statuses"]

_log = logging.getLogger("ingenium.bus")
_MAX_BYTES = 4_194_304
# An account of 200 positions and 100 orders fits.
_MAX_MESSAGE_BYTES = 131_072
_WEEK_SECONDS = 7 * 86_400


class KeptStatuses(msgspec.Struct):
    """Statuses stored by the server.

    Attributes:
        now: Current time by the server's clock; ``None`` if not stated.
        records: The last message of each subject.
    """

    now: datetime | None = None
    records: list[Record] = []


async def keep_statuses(bus: NatsBus) -> None:
    """Create the stream that keeps the last status of each component.

    Trading does not depend on it: without the stream, a dead component is known only from its local
    files.
    """
    js = bus.client.jetstream(timeout=CALL_SECONDS)
    name = bus.space.stream(STATUS_STREAM_NAME)
    config = StreamConfig(
        name=name,
        subjects=[
            bus.space.to_server(subject)
            for subject in (status_subject("*", "*"), observed_subject("*", "*"))
        ],
        storage=StorageType.MEMORY,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        max_msgs_per_subject=1,
        max_bytes=_MAX_BYTES,
        max_age=_WEEK_SECONDS,
        max_msg_size=_MAX_MESSAGE_BYTES,
        num_replicas=bus.stream_replicas,
        allow_direct=True,
        # No acknowledgements, as for market data: publishers choose the reply subject, and may be
        # of an untrusted account.
        no_ack=True,
    )
    try:
        try:
            await js.stream_info(name)
        except NotFoundError:
            await js.add_stream(config)
    except (TimeoutError, NatsError, OSError) as error:
        _log.info("the server at %s keeps no status of components: %s", bus.url, error)


async def kept_statuses(bus: NatsBus, app: str) -> KeptStatuses:
    """Return the stored statuses of an app's components; empty without the stream."""
    stream = NatsStream(bus, STATUS_STREAM_NAME)
    wanted = [bus.space.to_server(make(app, "*")) for make in (status_subject, observed_subject)]
    try:
        state = await stream.state()
        subjects = [each for one in wanted for each in await _subjects(bus, one)]
        found = await asyncio.gather(*(stream.last(each) for each in subjects))
    except (BusError, APIError):
        return KeptStatuses()
    return KeptStatuses(state.time, [record for record in found if record is not None])


async def _subjects(bus: NatsBus, pattern: str) -> list[str]:
    name = bus.space.stream(STATUS_STREAM_NAME)
    request = json.dumps({"subjects_filter": pattern}).encode()
    answer = await call_server(
        bus,
        name,
        "list the components",
        lambda: bus.client.request(f"$JS.API.STREAM.INFO.{name}", request, timeout=CALL_SECONDS),
    )
    subjects = json.loads(answer.data).get("state", {}).get("subjects") or {}
    return sorted(map(bus.space.from_server, subjects))


async def ask(bus: NatsBus, subject: str, seconds: float) -> bool:
    """Send an empty request, and return whether there is a subscriber.

    Subscribers publish their answers on another subject.

    Args:
        bus: Connection to the server.
        subject: Subject of the request.
        seconds: Time that the server has to report that there is no subscriber.

    Returns:
        Whether there is a subscriber, after that time at the latest.
    """
    try:
        await bus.client.request(bus.space.to_server(subject), b"", timeout=seconds)
    except NoRespondersError:
        return False
    except (TimeoutError, NatsError):
        return True
    return True
