"""Signals of processes that run backtests: the parent handles Ctrl+C and SIGTERM."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import FrameType

__all__ = ["follow_parent", "without_interrupts"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Defer Ctrl+C and SIGTERM until a block of code is done.

    An exception while a process is starting or ending would leak the process or its semaphores.
    Processes started in the block leave Ctrl+C to this one from the start: they inherit the
    blocked signals, since `follow_parent` is called only after their imports.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Starting it unblocks Ctrl+C, so that the first worker would start without the mask below.
    resource_tracker.ensure_running()
    arrived: list[int] = []

    def defer(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    # A mask alone is not enough: another thread may receive the signal, and its handler still runs
    # in this one. Signals that are ignored or end the process at once are not changed.
    handlers = {each: signal.getsignal(each) for each in _NUMBERS}
    deferred = {each: handler for each, handler in handlers.items() if callable(handler)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    for each in deferred:
        signal.signal(each, defer)
    try:
        yield
    finally:
        for each, handler in deferred.items():
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if arrived:
            signal.raise_signal(arrived[0])


def follow_parent() -> None:
    """Leave Ctrl+C to the parent, and end when the parent ends, for any reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
