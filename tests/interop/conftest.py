"""Builds the Go programs of the interop tests, once a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.go_programs import build_go

REFUSED = "the Go module proxy refuses github.com/markwinter/ingenium"

GoBuild = Callable[[str], Path]


@pytest.fixture(scope="session")
def go_build(tmp_path_factory: pytest.TempPathFactory) -> GoBuild:
    """Build a package, given by its folder below the top, and return the program."""
    folder = tmp_path_factory.mktemp("go")
    built: dict[str, Path] = {}

    def build(package: str) -> Path:
        if package not in built:
            program = folder / package.replace("/", "-")
            error = build_go(package, program)
            # The only thing that this project does not hold and may not get.
            if "github.com/markwinter/ingenium@" in error:
                pytest.skip(REFUSED)
            assert not error, error
            built[package] = program
        return built[package]

    return build
