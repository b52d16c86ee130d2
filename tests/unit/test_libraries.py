"""The libraries for other languages: what a registry asks for, and how short a strategy is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from ingenium._version import __version__

TOP = Path(__file__).parents[2]
LONGEST = 40
LANGUAGES = ("go", "java", "rust", "typescript")
ROW = re.compile(r"^\|.*\]\(\.\./(examples/[^)]+)\) \| (\d+) \|$", re.MULTILINE)


def _lines_of_code(path: Path) -> int:
    """Count lines, blank ones and comments left out: no example has code beside a comment."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    return sum(
        bool(line.strip()) and not line.strip().startswith("//") for line in text.split("\n")
    )


def test_strategies_on_the_libraries_have_the_lines_that_the_page_says_and_40_at_most() -> None:
    rows = ROW.findall((TOP / "docs" / "libraries.md").read_text())
    assert len(rows) == len(LANGUAGES)
    for name, count in rows:
        lines = _lines_of_code(TOP / name)
        print(f"{name}: {lines} lines")
        assert lines == int(count), name
        assert lines <= LONGEST, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_library_has_licence_and_readme(language: str) -> None:
    folder = TOP / language
    assert (folder / "LICENSE").read_text() == (TOP / "LICENSE").read_text()
    assert "docs/libraries.md" in (folder / "README.md").read_text()


def test_libraries_have_the_version_of_the_python_package() -> None:
    rust = tomllib.loads((TOP / "rust" / "Cargo.toml").read_text())["package"]
    npm = json.loads((TOP / "typescript" / "package.json").read_text())
    java = re.search(r"<version>(.*?)</version>", (TOP / "java" / "pom.xml").read_text())
    assert java
    assert (rust["version"], npm["version"], java[1]) == (__version__,) * 3
    assert (rust["license"], npm["license"]) == ("Apache-2.0", "Apache-2.0")


def test_examples_hold_no_generated_code_of_their_own() -> None:
    generated = [
        path
        for pattern in ("*.pb.go", "*_pb.ts", "*Event.java", "*ingenium.v1.rs")
        for path in (TOP / "examples").rglob(pattern)
        if "node_modules" not in path.parts and "target" not in path.parts
    ]
    assert generated == []
