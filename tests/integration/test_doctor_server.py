"""Planted faults of a real server, and what `ingenium doctor` says about each."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import StorageType, StreamConfig
from support.delivering import connected, jetstream
from support.doctoring import Patient, found_in
from support.live_app import APP
from support.plain_server import PlainServer
from support.running import ingenium, running

from ingenium import _version
from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.status_stream import keep_statuses
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.clock import ManualClock, SystemClock
from ingenium.components import load_app
from ingenium.config import Settings
from ingenium.deploy.local.access import accounts_of
from ingenium.events import encode
from ingenium.nats_server.account_files import make_accounts
from ingenium.operations.doctor import Severity
from ingenium.runtime.durable.store import Change, Store, StreamPosition
from ingenium.subjects.names import ORDER, ask_subject, status_subject

MakeServer = Callable[[str], PlainServer]
MONITOR = 'http: "127.0.0.1:-1"'


def monitor_of(server: PlainServer) -> str:
    [path] = (server.directory / "ports").iterdir()
    return str(json.loads(path.read_text())["monitoring"][0])


async def with_streams(server: PlainServer) -> None:
    """Make the streams, as a start of the app does."""
    async with connected(server.url) as bus:
        for layout in (MONEY_STREAM, DATA_STREAM):
            await open_stream(bus, layout)


@pytest.fixture
def server(make_server: MakeServer, tmp_path: Path) -> PlainServer:
    return make_server(f"{jetstream(tmp_path / 'js')}\n{MONITOR}")


@pytest.fixture
async def patient(server: PlainServer, tmp_path: Path) -> Patient:
    await with_streams(server)
    return Patient(tmp_path, server.url)


async def test_app_on_a_good_server_has_nothing(patient: Patient, server: PlainServer) -> None:
    found = await patient.examine(monitor_url=monitor_of(server))
    assert found_in(found) == []
    assert found.server == server.url
    assert found.version.startswith("2.")
    assert found.app == "live"


def tree_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_running_and_stopped_apps_have_nothing_and_are_unchanged(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with running("run", "app.py:app", cwd=tmp_path) as run:
        run.until_line("all is ready")
        alive = ingenium("doctor", "app.py:app", cwd=tmp_path)
        assert (alive.code, alive.out.splitlines()[-1]) == (0, "nothing found"), alive.out
        run.send(signal.SIGINT)
        run.wait()
    before = tree_of(tmp_path / ".ingenium")
    ended = ingenium("doctor", "app.py:app", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.out
    said = json.loads(ended.out)
    assert (said["app"], said["errors"], said["warnings"]) == ("live", 0, 0)
    assert "server" in [each["check"] for each in said["findings"]]
    assert tree_of(tmp_path / ".ingenium") == before


async def test_server_that_does_not_run(tmp_path: Path, unused_port: int) -> None:
    patient = Patient(tmp_path, f"nats://127.0.0.1:{unused_port}")
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error server: cannot reach {patient.server}: connection refused")
    assert found.endswith("start that server, or correct NATS_SERVER or --server")


async def test_wrong_password(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server("authorization { user: ann, password: right }")
    patient = Patient(tmp_path, server.url.replace("//", "//ann:wrong@"))
    [found] = found_in(await patient.examine())
    assert "authorization violation" in found
    assert "set INGENIUM_NATS_CREDENTIALS to the files that ingenium accounts has written" in found
    assert "wrong@" not in found


async def test_server_without_jetstream(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server("")
    [found] = found_in(await Patient(tmp_path, server.url).examine())
    assert found == (
        f"warning jetstream: the server at {server.url} keeps no streams: a crash or a lost "
        "connection loses signals and orders: add a jetstream block to its configuration, or -js "
        "to its command"
    )


async def test_server_that_does_not_write_to_its_disk(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(f'jetstream {{ store_dir: "{tmp_path / "js"}" }}\n{MONITOR}')
    await with_streams(server)
    [found] = found_in(await Patient(tmp_path, server.url).examine(monitor_url=monitor_of(server)))
    assert found.startswith(
        "warning sync_interval: the server writes streams to its disk every 120 s"
    )
    assert found.endswith("set sync_interval: always in the jetstream block of its configuration")


class Elsewhere(ManualClock):
    """A clock that is wrong by a time."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self._by = by

    def now(self) -> datetime:
        return SystemClock().now() + self._by


@pytest.mark.parametrize(
    ("seconds", "severity", "words"),
    [(-1.8, "warning", "1.8 s ahead of"), (45, "error", "behind")],
)
async def test_clocks_that_differ(
    patient: Patient, seconds: float, severity: str, words: str
) -> None:
    clock = Elsewhere(timedelta(seconds=seconds))
    [found] = found_in(await patient.examine(clock=clock))
    assert found.startswith(f"{severity} clock: the server's clock is ")
    assert words.split(" s ")[-1] in found
    assert found.endswith("synchronize both clocks, as with chrony or systemd-timesyncd")


async def test_server_without_room_for_streams(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(jetstream(tmp_path / "js", "max_file_store: 100MB") + f"\n{MONITOR}")
    found = found_in(await Patient(tmp_path, server.url).examine(monitor_url=monitor_of(server)))
    [text] = found
    # MB of the server's configuration are 2**20 bytes.
    assert text == (
        "warning jetstream limits: the server has 100 MiB of disk left for streams, and one of "
        "1024 MiB is to be made: raise max_file_store in the jetstream block of the server, or the "
        "limit of the account"
    )


async def test_account_without_room_for_streams(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(
        jetstream(tmp_path / "js") + "\naccounts { A { jetstream: { max_file: 64MB }\n"
        "users: [ { user: ann, password: x } ] } }"
    )
    patient = Patient(tmp_path, server.url.replace("//", "//ann:x@"))
    found = found_in(await patient.examine())
    [room] = [each for each in found if "jetstream limits" in each]
    assert "the account has 64 MiB of disk left for streams" in room
    assert "or the limit of the account" in room


async def test_stream_that_had_no_room(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(jetstream(tmp_path / "js", "max_file_store: 100MB"))
    await with_streams(server)
    [found] = found_in(await Patient(tmp_path, server.url).examine())
    assert found.startswith("warning streams: stream INGENIUM holds 64 MiB, and not 1024: ")
    assert "raise max_file_store" in found


async def test_small_messages(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(jetstream(tmp_path / "js") + "\nmax_payload: 65536")
    await with_streams(server)
    [found] = found_in(await Patient(tmp_path, server.url).examine())
    assert found == (
        "error message size: the server takes messages of 65,536 bytes, and events may have "
        "131,072: set max_payload: 1MB in its configuration, or raise the limit of the account"
    )


async def test_stream_that_forgets(server: PlainServer, tmp_path: Path) -> None:
    async with connected(server.url) as bus:
        config = StreamConfig(
            name="INGENIUM", subjects=list(MONEY_STREAM.subjects), storage=StorageType.FILE,
            max_age=60, duplicate_window=60,
        )  # fmt: skip
        await bus.client.jetstream().add_stream(config)
        await open_stream(bus, DATA_STREAM)
    [found] = found_in(await Patient(tmp_path, server.url).examine())
    assert found.startswith("error streams: stream INGENIUM on the server")
    assert "max_age is 60 s, not 0 s" in found
    assert found.endswith("change it with the nats command line, or use another server")


async def test_stream_that_is_nearly_full(server: PlainServer, tmp_path: Path) -> None:
    async with connected(server.url) as bus:
        config = StreamConfig(
            name="INGENIUM", subjects=list(MONEY_STREAM.subjects), storage=StorageType.FILE,
            max_bytes=100_000, duplicate_window=3600, max_msg_size=131_072,
        )  # fmt: skip
        await bus.client.jetstream().add_stream(config)
        await open_stream(bus, DATA_STREAM)
        for _ in range(10):
            await bus.client.jetstream().publish(ORDER, bytes(9200))
    found = found_in(await Patient(tmp_path, server.url).examine())
    [full] = [each for each in found if "% full" in each]
    assert full.startswith("warning streams: stream INGENIUM is 9")
    assert "raise max_bytes with nats stream edit INGENIUM" in full


def write_position(patient: Patient, created: str, sequence: int) -> None:
    path = patient.state / "fixed-quantity.db"
    store = Store.open(path, owner="component fixed-quantity of live")
    store.commit(Change(positions=[StreamPosition("INGENIUM", created, sequence)]))
    store.close()


async def test_state_that_is_ahead_of_the_stream(patient: Patient, server: PlainServer) -> None:
    async with connected(server.url) as bus:
        state = await (await open_stream(bus, MONEY_STREAM)).state()
    write_position(patient, state.created, 7)
    [found] = found_in(await patient.examine())
    assert found.startswith(
        "error stale state: 'fixed-quantity' cannot go on: stream INGENIUM ends at message 0, "
        "before message 7 that was handled"
    )
    assert "compare positions with the broker and start with --adopt" in found


async def test_state_whose_stream_is_gone(server: PlainServer, tmp_path: Path) -> None:
    patient = Patient(tmp_path, server.url)
    write_position(patient, "2026-01-01T00:00:00Z", 7)
    [found] = found_in(await patient.examine())
    assert found.startswith(
        "error streams: the server has no stream INGENIUM, and 'fixed-quantity' is at message 7"
    )
    assert "set NATS_SERVER to the server that has it" in found


@pytest.mark.parametrize(
    ("subject", "severity"), [(ORDER, "error"), ("ingenium.portfolio.*", "error"), (">", "warning")]
)
async def test_foreign_program_that_reads_orders(
    patient: Patient, subject: str, severity: str
) -> None:
    options = NatsOptions()
    bus = await NatsBus.connect(patient.server, name="old-executor", options=options)
    try:
        await bus.client.subscribe(subject)
        await bus.flush()
        [found] = found_in(await patient.examine())
    finally:
        await bus.close()
    assert found.startswith(f"{severity} subscribers: old-executor (127.0.0.1:")
    assert found.endswith(
        f"subscribes to {subject}: stop it if it works orders: each one would be worked by "
        "'fill-all' too"
    )


async def test_reader_of_other_subjects_is_not_foreign(patient: Patient) -> None:
    async with connected(patient.server) as bus:
        await bus.client.subscribe("ingenium.executor.execution")
        await bus.flush()
        assert found_in(await patient.examine()) == []


async def test_component_of_another_version(patient: Patient) -> None:
    status = ComponentStatus(
        app="live", component="turns", role="strategy", language="python", version="0.0.1",
        state="ready", timestamp=datetime.now(UTC),
    )  # fmt: skip
    async with connected(patient.server) as bus:
        await keep_statuses(bus)
        # Connected, as a component is, and with a status that the server keeps.
        await bus.subscribe(ask_subject("live", "turns"), lambda _message: None)
        await bus.publish(status_subject("live", "turns"), encode(status))
        await bus.flush()
        [found] = found_in(await patient.examine())
    assert found == (
        "error versions: components have schemas of other versions of Ingenium: turns of 0.0.1, "
        f"and this command of {_version.__version__}: pip install ingenium=={_version.__version__} "
        "on each machine, and restart the components"
    )


async def test_server_that_has_no_connections_left(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(f"{jetstream(tmp_path / 'js')}\n{MONITOR}\nmax_connections: 3")
    await with_streams(server)
    async with connected(server.url), connected(server.url):
        [found] = found_in(
            await Patient(tmp_path, server.url).examine(monitor_url=monitor_of(server))
        )
    assert found.startswith("warning connections: 3 of 3 connections of the server are in use")
    assert "raise max_connections" in found


async def test_monitoring_pages_that_are_not_there(patient: Patient, unused_port: int) -> None:
    [found] = found_in(await patient.examine(monitor_url=f"http://127.0.0.1:{unused_port}"))
    assert found.startswith("error monitoring: the monitoring pages do not answer")
    assert "correct --monitor" in found


def accounts(folder: Path, name: str) -> dict[str, str]:
    """Write the accounts of an app of that name, and return where its credentials are."""
    app = load_app(Patient(folder).target)
    app.name = name
    made = make_accounts(accounts_of(app, Settings()), with_keys=False)
    return {"INGENIUM_NATS_CREDENTIALS": made.write(folder / "secrets")}


@pytest.mark.parametrize("app", ["live", "other"])
async def test_accounts_of_this_app_and_of_another_one(
    make_server: MakeServer, tmp_path: Path, app: str
) -> None:
    credentials = accounts(tmp_path, app)
    server = make_server(
        jetstream(tmp_path / "js") + "\naccounts {\n include ../secrets/accounts.conf\n}"
    )
    patient = Patient(tmp_path, server.url)
    patient.environment = credentials
    found = found_in(await patient.examine())
    if app == "live":
        assert found == []
        return
    who = ("ingestor 'ticks'", "strategy 'turns'", "portfolio 'fixed-quantity'")
    for name in (*who, "executor 'fill-all'"):
        texts = [each for each in found if each.startswith(f"error accounts: {name}, as user ")]
        [publish] = [each for each in texts if "publish on" in each]
        assert "_ingenium.live.status." in publish
        [subscribe] = [each for each in texts if "subscribe to" in each]
        assert "_ingenium.live.ask" in subscribe
        for each in texts:
            assert each.endswith(
                "print the accounts of this app with ingenium accounts, and include them in the "
                "server's configuration"
            )


async def test_component_without_credentials(make_server: MakeServer, tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    patient.environment = accounts(tmp_path, "live")
    server = make_server(
        jetstream(tmp_path / "js") + "\naccounts {\n include ../secrets/accounts.conf\n}"
    )
    patient.server = server.url
    for path in (tmp_path / "secrets").glob("executor*"):
        path.unlink()
    found = found_in(await patient.examine())
    assert [each.split(":")[0] for each in found] == ["error credentials", "error accounts"]
    assert "executor.login" in found[0]
    assert "write the files with ingenium accounts" in found[0]
    assert found[1].startswith("error accounts: executor 'fill-all' cannot connect: ")
    assert found[1].endswith("and set INGENIUM_NATS_CREDENTIALS to the files")


async def test_notes_say_what_was_not_examined(patient: Patient) -> None:
    found: list[Any] = found_in(await patient.examine(), Severity.NOTE)
    [monitoring] = [each for each in found if each.startswith("note monitoring")]
    assert "sync_interval, health and limits of the server were not examined" in monitoring
    assert "pass --monitor http://HOST:8222" in monitoring
    assert any(each.startswith("note accounts: the server has no accounts") for each in found)
