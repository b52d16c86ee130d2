"""``ingenium halt``, ``reduce``, ``resume`` and ``status``, with and without a server."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.live_app import APP, status_in
from support.running import ingenium, running, until
from typer.testing import CliRunner, Result

from ingenium.cli.main import application
from ingenium.errors import ConfigError, StoreError
from ingenium.events import ContentType, TradingState
from ingenium.nats_server import running_servers
from ingenium.runtime.durable import Store
from ingenium.runtime.durable.kill_file import KillFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def _command(*arguments: str) -> Result:
    """Run a command in this process, which takes a fraction of the time of another one."""
    return CliRunner().invoke(application, list(arguments))


def _orders(folder: Path) -> int:
    """Count the orders that the executor has filled."""
    try:
        store = Store.read(folder / ".ingenium/live/state/fixed-quantity.db")
    except StoreError:
        return 0  # It is just being made.
    try:
        return int(json.loads(store.rows("account").get("account", b"{}")).get("bookings", 0))
    finally:
        store.close()


@pytest.mark.parametrize("content_type", ContentType)
def test_halt_reaches_stream_and_file_and_resume_takes_both_back(
    folder: Path, content_type: ContentType, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KillFile(folder / ".ingenium" / "live" / "HALT")
    env = {"INGENIUM_CONTENT_TYPE": content_type.value}
    with running("run", "app.py:app", cwd=folder, env=env) as it:
        until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
        until(lambda: (status_in(folder).stream_end or 0) > 5, "orders")
        before = status_in(folder)
        assert (before.trading, before.kill_file, before.said) == ("active", None, None)

        ended = ingenium("halt", "--reason", "odd \x1b[2J fills", "--json", cwd=folder)
        assert ended.code == 0, ended.err
        (done,) = json.loads(ended.out)["apps"]
        assert done["app"] == "live"
        assert (done["reached"], done["file_changed"], done["complete"]) == ("stream", True, True)
        assert file.state() is TradingState.HALTED

        status = status_in(folder)
        assert status.trading == "halted"
        assert status.said is not None
        assert status.kill_file is not None
        # A component that has seen the file may have said it once more.
        assert "odd \x1b[2J fills" in status.said.reason
        assert status.kill_file.reason == "odd \x1b[2J fills"
        assert "@" in status.kill_file.sender
        by_name = {each.name: each for each in status.components}
        assert set(by_name) == {"ticks", "turns", "fixed-quantity", "fill-all"}
        assert by_name["fixed-quantity"].role == "portfolio"
        assert (by_name["fixed-quantity"].offset or 0) > 0
        assert by_name["fill-all"].lives == 1
        monkeypatch.chdir(folder)
        shown = _command("status")
        assert "live: trading is halted" in shown.stdout
        assert "\x1b" not in shown.stdout

        wrong = _command("resume", "--yes", "other")
        assert isinstance(wrong.exception, ConfigError)
        assert "trading stays as it is" in str(wrong.exception)
        assert status_in(folder).trading == "halted"

        for was_there in (True, False):
            ended_here = _command("resume", "app.py:app", "--yes", "live", "--json")
            assert ended_here.exit_code == 0, ended_here.output
            (done,) = json.loads(ended_here.stdout)["apps"]
            assert (done["reached"], done["file_changed"]) == ("stream", was_there)
        assert status_in(folder).trading == "active"
        assert file.state() is TradingState.ACTIVE
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


def test_file_alone_halts_components_that_run_until_an_operator_says_otherwise(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KillFile(folder / ".ingenium" / "live" / "HALT")
    with running("run", "app.py:app", cwd=folder) as it:
        until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
        until(lambda: _orders(folder) > 2, "orders")
        file.path.touch()
        until(lambda: status_in(folder).said is not None, "a word of a component")
        said = status_in(folder).said
        assert said is not None
        assert said.state == "halted"
        assert said.sender in {"fixed-quantity", "fill-all"}
        assert said.reason.startswith("kill switch: ")
        halted_at = _orders(folder)
        end = status_in(folder).stream_end or 0
        until(lambda: (status_in(folder).stream_end or 0) > end + 4, "signals and denials")
        assert _orders(folder) == halted_at
        monkeypatch.chdir(folder)
        assert _command("resume", "live", "--yes", "live").exit_code == 0
        until(lambda: _orders(folder) > halted_at, "orders again")
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


def test_halt_without_a_server_holds_by_the_file_and_says_so(
    tmp_path: Path, unused_port: int
) -> None:
    env = {"NATS_SERVER": f"nats://127.0.0.1:{unused_port}"}
    ended = ingenium("reduce", "live", "--reason", "no server", cwd=tmp_path, env=env)
    assert ended.code == 1
    assert "on this machine only, by the file" in ended.out
    assert f"  error   cannot reach nats://127.0.0.1:{unused_port}: " in ended.err
    file = KillFile(tmp_path / ".ingenium" / "live" / "HALT")
    assert file.state() is TradingState.REDUCING
    status = status_in(tmp_path)
    assert status.trading == "reducing"
    assert status.kill_file is not None
    assert status.kill_file.reason == "no server"
    assert "has no server that runs" in status.server_error
    ended = ingenium("resume", "live", "--yes", "live", cwd=tmp_path, env=env)
    assert ended.code == 1
    assert "the last control event still applies" in ended.out
    assert file.state() is TradingState.ACTIVE


def test_halt_on_a_server_without_streams_reaches_who_is_connected(
    tmp_path: Path, make_server: Any
) -> None:
    server = make_server()
    env = {"NATS_SERVER": server.url}
    with running("tap", "--json", "--count", "1", cwd=tmp_path, env=env) as tap:
        tap.until_line("listening")
        ended = ingenium("halt", "live", "--json", cwd=tmp_path, env=env)
        assert ended.code == 0, ended.err
        seen = json.loads(tap.wait().out)
    (done,) = json.loads(ended.out)["apps"]
    assert done["reached"] == "subscribers"
    assert seen["subject"] == "ingenium.control.trading"
    assert seen["event"]["State"] == "halted"


def test_halt_without_a_name_where_nothing_ran_says_what_to_do(tmp_path: Path) -> None:
    ended = ingenium("halt", cwd=tmp_path)
    assert ended.code == 2
    assert "no live app has run with the data folder .ingenium: name the app" in ended.err
