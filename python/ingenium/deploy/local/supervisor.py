"""Restarts crashed programs with growing delays, and gives up on a crash loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ingenium.backoff import RestartPolicy, Restarts
from ingenium.components import Component, External, Ingestor
from ingenium.deploy.local.child_process import Child, how_of
from ingenium.errors import DeployError, FeedError

__all__ = ["FEED_FAILED", "CrashLoopError", "RestartPolicy", "Supervised"]


FEED_FAILED = 3
"""Exit code of an ingestor's process whose feed must not be restarted."""
_ARRIVE_POLL_SECONDS = 0.05
_ARRIVE_POLLS = 20


class CrashLoopError(DeployError):
    """A program crashes repeatedly, and may have left its work unfinished."""


class Supervised:
    """Component of a live app in its own process, restarted after a crash.

    A crash before the component was ready for the first time is an error, since the user is present
    and can fix it. A foreign ingestor that exits with 0 after it was ready has sent all its data,
    and is not restarted.

    Args:
        component: The one that it is.
        make_child: Creates the process.
        on_line: Receives name and text on a crash and a restart.
        policy: Restart policy.
        pause: Sleeps for some seconds.
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
        self.is_stopped = False
        """Whether an operator has stopped the component, which is not restarted then."""
        self.restarts = 0
        """Number of restarts."""
        self.on_finished: Callable[[], None] = lambda: None
        """Called after a permitted end."""
        self.may_end = False
        """Whether the component is an ingestor that may exit with 0."""
        self.expectation = ""
        """What the program must do, for the error when it ends before it was ready."""
        self.on_started: Callable[[], None] = lambda: None
        """Called after each start of a process."""
        self._change: asyncio.Event | None = None
        self._is_changed = False
        self._up = asyncio.Event()

    @property
    def process(self) -> int:
        """Process id; 0 when not running."""
        return self._child.process

    async def start(self) -> None:
        """Start the process; the component is not ready yet on return."""
        self._up.clear()
        await self._child.start()
        self.on_started()

    def ready(self) -> None:
        """Record that the component is ready; later crashes lead to a restart."""
        if self._is_ready:
            self._on_line(self.component.name, "is ready again")
        self._is_ready = True
        self._is_changed = False
        self._up.set()

    @property
    def awaits_change(self) -> bool:
        """Whether the component is down until `start_changed` is called."""
        return self._is_held()

    async def stop_for_change(self) -> None:
        """End the process as at a stop; `run` goes on waiting for `start_changed`."""
        if self._change is None:
            self._change = asyncio.Event()
            await self._child.stop()

    async def start_changed(self, timeout_seconds: float) -> bool:
        """Start the component with its new code.

        From then on until it is ready, a crash waits for the next change instead of ending the run.

        Args:
            timeout_seconds: How long to wait until it is ready; 0 to return at once.

        Returns:
            Whether it became ready in this time.
        """
        self._up.clear()
        self._is_changed = True
        if self._change is not None:
            self._change.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    @property
    def is_ready(self) -> bool:
        """Whether the component was ready at least once."""
        return self._is_ready

    async def run(self) -> None:
        """Restart the component after each crash, until it is stopped or has ended as permitted.

        Raises:
            CrashLoopError: The component crashed too often.
            FeedError: An ingestor reported that it cannot continue.
            DeployError: The component crashed before it was ready for the first time, or cannot
                be started.
        """
        now = asyncio.get_running_loop().time
        restarts = Restarts(self._policy)
        name = self.component.name
        while True:
            began = now()
            code = await self._child.wait()
            if self._is_over():
                return
            how = how_of(code)
            if self._is_changed and not self._is_held():
                self._on_line(
                    name,
                    f"{how} before it was ready; it is started again with the next "
                    "change of its code",
                )
                self._change = asyncio.Event()
            if self._is_held():
                await self._start_after_change()
                continue
            if code == FEED_FAILED and isinstance(self.component, Ingestor):
                raise FeedError(f"{name!r} has failed: its output is above")
            if code == 0 and await self._was_all():
                if self.may_end:
                    return
                self._on_line(name, f"{how}: all its data is sent, so it is not restarted")
                self.on_finished()
                await asyncio.Event().wait()
            if not self._is_ready:
                raise DeployError(
                    f"{name!r} {how} before the run did: its output is above{self.expectation}"
                )
            seconds = restarts.crashed(now() - began, now())
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
            if self._is_held():
                await self._start_after_change()
                continue
            self._child = self._make_child()
            self.restarts += 1
            await self.start()

    async def _start_after_change(self) -> None:
        if self._change is not None:
            await self._change.wait()
        self._change = None
        self._child = self._make_child()
        await self.start()

    async def _was_all(self) -> bool:
        """Whether the program was permitted to end: an ingestor without further data."""
        if not isinstance(self.component, External):
            return self.may_end
        if self.component.role != "ingestor":
            return False
        # Its last messages may still be in transit.
        for _ in range(_ARRIVE_POLLS):
            if self._is_ready:
                break
            await asyncio.sleep(_ARRIVE_POLL_SECONDS)
        return self._is_ready

    def _is_over(self) -> bool:
        # Set by other tasks during the wait, which a type checker cannot know.
        return self._stopping

    def _is_held(self) -> bool:
        # As `_is_over`.
        return self._change is not None

    def expect_stop(self) -> None:
        """Treat the end of the process as that of an operator's command."""
        self.is_stopped = True
        self.on_finished()
        self.expect_end()

    def expect_end(self) -> None:
        """Treat the end of the process as expected from here on."""
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
