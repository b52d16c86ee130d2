"""What a live app says when it is started again."""

from __future__ import annotations

import signal
from pathlib import Path

from support.live_app import APP, status_in
from support.running import running, until


def test_normal_restart_is_no_gap_and_one_after_a_kill_is(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    for number in (signal.SIGINT, signal.SIGKILL):
        with running("run", "app.py:app", cwd=tmp_path) as run:
            run.until_line("all is ready")
            end = status_in(tmp_path).stream_end or 0
            until(lambda end=end: (status_in(tmp_path).stream_end or 0) > end + 5, "it trades")  # type: ignore[misc]
            run.send(number)
            ended = run.wait()
        assert "gap" not in ended.err, ended.err
    with running("run", "app.py:app", cwd=tmp_path) as run:
        run.until_line("all is ready")
        run.until_line("portfolio 'fixed-quantity' has missed market data of stream INGENIUM_DATA")
        run.until_line("executor 'fill-all' has missed market data of stream INGENIUM_DATA from 2")
        run.send(signal.SIGINT)
        assert run.wait().code == 0
