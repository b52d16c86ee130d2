"""docs/live.md, done as a reader does it, with bars that come faster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import Running, running, until

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs/live.md"
ENVIRONMENT = {
    "LIVE_SECONDS": "0.1",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}

# What differs from run to run; all else must be there as the page has it.
_VARIES = [
    (r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?", r"\\d{4}-\\d\\d-\\d\\d(T[\\d:.]+Z)?"),
    (r"order_\w+", r"order_\\w+"),
    (r"\b(ACME|BOLT|CRUX)\b", "(ACME|BOLT|CRUX)"),
    (r"\b(buy|sell)\b", "(buy|sell)"),
    (r"\b(Data|Execution|Signal)Event\b", r"\\w+Event"),
    (r"\b1s\b", "100ms"),
    (r"\b(fill|denial)s\b", r"\1s?"),
    (r"handled, ", r"handled, ([\\d,]+ waiting, )?"),
    (r"behind, ", r"behind, (outbox [\\d,]+, )?"),
    (r"[0-9a-f]{64}", r"[0-9a-f]{64}"),
    (r"no orders work, by the executor", r"(no orders work|.* working orders?), by the executor"),
]


def _pattern(line: str) -> re.Pattern[str]:
    """Return what a line of the page looks like in any run."""
    parts: list[str] = []
    rest = line.strip()
    while rest:
        for wanted, varying in [*_VARIES, (r"-?[\d,]*\d(\.\d+)?", r"-?[\\d,.]+")]:
            if match := re.match(wanted, rest):
                parts.append(match.expand(varying))
                rest = rest[match.end() :]
                break
        else:
            if rest[0].isspace():
                parts.append(r"\s+")
                rest = rest.lstrip()
            else:
                word = re.match(r"\w+|.", rest)
                assert word is not None
                parts.append(re.escape(word[0]))
                rest = rest[word.end() :]
    return re.compile("".join(parts))


def _missing(lines: list[str], text: str) -> list[str]:
    """Return the lines of the page that a text does not have."""
    found = [line.strip() for line in text.splitlines()]
    return [line for line in lines if not any(_pattern(line).match(each) for each in found)]


def _blocks() -> list[tuple[str, list[str]]]:
    """Return the kind and the lines of each block of the page with terminal output."""
    found = re.findall(
        r"^```(console|text)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return [(kind, [line for line in text.splitlines() if line.strip()]) for kind, text in found]


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
    (_, [start, *first]), *blocks = _blocks()
    assert start == "$ ingenium run examples/live/app.py --processes"

    def shows(run: Running, lines: list[str]) -> None:
        until(lambda: not _missing(lines, run.out + run.err), f"{lines} in the first terminal")

    with running(*start.split()[2:], cwd=tmp_path, env=ENVIRONMENT) as run:
        shows(run, first)
        done = 0
        for kind, lines in blocks:
            if kind == "console":
                command, *expected = lines
                text = _do(command.removeprefix("$ "), tmp_path)
                assert not _missing(expected, text), f"{command}\n{text}"
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
