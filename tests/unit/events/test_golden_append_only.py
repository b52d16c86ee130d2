"""The golden vectors are a promise to what is already written: files are added, never changed."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from support.tools import check_append_only, need_program, removed_lines

GOLDEN = Path(__file__).parents[2] / "golden"
FOLDERS = ("documented", "later", "original")
MANIFEST = GOLDEN / "manifest.sha256"


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
    check_append_only(MANIFEST)


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
    assert removed_lines(tmp_path / "manifest") == ["-one"]
