"""Builds Go programs of this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.tools import need_program

__all__ = ["build_go"]

TOP = Path(__file__).parents[2]


def build_go(package: str, program: Path, seconds: int = 280) -> str:
    """Build a package; skip the test without Go, or fail it when run by CI.

    Args:
        package: Its folder below the top.
        program: Where to write the program.
        seconds: Time limit.

    Returns:
        What the compiler says if it fails; empty on success.
    """
    done = subprocess.run(
        [need_program("go"), "build", "-trimpath", "-o", str(program), "."],
        cwd=TOP / package,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.stderr if done.returncode else ""
