"""The mutation tool: which changes it makes, and what it says of tests that find none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mutation import mutants

TESTS = Path(__file__).parents[1]
SOURCE = '''
"""Text - 1."""
from enum import Enum

class Side(Enum):
    BUY = "buy"
    SELL = "sell"

def f(a: int, b: int = 2) -> bool:
    """Text - 2."""
    _log.warning("x %s", a + 3)
    if not a and b is not None:
        raise ValueError(a)
    g(a, b)
    return max(a, b) <= -a
'''


def test_each_change_is_one_edit_that_leaves_the_lines_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "PACKAGE", tmp_path)
    (tmp_path / "room.py").write_text(SOURCE)
    found = mutants.find_mutants(["room"])
    for mutant in found:
        changed = mutant.apply(SOURCE.encode()).decode()
        assert changed.count("\n") == SOURCE.count("\n")
        compile(changed, "room.py", "exec")
    assert sorted(mutant.lines() for mutant in found) == sorted(
        [
            ("def f(a: int, b: int = 2) -> bool:", "def f(a: int, b: int = 3) -> bool:"),
            ("if not a and b is not None:", "if not (not a and b is not None):"),
            ("if not a and b is not None:", "if (a) and b is not None:"),
            ("if not a and b is not None:", "if not a or b is not None:"),
            ("if not a and b is not None:", "if not a and b is None:"),
            ("raise ValueError(a)", "pass"),
            ("g(a, b)", "pass"),
            ("g(a, b)", "g(b, a)"),
            ("return max(a, b) <= -a", "return None"),
            ("return max(a, b) <= -a", "return max(a, b) < -a"),
            ("return max(a, b) <= -a", "return min(a, b) <= -a"),
            ("return max(a, b) <= -a", "return max(a, b) <= (a)"),
        ]
    )


def test_member_of_an_enum_becomes_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "PACKAGE", tmp_path)
    (tmp_path / "room.py").write_text(f"{SOURCE}\nside = Side.SELL\n")
    assert ("side = Side.SELL", "side = Side.BUY") in [
        mutant.lines() for mutant in mutants.find_mutants(["room"])
    ]


def test_tool_counts_what_the_tests_find_and_fails_below_the_minimum(tmp_path: Path) -> None:
    options = ["--rooms", "state/user_state", "-n", "6", "--seed", "5", "--tests", "unit/state"]
    ran = subprocess.run(
        [sys.executable, "-m", "mutation", *options, "--min", "101", "--cache", str(tmp_path)],
        check=False,
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=110,
    )
    said = ran.stdout + ran.stderr
    (row,) = [line for line in ran.stdout.splitlines() if line.startswith("| state/user_state |")]
    every, found, judged, missed = (int(cell) for cell in row.split("|")[2:6])
    assert every == 6, said
    assert found + judged + missed == 6, said
    assert found >= 3, said
    assert ran.stdout.count("  found: unit/state/test_saving_state.py::") == found, said
    assert ran.returncode == 1, said
