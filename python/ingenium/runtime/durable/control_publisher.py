"""Publishes control events, which allow or restrict trading."""

from __future__ import annotations

from enum import StrEnum

from ingenium.bus.envelope import headers_for
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.errors import BusTimeoutError, NoListenerError, StreamError
from ingenium.events import ControlEvent, encode
from ingenium.ids import random_id
from ingenium.nats_server.accounts import OPERATOR
from ingenium.subjects.names import TRADING

__all__ = ["ControlDelivery", "publish_control"]


class ControlDelivery(StrEnum):
    """Delivery result of a control event."""

    STREAM = "stream"
    """Kept by the stream: every component receives it, even one that starts later."""
    SUBSCRIBERS = "subscribers"
    """Delivered to the components that are connected now; not stored."""
    NOBODY = "nobody"


async def publish_control(
    bus: NatsBus, event: ControlEvent, source: str = OPERATOR
) -> ControlDelivery:
    """Publish a control event to as many components as possible.

    A server whose disk is full stores nothing, but still delivers it to connected components.

    Args:
        bus: A connection that may publish it.
        event: Its empty id is filled.
        source: Name of the publisher.

    Returns:
        The delivery result.

    Raises:
        BusError: The server does not accept it at all.
    """
    if not event.id:
        event.id = random_id("control")
    headers = headers_for(event, source)
    payload = encode(event)
    try:
        # Whether there are streams is not asked first: a halt must not wait for that answer.
        await NatsStream(bus, MONEY_STREAM.name).append(TRADING, payload, headers)
    except (BusTimeoutError, StreamError) as error:
        is_heard = not isinstance(error, NoListenerError)
    else:
        return ControlDelivery.STREAM
    await bus.publish(TRADING, payload, headers)
    await bus.flush()
    return ControlDelivery.SUBSCRIBERS if is_heard else ControlDelivery.NOBODY
