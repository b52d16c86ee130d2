"""Processes that die: from then on nothing that they do has an effect."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from simulation.chaos import Chaos, SimClock
from simulation.loop import OWNER, Owner, SimLoop

from ingenium.components.failpoints import Point

__all__ = ["CrashedError", "Process"]


class CrashedError(BaseException):
    """The process is dead; no ``except Exception`` of its own keeps it alive."""


class Process(Owner):
    """One life of a component.

    Args:
        chaos: Decides when it ends.
        name: Of the component.
        life: How many it has had before, and this one.
        points: The points at which it may be planned to end.
    """

    def __init__(self, chaos: Chaos, name: str, life: int, points: list[Point]) -> None:
        super().__init__()
        self.chaos = chaos
        self.name = f"{name}#{life}"
        self.alive = True
        options, random = chaos.options, chaos.random
        self.clock = SimClock(chaos, random.uniform(-1, 1) * options.skew)
        self.at_effect = 0
        self.at_write = 0
        self.at_point: Point | None = None
        self.passes = 0
        if chaos.roll(options.crash):
            way = random.random()
            if way < 0.25:
                self.at_write = random.randint(1, 30)
            elif not points or way < 0.45:
                self.at_effect = random.randint(1, random.choice([30, 200]))
            else:
                self.at_point = random.choice(points)
                self.passes = random.choice([1, 1, 2, 3])

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a task of the process."""
        context = copy_context()
        context.run(OWNER.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def effect(self, what: str) -> None:
        """Pass a border to the world outside.

        Raises:
            CrashedError: The process is dead, or dies here.
        """
        if not self.alive:
            raise CrashedError(self.name)
        self.chaos.trace(f"{self.name} {what}")
        self.at_effect -= 1
        if self.at_effect == 0 and self.chaos.active:
            self.chaos.counts["crash effect"] += 1
            self._die(f"at {what}")

    def written(self) -> None:
        """Pass the border behind a transaction that is on the disk."""
        self.at_write -= 1
        if self.at_write == 0 and self.chaos.active:
            self.chaos.counts["crash written"] += 1
            self._die("behind a commit")

    def at(self, point: Point) -> None:
        """Pass a labelled point; see `ingenium.components.failpoints`."""
        if not self.alive:
            raise CrashedError(self.name)
        self.chaos.trace(f"{self.name} passes {point}")
        self.chaos.counts[f"point {point}"] += 1
        if self.at_point is point and self.chaos.active:
            self.passes -= 1
            if self.passes <= 0:
                self.chaos.counts[f"crash {point}"] += 1
                self._die(f"at {point}")

    def _die(self, where: str) -> None:
        self.kill(where)
        raise CrashedError(f"{self.name} {where}")

    def kill(self, why: str) -> None:
        """End it, as ``kill -9`` does."""
        if not self.alive:
            return
        self.alive = False
        self.chaos.trace(f"! {self.name} dies {why}")
        loop = asyncio.get_running_loop()
        if self.frozen and isinstance(loop, SimLoop):
            loop.thaw(self)
        for task in self.tasks:
            task.cancel()
