"""A live feed that ends or fails: the same in one process and in several."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.live_app import APP, status_in
from support.running import Ended, ingenium, running, until

# Sends 3 bars each time, then returns or raises.
FEED = APP.replace("range(100_000)", "range(3)").replace(
    "def app():",
    """
class Broken(Ticks):
    async def ingest(self):
        await super().ingest()
        lose_connection()

def lose_connection():
    raise ConnectionError("socket closed")

def app():""",
)
LINE = next(n for n, line in enumerate(FEED.split("\n"), 1) if "raise ConnectionError" in line)
MODES = pytest.mark.parametrize("flags", [(), ("--processes",)], ids=["one process", "processes"])


def _app(tmp_path: Path, arguments: str, feeds: str = "Ticks()") -> None:
    text = FEED.replace("App(name=", f"App({arguments}, name=").replace("[Ticks()]", f"[{feeds}]")
    (tmp_path / "app.py").write_text(text)


def _run(tmp_path: Path, flags: Sequence[str]) -> Ended:
    return ingenium("run", "app.py:app", *flags, cwd=tmp_path)


@MODES
def test_feed_that_ends_is_started_again_by_default(tmp_path: Path, flags: Sequence[str]) -> None:
    (tmp_path / "app.py").write_text(FEED)
    with running("run", "app.py:app", *flags, cwd=tmp_path) as run:
        text = "ingestor 'ticks' has ended: ingest() returned; it is started again in"
        run.until_line(f"{text} 1 s")
        run.until_line(f"{text} 2 s")
        [ticks] = [each for each in status_in(tmp_path).components if each.name == "ticks"]
        assert ticks.handled is not None
        # The pauses grow, so that a look falls into one of them.
        until(lambda: "it is started again in" in str(status_in(tmp_path)), "status has it")
        run.send(signal.SIGINT)
        ended = run.wait()
    assert ended.code == 0
    assert "Traceback" not in ended.err


@MODES
def test_app_that_is_to_stop_with_its_feed_ends_with_0_and_says_so(
    tmp_path: Path, flags: Sequence[str]
) -> None:
    _app(tmp_path, "on_end='stop'")
    ended = _run(tmp_path, flags)
    assert ended.code == 0, ended
    assert "ingestor 'ticks' has ended: ingest() returned" in ended.err
    assert "ingestor 'ticks' has ended; the app ends with it, as its on_end='stop' asks" in (
        ended.err
    )


@MODES
def test_failed_feed_of_such_an_app_ends_it_with_1_and_names_the_users_line(
    tmp_path: Path, flags: Sequence[str]
) -> None:
    _app(tmp_path, "on_end='stop'", "Broken(name='broken')")
    ended = _run(tmp_path, flags)
    assert ended.code == 1, ended
    text = f"ingestor 'broken' failed: ConnectionError: socket closed (app.py, line {LINE})"
    assert text in ended.err
    assert "HALTED" not in ended.err


def test_app_with_two_feeds_goes_on_until_both_have_ended(tmp_path: Path) -> None:
    (tmp_path / "more.py").write_text("")
    longer = FEED.replace(
        "class Broken",
        """
class Longer(Ticks):
    async def ingest(self):
        for _ in range(4):
            await super().ingest()

class Broken""",
    ).replace("App(name=", "App(on_end='stop', name=")
    (tmp_path / "app.py").write_text(longer.replace("[Ticks()]", "[Ticks(), Longer()]"))
    ended = _run(tmp_path, ())
    assert ended.code == 0, ended
    first, second = [line for line in ended.err.splitlines() if "has ended;" in line]
    assert first == "ingestor 'ticks' has ended; the app goes on until longer has ended too"
    assert second.startswith("ingestor 'longer' has ended; the app ends with it")
