"""NATS's own command line lists the components of an app, in Python and in Go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.live_app import with_program
from support.running import ingenium, running, until
from support.tools import need_program

NATS_CLI = "github.com/nats-io/natscli/nats@v0.5.1"
BUILD_SECONDS = 400
ALL = ["fill-all", "fixed-quantity", "rsi", "ticks", "turns"]


@pytest.fixture(scope="module")
def nats_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NATS's command line, built by Go from its module; skipped without Go or its modules."""
    go = need_program("go")
    folder = tmp_path_factory.mktemp("nats")
    done = subprocess.run(
        [go, "install", NATS_CLI],
        cwd=folder,
        env=os.environ | {"GOBIN": str(folder), "GOFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        problem = f"cannot build {NATS_CLI}: {done.stderr.strip()}"
        # It may need a later Go than this project does.
        if os.environ.get("CI") == "true" and "requires go >=" not in done.stderr:
            pytest.fail(problem)
        pytest.skip(problem)
    return folder / "nats"


@pytest.mark.timeout(500)
def test_nats_cli_lists_the_components_that_ingenium_lists(
    nats_cli: Path, go_build: Any, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(with_program(["./strategy", "-symbols", "AAPL"]))
    shutil.copy(go_build("examples/go/protojson"), tmp_path / "strategy")

    def components() -> list[dict[str, Any]]:
        ended = ingenium("components", "--json", cwd=tmp_path)
        assert ended.code == 0, ended.err
        found: list[dict[str, Any]] = json.loads(ended.out)["components"]
        return found

    with running("run", "app.py:with_program", cwd=tmp_path) as app:
        app.until_line("all is ready")
        until(lambda: len(components()) == len(ALL), "all components are listed")
        address = (tmp_path / ".ingenium" / "live" / "nats" / "address.operator").read_text()

        def ask(*words: str) -> Any:
            done = subprocess.run(
                [nats_cli, "--no-context", "--server", address.strip(), "micro", *words, "--json"],
                env={"HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
            return json.loads(done.stdout)

        listed = {each["id"]: each for each in ask("ls")}
        known = {each["instance"]: each for each in components()}
        assert sorted(each["name"] for each in listed.values()) == ALL
        assert listed.keys() == known.keys()
        for instance, each in listed.items():
            assert each["name"] == known[instance]["name"]
            for fact in ("app", "role", "language", "sdk_version", "revision"):
                assert each["metadata"].get(fact, "") == known[instance][fact], fact
        [stats] = ask("stats", "rsi")
        assert (stats["name"], stats["id"] in known) == ("rsi", True)
