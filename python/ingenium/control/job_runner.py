"""Starts the process of a job, hears its progress, and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingenium.private_files import make_folder

__all__ = ["ENVIRONMENT", "run_job"]

ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""Variables that reach a job: no broker keys, credentials or settings of the server."""

_STOP_SECONDS = 2.0


async def run_job(
    job: Mapping[str, Any], folder: Path, on_said: Callable[[Mapping[str, Any]], None]
) -> str:
    """Run a job in a process of its own, which ends if this is cancelled.

    Args:
        job: See `ingenium.control.job_process`.
        folder: Receives its files.
        on_said: Receives its progress.

    Returns:
        Why it has failed; empty on success.

    Raises:
        OSError: The process cannot be started.
    """
    make_folder(folder)
    asked = json.dumps({**job, "folder": str(folder)}).encode()
    with (folder / "output.txt").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{__package__}.job_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
    error = ""
    try:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(asked)
        process.stdin.close()
        async for line in process.stdout:
            said: Mapping[str, Any] = json.loads(line)
            error = said.get("error", error)
            on_said(said)
        code = await process.wait()
    finally:
        await _end(process)
    if code and not error:
        return f"its process ended with code {code}: see {folder / 'output.txt'}"
    return error


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and all that it has started."""
    for number in (15, 9):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), _STOP_SECONDS)
