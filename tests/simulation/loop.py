"""An event loop whose time is a number: it never waits, and runs the same way every time."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

__all__ = ["OWNER", "DeadlockError", "Owner", "SimLoop"]

_T = TypeVar("_T")
_TURN_SECONDS = 1e-6


class DeadlockError(AssertionError):
    """All tasks wait, and no timer will wake one."""


class Owner:
    """Whose code it is that runs: one life of a process.

    Attributes:
        frozen: Whether none of its code runs now, as after ``SIGSTOP``.
        tasks: All that it ever began.
        held: Callbacks that wait until it runs again.
    """

    def __init__(self) -> None:
        self.frozen = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.held: list[asyncio.Handle] = []


OWNER: ContextVar[Owner | None] = ContextVar("OWNER", default=None)
"""Tasks and callbacks inherit it from the code that begins them."""


class SimLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order in which they are due, and jumps to the next when none is.

    No sockets, threads, signals or child processes.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._time = 0.0
        self.frozen: set[Owner] = set()
        self.set_task_factory(_make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        """Return the virtual time in seconds; it begins at 0."""
        return self._time

    def run(self, main: Coroutine[None, None, _T]) -> _T:
        """Run a coroutine to its end, then end what it has left behind."""
        try:
            return self.run_until_complete(main)
        finally:
            self.frozen.clear()
            for task in sorted(asyncio.all_tasks(self), key=lambda task: task.get_name()):
                task.cancel()
            self.run_until_complete(_turns(10))
            self.close()

    def freeze(self, owner: Owner) -> None:
        """Run nothing of ``owner`` until `thaw`."""
        owner.frozen = True
        self.frozen.add(owner)

    def thaw(self, owner: Owner) -> None:
        """Run what was due meanwhile, and go on."""
        owner.frozen = False
        self.frozen.discard(owner)
        held, owner.held = owner.held, []
        self._ready.extend(held)

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not scheduled:
                raise DeadlockError(f"all wait for each other:\n{_describe(self)}")
            self._time = max(self._time, scheduled[0].when())
        # As on a real machine, no two turns are at the same time; some code waits for that.
        self._time += _TURN_SECONDS
        while scheduled and scheduled[0].when() <= self._time:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            ready.append(handle)
        for _ in range(len(ready)):
            due = ready.popleft()
            if due.cancelled():
                continue
            if self.frozen:
                owner = due._context.get(OWNER)  # type: ignore[attr-defined]
                if owner is not None and owner.frozen:
                    owner.held.append(due)
                    continue
            due._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: what is canceled is passed over when it is due."""

    def _asyncgen_finalizer_hook(self, agen: object) -> None:
        """Do nothing: when garbage is collected must not change what happens."""

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread speaks to the simulated loop")


def _make_task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any],
    *,
    context: Context | None = None,
    **more: Any,
) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, context=context, **more)
    owner = OWNER.get() if context is None else context.get(OWNER)
    if owner is not None:
        owner.tasks.append(task)
    return task


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _describe(loop: asyncio.AbstractEventLoop) -> str:
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return "\n".join(f"{task.get_name()}: {_place(task)}" for task in tasks)


def _place(task: asyncio.Task[Any]) -> str:
    stack: list[str] = []
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            stack.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return " > ".join(stack) or repr(task)
