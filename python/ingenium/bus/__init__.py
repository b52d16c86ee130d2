"""The bus: how components meet."""

from ingenium.bus.contract import (
    Bus,
    Incident,
    IncidentKind,
    Message,
    MessageHandler,
    Subscription,
)
from ingenium.bus.embedded import EmbeddedServer, running_servers
from ingenium.bus.memory import MemoryBus
from ingenium.bus.nats_bus import NatsBus
from ingenium.bus.options import NatsOptions

__all__ = [
    "Bus",
    "EmbeddedServer",
    "Incident",
    "IncidentKind",
    "MemoryBus",
    "Message",
    "MessageHandler",
    "NatsBus",
    "NatsOptions",
    "Subscription",
    "running_servers",
]
