"""``ingenium run --dashboard``, and the comparison of a live run with its backtest by the page."""

from __future__ import annotations

import signal
import socket
import sqlite3
from pathlib import Path

import pytest
from integration.test_parity_command import APP, FILLS, SIGNALS
from support.control_plane import ControlClient, wait_for_file
from support.running import ingenium, running, until


@pytest.mark.timeout(150)
def test_run_starts_a_control_plane_that_compares_it_and_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    access = tmp_path / ".ingenium" / "control.json"
    with running("run", "app.py", "--record", "--quiet", "--dashboard", cwd=tmp_path) as app:
        app.until_line("is ready")
        app.until_line("/login?token=")
        wait_for_file(access)
        plane = ControlClient(tmp_path, app, app.out.strip())

        def fills() -> int:
            with sqlite3.connect(tmp_path / ".ingenium" / "walk" / "record.db") as database:
                query = "select count(*) from executions where booked = 1"
                return int(database.execute(query).fetchone()[0])

        until(lambda: fills() == FILLS, f"{FILLS} fills in the recording")
        found = plane.call("ParityService/GetParity", "operate")
        assert found["share"] == 1
        counts = {each["kind"]: int(each["equal"]) for each in found["counts"]}
        assert counts == {"signal": SIGNALS, "order": SIGNALS, "fill": FILLS}
        assert int(found["fills"]) == FILLS
        assert "divergences" not in found
        assert len(found["eventsDigest"]) == 64
        refused = plane.post("ParityService/GetParity", runId="none")
        assert (refused.status, refused.code) == (400, "failed_precondition")
        app.send(signal.SIGINT)
        assert app.wait().code == 0, app.err
    assert not access.exists()
    with pytest.raises(ConnectionRefusedError):
        plane.request("GET", "/")


def test_dashboard_without_its_packages_says_the_cure(tmp_path: Path) -> None:
    (tmp_path / "zttp.py").write_text("raise ModuleNotFoundError('no zttp', name='zttp')")
    ended = ingenium("dashboard", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 2
    assert "pip install 'ingenium[dashboard]'" in ended.err
    assert "'zttp'" in ended.err


def test_taken_port_and_missing_server_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = ingenium("dashboard", "--port", port, cwd=tmp_path)
        assert ended.code == 2
        assert f"port {port} cannot be used" in ended.err
    ended = ingenium("dashboard", "--url", cwd=tmp_path)
    assert ended.code == 2
    assert "no control plane runs with the data folder" in ended.err
