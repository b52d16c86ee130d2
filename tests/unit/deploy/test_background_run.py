"""The log of a run in the background, and what the run tells its machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ingenium.config import Settings
from ingenium.deploy.local.background_run import stop_run
from ingenium.deploy.local.run_file import local_run

WRITER = """
import sys
from pathlib import Path
from ingenium.deploy.local.background_run import rotate_output

path = Path(sys.argv[1])
for number in range(1000):
    print(number, flush=True)
    print(number, file=sys.stderr, flush=True)
    rotate_output(path, 2000)
"""


def test_log_begins_anew_at_its_size_and_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with path.open("ab") as log:
        subprocess.run(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=log,
            stderr=log,
            check=True,
            timeout=60,
        )
    old, new = Path(f"{path}.1").read_text().split(), path.read_text().split()
    # Only the file before is kept, so the numbers end with the last and have no hole.
    found = [int(each) for each in old + new]
    first = 1000 - len(found) // 2
    assert first < 999
    assert found == [number for number in range(first, 1000) for _ in range(2)]
    assert 2000 <= Path(f"{path}.1").stat().st_size < 2020
    assert path.stat().st_size < 2000


def test_folder_without_a_run_has_none_to_stop(tmp_path: Path) -> None:
    assert local_run(tmp_path) == (None, False)
    assert stop_run(tmp_path, timeout_seconds=1, on_slow=print) is None


def test_damaged_run_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"app": 3')
    assert local_run(tmp_path) == (None, False)


def test_children_do_not_speak_to_the_service_manager() -> None:
    settings = Settings.from_environment(
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "INGENIUM_RUN_LOG": "run.log", "HOME": "/h"}
    )
    child = settings.for_child(app="live", component="rsi")
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "INGENIUM_RUN_LOG"} & set(child)
    assert child["HOME"] == "/h"
