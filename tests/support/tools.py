"""What several tests share: programs of this machine that they need, and files only added to."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

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


def need_module(name: str) -> None:
    """Skip the test without a Python module, or fail it when run by CI."""
    if importlib.util.find_spec(name) is None:
        problem = f"the module {name} is not installed: pip install 'ingenium[codegen]'"
        if os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)


def removed_lines(file: Path) -> list[str]:
    """Return the lines that any commit took out of a file, oldest history included."""
    git = need_program("git")
    command = [git, "log", "--format=", "--patch", "--unified=0", "-m", "--first-parent", "--"]
    done = subprocess.run(
        [*command, file.name], cwd=file.parent, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    return [line for line in lines if line.startswith("-") and not line.startswith("---")]


def check_append_only(file: Path) -> None:
    """Fail when a line of a file is gone; skip the test outside of a git checkout."""
    git = need_program("git")
    ask = [git, "rev-parse", "--is-inside-work-tree"]
    if subprocess.run(ask, cwd=file.parent, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout, so there is no history to hold the file against")
    committed = [git, "show", f"HEAD:./{file.name}"]
    before = subprocess.run(committed, cwd=file.parent, capture_output=True, text=True, check=False)
    # A file that is not committed yet has lost nothing.
    assert set(before.stdout.splitlines()) <= set(file.read_text().splitlines())
    assert removed_lines(file) == []
