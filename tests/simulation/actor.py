"""A component of the world that is started again whenever its process has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import msgspec
from simulation.bus import SimBus
from simulation.disk import SimDisk, make_disk
from simulation.process import CrashedError, Process
from simulation.stream import NAME, SimStream

from ingenium.brokers.broker_executor import BrokerExecutor
from ingenium.brokers.journal_entry import JournalEntry, OrderState
from ingenium.brokers.journal_rows import PREFIX
from ingenium.components import Component, Portfolio, arm
from ingenium.components.base import role_of
from ingenium.components.failpoints import Point
from ingenium.errors import IngeniumError, StoreDamagedError, StreamError
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.durable.salvage import put_parts, whole_parts
from ingenium.runtime.durable.store import StreamPosition

if TYPE_CHECKING:
    from simulation.world import SimWorld

__all__ = ["Actor"]

Make = Callable[[Process], Component]


class Actor:
    """One component over all its lives.

    Args:
        world: It is part of.
        name: For the trace.
        make: Makes the component anew for each life.
        points: The points that it passes.
        subjects: What it reads from the stream.
    """

    def __init__(
        self, world: SimWorld, name: str, make: Make, points: list[Point], subjects: list[str]
    ) -> None:
        self.name = name
        self.disk: SimDisk = make_disk(world.chaos)
        self.subjects = subjects
        self.process: Process | None = None
        self.component: Component | None = None
        self.bus: SimBus | None = None
        self.refused: StreamError | None = None
        self.lives = 0
        self.ready = False
        self.began = asyncio.Event()
        """Set once it has been ready for the first time."""
        self._world = world
        self._make = make
        self._points = points

    async def live(self) -> None:
        """Start it again and again, until canceled."""
        chaos = self._world.chaos
        while True:
            self.lives += 1
            process = self.process = Process(chaos, self.name, self.lives, self._points)
            self.ready = False
            self.disk.process = process
            main = process.spawn(self._main(process))
            await asyncio.wait([main])
            await self._bury(process)
            if self.refused is not None:
                return
            pause = (
                chaos.random.choice([0.1, 0.1, 0.5, 1.0, 3.0, 10.0, 35.0]) if chaos.active else 0.5
            )
            await asyncio.sleep(pause)

    async def _main(self, process: Process) -> None:
        chaos = self._world.chaos
        process.effect("starts")
        try:
            component = self.component = self._make(process)
            bus = self.bus = SimBus(process)
            stream = SimStream(self._world.server, process)
            arm(component, self._world.limits)
            if isinstance(component, BrokerExecutor):
                lease = component.lease = self._world.lease(component.lease_key, process)
            else:
                lease = self._world.lease(role_of(component), process)
            store = self._open(component)
            member = DurableRunner(
                bus,
                stream,
                component,
                store,
                clock=process.clock,
                at=process.at,
                lease=lease,
            )
            await member.start()
            self.ready = True
            self.began.set()
            await member.run()
        except StreamError as error:
            chaos.counts["end refused"] += 1
            chaos.trace(f"{process.name} refuses: {error}")
            self.refused = error
        except IngeniumError as error:
            chaos.counts[f"end {type(error).__name__}"] += 1
            chaos.trace(f"{process.name} ends: {type(error).__name__}: {error}")
        except (asyncio.CancelledError, CrashedError):
            raise
        except BaseException as error:
            self._world.violations.append(f"{process.name} fails with {error!r}")
            raise

    async def _bury(self, process: Process) -> None:
        """Make sure that nothing of a dead process goes on."""
        process.kill("and is gone")
        for _ in range(20):
            left = [task for task in process.tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        else:
            raise AssertionError(f"tasks of {process.name} do not end: {left}")
        for task in process.tasks:
            # Read, so that nobody complains that it never was.
            if not task.cancelled():
                task.exception()
        process.tasks.clear()

    def _open(self, component: Component) -> Store:
        """Open its file, in which a bit may have flipped since.

        A portfolio's is made anew; of what cannot be, a person puts back a whole copy.
        """
        chaos = self._world.chaos
        random = Random(f"{chaos.options.seed} {self.name} {self.lives}")
        # In its first life there is nothing yet.
        is_flipped = self.lives > 1 and chaos.active and random.random() < chaos.options.flipped
        put_back = self.disk.flip(random) if is_flipped else None
        store = Store(self.disk, self.name)
        try:
            store.check()
        except StoreDamagedError as error:
            try:
                if not isinstance(component, Portfolio):
                    raise
                kept = whole_parts(store, component, error, chaos.now)
                fresh = make_disk(chaos)
                put_parts(Store(fresh, self.name), kept)
            except StoreDamagedError:
                chaos.counts["flipped bits refused"] += 1
                if put_back is not None:
                    put_back()
                return Store(self.disk, self.name)
            chaos.counts["flipped bits mended"] += 1
            fresh.process, self.disk = self.disk.process, fresh
            return Store(self.disk, self.name)
        if put_back is not None:
            self._world.violations.append(f"{self.name} does not notice a flipped bit")
        return store

    def store(self) -> Store:
        """Open what it has on its disk, to look at it."""
        self.disk.process = None
        return Store(self.disk, self.name)

    def place(self) -> StreamPosition | None:
        """Return the last message of the stream that it has written down as handled."""
        with self._looking() as store:
            return store.position(NAME)

    def position(self) -> int:
        """Return how far in the stream it has come, as it has written down."""
        known = self.place()
        return 0 if known is None else known.sequence

    def has_written_that_it_leaves(self, order_id: str) -> bool:
        """Whether its journal on the disk has an order as one that the broker may have."""
        entry = self._entry(order_id)
        return entry is not None and entry.state is not OrderState.NEW

    def has_written_that_it_works(self, order_id: str) -> bool:
        """Whether its journal on the disk has an order as one that works at the broker."""
        entry = self._entry(order_id)
        return entry is not None and entry.is_at_broker

    def _entry(self, order_id: str) -> JournalEntry | None:
        key = f"{PREFIX}order/{order_id}"
        with self._looking() as store:
            row = store.rows(key).get(key)
        return None if row is None else msgspec.json.decode(row, type=JournalEntry)

    def is_idle(self) -> bool:
        """Whether it has handled all that is for it, and sent all that it had to."""
        process = self.process
        if process is None or not process.alive or not self.ready:
            return False
        if self.position() < self._world.last_for(self.subjects):
            return False
        with self._looking() as store:
            return not store.outbox(1)

    @contextmanager
    def _looking(self) -> Iterator[Store]:
        """Open what a life that goes on has on its disk."""
        process = self.disk.process
        try:
            yield self.store()
        finally:
            self.disk.process = process
