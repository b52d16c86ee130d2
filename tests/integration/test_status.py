"""``ingenium status`` and ``halt`` against apps that run, die, stand still, or are elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from support.delivering import connected, jetstream
from support.live_app import APP
from support.running import ingenium, running, until
from typer.testing import CliRunner, Result

from ingenium.bus.nats.status_stream import keep_statuses
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.cli.main import application
from ingenium.config import Settings
from ingenium.errors import ConfigError
from ingenium.operations.apps import find_app
from ingenium.operations.component_state import ComponentState
from ingenium.operations.status import AppStatus, status_of

# A strategy in another language, as far as anybody can tell: it says nothing of itself.
SILENT = """
import asyncio, os
import nats

async def main():
    client = await nats.connect(os.environ["NATS_SERVER"])
    async def receive(message):
        await client.publish("ingenium.strategy.signal", b'{"Symbol":"SILENT","Signal":"none"}')
    await client.subscribe("ingenium.ingestor.data.>", cb=receive)
    await asyncio.Event().wait()

asyncio.run(main())
"""

WITH_PROGRAM = f"""
from ingenium import External

def with_program():
    made = app()
    return App(name="live", ingestors=made.ingestors, portfolio=made.portfolio,
               executor=made.executor, risk=made.risk,
               strategies=[*made.strategies,
                           External("strategy", [{sys.executable!r}, "silent.py"], name="foreign"),
                           External("strategy", name="elsewhere")])
"""

# Stands still while a file is there, once as a handler that blocks and once as one that waits.
STANDS_STILL = """
import time
from pathlib import Path

def on_bar(bar):
    while Path("block").exists():
        time.sleep(0.05)

class Waits(Strategy):
    async def on_bar(self, bar):
        while Path("wait").exists():
            await asyncio.sleep(0.05)

def standing():
    made = app()
    return App(name="live", ingestors=made.ingestors, strategies=[*made.strategies, Waits()],
               portfolio=made.portfolio, executor=made.executor, risk=made.risk)
"""


class Elsewhere:
    """An operator on another machine: another folder, and the URL of the server."""

    def __init__(self, folder: Path, url: str, app: str = "live", prefix: str = "") -> None:
        folder.mkdir(exist_ok=True)
        settings = Settings(data_directory=folder / ".ingenium").at_server(url)
        self.place = find_app(settings.with_prefix(prefix), app)

    def status(self) -> AppStatus:
        return asyncio.run(status_of(self.place))

    def component(self, name: str) -> ComponentState:
        found = {each.name: each for each in self.status().components}
        return found.get(name, ComponentState(name))

    def until(self, condition: Callable[[AppStatus], bool], what: str) -> AppStatus:
        found = self.status()
        seen = [found]

        def holds() -> bool:
            seen[0] = self.status()
            return condition(seen[0])

        try:
            until(holds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[0]}") from None
        return seen[0]


def livenesses(status: AppStatus) -> dict[str, str]:
    return {each.name: each.liveness.value for each in status.components}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.timeout(150)
def test_each_component_that_is_killed_is_seen_from_another_machine(
    folder: Path, make_server: Any
) -> None:
    server = make_server(jetstream(folder / "js"))
    (folder / "silent.py").write_text(SILENT)
    with (folder / "app.py").open("a") as file:
        file.write(WITH_PROGRAM)
    elsewhere = Elsewhere(folder / "other", server.url)
    assert elsewhere.status().trading == "nothing runs"
    env = {"NATS_SERVER": server.url}
    all_well = dict.fromkeys(("ticks", "turns", "foreign", "fixed-quantity", "fill-all"), "alive")
    all_well["elsewhere"] = "unknown"
    with running("run", "app.py:with_program", "--processes", cwd=folder, env=env) as it:
        status = elsewhere.until(lambda found: livenesses(found) == all_well, "all that runs")
        assert (status.runs, status.trading, status.is_well) == (True, "active", True)
        by_name = {each.name: each for each in status.components}
        assert [by_name[name].role for name in ("ticks", "foreign", "fill-all")] == [
            "ingestor",
            "strategy",
            "executor",
        ]
        assert (by_name["turns"].language, by_name["foreign"].language) == ("python", "")
        assert by_name["foreign"].handled is None
        # Two programs say nothing: which of them has sent a signal nobody can tell.
        assert by_name["foreign"].last_sent is by_name["elsewhere"].last_sent is None
        elsewhere.until(
            lambda found: all(
                each.last_event == "DataEvent" and (each.last_seconds or 0) < 60
                for each in found.components
                if each.name in {"ticks", "turns", "fixed-quantity", "fill-all"}
            ),
            "what each handled last",
        )
        killed: set[str] = set()
        for name in ("ticks", "turns", "foreign", "fixed-quantity", "fill-all"):
            killed.add(name)
            found = elsewhere.component(name)
            os.kill(found.process or _guarded(found.why), signal.SIGKILL)
            status = elsewhere.until(
                lambda found, name=name: livenesses(found)[name] in {"dead", "silent"},  # type: ignore[misc]
                f"{name} to be gone",
            )
            assert not status.is_well
            assert all(
                state == all_well[other]
                for other, state in livenesses(status).items()
                if other not in killed
            )
        status = elsewhere.until(lambda found: livenesses(found) == all_well, "all again")
        assert {each.name for each in status.components if each.restarts == 1} == killed
        it.send(signal.SIGKILL)
        status = elsewhere.until(lambda found: found.runs is False, "the end")
        dead = {name for name, state in livenesses(status).items() if state == "dead"}
        gone = {name for name, state in livenesses(status).items() if state == "stopped"}
        # Children notice that their parent is gone, and some have the time to say so.
        assert dead | gone >= {"ticks", "turns", "fixed-quantity", "fill-all"}
        assert status.trading == "nothing runs"
    shown = ingenium("status", "live", cwd=folder / "other", env=env)
    assert shown.code == 3
    assert shown.out.splitlines()[0] == "live: nothing runs"


def _guarded(why: str) -> int:
    """Return the process of a program that says nothing itself, from what is said of it."""
    return int(why.split()[2])


@pytest.mark.timeout(150)
def test_component_that_stands_still_does_not_answer_or_says_in_what_it_is_busy(
    folder: Path, make_server: Any
) -> None:
    server = make_server(jetstream(folder / "js"))
    with (folder / "app.py").open("a") as file:
        file.write(STANDS_STILL)
    elsewhere = Elsewhere(folder / "other", server.url)
    env = {"NATS_SERVER": server.url}
    with running("run", "app.py:standing", "--processes", cwd=folder, env=env) as it:
        elsewhere.until(lambda found: len(found.components) == 5 and found.is_well, "all that runs")
        (folder / "block").touch()
        (folder / "wait").touch()
        status = elsewhere.until(
            lambda found: any(each.busy_seconds >= 3 for each in found.components), "what is busy"
        )
        by_name = {each.name: each for each in status.components}
        waits, turns = by_name["waits"], by_name["turns"]
        assert waits.liveness.value == "alive"
        assert waits.busy.startswith("Waits.on_bar (app.py, line ")
        assert (waits.lag_seconds or 0) >= 3
        assert waits.waiting or waits.waiting == 0
        assert turns.liveness.value == "silent"
        assert turns.why.startswith("does not answer, heard ")
        assert by_name["ticks"].liveness.value == "alive"
        it.until_line("behind: strategy 'waits' is ")
        shown = ingenium("status", "live", cwd=folder, env=env)
        assert shown.code == 1
        assert "busy in Waits.on_bar" in shown.out
        (folder / "block").unlink()
        (folder / "wait").unlink()
        elsewhere.until(lambda found: found.is_well, "all that runs again")
        it.until_line("strategy 'waits' has caught up")
        it.send(signal.SIGTERM)
        assert it.wait().code == 0
    assert set(livenesses(elsewhere.status()).values()) == {"stopped"}


@pytest.mark.timeout(150)
def test_plain_server_and_prefix_and_an_app_that_starts_while_it_is_halted(
    folder: Path, make_server: Any
) -> None:
    server = make_server()
    env = {"NATS_SERVER": server.url, "INGENIUM_PREFIX": "paper"}
    elsewhere = Elsewhere(folder / "other", server.url, prefix="paper")
    with running("run", "app.py:app", cwd=folder, env=env) as it:
        # A plain server keeps nothing, so who has not started yet is not known.
        status = elsewhere.until(
            lambda found: found.is_well and len(found.components) == 4, "all that runs"
        )
        assert set(livenesses(status)) == {"ticks", "turns", "fixed-quantity", "fill-all"}
        assert status.trading == "active"
        # The folder of the app knows server and prefix.
        ended = ingenium("halt", "live", "--reason", "lunch", "--json", cwd=folder)
        (done,) = json.loads(ended.out)["apps"]
        assert ended.code == 0
        assert done["confirmed"] == ["executor 'fill-all'", "portfolio 'fixed-quantity'"]
        status = elsewhere.status()
        assert status.trading == "halted"
        assert status.kill_file is None
        halted = {each.name: each.trading for each in status.components if each.trading}
        assert {name: word.state for name, word in halted.items()} == {
            "fixed-quantity": "halted",
            "fill-all": "halted",
        }
        assert "lunch" in halted["fill-all"].reason
        it.send(signal.SIGTERM)
        assert it.wait().code == 0
    assert elsewhere.status().runs is False
    with running("run", "app.py:app", cwd=folder, env=env) as it:
        it.until_line("STARTED WHILE HALTED by ")
        it.until_line(": lunch, since 20")
        assert it.err.index("STARTED WHILE HALTED") < (it.err + "gap:").index("gap:")
        elsewhere.until(lambda found: found.trading == "halted", "the halt of the file")
        ended = ingenium("resume", "live", "--yes", "live", cwd=folder)
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[0] == "live: active"
        assert elsewhere.status().trading == "active"
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


def test_halted_app_that_is_gone_with_its_server_is_halted_and_nothing_runs(folder: Path) -> None:
    with running("run", "app.py:app", cwd=folder) as it:
        place = find_app(Settings(data_directory=folder / ".ingenium"), "live")
        until(lambda: place.directory.joinpath("state/fill-all.db").exists(), "a state")
        until(lambda: _status(folder).is_well, "all that runs")
        ended = ingenium("halt", "live", "--reason", "odd fills", cwd=folder)
        assert ended.code == 0, ended.err
        # Somebody takes the file away; the last control event applies all the same.
        place.kill_file.remove()
        assert _status(folder).trading == "halted"
        it.send(signal.SIGKILL)
        it.wait()
    until(lambda: _status(folder).runs is False, "the end of the server")
    status = _status(folder)
    assert (status.trading, status.kill_file) == ("halted", None)
    assert {each.liveness.value for each in status.components} == {"not running"}
    shown = ingenium("status", cwd=folder)
    assert shown.code == 3
    head = shown.out.splitlines()[0]
    assert head == "live: nothing runs; trading is halted (the next start finds it so)"


def _status(folder: Path) -> AppStatus:
    return asyncio.run(status_of(find_app(Settings(data_directory=folder / ".ingenium"), "live")))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in this process, which takes a fraction of the time of another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(application, list(arguments))

    return run


def test_server_that_cannot_be_reached_leaves_it_unknown(
    command: Callable[..., Result], unused_port: int
) -> None:
    url = f"nats://127.0.0.1:{unused_port}"
    shown = command("status", "live", "--server", url)
    assert shown.exit_code == 1
    head = shown.stdout.splitlines()[0]
    assert head.startswith(f"live: it is unknown whether it runs: cannot reach {url}: ")
    (as_json,) = json.loads(command("status", "live", "--server", url, "--json").stdout)["apps"]
    assert (as_json["runs"], as_json["trading"]) == (None, "unknown")


def test_server_without_the_app_has_nothing_that_runs(
    command: Callable[..., Result], tmp_path: Path, make_server: Any
) -> None:
    server = make_server(jetstream(tmp_path / "js"))
    shown = command("status", "live", "--server", server.url)
    assert shown.exit_code == 3
    assert shown.stdout.splitlines()[0] == "live: nothing runs"


def test_halt_that_halts_nothing_says_so_first(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    # A file where the folder of the app should be: not even root can write into it.
    (tmp_path / ".ingenium").write_text("")
    ended = command("halt", "app")
    assert ended.exit_code == 1
    assert ended.stdout == "app: NOT HALTED: neither file nor server accepted it\n"
    assert "cannot write" in ended.stderr
    assert command("reduce", "app").stdout.startswith("app: NOT REDUCING: ")


def test_apps_of_history_are_not_meant_where_no_name_is_given(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / ".ingenium/history/nats").mkdir(parents=True)
    for name in ("status", "halt"):
        ended = command(name)
        assert isinstance(ended.exception, ConfigError)
        assert "no live app has run with the data folder .ingenium" in str(ended.exception)
    (tmp_path / ".ingenium/live/state").mkdir(parents=True)
    shown = command("status", "--json")
    assert [each["app"] for each in json.loads(shown.stdout)["apps"]] == ["live"]


DOCUMENTED = Path(__file__).parents[2] / "docs/wire-format.md"


async def test_program_in_another_language_is_known_by_the_documented_message(
    make_server: Any, tmp_path: Path
) -> None:
    text = DOCUMENTED.read_text("utf-8").partition("## Status")[2].partition("## ")[0]
    payload = text.partition("```json\n")[2].partition("```")[0].strip().encode()
    server = make_server(jetstream(tmp_path / "js"))
    elsewhere = Elsewhere(tmp_path / "other", server.url, app="momentum")
    async with connected(server.url) as operator:
        await keep_statuses(operator)
    client = await nats.connect(server.url)

    async def answer(message: Any) -> None:
        await client.publish("_ingenium.momentum.status.rsi", payload)

    for subject in ("_ingenium.momentum.ask", "_ingenium.momentum.ask.rsi"):
        await client.subscribe(subject, cb=answer)
    await client.flush()
    status = await status_of(elsewhere.place)
    [rsi] = status.components
    assert (rsi.name, rsi.role, rsi.language) == ("rsi", "strategy", "go")
    assert (rsi.liveness.value, rsi.handled, rsi.last_event) == ("alive", 1042, "DataEvent")
    # Nothing of the app has orders pass through it, so nobody says whether there is trading.
    assert (status.runs, status.trading) == (True, "unknown")
    # One that speaks in the name of another component is not believed.
    await client.publish("_ingenium.momentum.status.other", payload)
    await client.close()  # as if it were killed
    status = await status_of(elsewhere.place)
    [rsi] = status.components
    assert (status.runs, rsi.liveness.value) == (False, "dead")
    assert rsi.why.startswith("not connected, heard ")


@pytest.mark.parametrize("headers", [{}, {"Ingenium-Source": "go-executor"}])
async def test_last_message_of_a_program_that_says_nothing(
    make_server: Any, tmp_path: Path, headers: dict[str, str]
) -> None:
    server = make_server(jetstream(tmp_path / "js"))
    elsewhere = Elsewhere(tmp_path / "other", server.url)
    async with connected(server.url) as bus:
        stream = await open_stream(bus, MONEY_STREAM)
        await stream.append("ingenium.executor.execution", b"{}", headers)
    roster = {"go-executor": "executor", "go-portfolio": "portfolio"}
    found = {each.name: each for each in (await status_of(elsewhere.place, roster)).components}
    last = found["go-executor"].last_sent
    assert last is not None
    assert (last.subject, last.is_certain) == ("ingenium.executor.execution", bool(headers))
    assert found["go-portfolio"].last_sent is None
    # With two of them the sender must say who it is.
    found = {
        each.name: each
        for each in (await status_of(elsewhere.place, roster | {"another": "executor"})).components
    }
    assert found["another"].last_sent is None
    assert (found["go-executor"].last_sent is not None) is bool(headers)
