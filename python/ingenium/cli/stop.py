"""Handle SIGTERM like Ctrl+C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["INTERRUPTED", "asked_to_stop"]

INTERRUPTED = 130
"""Exit code of a command stopped by Ctrl+C or SIGTERM."""


@contextmanager
def asked_to_stop() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGTERM, so that finished work is printed and kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: object) -> None:
        # Raised as SIGINT, for which a running event loop has its own handler.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
