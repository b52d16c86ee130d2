"""A repository of a user's own, made in an empty folder as ``docs/your-own-repository.md`` says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from support.tools import need_module, need_program

import ingenium
from ingenium import SignalEvent
from ingenium.bus import Message
from ingenium.nats_server import EmbeddedServer
from ingenium.testing import Collector, order_event

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "your-own-repository.md").read_text()
LIMIT_SECONDS = 30
FILE = re.compile(r"^`([\w./]+)`(?:(?!^```).)*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEPS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PROGRAMS = {
    "Python": ("python", [sys.executable, "main.py"], ()),
    "Python, with protoc": ("protoc", [sys.executable, "main.py"], ()),
    "Go": ("go", ["./acme"], ("go",)),
    "TypeScript": ("typescript", ["node", "dist/main.js"], ("npm", "node")),
}


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def make(folder: Path, title: str) -> dict[str, str]:
    """Write the files of a section and take its steps; return the environment."""
    for text in (section("A message of your own"), section(title)):
        for name, content in FILE.findall(text):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
    steps = STEPS.search(section(title))
    assert steps
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = kept | {"PATH": path, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        ["sh", "-euc", steps[1]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return env


@pytest.mark.timeout(320)
@pytest.mark.parametrize("title", PROGRAMS)
async def test_repository_of_a_users_own_receives_and_publishes(
    nats_server: EmbeddedServer, tmp_path: Path, title: str
) -> None:
    name, command, needed = PROGRAMS[title]
    for each in needed:
        need_program(each)
    if title == "Python, with protoc":
        need_module("grpc_tools")
    env = make(tmp_path, title)
    assert (tmp_path / "proto" / "acme" / "v1" / "review.proto").exists()

    order = order_event("AAPL", "0.5", id="order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD")
    async with ingenium.connect(nats_server.url) as bus:
        reviews: Collector[Message] = Collector()
        await bus.bus.subscribe("acme.review.done", reviews)
        signals: Collector[SignalEvent] = Collector()
        await bus.subscribe(SignalEvent, handler=signals)
        await bus.flush()
        program = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=env | {"NATS_SERVER": nats_server.url}, stdout=PIPE
        )
        try:
            assert program.stdout
            async with asyncio.timeout(LIMIT_SECONDS):
                assert await program.stdout.readline() == b"ready\n"
            payload = json.dumps({"Reviewer": "", "Order": json.loads(order.to_json())}).encode()
            await bus.bus.publish("acme.review.request", payload)
            [review] = await reviews.wait(1, timeout_seconds=LIMIT_SECONDS)
            told = json.loads(review.payload)
            assert told["Reviewer"] == name
            assert ingenium.OrderEvent.from_json(json.dumps(told["Order"])) == order
            [signal] = await signals.wait(1, timeout_seconds=LIMIT_SECONDS)
            assert (signal.symbol, signal.signal) == ("AAPL", ingenium.Signal.LONG)
            async with asyncio.timeout(LIMIT_SECONDS):
                assert await program.wait() == 0
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()


def test_schemas_are_generated_from_a_git_repository_by_folder_and_tag(tmp_path: Path) -> None:
    git = need_program("git")
    origin, project = tmp_path / "origin", tmp_path / "project"
    for folder in (origin / "proto" / "ingenium" / "v1", project):
        folder.mkdir(parents=True)
    for source in (TOP / "proto" / "ingenium" / "v1").glob("*.proto"):
        (origin / "proto" / "ingenium" / "v1" / source.name).write_text(source.read_text())
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v0.2.0"]):
        subprocess.run([git, *who, *arguments], cwd=origin, check=True, capture_output=True)
    ingenium_command = Path(sys.executable).with_name("ingenium")
    subprocess.run(
        [ingenium_command, "protos", ".", "--language", "python"], cwd=project, check=True
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["buf", "generate", f"{origin / '.git'}#tag=v0.2.0,subdir=proto"],
        cwd=project,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "class OrderEvent" in (project / "gen" / "ingenium" / "v1" / "__init__.py").read_text()
