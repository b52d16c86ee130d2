"""Test modules stay small enough to be read in one go."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
LONGEST = 500


def test_no_module_of_the_tests_has_more_than_500_lines() -> None:
    modules = [path for path in TESTS.rglob("*.py") if "build" not in path.parts]
    lengths = {path: len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 250
    assert [f"{path}: {lines}" for path, lines in lengths.items() if lines > LONGEST] == []
