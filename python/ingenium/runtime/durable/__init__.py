"""Live components that survive: what they must not forget, and what they have promised to send."""

from ingenium.runtime.durable.durable_runner import DurableMember
from ingenium.runtime.durable.rebuild import rebuild
from ingenium.runtime.durable.store import Change, Outgoing, Position, Store

__all__ = ["Change", "DurableMember", "Outgoing", "Position", "Store", "rebuild"]
