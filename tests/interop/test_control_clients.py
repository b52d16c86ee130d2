"""Stock clients of the control plane in Python, Go and TypeScript, and curl, see the same app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.control_plane import PACKAGE, ControlClient, control_plane
from support.live_app import APP
from support.running import running
from support.tools import need_module, need_program

TOP = Path(__file__).parents[2]
BUILD_SECONDS = 400
COMPONENTS = [
    "ingestor ticks is python",
    "strategy turns is python",
    "portfolio fixed-quantity is python",
    "executor fill-all is python",
]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlClient]:
    folder = tmp_path_factory.mktemp("clients")
    (folder / "app.py").write_text(APP)
    with running("run", "app.py", cwd=folder) as app:
        app.until_line("all is ready")
        with control_plane(folder, "app.py") as client:
            yield client


def _take(steps: Sequence[Sequence[str]], top: Path, folder: Path) -> None:
    """Take the steps of a README: ``buf`` in the top folder, others in that of the client."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for step in steps:
        done = subprocess.run(
            step,
            cwd=top if step[0] == "buf" else folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (step, done.stdout, done.stderr)


def _sources(folder: Path) -> Path:
    """Copy what a client is built from, so that nothing is written beside it."""
    left_out = shutil.ignore_patterns("node_modules", "dist", "gen")
    for name in ("proto", "examples/control"):
        shutil.copytree(TOP / name, folder / name, ignore=left_out)
    shutil.copy(TOP / "buf.yaml", folder)
    return folder


def _python(_: Path) -> list[str]:
    need_module("grpc_tools")
    return [sys.executable, str(TOP / "examples" / "control" / "client.py")]


def _go(folder: Path) -> list[str]:
    go = need_program("go")
    top = _sources(folder)
    own = "examples/control/go"
    generate = ["buf", "generate", "--template", f"{own}/buf.gen.yaml", "-o", own]
    vet = [go, "vet", "./..."]
    _take((generate, vet, [go, "build", "-o", "client", "."]), top, top / own)
    return [str(top / own / "client")]


def _typescript(folder: Path) -> list[str]:
    npm, node = need_program("npm"), need_program("node")
    top = _sources(folder)
    own = "examples/control/typescript"
    generate = ["buf", "generate", "--template", f"{own}/buf.gen.yaml", "-o", own]
    install = [npm, "ci", "--ignore-scripts"]
    _take((install, generate, [npm, "run", "build"]), top, top / own)
    return [node, str(top / own / "dist" / "main.js")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("make", [_python, _go, _typescript])
def test_stock_client_sees_state_components_and_a_fill(
    plane: ControlClient, make: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    done = subprocess.run(
        make(tmp_path), cwd=plane.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *rows, fill = done.stdout.splitlines()
    assert first == "live: trading is active, 4 of 4 components answer"
    assert rows == COMPONENTS
    assert fill in {"buy 20 AAPL at 100", "sell 20 AAPL at 100"}


def test_curl_of_the_page_sees_the_same(plane: ControlClient) -> None:
    curl = need_program("curl")

    def call(method: str) -> dict[str, object]:
        """Call a method as docs/control.md says."""
        headers = "authorization: Bearer " + plane.tokens["read"], "content-type: application/json"
        options = [word for header in headers for word in ("-H", header)]
        command = [curl, "-sSf", *options, "-d", "{}", f"{plane.url}/{PACKAGE}.{method}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    overview = call("TradingService/GetOverview")["overview"]
    assert isinstance(overview, dict)
    assert overview["summary"] == "trading is active, 4 of 4 components answer"
    found = call("ComponentService/ListComponents")["components"]
    assert isinstance(found, list)
    assert [f"{each['role']} {each['name']} is {each['language']}" for each in found] == COMPONENTS
