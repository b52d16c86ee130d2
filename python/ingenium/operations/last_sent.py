"""Last stored message of components that publish no status."""

from __future__ import annotations

from collections.abc import Sequence

from ingenium.bus import NatsBus
from ingenium.bus.envelope import source_of
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.errors import BusError
from ingenium.operations.component_state import ComponentState, LastSent
from ingenium.subjects.names import DATA, EXECUTION, PORTFOLIO, SIGNAL

__all__ = ["add_last_sent"]

_SENT_BY = {
    "ingestor": (DATA_STREAM.name, f"{DATA}.>"),
    "strategy": (MONEY_STREAM.name, SIGNAL),
    "portfolio": (MONEY_STREAM.name, PORTFOLIO),
    "executor": (MONEY_STREAM.name, EXECUTION),
}


async def add_last_sent(bus: NatsBus, components: Sequence[ComponentState]) -> None:
    """Add the last message of each component without a status.

    Only the last message of the role is read. It is attributed to the component if it names the
    component, or if it names no sender and no other component of that role could have sent it.

    Args:
        bus: Connection with operator rights.
        components: All components of the app.
    """
    for component in components:
        if component.handled is not None or component.role not in _SENT_BY:
            continue
        name, subject = _SENT_BY[component.role]
        stream = NatsStream(bus, name)
        try:
            record = await stream.last(subject)
            now = (await stream.state()).time
        except BusError:
            continue
        if record is None or now is None:
            continue
        source = source_of(record.message)
        silent = [
            each.name for each in components if each.role == component.role and each.handled is None
        ]
        if source == component.name or (not source and silent == [component.name]):
            age = max(0.0, (now - record.time).total_seconds())
            component.last_sent = LastSent(record.message.subject, age, bool(source))
