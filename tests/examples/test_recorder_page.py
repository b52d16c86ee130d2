"""docs/recorder.md: its Python runs on a recording of a live app, and its commands are there."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium import recorder
from ingenium.recorder.schema import METADATA

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "recorder.md").read_text("utf-8")


def test_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    url = tmp_path / ".ingenium" / "live" / "record.db"
    with running("run", "app.py", "--record", "--quiet", cwd=tmp_path) as live:
        live.until_line("is ready")
        until(lambda: url.is_file() and _fills(url) > 3, "fills in the recording")
        live.send(signal.SIGINT)
        live.wait()
    monkeypatch.chdir(tmp_path)
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "docs/recorder.md", "exec"), names)
    assert "AAPL" in capsys.readouterr().out
    assert list(getattr(names["frame"], "columns", ())) == [
        "time", "symbol", "side", "quantity", "price", "commission", "order_id", "id", "stream",
        "sequence",
    ]  # fmt: skip


def _fills(url: Path) -> int:
    with recorder.open(str(url)) as records:
        return len(records.transactions())


def test_tables_of_the_page_are_those_of_the_schema() -> None:
    section = PAGE.split("\n## Tables\n")[1]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    # `books` is the recorder's own state.
    assert sorted(named) == sorted(set(METADATA.tables) - {"books"})


def test_commands_of_the_page_are_there(tmp_path: Path) -> None:
    commands = set(re.findall(r"^\| `ingenium (\w+)([^`]*)`", PAGE, re.MULTILINE))
    assert len(commands) > 8
    for command in {command for command, _ in commands}:
        shown = ingenium(command, "--help", cwd=tmp_path).out
        for flag in {flag for name, rest in commands if name == command
                     for flag in re.findall(r"--[a-z]+", rest)}:  # fmt: skip
            assert flag in shown
