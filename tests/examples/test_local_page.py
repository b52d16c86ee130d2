"""docs/local.md, done as a reader does it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.shown_page import terminal_blocks

from ingenium.deploy.local.run_file import local_run

TOP = Path(__file__).parents[2]
ENVIRONMENT = {
    "COLUMNS": "160",
    # No bar arrives while the page is done, so that each line of the log is known.
    "LIVE_SECONDS": "60",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}


def _words(line: str) -> list[str]:
    """Return the words of a line without what differs from run to run."""
    return re.sub(r"\d+ (?:s|min|MiB)|\d+", "#", line).split()


@pytest.mark.timeout(180)
def test_page_shows_what_happens(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(TOP / "examples")
    blocks = [lines for kind, lines in terminal_blocks(TOP / "docs/local.md") if kind == "console"]
    assert [block[0].split()[2] for block in blocks] == ["run", "ps", "logs", "stop", "deploy"]
    try:
        for command, *shown in blocks:
            done = subprocess.run(
                ["sh", "-c", command.removeprefix("$ ")],
                cwd=tmp_path,
                env={
                    k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))
                }
                | ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            text = done.stdout + done.stderr
            assert done.returncode == 0, text
            said = [_words(line) for line in text.splitlines()]
            for line in shown:
                assert _words(line) in said, f"{command}\n{text}"
    finally:
        run, lives = local_run(tmp_path / ".ingenium/live")
        if run is not None and lives:
            os.kill(run.process, signal.SIGKILL)
