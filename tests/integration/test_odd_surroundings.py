"""Folders with odd names, a disk that is full, and every umask: an app lives with all of them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium.errors import StoreError
from ingenium.nats_server import running_servers
from ingenium.runtime.durable import Store


def has_traded(folder: Path) -> bool:
    try:
        store = Store.read(folder / "live/state/fixed-quantity.db")
    except StoreError:
        return False  # It is just being made.
    try:
        return store.log_size("trade") > 0
    finally:
        store.close()


@contextmanager
def trading(folder: Path, **env: str) -> Iterator[None]:
    """Run the app until it has traded, and end it."""
    (folder / "app.py").write_text(APP)
    data = Path(env.get("INGENIUM_DATA_DIR", folder / ".ingenium"))
    with running("run", "app.py:app", cwd=folder, env=env) as it:
        until(lambda: bool(running_servers(data)), "a server")
        until(lambda: has_traded(data), "a trade")
        yield
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


def test_data_folder_of_any_name_is_used_by_that_name(tmp_path: Path) -> None:
    name = "a b?mode=memory#%41%00 'x'"
    data = tmp_path / name
    with trading(tmp_path, INGENIUM_DATA_DIR=str(data)):
        env = {"INGENIUM_DATA_DIR": str(data)}
        ended = ingenium("verify", "app.py:app", "--json", cwd=tmp_path, env=env)
        assert ended.code == 0, ended
        assert json.loads(ended.out)["executions"] > 0
        (status,) = json.loads(ingenium("status", "--json", cwd=tmp_path, env=env).out)["apps"]
        assert not any(each["error"] for each in status["components"])
        offsets = {each["role"]: each["offset"] for each in status["components"]}
        assert offsets["portfolio"]
        assert offsets["executor"]
    # Nothing beside it, such as for the part of the name before a question mark.
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == sorted(
        ["app.py", name]
    )


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o000, 0o777], ids=oct)
def test_files_are_their_owners_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    with umask(mode), trading(tmp_path):
        found = sorted(path for path in (tmp_path / ".ingenium").rglob("*"))
        modes = {
            str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in found
        }
        halted = ingenium("halt", "--reason", "x", cwd=tmp_path)
        assert halted.code == 0, halted
        halt_file = tmp_path / ".ingenium/live/HALT"
        modes[".ingenium/live/HALT"] = stat.S_IMODE(halt_file.stat().st_mode)
    modes[".ingenium"] = stat.S_IMODE((tmp_path / ".ingenium").stat().st_mode)
    assert {name: oct(each) for name, each in modes.items() if each & 0o022} == {}
    # Its owner can use all of them.
    assert {name: oct(each) for name, each in modes.items() if each & 0o600 != 0o600} == {}
    private = [
        name
        for name in modes
        if "/state/" in name or "/address" in name or name.endswith(("server.conf", "/lock"))
    ]
    assert len(private) > 8
    assert {oct(modes[name]) for name in private} == {"0o600"}
    for name in (".ingenium", ".ingenium/live", ".ingenium/live/nats", ".ingenium/live/state"):
        assert oct(modes[name]) == "0o700"


@pytest.mark.parametrize("mode", [0o000, 0o777], ids=oct)
def test_secrets_are_their_owners_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    (tmp_path / "app.py").write_text(APP)
    with umask(mode):
        ended = ingenium("accounts", "app.py:app", "--directory", "deep/secrets", cwd=tmp_path)
    assert ended.code == 0, ended
    folder = tmp_path / "deep/secrets"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_halt_on_a_full_disk_halts_by_the_bus_and_by_an_empty_file(tmp_path: Path) -> None:
    with trading(tmp_path):
        # No byte more can be written to a file, as on a disk that is full.
        command = f"ulimit -f 0; exec {sys.executable} -m ingenium halt live --reason flood --json"
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
        (result,) = json.loads(done.stdout)["apps"]
        assert done.returncode == 1
        assert result["reached"] == "stream"
        assert result["file_changed"] is True
        assert result["file_error"].endswith(
            ".ingenium/live/HALT: File too large, so the file is empty and gives no reason, and "
            "halts anyway"
        )
        until(lambda: _is_halted(tmp_path), "that all are halted")
        assert (tmp_path / ".ingenium/live/HALT").read_bytes() == b""
        assert not list((tmp_path / ".ingenium/live").glob("HALT.*"))


def test_reduce_on_a_full_disk_writes_no_file_that_halts(tmp_path: Path) -> None:
    with trading(tmp_path):
        command = f"ulimit -f 0; exec {sys.executable} -m ingenium reduce live"
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "the file is not written" in done.stdout
        assert "has stored it: all components get it" in done.stdout
        assert "File too large" in done.stderr
        assert not (tmp_path / ".ingenium/live/HALT").exists()


def _is_halted(folder: Path) -> bool:
    (status,) = json.loads(ingenium("status", "--json", cwd=folder).out)["apps"]
    return bool(status["said"]) and status["said"]["state"] == "halted"
