"""Ctrl+C while the command line is still being imported ends it without a traceback.

What comes earlier is Python's own start, some 20 ms, in which Python prints its own traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise
from types import FrameType

_CODE = 130


def _end_quietly() -> None:
    """End at once on Ctrl+C, if this process is the ``ingenium`` command.

    `ingenium.cli.main` puts the usual handler back. Another program that imports the package keeps
    its own.
    """
    if not _is_command() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _end)


def _is_command() -> bool:
    arguments = sys.orig_argv
    is_module = any(pair == ("-m", "ingenium") for pair in pairwise(arguments))
    return is_module or os.path.basename(sys.argv[0] if sys.argv else "") == "ingenium"  # noqa: PTH119


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(_CODE)


_end_quietly()
