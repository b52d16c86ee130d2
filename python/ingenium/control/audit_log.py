"""Writes down every control action: who, when, what, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ingenium.clock import SystemClock
from ingenium.control.callers import Caller
from ingenium.private_files import make_folder, open_private

__all__ = ["AuditLog"]

_MOST = 2000


class AuditLog:
    """A file of JSON lines that only its owner may read.

    Args:
        path: The file; it is appended to.
        now: Returns the current time, UTC; the system's clock when left out.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] | None = None) -> None:
        self.path = path
        self._now = now or SystemClock().now

    def write(self, caller: Caller, method: str, request: str, outcome: str) -> None:
        """Append a line.

        Args:
            caller: Who has called.
            method: Service and method.
            request: The request as JSON; cut at 2000 characters.
            outcome: ``"ok"``, or a code with the error.

        Raises:
            OSError: The line cannot be written.
        """
        line = {
            "time": self._now().isoformat(),
            "user": caller.user,
            "role": caller.role.name.lower(),
            "address": caller.address,
            "method": method,
            "request": request[:_MOST],
            "outcome": outcome[:_MOST],
        }
        make_folder(self.path.parent)
        descriptor = open_private(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, f"{json.dumps(line)}\n".encode())
        finally:
            os.close(descriptor)
