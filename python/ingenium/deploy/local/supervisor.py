"""Starts a program again that has died, a little later each time, and gives up on one in a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ingenium.backoff import Backoff, RestartPolicy
from ingenium.components import Component, External, Ingestor
from ingenium.deploy.local.child_process import Child, how_of
from ingenium.errors import DeployError, FeedError

__all__ = ["FEED_FAILED", "Backoff", "CrashLoopError", "RestartPolicy", "Supervised"]


FEED_FAILED = 3
"""Exit code of an ingestor's process whose feed is not to be started again."""
_ARRIVE_POLL_SECONDS = 0.05
_ARRIVE_POLLS = 20


class CrashLoopError(DeployError):
    """A program dies again and again: whatever it does may be half done."""


class Supervised:
    """A component of a live app in a process of its own, which is started again when it dies.

    Until it was ready once, its death is an error: somebody sits there and can mend it. A foreign
    ingestor that ends with 0 after it was ready has sent all its data, and is left at that.

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
        self.on_finished: Callable[[], None] = lambda: None
        """Called when it has ended as it may, and is expected no more."""
        self.may_end = False
        """Whether it is an ingestor that is not started again when it has ended with 0."""
        self.expectation = ""
        """What it was to do, for the error when it ends before it was ready."""

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

    @property
    def is_ready(self) -> bool:
        """Whether it was ready once."""
        return self._is_ready

    async def run(self) -> None:
        """Start it again whenever it dies, until it is stopped, or has ended as it may.

        Raises:
            CrashLoopError: It died too often.
            FeedError: It is an ingestor that cannot go on, as it says itself.
            DeployError: It died before it was ready for the first time, or cannot be started.
        """
        now = asyncio.get_running_loop().time
        backoff = Backoff(self._policy)
        name = self.component.name
        while True:
            began = now()
            code = await self._child.wait()
            if self._is_over():
                return
            how = how_of(code)
            if code == FEED_FAILED and isinstance(self.component, Ingestor):
                raise FeedError(f"{name!r} has failed: its output is above")
            if code == 0 and await self._was_all():
                if self.may_end:
                    return
                self._on_line(name, f"{how}: it has sent what it had, and is not started again")
                self.on_finished()
                await asyncio.Event().wait()
            if not self._is_ready:
                raise DeployError(
                    f"{name!r} {how} before the run did: its output is above{self.expectation}"
                )
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

    async def _was_all(self) -> bool:
        """Whether the program was one that may end: an ingestor that has no more data."""
        if not isinstance(self.component, External):
            return self.may_end
        if self.component.role != "ingestor":
            return False
        # What it has sent may still be on its way.
        for _ in range(_ARRIVE_POLLS):
            if self._is_ready:
                break
            await asyncio.sleep(_ARRIVE_POLL_SECONDS)
        return self._is_ready

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
