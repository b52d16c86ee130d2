"""What several tests share: programs of this machine that they need."""

from __future__ import annotations

import os
import shutil

import pytest


def need_program(name: str) -> str:
    """Return the path of a program; skip the test without it, or fail it when run by CI.

    Args:
        name: The program as one would type it, ``"go"``.
    """
    path = shutil.which(name)
    if path is None:
        problem = f"{name} is not on PATH, and this test runs real {name} code"
        if os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    return path
