"""The plain bus of a process: it carries market data, which may get lost, and takes incidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulation.process import Process

from ingenium.bus.base import Bus, Incident, Message, MessageHandler, Subscription
from ingenium.subjects.grammar import matches

__all__ = ["SimBus"]


class _SimSubscription(Subscription):
    def __init__(self, bus: SimBus, subject: str) -> None:
        self._bus = bus
        self._subject = subject

    @property
    def subject(self) -> str:
        """What was subscribed to."""
        return self._subject

    async def stop(self) -> None:
        """End it."""
        self._bus.handlers.pop(self._subject, None)


class SimBus(Bus):
    """One connection.

    Args:
        process: Whose.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.handlers: dict[str, MessageHandler] = {}
        self.incidents: list[Incident] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return "sim:"

    @property
    def max_payload(self) -> int:
        """Bytes that one message may have."""
        return 1_048_576

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Lose a message: nobody listens."""
        self.process.effect(f"publishes {subject}")

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        """Hand what the world sends to a handler."""
        self.handlers[subject] = handler
        return _SimSubscription(self, subject)

    def bring(self, message: Message) -> None:
        """Bring a message to those who have subscribed to it."""
        for subject, handler in self.handlers.items():
            if matches(subject, message.subject):
                self.process.spawn(_handle(handler, message))

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Do nothing."""

    async def drain(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        """Do nothing: nobody asks here."""

    def report(self, incident: Incident) -> None:
        """Write it down."""
        self.incidents.append(incident)
        self.process.chaos.trace(f"{self.process.name} reports {incident.kind}: {incident.detail}")


async def _handle(handler: MessageHandler, message: Message) -> None:
    waiting = handler(message)
    if waiting is not None:
        await waiting
