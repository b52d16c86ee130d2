"""Holds a lease for as long as a component runs."""

from __future__ import annotations

import asyncio

from ingenium.bus.lease import Lease

__all__ = ["LeaseKeeper"]


class LeaseKeeper:
    """Holds a lease from the start of a component to its end.

    Args:
        lease: The lease; ``None`` where there is none to hold.

    Attributes:
        task: Renews it, and ends with the error when it is lost; ``None`` before `begin`.
    """

    def __init__(self, lease: Lease | None) -> None:
        self.task: asyncio.Task[None] | None = None
        self._lease = lease

    async def begin(self) -> None:
        """Acquire the lease, and renew it from now on.

        Raises:
            LeaseHeldError: Another process has it.
        """
        if self._lease is not None:
            await self._lease.acquire()
            self.task = asyncio.create_task(self._lease.keep())

    async def end(self) -> None:
        """Release the lease."""
        if self._lease is not None and self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            await self._lease.release()
