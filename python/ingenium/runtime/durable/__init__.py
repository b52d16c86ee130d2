"""Live components that survive: what they must not forget, and what they have promised to send."""

from ingenium.runtime.durable.durable_runner import DurableRunner
from ingenium.runtime.durable.rebuild import rebuild
from ingenium.runtime.durable.store import Change, Outgoing, Store, StreamPosition

__all__ = ["Change", "DurableRunner", "Outgoing", "StreamPosition", "Store", "rebuild"]
