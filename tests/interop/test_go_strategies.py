"""A strategy in Go takes the place of the one in Python, and every trade stays the same."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.running import ingenium
from support.signing_in import KINDS, answers_over_tls, refuses_strangers
from support.tools import need_program
from support.trace_headers import carries_the_trace_on

import ingenium as sdk
from ingenium import DataEvent, Ohlc, SignalEvent
from ingenium.bus import Message
from ingenium.nats_server import EmbeddedServer

TOP = Path(__file__).parents[2]
STRATEGIES = {
    "protojson": "examples/go/protojson",
    "structs": "examples/go/structs",
    "original": "examples/go/original",
}
ROWS = 400
BARS = 3000
LIMIT_SECONDS = 30


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo on a shorter history, beside the programs that it looks for."""
    folder = tmp_path_factory.mktemp("demo") / "examples"
    shutil.copytree(TOP / "examples" / "demo", folder / "demo")
    (folder / "data").mkdir()
    (folder / "go" / "bin").mkdir(parents=True)
    for symbol in ("AAPL", "IBM", "MSFT"):
        lines = (TOP / "examples" / "data" / f"{symbol}.csv").read_text().splitlines(keepends=True)
        (folder / "data" / f"{symbol}.csv").write_text("".join(lines[: ROWS + 1]))
    return folder / "demo"


def _run(
    demo: Path, function: str, *options: str, env: dict[str, str] | None = None
) -> dict[str, Any]:
    target = f"{demo / 'app.py'}:{function}"
    ended = ingenium("run", target, "--json", *options, cwd=demo, env=env)
    assert ended.code == 0, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", STRATEGIES)
def test_go_strategy_gives_the_trades_of_the_python_one(
    go_build: Any, demo: Path, name: str
) -> None:
    shutil.copy(go_build(STRATEGIES[name]), demo.parent / "go" / "bin" / name)
    python, go = _run(demo, "app"), _run(demo, f"go_{name}")
    assert len(python["trades"]) > 30
    assert go["trades"] == python["trades"]
    assert go["equity"] == python["equity"]
    assert go["counts"] == python["counts"]
    # The library makes the ids and times that the Python SDK makes.
    assert (go["events_digest"] == python["events_digest"]) == (name == "protojson")


@pytest.mark.timeout(400)
def test_go_member_of_a_run_in_many_processes_gives_equal_bytes_each_time(
    go_build: Any, demo: Path, nats_server: EmbeddedServer
) -> None:
    shutil.copy(go_build(STRATEGIES["protojson"]), demo.parent / "go" / "bin" / "protojson")
    digests = {_run(demo, "go_protojson", "--processes")["events_digest"] for _ in range(2)}
    assert digests == {_run(demo, "go_protojson")["events_digest"]}
    # On a server that others use, a replay has subjects of its own, and the program follows it.
    shared = _run(demo, "go_protojson", env={"NATS_SERVER": nats_server.url})
    assert {shared["events_digest"]} == digests


@pytest.mark.timeout(400)
async def test_go_member_in_binary_both_ways_gives_the_digest_of_json(
    go_build: Any, demo: Path, nats_server: EmbeddedServer
) -> None:
    shutil.copy(
        await asyncio.to_thread(go_build, STRATEGIES["protojson"]),
        demo.parent / "go" / "bin" / "protojson",
    )
    forms: set[tuple[str, str | None]] = set()

    def note(message: Message) -> None:
        forms.add((message.headers["Ingenium-Source"], message.headers.get("Content-Type")))

    binary = {"INGENIUM_CONTENT_TYPE": "application/protobuf", "NATS_SERVER": nats_server.url}
    async with sdk.connect(nats_server.url) as bus:
        await bus.bus.subscribe("replay-demo.ingenium.>", note)
        result = await asyncio.to_thread(_run, demo, "go_protojson", env=binary)
    names = ("csv-ingestor", "rsi", "fixed-quantity", "paper")
    assert forms == {(name, "application/protobuf") for name in names}
    expected = await asyncio.to_thread(_run, demo, "go_protojson")
    assert result == expected


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["protojson", "structs"])
async def test_go_strategy_asked_to_stop_handles_and_sends_what_has_reached_it(
    go_build: Any, nats_server: EmbeddedServer, name: str
) -> None:
    program = await asyncio.to_thread(go_build, STRATEGIES[name])
    async with sdk.connect(nats_server.url) as bus:
        signals = await bus.subscribe(SignalEvent)
        process = await asyncio.create_subprocess_exec(
            program,
            "-symbols",
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


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", KINDS)
async def test_go_strategy_signs_in_on_a_server_with_tls(
    go_build: Any, make_server: Any, tmp_path: Path, kind: str
) -> None:
    program = await asyncio.to_thread(go_build, STRATEGIES["protojson"])
    command = [str(program), "-symbols", "AAPL"]
    await answers_over_tls(make_server, tmp_path, command, kind)


@pytest.mark.timeout(400)
async def test_go_strategy_refuses_the_certificate_of_another_server(
    go_build: Any, make_server: Any, tmp_path: Path
) -> None:
    program = await asyncio.to_thread(go_build, STRATEGIES["protojson"])
    await refuses_strangers(make_server, tmp_path, [str(program), "-symbols", "AAPL"])


def test_go_strategy_that_is_not_built_says_how(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo, tmp_path / "examples" / "demo")
    ended = ingenium("run", "examples/demo/app.py:go_structs", cwd=tmp_path)
    assert ended.code == 2
    assert "run make demo-go" in ended.err


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "module", ["go", "examples/go", "examples/go/traced", "tests/interop/gopeer"]
)
def test_go_code_is_vetted_formatted_and_passes_its_tests(module: str) -> None:
    go = need_program("go")
    for command in ([go, "vet", "./..."], [go, "test", "./..."]):
        done = subprocess.run(
            command, cwd=TOP / module, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    gofmt = Path(go).with_name("gofmt")
    if gofmt.exists():
        done = subprocess.run(
            [gofmt, "-l", "."], cwd=TOP / module, capture_output=True, text=True, check=True
        )
        assert done.stdout == ""


@pytest.mark.timeout(400)
async def test_go_strategy_carries_the_trace_of_a_bar_on(
    go_build: Any, nats_server: EmbeddedServer
) -> None:
    program = await asyncio.to_thread(go_build, STRATEGIES["protojson"])
    await carries_the_trace_on(nats_server.url, [str(program), "-symbols", "AAPL"], {})
