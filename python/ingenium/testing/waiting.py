"""Waiting for conditions with a timeout, instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ingenium.bus.base import Incident, IncidentKind

__all__ = ["Collector", "IncidentLog", "wait_until"]

T = TypeVar("T")

_POLL_SECONDS = 0.005


async def wait_until(
    condition: Callable[[], object], *, what: str = "the condition", timeout_seconds: float = 5.0
) -> None:
    """Wait until ``condition`` returns something true.

    Args:
        condition: Called every few milliseconds.
        what: Name of the condition, for the error text.
        timeout_seconds: Longest time to wait.

    Raises:
        AssertionError: The condition stayed false until the timeout.
    """
    ends_at = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise AssertionError(f"waited {timeout_seconds:g} s for {what} in vain")
        await asyncio.sleep(_POLL_SECONDS)


class Collector(Generic[T]):
    """A handler that keeps the items it receives.

    ::

        got = Collector[DataEvent]()
        await bus.subscribe(DataEvent, handler=got)
        assert (await got.wait(2))[0].symbol == "AAPL"
    """

    def __init__(self) -> None:
        self.items: list[T] = []

    def __call__(self, item: T) -> None:
        """Keep one item."""
        self.items.append(item)

    async def wait(self, count: int, *, timeout_seconds: float = 5.0) -> list[T]:
        """Wait for ``count`` items and return all items received so far.

        Raises:
            AssertionError: Fewer arrived before the timeout.
        """
        try:
            await wait_until(lambda: len(self.items) >= count, timeout_seconds=timeout_seconds)
        except AssertionError:
            raise AssertionError(
                f"waited {timeout_seconds:g} s for {count} items, got {len(self.items)}: "
                f"{self.items[-3:]!r}"
            ) from None
        return self.items


class IncidentLog(Collector[Incident]):
    """A callback for `Bus.on_incident` that keeps the incidents."""

    def of(self, kind: IncidentKind) -> list[Incident]:
        """Return the incidents of one kind, in order."""
        return [incident for incident in self.items if incident.kind is kind]

    async def wait_for(
        self, kind: IncidentKind, count: int = 1, *, timeout_seconds: float = 5.0
    ) -> list[Incident]:
        """Wait for ``count`` incidents of one kind and return them.

        Raises:
            AssertionError: Fewer arrived before the timeout.
        """
        await wait_until(
            lambda: len(self.of(kind)) >= count,
            what=f"{count} incidents of kind {kind.value}",
            timeout_seconds=timeout_seconds,
        )
        return self.of(kind)
