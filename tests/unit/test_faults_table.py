"""docs/faults.md names a test for each fault, or says why there is none; this keeps it true."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBERS = {
    *(str(number) for number in range(1, 66)),
    *("41b", "44b", "46b", "47b", "48b", "50b"),
    *(f"61{letter}" for letter in "bcdef"),
}
REASONS = ("not run:", "waits:")


def _rows() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "faults.md").read_text()
    found = re.findall(r"^\| (\d+[b-f]?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [(number, what, proof) for number, what, proof in found]


@cache
def _tests() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(f"{path.stem}::{node.name}")
    return found


def test_table_has_each_fault_once() -> None:
    numbers = [number for number, _, _ in _rows()]
    assert sorted(numbers) == sorted(NUMBERS)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_fault_has_a_test_that_exists_or_a_reason(row: tuple[str, str, str]) -> None:
    _, what, proof = row
    assert what
    named = re.findall(r"`(\w+::\w+)`", proof)
    if not named:
        assert proof.startswith(REASONS), proof
        assert len(proof) > 20
    missing = set(named) - _tests()
    assert not missing
