"""Units that `ingenium deploy systemd` renders, read by systemd's own checker."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.live_app import APP
from support.running import ingenium

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: install systemd"
)


class _Unit(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _read(text: str) -> _Unit:
    unit = _Unit(strict=False)
    unit.read_string(text)
    return unit


def _verify(file: Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.returncode} {done.stderr}"


@needs_systemd
@pytest.mark.parametrize("name", ["app", 'my apps/a "b" 100% $HOME'])
def test_unit_is_valid_and_starts_the_app(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    made = ingenium("deploy", "systemd", "app.py:app", "--", "--record", cwd=folder)
    assert made.code == 0, made.err
    assert f"the data folder {folder / '.ingenium'} does not exist" in made.err
    file = tmp_path / "ingenium-live.service"
    file.write_text(made.out)
    assert _verify(file) == "0 "
    service = _read(made.out)["Service"]
    # What systemd reads: %% is %, $$ is $, and quotes as in a shell.
    words = shlex.split(service["ExecStart"].replace("%%", "%").replace("$$", "$"))
    assert words == [
        *(sys.executable, "-m", "ingenium", "run", f"{folder / 'app.py'}:app"),
        *("--processes", "--record"),
    ]
    assert service["WorkingDirectory"].replace("%%", "%") == str(folder)
    assert (service["Type"], service["KillMode"]) == ("notify", "mixed")
    # The check itself can fail.
    file.write_text(made.out.replace("KillMode=mixed", "KillMode=mild"))
    assert "Failed to parse kill mode" in _verify(file)


def test_unit_is_the_same_at_each_call_and_holds_no_variable(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    secret = {"NATS_SERVER": "nats://ann:hunter2@example.test:4222"}
    first = ingenium("deploy", "systemd", "app.py:app", cwd=tmp_path, env=secret)
    assert first.out == ingenium("deploy", "systemd", "app.py:app", cwd=tmp_path).out
    assert "hunter2" not in first.out + first.err
    assert "NATS_SERVER is set here and not in the unit" in first.err
    of_user = ingenium("deploy", "systemd", "app.py:app", "--user", "-o", ".", cwd=tmp_path)
    assert of_user.code == 0
    unit = _read((tmp_path / "ingenium-live.service").read_text())
    assert unit["Install"]["WantedBy"] == "default.target"
    assert "User" not in unit["Service"]


def test_history_has_no_unit(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("date,open,high,low,close,volume\n2024-01-02,1,1,1,1,1\n")
    (tmp_path / "app.py").write_text(
        "from ingenium import App\nfrom ingenium.ingestors import CsvIngestor\n"
        "app = App(ingestors=[CsvIngestor('bars.csv', symbol='A')])\n"
    )
    made = ingenium("deploy", "systemd", "app.py", cwd=tmp_path)
    assert (made.code, made.out) == (2, "")
    assert "app 'app' replays history, which ends by itself" in made.err
