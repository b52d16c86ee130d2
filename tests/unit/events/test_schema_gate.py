"""``buf breaking`` against the last release refuses what would break readers of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def _breaking(folder: Path) -> subprocess.CompletedProcess[str]:
    buf = Path(sys.executable).with_name("buf")
    against = str(TOP / "proto" / "release.binpb")
    return subprocess.run(
        [buf, "breaking", "--against", against],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A copy of the schemas to break."""
    shutil.copy(TOP / "buf.yaml", tmp_path)
    shutil.copytree(TOP / "proto", tmp_path / "proto")
    return tmp_path


def test_schemas_as_they_are_break_nothing(schemas: Path) -> None:
    done = _breaking(schemas)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("string symbol = ", "bytes symbol = ", "changed type"),
        ('json_name = "Symbol"', 'json_name = "Ticker"', "json_name"),
        ("message SignalEvent {", "message OpinionEvent {", "SignalEvent"),
    ],
)
def test_planted_break_is_refused(schemas: Path, before: str, after: str, said: str) -> None:
    path = schemas / "proto" / "ingenium" / "v1" / "events.proto"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    done = _breaking(schemas)
    assert done.returncode != 0
    assert said in done.stdout
