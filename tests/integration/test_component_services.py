"""``ingenium components`` and ``component``: what runs, on each kind of server, and commands."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium import recorder
from ingenium.config import Settings
from ingenium.operations.apps import find_app
from ingenium.operations.component_services import (
    CommandResult,
    RunningComponent,
    command,
    services_of,
)

ALL = {
    "ticks": "ingestor",
    "turns": "strategy",
    "fixed-quantity": "portfolio",
    "fill-all": "executor",
}


class Desk:
    """An operator beside a running app."""

    def __init__(self, folder: Path, server: str = "") -> None:
        settings = Settings(data_directory=folder / ".ingenium")
        self._settings = settings.at_server(server) if server else settings

    def rows(self) -> dict[str, RunningComponent]:
        found = asyncio.run(services_of(find_app(self._settings, "live")))
        return {row.name: row for row in found}

    def command(self, name: str, what: str, **options: str) -> CommandResult:
        place = find_app(self._settings, "live")
        return asyncio.run(command(place, name, what, "ann@trader-1", **options))

    def until_handled(self, name: str, more: int) -> int:
        """Wait until a component has handled so many further events."""
        before = self.rows()[name].handled
        until(lambda: self.rows()[name].handled >= before + more, f"{name} handles {more} events")
        return self.rows()[name].handled


def recorded_commands(folder: Path) -> list[tuple[str, str, str]]:
    """Return component, command and sender of all commands that were recorded."""
    with recorder.open(str(folder / ".ingenium" / "live" / "record.db")) as records:
        rows = records.events("live", subject="ingenium.control.component")
        found = [row["event"] for row in rows]
    return [(each["Component"], each["Command"], each["Sender"]) for each in reversed(found)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP.replace('name="live"', 'name="live", version="7.1"'))
    return tmp_path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("processes", [False, True])
def test_operator_sees_pauses_resumes_and_stops_a_component(folder: Path, processes: bool) -> None:
    everybody = ALL if processes else ALL | {"recorder": "recorder"}
    with running("run", "app.py", "--processes" if processes else "--record", cwd=folder) as app:
        app.until_line("all is ready")
        desk = Desk(folder)
        desk.until_handled("fill-all", 2)
        rows = desk.rows()
        assert {name: row.role for name, row in rows.items()} == everybody
        turns = rows["turns"]
        assert (turns.app, turns.language, turns.version) == ("live", "python", "7.1")
        assert (turns.state, turns.paused, turns.trading) == ("ready", False, "")
        assert turns.subjects == ["ingenium.ingestor.data.>"]
        assert 0 < turns.handler_seconds < 60
        assert (rows["fixed-quantity"].trading, rows["ticks"].handled) == ("active", 0)
        assert len({row.instance for row in rows.values()}) == len(everybody)
        assert len({row.process for row in rows.values()}) == (4 if processes else 1)

        assert desk.command("turns", "pause").paused
        before = desk.rows()["turns"].handled
        desk.until_handled("fixed-quantity", 5)
        assert desk.rows()["turns"].handled == before
        assert desk.rows()["turns"].paused
        assert not desk.command("turns", "resume").paused
        desk.until_handled("turns", 2)
        level = desk.command("turns", "log-level", level="error")
        assert (level.was, level.level) == ("warning", "error")

        if not processes:
            given = [("turns", "pause", "ann@trader-1"), ("turns", "resume", "ann@trader-1")]
            until(lambda: recorded_commands(folder) == given, "commands in the recording")
            desk.until_handled("recorder", 1)
            assert desk.command("recorder", "pause").paused
            assert desk.command("recorder", "stop").stopping
            until(lambda: "recorder" not in desk.rows(), "the recorder has ended")
        assert desk.command("turns", "stop").stopping
        until(lambda: "turns" not in desk.rows(), "turns has ended")
        if not processes:
            app.until_line("strategy 'turns' is stopped by an operator; the app goes on without it")
        desk.until_handled("fixed-quantity", 5)
        assert set(desk.rows()) == set(ALL) - {"turns"}
        unknown = ingenium("component", "pause", "live", "turns", cwd=folder)
        assert unknown.code == 2
        assert "no component 'turns' of app 'live' runs: name one of ticks" in unknown.err
        app.send(signal.SIGINT)
        assert app.wait().code == 0
    assert "started again" not in app.out + app.err


@pytest.mark.timeout(90)
def test_components_on_a_plain_server_without_streams(folder: Path, make_server: Any) -> None:
    server = make_server("")
    env = {"NATS_SERVER": server.url}
    with running("run", "app.py", cwd=folder, env=env) as app:
        app.until_line("all is ready")
        desk = Desk(folder, server.url)
        desk.until_handled("fill-all", 2)
        assert desk.command("fill-all", "pause").paused
        shown = ingenium("components", "live", "--json", cwd=folder, env=env)
        assert shown.code == 0, shown.err
        rows = {row["name"]: row for row in json.loads(shown.out)["components"]}
        assert {name: row["role"] for name, row in rows.items()} == ALL
        assert [name for name, row in rows.items() if row["paused"]] == ["fill-all"]
        done = ingenium("component", "resume", "live", "fill-all", cwd=folder, env=env)
        assert done.out.startswith("fill-all handles events (life_")
        text = ingenium("components", cwd=folder, env=env).out
        assert all(name in text for name in ALL), text
