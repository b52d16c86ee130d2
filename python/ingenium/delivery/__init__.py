"""Live components that survive: what they must not forget, and what they have promised to send."""

from ingenium.delivery.member import DurableMember
from ingenium.delivery.rebuilding import rebuild
from ingenium.delivery.store import Change, Outgoing, Position, Store

__all__ = ["Change", "DurableMember", "Outgoing", "Position", "Store", "rebuild"]
