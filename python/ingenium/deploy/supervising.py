"""Starts a program again that has died, a little later each time, and gives up on one in a loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ingenium.components import Component
from ingenium.deploy.children import Child
from ingenium.errors import DeployError

__all__ = ["Backoff", "CrashLoopError", "RestartPolicy", "Supervised"]


class CrashLoopError(DeployError):
    """A program dies again and again: whatever it does may be half done."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to start a program again.

    Attributes:
        first_seconds: The pause before the first restart; doubled for each one that follows.
        longest_seconds: The longest pause.
        healthy_seconds: How long it must have run for the next pause to be the first one again.
        crashes: After how many of them within `window_seconds` to give up.
        window_seconds: See `crashes`.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    healthy_seconds: float = 120.0
    crashes: int = 5
    window_seconds: float = 120.0


class Backoff:
    """Says how long to wait before a restart.

    Args:
        policy: By which rule.
    """

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._crashes: deque[float] = deque()
        self._pause = policy.first_seconds

    def crashed(self, ran_seconds: float, now: float) -> float | None:
        """Take note of a crash.

        Args:
            ran_seconds: How long it had run.
            now: The present time, in seconds, by any clock that only goes forward.

        Returns:
            Seconds to wait; ``None`` to give up.
        """
        policy, crashes = self._policy, self._crashes
        crashes.append(now)
        while crashes[0] < now - policy.window_seconds:
            crashes.popleft()
        if len(crashes) >= policy.crashes:
            return None
        if ran_seconds >= policy.healthy_seconds:
            self._pause = policy.first_seconds
        pause = self._pause
        self._pause = min(pause * 2, policy.longest_seconds)
        return pause


class Supervised:
    """A component of a live app in a process of its own, which is started again when it dies.

    Until it was ready once, its death is an error: somebody sits there and can mend it.

    Args:
        component: The one that it is.
        make_child: Makes its process.
        on_line: Told when it died and is started again, with its name.
        policy: When to start it again.
        pause: Waits for some seconds.
    """

    def __init__(
        self,
        component: Component,
        make_child: Callable[[], Child],
        on_line: Callable[[str, str], None],
        policy: RestartPolicy | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.component = component
        self._make_child = make_child
        self._on_line = on_line
        self._policy = policy or RestartPolicy()
        self._pause = pause
        self._child = make_child()
        self._is_ready = False
        self._stopping = False
        self.restarts = 0
        """How often it was started again."""

    @property
    def process(self) -> int:
        """Number of its process; 0 when none runs."""
        return self._child.process

    async def start(self) -> None:
        """Start the process; it is not ready yet when this returns."""
        await self._child.start()

    def ready(self) -> None:
        """Take note that it is ready; from the first time on it is started again."""
        if self._is_ready:
            self._on_line(self.component.name, "is ready again")
        self._is_ready = True

    async def run(self) -> None:
        """Start it again whenever it dies, until it is stopped.

        Raises:
            CrashLoopError: It died too often.
            DeployError: It died before it was ready for the first time, or cannot be started.
        """
        now = asyncio.get_running_loop().time
        backoff = Backoff(self._policy)
        name = self.component.name
        while True:
            began = now()
            how = await self._child.ended()
            if self._is_over():
                return
            if not self._is_ready:
                raise DeployError(f"{name!r} {how} before the run did: its output is above")
            seconds = backoff.crashed(now() - began, now())
            if seconds is None:
                count, window = self._policy.crashes, self._policy.window_seconds
                raise CrashLoopError(
                    f"{name!r} {how}, {count} times within {window:g} s: the run ends, since "
                    "starting it again does not help; its output is above"
                )
            self._on_line(name, f"{how}; it is started again in {seconds:g} s")
            await self._pause(seconds)
            if self._is_over():
                return
            self._child = self._make_child()
            self.restarts += 1
            await self._child.start()

    def _is_over(self) -> bool:
        # Others set it while this one waits, which a type checker cannot know.
        return self._stopping

    def expect_end(self) -> None:
        """From now on it may end."""
        self._stopping = True
        self._child.expect_end()

    async def stop(self) -> None:
        """End the process."""
        self._stopping = True
        await self._child.stop()

    def kill(self) -> None:
        """End the process at once."""
        self._stopping = True
        self._child.kill()
