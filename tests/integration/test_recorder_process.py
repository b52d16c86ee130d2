"""The process of a recorder beside a live app: killed again and again, and on a full disk."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.live_app import APP
from support.running import Running, ingenium, running, until

from ingenium.recorder.database import Database

KILLS = 3
Events = dict[tuple[str, int], bytes]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Path, Running]]:
    (tmp_path / "app.py").write_text(APP)
    with running("run", "app.py", "--quiet", cwd=tmp_path) as app:
        app.until_line("is ready")
        yield tmp_path, app


def events_of(path: Path) -> Events:
    """Return the bodies of the recorded events by stream and sequence."""
    if not path.is_file():
        return {}
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall():
            return {}
        rows = connection.execute("SELECT stream, sequence, body FROM events").fetchall()
    return {(stream, sequence): body for stream, sequence, body in rows}


def fills_of(path: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT sequence, side, quantity FROM executions WHERE booked = 1 ORDER BY sequence"
        return connection.execute(query).fetchall()


def check_same(path: Path, folder: Path) -> None:
    """Check a recording against one that was made at once, afterwards."""
    whole = folder / "whole.db"
    ended = ingenium("record", "live", "--once", "--database", str(whole), cwd=folder)
    assert ended.code == 0, ended.err
    found, expected = events_of(path), events_of(whole)
    assert found == {key: expected[key] for key in found}
    for stream in ("live/INGENIUM", "live/INGENIUM_DATA"):
        numbers = sorted(sequence for name, sequence in found if name == stream)
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
    with closing(sqlite3.connect(path)) as connection:
        position = dict(connection.execute("SELECT stream, sequence FROM position").fetchall())
        held = connection.execute(
            "SELECT quantity FROM position_changes ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        assert connection.execute("SELECT count(*) FROM gaps").fetchone() == (0,)
    assert position == {
        stream: max(sequence for name, sequence in found if name == stream) for stream in position
    }
    fills = fills_of(path)
    assert fills == fills_of(whole)[: len(fills)]
    signed = [int(quantity) * (1 if side == "buy" else -1) for _, side, quantity in fills]
    assert int(held[0]) == sum(signed)


def test_killed_recorder_records_nothing_twice_and_leaves_nothing_out(
    live: tuple[Path, Running],
) -> None:
    folder, _ = live
    path = folder / "record.db"
    for _ in range(KILLS):
        before = len(events_of(path))
        with running("record", "live", "--database", str(path), cwd=folder) as recorder:
            until(lambda before=before: len(events_of(path)) > before, "events")  # type: ignore[misc]
            recorder.send(signal.SIGKILL)
            assert recorder.wait().code == -signal.SIGKILL
    ended = ingenium("record", "live", "--once", "--database", str(path), cwd=folder)
    assert ended.code == 0, ended.err
    assert len(fills_of(path)) > 1
    check_same(path, folder)


def test_full_disk_ends_the_recorder_and_it_goes_on_later(live: tuple[Path, Running]) -> None:
    folder, _ = live
    path, seen = folder / "record.db", folder / "seen.db"
    Database(str(path)).migrate()
    with running("record", "live", "--database", str(seen), cwd=folder):
        until(lambda: len(events_of(seen)) > 200, "events")
    # No file may become larger than 64 KiB, and 200 events with their rows are larger.
    command = [
        sys.executable,
        "-m",
        "ingenium",
        "record",
        "live",
        "--once",
        "--database",
        str(path),
    ]
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 64; exec "$@"', "limited", *command],
        cwd=folder, capture_output=True, text=True, timeout=50, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert limited.returncode == 1, limited.stderr
    assert f"database {path} cannot be written" in limited.stderr
    assert "Traceback" not in limited.stderr
    ended = ingenium("record", "live", "--once", "--database", str(path), cwd=folder)
    assert ended.code == 0, ended.err
    check_same(path, folder)
