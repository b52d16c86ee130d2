"""A lease: what only one process may do at a time, and how it knows that it still may.

Promised by every lease:

* While `Lease.is_valid` holds, no other process has the lease, as long as clocks run equally fast.
* It stops to hold by itself, without any message: a process that was stopped for long, or is cut
  off, sees that it must not act before another one may.
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
"""How long a lease lasts that is not renewed."""
RENEW_SECONDS = 3.0
"""How often it is renewed."""
MARGIN_SECONDS = 2.0
"""How much earlier its holder takes it for lost than others may have it."""

ONE_ONLY = ", and only one may: stop that one, or this one"
"""What is said to the second one where nothing better is known."""

_OTHER = re.compile(r"[^A-Za-z0-9_=/-]", re.ASCII)


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who has a lease.

    Attributes:
        name: Host and process, ``"trader-1:4711"``.
        token: Tells this life of the process from all others.
        machine: Names the table of processes that `process` is a number of; empty if unknown.
        process: Number of the process.
        started: When it began, in the machine's own units.
        app: Name of the app that it is of; empty if not stated.
    """

    name: str
    token: str
    machine: str = ""
    process: int = 0
    started: str = ""
    app: str = ""

    @classmethod
    def this_process(cls, app: str = "") -> Holder:
        """Return who we are.

        Args:
            app: Name of the app that we are of, for those who are refused.
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
        """Whether it surely runs no more: it ran on this very machine, and is not there.

        Then nobody has to wait until its lease runs out.
        """
        if not self.machine or not self.started or self.machine != _machine():
            return False
        return _start_of(self.process) != self.started


NOBODY = Holder("nobody", "")
"""Has what was given back, or never taken."""


class Lease(ABC):
    """One thing that only one process may do."""

    key: str

    @abstractmethod
    async def acquire(self) -> None:
        """Get the lease; waits for one that seems to be left over to run out.

        Raises:
            LeaseHeldError: Somebody has it and renews it; the text says who.
            BusTimeoutError: The server does not answer.
        """

    @property
    @abstractmethod
    def is_valid(self) -> bool:
        """Whether we have it, certainly: look right before each act."""

    @abstractmethod
    async def keep(self) -> None:
        """Renew it until canceled.

        Raises:
            LeaseLostError: It is lost; this process must end.
        """

    @abstractmethod
    async def release(self) -> None:
        """Give it back, so that the next one need not wait."""


class LeaseGroup(Lease):
    """Several leases that are held together, got in their order.

    Args:
        leases: At least one.
    """

    def __init__(self, *leases: Lease) -> None:
        self.key = " and ".join(lease.key for lease in leases)
        self._leases = leases

    @property
    def is_valid(self) -> bool:
        """Whether we have all of them."""
        return all(lease.is_valid for lease in self._leases)

    async def acquire(self) -> None:
        """Get all of them, or none; see `Lease.acquire`."""
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
        """Renew all of them; see `Lease.keep`."""
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
        """Give all of them back."""
        for lease in reversed(self._leases):
            await lease.release()


class TimedLease(Lease):
    """A lease that is a value in a table which forgets what is not written anew.

    Args:
        key: What it is for.
        ttl_seconds: How long the table remembers.
        elapsed: Seconds, by a clock that goes on while this process or the machine stands still.
        holder: Who asks; this process when left out.
        may_lapse: Whether it is taken up again after it has run out, if nobody else has it. That is
            for those whose acts are known again by their ids, such as a portfolio's orders.
        cure: What to do when another one has it, as the end of the error.
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
        """Whether we have it, certainly."""
        return self._elapsed() < self._valid_until

    async def acquire(self) -> None:
        """Get the lease; see `Lease.acquire`."""
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
                # One that was renewed meanwhile is alive; one that was not runs out soon.
                if found != first or self._elapsed() > ends_at:
                    raise LeaseHeldError(f"{self.key} is led by {holder.name}{self._cure}")
            await asyncio.sleep(self._pause / 6)

    async def keep(self) -> None:
        """Renew it until canceled; see `Lease.keep`."""
        while True:
            await asyncio.sleep(self._pause)
            await self.renew()

    async def renew(self) -> None:
        """Renew it once; without an answer it goes on as long as it is valid.

        Raises:
            LeaseLostError: It is lost.
        """
        began = self._elapsed()
        try:
            written = await self._write(self.holder, self._revision)
            if not written:
                # An earlier try that had no answer may have come through.
                holder, revision = await self._read()
                is_free = holder.token == NOBODY.token and self._may_lapse
                if holder.token != self.holder.token and not is_free:
                    # Nothing of it is ours, so that `release` must not give it back.
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
        """Give it back; see `Lease.release`."""
        self._valid_until = float("-inf")
        if self._revision:
            # Where the server cannot be asked any more, it runs out by itself.
            with suppress(BusError):
                await self._write(NOBODY, self._revision)
            self._revision = 0

    def _hold(self, revision: int, began: float) -> None:
        # From before it was asked for: the table may have written it at any moment since.
        self._revision = revision
        self._valid_until = began + self._ttl - self._margin

    @abstractmethod
    async def _read(self) -> tuple[Holder, int]:
        """Return who has it, and the revision of that; `NOBODY` and 0 where there is nothing."""

    @abstractmethod
    async def _write(self, holder: Holder, revision: int) -> int:
        """Write a name over a revision, 0 for nothing.

        Returns:
            The new revision; 0 if another one is there.

        Raises:
            BusTimeoutError: No answer; it may be written or not.
        """


class LeaseTable:
    """Where leases within one process are, for tests.

    Args:
        elapsed: Seconds, by the clock of the test.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self.elapsed = elapsed
        self._rows: dict[str, tuple[Holder, int, float]] = {}
        self._revision = 0

    def read(self, key: str) -> tuple[Holder, int]:
        """Return who has a lease that has not run out, and its revision."""
        holder, revision, until = self._rows.get(key, (NOBODY, 0, 0.0))
        return (NOBODY, 0) if until <= self.elapsed() else (holder, revision)

    def write(self, key: str, holder: Holder, revision: int, ttl_seconds: float) -> int:
        """Write a lease over a revision; returns 0 if another one is there."""
        if self.read(key)[1] != revision:
            return 0
        self._revision += 1
        self._rows[key] = (holder, self._revision, self.elapsed() + ttl_seconds)
        return self._revision


class MemoryLease(TimedLease):
    """A lease within one process, for tests.

    Args:
        table: Where it is.
        key: What it is for.
        holder: Who asks; this process when left out.
        ttl_seconds: How long it lasts.
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
    """Return a key that the table takes; different texts have different ones."""
    plain = ".".join(_OTHER.sub("_", part) for part in text.split(".") if part)
    if plain == text:
        return plain
    return f"{plain}-{sha256(text.encode()).hexdigest()[:12]}"


def _elapsed() -> float:
    # CLOCK_MONOTONIC stands still while the machine sleeps, and the server's clock does not.
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _machine() -> str:
    """Name this machine and its table of processes, of which a container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_of(process: int) -> str:
    """Return when a process began, in ticks since the machine's start; empty if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in the second field may hold spaces and brackets. A zombie does nothing any more.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
