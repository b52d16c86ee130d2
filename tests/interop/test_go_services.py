"""Components in Python and Go are NATS micro services to the Go client's own types."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.live_app import APP, WITH_GO
from support.running import running, until

from ingenium.config import Settings
from ingenium.operations.apps import find_app
from ingenium.operations.component_services import RunningComponent, command, services_of


@pytest.mark.timeout(400)
def test_go_client_lists_all_components_and_an_operator_commands_one_in_go(
    go_build: Any, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP + WITH_GO)
    shutil.copy(go_build("examples/go/protojson"), tmp_path / "strategy")
    lister = go_build("tests/interop/golist")
    place = find_app(Settings(data_directory=tmp_path / ".ingenium"), "live")

    def rows() -> dict[str, RunningComponent]:
        app = find_app(Settings(data_directory=tmp_path / ".ingenium"), place.app)
        return {row.name: row for row in asyncio.run(services_of(app))}

    def say(what: str) -> bool:
        app = find_app(Settings(data_directory=tmp_path / ".ingenium"), place.app)
        done = asyncio.run(command(app, "go-rsi", what, "ann@trader-1"))
        return done.paused

    with running("run", "app.py:with_go", cwd=tmp_path) as app:
        app.until_line("all is ready")
        until(lambda: rows()["go-rsi"].handled > 3, "the strategy in Go handles bars")
        address = (tmp_path / ".ingenium" / "live" / "nats" / "address.operator").read_text()
        done = subprocess.run(
            [lister],
            env={"NATS_SERVER": address.strip()},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        found = {each["ping"]["name"]: each for each in map(json.loads, done.stdout.splitlines())}
        roles = {name: each["ping"]["metadata"]["role"] for name, each in found.items()}
        assert roles == {
            "ticks": "ingestor",
            "turns": "strategy",
            "go-rsi": "strategy",
            "fixed-quantity": "portfolio",
            "fill-all": "executor",
        }
        languages = {name: each["ping"]["metadata"]["language"] for name, each in found.items()}
        assert [name for name, each in languages.items() if each == "go"] == ["go-rsi"]
        for name, each in found.items():
            assert {e["name"] for e in each["info"]["endpoints"]} >= {"pause", "resume", "stop"}
            data = next(e["data"] for e in each["stats"]["endpoints"] if e["data"] is not None)
            assert (data["sent"] if name == "ticks" else data["handled"]) > 0, name
            assert each["stats"]["started"] > "2020"
        portfolio = {e["name"]: e for e in found["fixed-quantity"]["stats"]["endpoints"]}
        assert portfolio["signal"]["num_requests"] > 0
        assert portfolio["signal"]["processing_time"] > 0
        row = rows()["go-rsi"]
        assert (row.language, row.state) == ("go", "ready")
        assert row.subjects == ["ingenium.ingestor.data.aapl"]

        assert say("pause")
        before = rows()["go-rsi"].handled
        others = rows()["turns"].handled
        until(lambda: rows()["turns"].handled > others + 5, "the other strategy goes on")
        assert rows()["go-rsi"].handled == before
        assert not say("resume")
        until(lambda: rows()["go-rsi"].handled > before, "it handles bars again")
        say("stop")
        until(lambda: "go-rsi" not in rows(), "it has ended")
        assert "turns" in rows()
    assert "started again" not in app.out + app.err
