"""Messaging between components: the bus, streams, leases, and the typed client."""

from ingenium.bus.base import (
    Bus,
    BusGuarantee,
    Incident,
    IncidentKind,
    Message,
    MessageHandler,
    Subscription,
)
from ingenium.bus.memory import MemoryBus
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.options import NatsOptions

__all__ = [
    "Bus",
    "BusGuarantee",
    "Incident",
    "IncidentKind",
    "MemoryBus",
    "Message",
    "MessageHandler",
    "NatsBus",
    "NatsOptions",
    "Subscription",
]
