"""What is done to the processes of a chaos run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chaos.app import EXECUTOR, PORTFOLIO
from chaos.world import World

__all__ = ["KINDS", "Striker"]

_FAULTS = ("drop_request", "drop_response", "error_after", "busy")
KINDS = {
    "kill server": 5,
    "kill portfolio": 5,
    "kill executor": 5,
    "kill both": 3,
    "kill broker": 3,
    "kill all": 2,
    "pause server": 2,
    "pause portfolio": 1,
    "pause executor": 1,
    "pause broker": 1,
    "fault at broker": 3,
}
"""What may be done, and how often relative to each other."""


class Striker:
    """Kills and pauses.

    Args:
        world: Whom.
        seed: Decides for how long.
    """

    def __init__(self, world: World, seed: random.Random) -> None:
        self._world = world
        self._random = seed
        self._actions: dict[str, Callable[[], Awaitable[None]]] = {
            "kill server": self._kill_server,
            "kill portfolio": lambda: self._kill(PORTFOLIO),
            "kill executor": lambda: self._kill(EXECUTOR),
            "kill both": lambda: self._kill(PORTFOLIO, EXECUTOR),
            "kill broker": self._kill_broker,
            "kill all": self._kill_all,
            "pause server": lambda: self._pause(world.server.pause, world.server.go_on),
            "pause portfolio": lambda: self._pause_program(PORTFOLIO),
            "pause executor": lambda: self._pause_program(EXECUTOR),
            "pause broker": lambda: self._pause(world.broker.pause, world.broker.go_on),
            "fault at broker": self._fault,
        }

    async def strike(self, kind: str) -> None:
        """Do something of a kind, and return when what was killed is started again."""
        await self._actions[kind]()

    async def _kill(self, *names: str) -> None:
        for name in names:
            self._world.note_kill(name)
            self._world.programs[name].kill()

    async def _kill_server(self) -> None:
        self._world.forget_kills()
        self._world.server.kill()
        if self._random.random() < 0.3:
            await self._while_it_lasts(1.5)
        await self._world.restart_server()

    async def _kill_broker(self) -> None:
        self._world.forget_kills()
        self._world.broker.stop()
        if self._random.random() < 0.3:
            await self._while_it_lasts(1.5)
        await self._world.restart_broker()

    async def _kill_all(self) -> None:
        await self._kill(PORTFOLIO, EXECUTOR)
        self._world.forget_kills()
        self._world.server.kill()
        self._world.broker.stop()
        await asyncio.gather(self._world.restart_server(), self._world.restart_broker())

    async def _pause_program(self, name: str) -> None:
        self._world.forget_kills()
        program = self._world.programs[name]
        await self._pause(program.pause, program.go_on)

    async def _pause(self, pause: Callable[[], None], go_on: Callable[[], None]) -> None:
        self._world.forget_kills()
        pause()
        try:
            await self._while_it_lasts(3.0)
        finally:
            go_on()

    async def _fault(self) -> None:
        kind = self._random.choice(("submit", "submit", "find", "fills"))
        mode, times = self._random.choice(_FAULTS), self._random.randint(1, 3)
        await self._world.at_broker(lambda: self._world.broker.fault(kind, mode, times))

    async def _while_it_lasts(self, most_seconds: float) -> None:
        """Let a fault last for a while; the fault itself is what is waited for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._random.uniform(0.05, most_seconds)):
                await asyncio.Event().wait()
