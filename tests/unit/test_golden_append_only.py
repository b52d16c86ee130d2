"""The golden vectors are a promise to what is already written: files are added, never changed."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from tools import need_program

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = ("documented", "later")
MANIFEST = GOLDEN / "manifest.sha256"


def _removed_lines(folder: Path, name: str) -> list[str]:
    """Return the lines that any commit took out of a file, oldest history included."""
    git = need_program("git")
    command = [git, "log", "--format=", "--patch", "--unified=0", "-m", "--first-parent", "--"]
    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return [line for line in lines if line.startswith("-") and not line.startswith("---")]


def test_golden_files_are_the_ones_in_the_manifest() -> None:
    files = [path for folder in FOLDERS for path in (GOLDEN / folder).rglob("*") if path.is_file()]
    found = {
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(GOLDEN).as_posix()}"
        for path in files
    }
    listed = MANIFEST.read_text().splitlines()
    assert len(listed) == len(set(listed)) > 20
    assert found == set(listed)


def test_manifest_has_lost_no_line_since_it_began() -> None:
    git = need_program("git")
    ask = [git, "rev-parse", "--is-inside-work-tree"]
    if subprocess.run(ask, cwd=GOLDEN, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout, so there is no history to hold the manifest against")
    committed = [git, "show", f"HEAD:./{MANIFEST.name}"]
    before = subprocess.run(committed, cwd=GOLDEN, capture_output=True, text=True, check=True)
    assert set(before.stdout.splitlines()) <= set(MANIFEST.read_text().splitlines())
    assert _removed_lines(GOLDEN, MANIFEST.name) == []


def test_line_taken_out_of_a_manifest_is_seen(tmp_path: Path) -> None:
    git = need_program("git")

    def run(*arguments: str) -> None:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run([git, *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    run("init", "--quiet")
    for number, text in enumerate(("one\n", "one\ntwo\n", "two\nthree\n")):
        (tmp_path / "manifest").write_text(text)
        run("add", "manifest")
        run("commit", "--quiet", "--message", str(number))
    assert _removed_lines(tmp_path, "manifest") == ["-one"]
