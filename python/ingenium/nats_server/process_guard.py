"""Commands that do not outlive the process that starts them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["guarded"]

_GUARD = Path(__file__).with_name("_process_guard_main.py")


def guarded(command: Sequence[str], *, end_seconds: float, lock: int = -1) -> list[str]:
    """Return the command that runs another one under a guard.

    Start it with its standard input as a pipe and in a session of its own. When that pipe is
    closed, or the process that holds it ends in whatever way, the guard ends the program.

    Args:
        command: Program and arguments.
        end_seconds: How long the program may take to end in order.
        lock: File descriptor of a lock that is to be held as long as the program lives; -1 for
            none.
    """
    # No site packages: it starts in a third of the time.
    return [sys.executable, "-I", "-S", str(_GUARD), str(end_seconds), str(lock), *command]
