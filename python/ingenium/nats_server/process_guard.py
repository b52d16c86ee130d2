"""Wrap commands so that they do not outlive the process that starts them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["guarded"]

_GUARD = Path(__file__).with_name("_process_guard_main.py")


def guarded(command: Sequence[str], *, end_seconds: float, lock: int = -1) -> list[str]:
    """Return the command that runs another one under a guard.

    Start it in its own session with standard input as a pipe. When the pipe closes, or the process
    that holds it ends in any way, the guard ends the program.

    Args:
        command: Program and arguments.
        end_seconds: Time for an orderly end of the program.
        lock: File descriptor of a lock to hold while the program lives; -1 for none.
    """
    # Without site packages the start takes a third of the time.
    return [sys.executable, "-I", "-S", str(_GUARD), str(end_seconds), str(lock), *command]
