"""A strategy in TypeScript takes the place of the one in Python, and every trade stays the same."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest
from support.demo_traces import has_one_trace_for_each_order
from support.live_app import obeys_an_operator
from support.running import ingenium
from support.service_answers import is_listed_as_service
from support.signing_in import KINDS, answers_over_tls, refuses_strangers
from support.tools import need_program
from support.trace_headers import carries_the_trace_on

import ingenium as sdk
from ingenium import DataEvent, Ohlc, SignalEvent
from ingenium.nats_server import EmbeddedServer

TOP = Path(__file__).parents[2]
BARS = 3000
LIMIT_SECONDS = 30


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples, with the strategy built as its README says."""
    npm = need_program("npm")
    top = tmp_path_factory.mktemp("typescript")
    folder = top / "examples"
    for name in ("demo", "data"):
        shutil.copytree(TOP / "examples" / name, folder / name)
    left_out = shutil.ignore_patterns("node_modules", "dist")
    for name in ("typescript", "examples/typescript"):
        shutil.copytree(TOP / name, top / name, ignore=left_out)
    install = [npm, "ci", "--ignore-scripts"]
    for name, command in (
        ("typescript", install),
        ("typescript", [npm, "test"]),
        ("examples/typescript", install),
        ("examples/typescript", [npm, "run", "build"]),
    ):
        done = subprocess.run(
            command,
            cwd=top / name,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


async def _start(examples: Path, url: str) -> Process:
    return await asyncio.create_subprocess_exec(
        need_program("node"),
        str(examples / "typescript" / "dist" / "main.js"),
        "--symbols",
        "AAPL",
        env={"PATH": os.environ["PATH"], "NATS_SERVER": url},
        stderr=PIPE,
    )


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _bar(close: int) -> DataEvent:
    return DataEvent(
        type="data.type.ohlc",
        symbol="AAPL",
        timestamp="2024-01-03T14:30:00Z",
        ohlc=Ohlc(close=str(close)),
    )


async def _wait_for_signal(bus: Any, signals: Any) -> None:
    # It rises with every bar: the strategy says short once it is subscribed and warm.
    close = 1
    waiting = asyncio.ensure_future(anext(aiter(signals)))
    while not waiting.done():
        await bus.publish(_bar(close))
        close += 1
        await asyncio.wait([waiting], timeout=0.05)


@pytest.mark.timeout(400)
def test_typescript_strategy_gives_the_trades_of_the_python_one(
    examples: Path, nats_server: EmbeddedServer
) -> None:
    results: list[dict[str, Any]] = []
    # On a server that others use, a replay has subjects of its own, and the program follows it.
    shared = {"NATS_SERVER": nats_server.url}
    for function, env in (("app", None), ("typescript", None), ("typescript", shared)):
        target = f"{examples / 'demo/app.py'}:{function}"
        ended = ingenium("run", target, "--json", cwd=examples, env=env)
        assert ended.code == 0, ended.err
        results.append(json.loads(ended.out))
    python, typescript, on_shared = results
    assert on_shared["events_digest"] == typescript["events_digest"]
    assert (len(typescript["trades"]), typescript["equity"]) == (323, "97113.2460")
    # Trades, ids and times: every event is the same to the byte.
    assert typescript == python


@pytest.mark.timeout(400)
def test_each_order_of_the_demo_with_a_typescript_strategy_has_one_connected_trace(
    examples: Path,
) -> None:
    has_one_trace_for_each_order(f"{examples / 'demo/app.py'}:typescript", examples)


@pytest.mark.timeout(300)
async def test_typescript_strategy_asked_to_stop_handles_and_sends_what_has_reached_it(
    examples: Path, nats_server: EmbeddedServer
) -> None:
    async with sdk.connect(nats_server.url) as bus:
        signals = await bus.subscribe(SignalEvent)
        process = await _start(examples, nats_server.url)
        try:
            await asyncio.wait_for(_wait_for_signal(bus, signals), LIMIT_SECONDS)
            for close in range(10_000, 10_000 + BARS):
                await bus.publish(_bar(close))
            await bus.flush()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), LIMIT_SECONDS) == 0
        finally:
            await _end(process)
        for _ in range(BARS):
            await asyncio.wait_for(anext(aiter(signals)), LIMIT_SECONDS)


@pytest.mark.timeout(300)
async def test_typescript_strategy_that_loses_its_server_says_so_and_fails_when_it_has_to_stop(
    examples: Path, tmp_path: Path
) -> None:
    async with EmbeddedServer(tmp_path) as server, sdk.connect(server.url) as bus:
        signals = await bus.subscribe(SignalEvent)
        process = await _start(examples, server.url)
        try:
            await asyncio.wait_for(_wait_for_signal(bus, signals), LIMIT_SECONDS)
        except BaseException:
            await _end(process)
            raise
    try:
        assert process.stderr
        said = b""
        while b"lost the connection" not in said:
            said = await asyncio.wait_for(process.stderr.readline(), LIMIT_SECONDS)
            assert said, "it has ended without a word"
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    finally:
        await _end(process)
    assert process.returncode == 1
    assert b"cannot reach the server" in said


def _command(examples: Path) -> list[str]:
    program = examples / "typescript" / "dist" / "main.js"
    return [need_program("node"), str(program), "--symbols", "AAPL"]


@pytest.mark.parametrize("kind", KINDS)
async def test_typescript_strategy_signs_in_on_a_server_with_tls(
    examples: Path, make_server: Any, tmp_path: Path, kind: str
) -> None:
    await answers_over_tls(make_server, tmp_path, _command(examples), kind)


async def test_typescript_strategy_refuses_the_certificate_of_another_server(
    examples: Path, make_server: Any, tmp_path: Path
) -> None:
    await refuses_strangers(make_server, tmp_path, _command(examples))


def test_typescript_strategy_that_is_not_built_says_how(tmp_path: Path) -> None:
    shutil.copytree(TOP / "examples" / "demo", tmp_path / "examples" / "demo")
    ended = ingenium("run", "examples/demo/app.py:typescript", cwd=tmp_path)
    assert ended.code == 2
    assert "run make demo-typescript" in ended.err


@pytest.mark.parametrize("name", ["typescript", "examples/typescript"])
def test_typescript_lock_file_names_no_registry(name: str) -> None:
    lock = json.loads((TOP / name / "package-lock.json").read_text())
    assert len(lock["packages"]) > 4
    named = [package.get("resolved", "") for package in lock["packages"].values()]
    assert not [address for address in named if "://" in address]


@pytest.mark.timeout(400)
async def test_typescript_strategy_carries_the_trace_of_a_bar_on(
    examples: Path, nats_server: EmbeddedServer
) -> None:
    program = str(examples / "typescript" / "dist" / "main.js")
    command = [need_program("node"), program, "--symbols", "AAPL"]
    await carries_the_trace_on(nats_server.url, command, {"PATH": os.environ["PATH"]})


@pytest.mark.timeout(200)
def test_operator_pauses_resumes_and_stops_the_typescript_strategy_of_a_live_app(
    examples: Path, tmp_path: Path
) -> None:
    obeys_an_operator(tmp_path, _command(examples))


async def test_typescript_strategy_is_listed_as_a_service_with_its_numbers(
    examples: Path, nats_server: EmbeddedServer
) -> None:
    env = {"PATH": os.environ["PATH"]}
    await is_listed_as_service(nats_server.url, _command(examples), env, "typescript")
