"""A strategy in Java or Rust takes the place of the Python one, and every trade stays the same."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
LIMIT_SECONDS = 60
BUILD_SECONDS = 580


class Language(NamedTuple):
    """How the strategy of a language is built and run."""

    build: list[str]
    program: str
    runner: tuple[str, ...] = ()


LANGUAGES = {
    # The first builds and tests the library, too.
    "java": Language(["mvn", "-q", "-B", "package"], "java/rsi/target/rsi.jar", ("java", "-jar")),
    "rust": Language(
        ["cargo", "test", "-q", "--locked", "--release", "--features", "spans"],
        "rust/target/release/rsi",
    ),
}

Build = Callable[[str], Path]


@pytest.fixture(scope="module")
def build() -> Build:
    """Build the strategy of a language where its README does, so that it is built once."""
    built: dict[str, Path] = {}

    def run(name: str) -> Path:
        language = LANGUAGES[name]
        if name not in built:
            need_program(language.build[0])
            for program in language.runner[:1]:
                need_program(program)
            commands = [language.build]
            if name == "rust":
                commands.append(["cargo", "build", *language.build[2:]])
                # The library's own tests, on what is built for the strategy.
                target = str(TOP / "examples" / "rust" / "target")
                library = str(TOP / "rust" / "Cargo.toml")
                options = ["--manifest-path", library, "--target-dir", target]
                commands.append([*language.build[:-2], *options])
            for command in commands:
                done = subprocess.run(
                    command,
                    cwd=TOP / "examples" / name,
                    capture_output=True,
                    text=True,
                    timeout=BUILD_SECONDS,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
            built[name] = TOP / "examples" / language.program
        return built[name]

    return run


def _run(function: str, *options: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    app = TOP / "examples" / "demo" / "app.py"
    ended = ingenium("run", f"{app}:{function}", "--json", *options, cwd=TOP, env=env)
    assert ended.code == 0, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
def test_strategy_gives_the_trades_of_the_python_one_and_equal_bytes_each_time(
    build: Build, nats_server: EmbeddedServer, name: str
) -> None:
    build(name)
    python, other = _run("app"), _run(name)
    assert len(python["trades"]) == 323
    # Trades, ids and times: every event is the same to the byte.
    assert other == python
    assert _run(name, "--processes")["events_digest"] == other["events_digest"]
    # On a server that others use, a replay has subjects of its own, and the program follows it.
    shared = _run(name, env={"NATS_SERVER": nats_server.url})
    assert shared["events_digest"] == other["events_digest"]


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
def test_each_order_of_the_demo_has_one_connected_trace(
    build: Build, tmp_path: Path, name: str
) -> None:
    build(name)
    has_one_trace_for_each_order(f"{TOP / 'examples/demo/app.py'}:{name}", tmp_path)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
async def test_strategy_asked_to_stop_handles_and_sends_what_has_reached_it(
    build: Build, nats_server: EmbeddedServer, name: str
) -> None:
    program = await asyncio.to_thread(build, name)
    runner = [shutil.which(part) or part for part in LANGUAGES[name].runner]
    async with sdk.connect(nats_server.url) as bus:
        signals = await bus.subscribe(SignalEvent)
        process = await asyncio.create_subprocess_exec(
            *runner,
            str(program),
            "AAPL",
            env={"NATS_SERVER": nats_server.url, "INGENIUM_COMPONENT": name},
        )
        try:

            async def send(close: int) -> None:
                event = DataEvent(
                    type="data.type.ohlc",
                    symbol="AAPL",
                    timestamp="2024-01-03T14:30:00Z",
                    ohlc=Ohlc(close=str(close)),
                )
                await bus.publish(event)

            # It rises with every bar: each says short once it is subscribed and warm.
            async def first_signal() -> None:
                close = 1
                waiting = asyncio.ensure_future(anext(aiter(signals)))
                while not waiting.done():
                    await send(close)
                    close += 1
                    await asyncio.wait([waiting], timeout=0.05)

            await asyncio.wait_for(first_signal(), LIMIT_SECONDS)
            for close in range(10_000, 10_000 + BARS):
                await send(close)
            await bus.flush()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), LIMIT_SECONDS) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        for _ in range(BARS):
            await asyncio.wait_for(anext(aiter(signals)), LIMIT_SECONDS)


def _command(name: str, program: Path) -> list[str]:
    runner = [shutil.which(part) or part for part in LANGUAGES[name].runner]
    return [*runner, str(program), "AAPL"]


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LANGUAGES)
async def test_strategy_signs_in_on_a_server_with_tls(
    build: Build, make_server: Any, tmp_path: Path, name: str, kind: str
) -> None:
    program = await asyncio.to_thread(build, name)
    await answers_over_tls(make_server, tmp_path, _command(name, program), kind)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
async def test_strategy_refuses_the_certificate_of_another_server(
    build: Build, make_server: Any, tmp_path: Path, name: str
) -> None:
    program = await asyncio.to_thread(build, name)
    await refuses_strangers(make_server, tmp_path, _command(name, program))


@pytest.mark.parametrize("name", LANGUAGES)
def test_strategy_that_is_not_built_says_where_to_look(name: str, tmp_path: Path) -> None:
    shutil.copytree(TOP / "examples" / "demo", tmp_path / "examples" / "demo")
    ended = ingenium("run", f"examples/demo/app.py:{name}", cwd=tmp_path)
    assert ended.code == 2
    assert "see the README.md of its example" in ended.err


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
async def test_strategy_carries_the_trace_of_a_bar_on(
    build: Build, nats_server: EmbeddedServer, name: str
) -> None:
    program = await asyncio.to_thread(build, name)
    runner = [shutil.which(part) or part for part in LANGUAGES[name].runner]
    await carries_the_trace_on(nats_server.url, [*runner, str(program), "AAPL"], {})


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
def test_operator_pauses_resumes_and_stops_the_strategy_of_a_live_app(
    build: Build, tmp_path: Path, name: str
) -> None:
    obeys_an_operator(tmp_path, _command(name, build(name)))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", LANGUAGES)
async def test_strategy_is_listed_as_a_service_with_its_numbers(
    build: Build, nats_server: EmbeddedServer, name: str
) -> None:
    program = await asyncio.to_thread(build, name)
    await is_listed_as_service(nats_server.url, _command(name, program), {}, name)
