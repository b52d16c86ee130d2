"""Leases that a server keeps, asked for over a network that loses answers."""

from __future__ import annotations

from simulation.network import Peer, call
from simulation.process import Process

from ingenium.bus.lease import TTL_SECONDS, Holder, LeaseTable, TimedLease
from ingenium.errors import BusTimeoutError

__all__ = ["SimLease"]


class SimLease(TimedLease):
    """The lease of one process.

    Args:
        peer: The server.
        table: What it keeps.
        key: What it is for.
        process: Who asks.
    """

    def __init__(self, peer: Peer, table: LeaseTable, key: str, process: Process) -> None:
        super().__init__(key, TTL_SECONDS, table.elapsed, Holder(process.name, process.name))
        self._peer = peer
        self._table = table
        self._process = process

    async def _read(self) -> tuple[Holder, int]:
        return await call(
            self._process,
            self._peer,
            "tell who leads",
            lambda: self._table.read(self.key),
            seconds=2.0,
            silence=BusTimeoutError,
        )

    async def _write(self, holder: Holder, revision: int) -> int:
        return await call(
            self._process,
            self._peer,
            f"let {holder.name} lead over {revision}",
            lambda: self._table.write(self.key, holder, revision, self._ttl),
            seconds=2.0,
            silence=BusTimeoutError,
        )
