"""docs/live.md, done as a reader does it, with bars that come faster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import Running, running, until
from support.shown_page import missing_lines, terminal_blocks

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs/live.md"
ENVIRONMENT = {
    "LIVE_SECONDS": "0.1",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}


def _do(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
        | ENVIRONMENT
        | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_page_shows_what_happens(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(TOP / "examples")
    (_, [start, *first]), *blocks = terminal_blocks(PAGE)
    assert start == "$ ingenium run examples/live/app.py --processes"

    def shows(run: Running, lines: list[str]) -> None:
        until(lambda: not missing_lines(lines, run.out + run.err), f"{lines} in the first terminal")

    with running(*start.split()[2:], cwd=tmp_path, env=ENVIRONMENT) as run:
        shows(run, first)
        done = 0
        for kind, lines in blocks:
            if kind == "console":
                command, *expected = lines
                text = _do(command.removeprefix("$ "), tmp_path)
                assert not missing_lines(expected, text), f"{command}\n{text}"
            elif lines[0].startswith("stopping"):
                run.send(signal.SIGINT)
                shows(run, lines)
                assert run.wait().code == 0
            else:
                shows(run, lines)
            if "halt " in lines[0]:
                until(lambda: "Z  DENIED  " in run.err, "an order that is denied")
            done += 1
        assert done == len(blocks) == 9
