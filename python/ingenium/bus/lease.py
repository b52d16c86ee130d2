"""Leases: at most one process holds a lease, and the holder can tell when it expires.

Every lease guarantees:

* While `Lease.is_valid` is true, no other process has the lease, as long as clocks run equally
  fast.
* A lease expires without a message: a process that was paused for long, or is cut off, sees that
  its lease is invalid before another process can acquire it.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from ingenium.errors import BusError, BusTimeoutError, LeaseHeldError, LeaseLostError
from ingenium.ids import random_id

__all__ = [
    "NOBODY",
    "ONE_ONLY",
    "RENEW_SECONDS",
    "TTL_SECONDS",
    "Holder",
    "Lease",
    "LeaseGroup",
    "LeaseTable",
    "MemoryLease",
    "TimedLease",
    "key_of",
]

TTL_SECONDS = 10.0
"""Duration of a lease that is not renewed."""
RENEW_SECONDS = 3.0
"""Interval of renewals."""
MARGIN_SECONDS = 2.0
"""Margin by which the holder treats the lease as lost before others can acquire it."""

ONE_ONLY = ", and only one may: stop that one, or this one"
"""Default advice for a process that is refused a lease."""

_OTHER = re.compile(r"[^A-Za-z0-9_=/-]", re.ASCII)


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Holder of a lease.

    Attributes:
        name: Host and process, ``"trader-1:4711"``.
        token: Unique per start of a process.
        machine: Identifies the process table that `process` refers to; empty if unknown.
        process: Process id.
        started: Start time of the process, in units of the machine.
        app: Name of the app of the process; empty if not stated.
    """

    name: str
    token: str
    machine: str = ""
    process: int = 0
    started: str = ""
    app: str = ""

    @classmethod
    def this_process(cls, app: str = "") -> Holder:
        """Return this process as a holder.

        Args:
            app: Name of the app, shown to processes that are refused.
        """
        process = os.getpid()
        place = f"{socket.gethostname()}:{process}"
        return cls(
            name=f"app {app!r} at {place}" if app else place,
            token=random_id("lease"),
            machine=_machine(),
            process=process,
            started=_start_of(process),
            app=app,
        )

    def is_gone(self) -> bool:
        """Whether the holder certainly no longer runs: it ran on this machine and is gone.

        Its lease can then be taken over without waiting for expiry.
        """
        if not self.machine or not self.started or self.machine != _machine():
            return False
        return _start_of(self.process) != self.started


NOBODY = Holder("nobody", "")
"""Holder of a lease that was released or never acquired."""


class Lease(ABC):
    """The right to a role that only one process may have."""

    key: str

    @abstractmethod
    async def acquire(self) -> None:
        """Acquire the lease; waits until a lease that seems abandoned expires.

        Raises:
            LeaseHeldError: Another process holds and renews the lease; the text names it.
            BusTimeoutError: The server does not answer.
        """

    @property
    @abstractmethod
    def is_valid(self) -> bool:
        """Whether this process certainly holds the lease; check before each protected action."""

    @abstractmethod
    async def keep(self) -> None:
        """Renew it until canceled.

        Raises:
            LeaseLostError: The lease is lost; this process must end.
        """

    @abstractmethod
    async def release(self) -> None:
        """Release the lease, so that the next process need not wait."""


class LeaseGroup(Lease):
    """Several leases held together, acquired in order.

    Args:
        leases: At least one.
    """

    def __init__(self, *leases: Lease) -> None:
        self.key = " and ".join(lease.key for lease in leases)
        self._leases = leases

    @property
    def is_valid(self) -> bool:
        """Whether all leases are certainly held."""
        return all(lease.is_valid for lease in self._leases)

    async def acquire(self) -> None:
        """Acquire all leases, or none; see `Lease.acquire`."""
        held: list[Lease] = []
        try:
            for lease in self._leases:
                await lease.acquire()
                held.append(lease)
        except BaseException:
            for lease in reversed(held):
                await lease.release()
            raise

    async def keep(self) -> None:
        """Renew all leases; see `Lease.keep`."""
        tasks = [asyncio.create_task(lease.keep()) for lease in self._leases]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def release(self) -> None:
        """Release all leases."""
        for lease in reversed(self._leases):
            await lease.release()


class TimedLease(Lease):
    """Lease stored as a value that expires unless it is rewritten.

    Args:
        key: What it is for.
        ttl_seconds: Seconds until a stored value expires.
        elapsed: Clock in seconds that keeps running while the process or the machine is suspended.
        holder: Requester of the lease; this process by default.
        may_lapse: Whether an expired lease is acquired again if no other process holds it. Use it
            where ids make repeated actions harmless, as for the orders of a portfolio.
        cure: Advice for the error when another process holds the lease.
    """

    def __init__(
        self,
        key: str,
        ttl_seconds: float,
        elapsed: Callable[[], float] | None = None,
        holder: Holder | None = None,
        *,
        may_lapse: bool = False,
        cure: str = ONE_ONLY,
    ) -> None:
        self.key = key
        self._cure = cure
        self._may_lapse = may_lapse
        self.holder = holder or Holder.this_process()
        self._ttl = ttl_seconds
        self._margin = MARGIN_SECONDS * ttl_seconds / TTL_SECONDS
        self._pause = RENEW_SECONDS * ttl_seconds / TTL_SECONDS
        self._elapsed = elapsed or _elapsed
        self._revision = 0
        self._valid_until = float("-inf")

    @property
    def is_valid(self) -> bool:
        """Whether this process certainly holds the lease."""
        return self._elapsed() < self._valid_until

    async def acquire(self) -> None:
        """Acquire the lease; see `Lease.acquire`."""
        ends_at = self._elapsed() + 2 * self._ttl
        first: tuple[Holder, int] | None = None
        while True:
            began = self._elapsed()
            found = await self._read()
            holder, revision = found
            if holder.token in {NOBODY.token, self.holder.token} or holder.is_gone():
                if written := await self._write(self.holder, revision):
                    self._hold(written, began)
                    return
            else:
                first = first or found
                # A renewed lease has a live holder; any other expires soon.
                if found != first or self._elapsed() > ends_at:
                    raise LeaseHeldError(f"{self.key} is led by {holder.name}{self._cure}")
            await asyncio.sleep(self._pause / 6)

    async def keep(self) -> None:
        """Renew the lease until canceled; see `Lease.keep`."""
        while True:
            await asyncio.sleep(self._pause)
            await self.renew()

    async def renew(self) -> None:
        """Renew the lease once; without an answer the lease stays valid until it expires.

        Raises:
            LeaseLostError: The lease is lost.
        """
        began = self._elapsed()
        try:
            written = await self._write(self.holder, self._revision)
            if not written:
                # An earlier write without an answer may have succeeded.
                holder, revision = await self._read()
                is_free = holder.token == NOBODY.token and self._may_lapse
                if holder.token != self.holder.token and not is_free:
                    # Another process holds the lease, so `release` must not delete it.
                    self._valid_until, self._revision = float("-inf"), 0
                    raise LeaseLostError(
                        f"{self.key} is lost, and led by {holder.name} now: this process ends"
                    )
                written = await self._write(self.holder, revision)
            if written:
                self._hold(written, began)
        except BusTimeoutError as error:
            if not self.is_valid and not self._may_lapse:
                raise LeaseLostError(
                    f"{self.key} could not be renewed in time: {error}: this process ends"
                ) from error

    async def release(self) -> None:
        """Release the lease; see `Lease.release`."""
        self._valid_until = float("-inf")
        if self._revision:
            # Without a connection the lease expires by itself.
            with suppress(BusError):
                await self._write(NOBODY, self._revision)
            self._revision = 0

    def _hold(self, revision: int, began: float) -> None:
        # Counted from before the request, since the value may have been written at any time after
        # it.
        self._revision = revision
        self._valid_until = began + self._ttl - self._margin

    @abstractmethod
    async def _read(self) -> tuple[Holder, int]:
        """Return holder and revision; `NOBODY` and 0 without a stored value."""

    @abstractmethod
    async def _write(self, holder: Holder, revision: int) -> int:
        """Replace a revision by a new holder; revision 0 for no value.

        Returns:
            The new revision; 0 if the stored revision differs.

        Raises:
            BusTimeoutError: No answer; the value may be written or not.
        """


class LeaseTable:
    """Table of leases within one process, for tests.

    Args:
        elapsed: Clock of the test, in seconds.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self.elapsed = elapsed
        self._rows: dict[str, tuple[Holder, int, float]] = {}
        self._revision = 0

    def read(self, key: str) -> tuple[Holder, int]:
        """Return the holder of an unexpired lease, and its revision."""
        holder, revision, until = self._rows.get(key, (NOBODY, 0, 0.0))
        return (NOBODY, 0) if until <= self.elapsed() else (holder, revision)

    def write(self, key: str, holder: Holder, revision: int, ttl_seconds: float) -> int:
        """Replace a revision of a lease; returns 0 if the stored revision differs."""
        if self.read(key)[1] != revision:
            return 0
        self._revision += 1
        self._rows[key] = (holder, self._revision, self.elapsed() + ttl_seconds)
        return self._revision


class MemoryLease(TimedLease):
    """Lease within one process, for tests.

    Args:
        table: Table that stores the lease.
        key: What it is for.
        holder: Requester of the lease; this process by default.
        ttl_seconds: Duration of the lease.
        may_lapse: See `TimedLease`.
    """

    def __init__(
        self,
        table: LeaseTable,
        key: str,
        *,
        holder: Holder | None = None,
        ttl_seconds: float = TTL_SECONDS,
        may_lapse: bool = False,
    ) -> None:
        super().__init__(key, ttl_seconds, table.elapsed, holder, may_lapse=may_lapse)
        self._table = table

    async def _read(self) -> tuple[Holder, int]:
        return self._table.read(self.key)

    async def _write(self, holder: Holder, revision: int) -> int:
        return self._table.write(self.key, holder, revision, self._ttl)


def key_of(text: str) -> str:
    """Encode a text as a valid key; different texts give different keys."""
    plain = ".".join(_OTHER.sub("_", part) for part in text.split(".") if part)
    if plain == text:
        return plain
    return f"{plain}-{sha256(text.encode()).hexdigest()[:12]}"


def _elapsed() -> float:
    # CLOCK_MONOTONIC stops while the machine sleeps, and the server's clock does not.
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _machine() -> str:
    """Identify this machine and its process table; a container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_of(process: int) -> str:
    """Return the start time of a process in ticks since boot; empty if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in the second field may contain spaces and brackets. A zombie counts as gone.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
