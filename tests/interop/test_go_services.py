"""Components in Python and Go are NATS micro services to the Go client's own types."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.live_app import commands_reach, services_in, with_program
from support.running import running, until


@pytest.mark.timeout(400)
def test_go_client_lists_all_components_and_an_operator_commands_one_in_go(
    go_build: Any, tmp_path: Path
) -> None:
    command = ["./strategy", "-symbols", "AAPL"]
    (tmp_path / "app.py").write_text(with_program(command))
    shutil.copy(go_build("examples/go/protojson"), tmp_path / "strategy")
    lister = go_build("tests/interop/golist")

    with running("run", "app.py:with_program", cwd=tmp_path) as app:
        app.until_line("all is ready")
        until(lambda: services_in(tmp_path)["rsi"].handled > 3, "it handles bars")
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
            "rsi": "strategy",
            "fixed-quantity": "portfolio",
            "fill-all": "executor",
        }
        languages = {name: each["ping"]["metadata"]["language"] for name, each in found.items()}
        assert [name for name, each in languages.items() if each == "go"] == ["rsi"]
        for name, each in found.items():
            assert {e["name"] for e in each["info"]["endpoints"]} >= {"pause", "resume", "stop"}
            data = next(e["data"] for e in each["stats"]["endpoints"] if e["data"] is not None)
            assert (data["sent"] if name == "ticks" else data["handled"]) > 0, name
            assert each["stats"]["started"] > "2020"
        portfolio = {e["name"]: e for e in found["fixed-quantity"]["stats"]["endpoints"]}
        assert portfolio["signal"]["num_requests"] > 0
        assert portfolio["signal"]["processing_time"] > 0
        row = services_in(tmp_path)["rsi"]
        assert (row.language, row.state) == ("go", "ready")
        assert row.subjects == ["ingenium.ingestor.data.aapl"]

        commands_reach(tmp_path)
    assert "started again" not in app.out + app.err
