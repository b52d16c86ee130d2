"""What the README and the pages beside it show works, and prints what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/architecture.md",
    "docs/backtest.md",
    "docs/brokers.md",
    "docs/components-in-python.md",
    "docs/exchange.md",
    "docs/live.md",
    "docs/risk.md",
    "docs/several-apps.md",
    "docs/telemetry.md",
    "docs/warm-up.md",
    "docs/wire-format.md",
]


def _blocks(page: str, language: str) -> list[str]:
    text = (TOP / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _run(command: list[str], cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment | {"COLUMNS": "80", "PATH": _path()},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(TOP / "examples")
    return tmp_path


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines() if line.strip()]


def test_readme_strategy_prints_what_the_readme_shows(folder: Path) -> None:
    [app] = [block for block in _blocks("README.md", "python") if "app = App(" in block]
    (folder / "app.py").write_text(app)
    shown = [block for block in _blocks("README.md", "console") if "ingenium run app.py" in block]
    [(command, expected)] = [block.split("\n", 1) for block in shown]
    assert command.startswith("$ ")
    assert _lines(_run(command[2:].split(), folder)) == _lines(expected)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{page}-{place}")
        for page in PAGES
        for place, block in enumerate(_blocks(page, "python"))
    ],
)
def test_block_of_a_page_runs(folder: Path, block: str) -> None:
    (folder / "block.py").write_text(block)
    output = _run([sys.executable, "block.py"], folder)
    if "print(" in block:
        assert "AAPL" in output
    if "app = App(" in block:
        _run([sys.executable, "-m", "ingenium", "run", "block.py"], folder)


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in [TOP / "README.md", TOP / "CONTRIBUTING.md", *(TOP / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            if not link.startswith(("http", "#")):
                assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


def test_readme_names_only_targets_that_make_has() -> None:
    makefile = (TOP / "Makefile").read_text("utf-8")
    for page in ["README.md", "CONTRIBUTING.md"]:
        text = (TOP / page).read_text("utf-8")
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_readme_stays_under_200_lines() -> None:
    assert len((TOP / "README.md").read_text("utf-8").splitlines()) < 200
