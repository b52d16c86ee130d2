"""Builds the Go programs of the interop tests, once a run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.tools import need_program

TOP = Path(__file__).parents[2]
REFUSED = "the Go module proxy refuses github.com/markwinter/ingenium"

GoBuild = Callable[[str], Path]


@pytest.fixture(scope="session")
def go_build(tmp_path_factory: pytest.TempPathFactory) -> GoBuild:
    """Build a package, given by its folder below the top, and return the program."""
    go = need_program("go")
    folder = tmp_path_factory.mktemp("go")
    built: dict[str, Path] = {}

    def build(package: str) -> Path:
        if package not in built:
            program = folder / package.replace("/", "-")
            done = subprocess.run(
                [go, "build", "-o", str(program), "."],
                cwd=TOP / package,
                capture_output=True,
                text=True,
                timeout=280,
                check=False,
            )
            # The only thing that this project does not hold and may not get.
            if done.returncode and "github.com/markwinter/ingenium@" in done.stderr:
                pytest.skip(REFUSED)
            assert done.returncode == 0, done.stderr
            built[package] = program
        return built[package]

    return build
