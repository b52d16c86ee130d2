"""An operator's day with the live example, typed in a real terminal.

After each step ``status`` is held against what was done, what it shows against docs/live.md, and
the books against a count of the stream that shares no code with them.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.live_app import status_in
from support.running import until as until_is
from support.shown_page import missing_lines, terminal_blocks
from support.stream_books import StreamBooks, read_books
from support.terminal import Command, Done, Pane, terminal

TOP = Path(__file__).parents[2]
PAGE = terminal_blocks(TOP / "docs/live.md")
COMPONENTS = ("feed", "sma-cross", "fixed-quantity", "paper")
RUN = "ingenium run examples/live/app.py --processes"

# The same app and the same books, and a feed that has an end.
ENDING = """
import asyncio
from app import RandomWalk, app as endless
from ingenium import App

class Recording(RandomWalk):
    async def ingest(self):
        try:
            async with asyncio.timeout(3):
                await super().ingest()
        except TimeoutError:
            pass

def app():
    made = endless()
    return App(name=made.name, ingestors=[Recording(0.2, 11)], strategies=made.strategies,
               portfolio=made.portfolio, executor=made.executor, risk=made.risk, on_end="stop")
"""


def until(condition: Callable[[], bool], what: str, limit_seconds: float = 50) -> None:
    """Wait for a condition that is not cheap to look at."""
    until_is(condition, what, limit_seconds, 0.25)


def shown(first: str) -> list[str]:
    """Return what the page shows below a command, or of a block that begins with a line."""
    for kind, lines in PAGE:
        if kind == "console" and lines[0] == f"$ {first}":
            return lines[1:]
        if kind == "text" and lines[0].startswith(first):
            return lines
    raise AssertionError(f"docs/live.md does not show {first!r}")


class Day:
    """The desk of an operator: one pane in which the app runs, and one for commands."""

    def __init__(self, folder: Path, first: Pane, second: Pane) -> None:
        self.folder = folder
        self._first = first
        self._second = second
        self.run: Command | None = None

    @property
    def _server_folder(self) -> Path:
        return self.folder / ".ingenium/live/nats"

    def start(self, command: str = RUN) -> Command:
        """Start the app, and wait until all is ready."""
        run = self.run = self._first.begin(command)
        run.until("all is ready: ingestor feed, strategy sma-cross, portfolio fixed-quantity")
        return run

    def stop(self, run: Command) -> Done:
        self._first.press("C-c")
        ended = run.wait()
        lines = shown("stopping after what is under way")
        assert not missing_lines(lines, ended.out), ended.out
        return ended

    def do(self, command: str, code: int = 0) -> str:
        done = self._second.do(command)
        assert done.code == code, f"{command} ended with {done.code}:\n{done.out}"
        return done.out

    def does_as_the_page(self, command: str, code: int = 0) -> str:
        out = self.do(command, code)
        missing = missing_lines(shown(command), out)
        assert not missing, f"{command} shows no {missing}:\n{out}"
        return out

    def status(self, code: int = 0) -> list[str]:
        """Return the lines of the status as the command shows it."""
        return self.do("ingenium status", code).splitlines()

    def is_well(self, trading: str) -> bool:
        """Say whether all components are alive, and trade or not."""
        found = status_in(self.folder)
        alive = {each.name for each in found.components if each.liveness.value == "alive"}
        return found.is_well and found.trading == trading and alive == set(COMPONENTS)

    def until_well(self, trading: str = "active") -> None:
        """Wait until all is well, and see that the command says so."""
        until(lambda: self.is_well(trading), f"all is well and {trading}")
        lines: list[str] = []

        def says_so() -> bool:
            # On a busy machine a component may take longer to answer than the command waits.
            lines[:] = self._second.do("ingenium status").out.splitlines()
            alive = [line.split()[0] for line in lines if " alive " in line]
            is_so = sorted(alive) == sorted(COMPONENTS)
            return lines[0] == f"live: trading is {trading}" and is_so

        try:
            until(says_so, "the command to say so")
        except AssertionError as error:
            raise AssertionError(f"{error}: {lines}") from None

    def books(self) -> StreamBooks:
        books = read_books(self.folder, "live", 10)
        assert books.wrong == []
        return books

    def check(self) -> StreamBooks:
        """Check that nothing is lost up to now, and that the portfolio has what the stream has."""
        end = self.books().end
        seen: list[StreamBooks] = []

        def answered() -> bool:
            seen.append(self.books())
            return not any(sequence <= end for sequence in seen[-1].unanswered)

        try:
            until(answered, "all signals and orders have their end", 15)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[-1].unanswered}") from None
        self.does_as_the_page("ingenium verify examples/live/app.py")
        return seen[-1]

    def until_fills(self, more: int = 3) -> None:
        """Wait for further fills in the stream."""
        before = self.books().fills
        until(lambda: self.books().fills >= before + more, f"{more} more fills")

    def processes(self) -> dict[str, int]:
        return {each.name: each.process for each in status_in(self.folder).components}

    def run_process(self) -> int:
        process = status_in(self.folder).run
        assert process is not None
        return process

    def server(self) -> int:
        """Return the process of the embedded server, which the name of its ports file holds."""
        [ports] = (self._server_folder / "ports").glob("*.ports")
        return int(ports.stem.rpartition("_")[2])

    def largest_file_of_the_store(self) -> int:
        return max(path.stat().st_size for path in self._server_folder.rglob("*.blk"))


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    shutil.copytree(TOP / "examples/live", tmp_path / "examples/live")
    (tmp_path / "examples/live/ending.py").write_text(ENDING)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with terminal(tmp_path, {"LIVE_SECONDS": "0.2", "PATH": path}, 2) as (first, second):
        yield Day(tmp_path, first, second)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process: Linux only")
def test_operators_day(day: Day) -> None:
    run = day.start()
    start_and_look(day, run)
    run = halt_and_restart(day, run)
    resume(day, run)
    kill_components(day, run)
    kill_server(day, run)
    run = kill_run(day, run)
    fill_disk(day, run)
    feed_that_ends(day, run)


def start_and_look(day: Day, run: Command) -> None:
    lines = shown(RUN)
    until(lambda: not missing_lines(lines, run.text()), f"{lines} in the first terminal")
    day.does_as_the_page("ingenium tap 'ingenium.ingestor.data.>' --count 3")
    until(lambda: len(day.books().positions) == 3, "a position in each symbol")
    until(lambda: day.is_well("active"), "all is well")
    day.does_as_the_page("ingenium status")
    assert day.check().denials == 0


def halt_and_restart(day: Day, run: Command) -> Command:
    day.does_as_the_page('ingenium halt --reason "a look"')
    halted = day.books()
    run.until("  DENIED  ", times=3)
    books = day.books()
    assert (books.orders, books.denials >= 3) == (halted.orders, True)
    day.until_well("halted")
    assert day.check().orders == halted.orders
    assert day.stop(run).code == 0
    assert day.status(3)[0] == "live: nothing runs; trading is halted (the next start finds it so)"
    run = day.start()
    started, notice, *_ = run.text().splitlines()
    assert started == ("live runs on live data, each component in its own process; Ctrl+C stops it")
    assert notice.startswith("STARTED WHILE HALTED by ")
    assert ": a look, since 20" in notice
    run.until("  DENIED  ")
    day.until_well("halted")
    assert day.check().orders == halted.orders
    return run


def resume(day: Day, run: Command) -> None:
    before = day.books()
    day.does_as_the_page("ingenium resume --yes live")
    run.until("  FILL    ", times=2)
    day.until_well()
    assert day.check().orders > before.orders


def kill_components(day: Day, run: Command) -> None:
    for name in COMPONENTS:
        process = day.processes()[name]
        if name == "fixed-quantity":
            day.does_as_the_page(f"python examples/live/kill.py {name}")
        else:
            day.do(f"kill -9 {process}")
        until(lambda process=process: not is_there(process), f"{name} is gone")  # type: ignore[misc]
        for line in shown("fixed-quantity | was killed"):
            run.until(line.replace("fixed-quantity", name))
        day.until_well()
        assert day.processes()[name] != process
        day.until_fills()
        day.check()
    assert {each.restarts for each in status_in(day.folder).components} == {1}


def kill_server(day: Day, run: Command) -> None:
    process = day.run_process()
    # It can start no server as long as it stands still, so that there is time for a look.
    os.kill(process, signal.SIGSTOP)
    day.do(f"kill -9 {day.server()}")
    until(lambda: not status_in(day.folder).server, "the server is gone")
    head = day.status(1)[0]
    assert head.startswith("live: it is unknown whether it trades: the embedded server of app ")
    assert f"process {process}, which runs the app, starts it, or starts it again" in head
    os.kill(process, signal.SIGCONT)
    run.until("was killed by SIGKILL; nothing is sent or received; it is started again in 0.25 s")
    run.until(" s, on its store: signals, orders and executions go on where they were")
    day.until_well()
    day.until_fills()
    day.check()


def kill_run(day: Day, run: Command) -> Command:
    before = day.books()
    process = day.run_process()
    parts = [*day.processes().values(), day.server()]
    day.do(f"kill -9 {process}")
    assert run.wait().code == 128 + signal.SIGKILL
    # Nobody is left behind.
    until(lambda: not any(is_there(each) for each in parts), "all that it started is gone")
    assert day.status(3)[0] == "live: nothing runs"
    assert status_in(day.folder).run is None
    run = day.start()
    day.until_well()
    day.until_fills()
    assert day.check().fills > before.fills
    assert "HALTED" not in run.text()
    return run


def fill_disk(day: Day, run: Command) -> None:
    server = day.server()
    _, most = resource.prlimit(server, resource.RLIMIT_FSIZE)
    # No file of it can grow, as on a disk that is full.
    resource.prlimit(server, resource.RLIMIT_FSIZE, (day.largest_file_of_the_store(), most))
    run.until("TRADING IS HALTED: the server is not well: JetStream stream")
    run.until("file too large")
    until(lambda: status_in(day.folder).trading == "halted", "status says that it is halted")
    assert day.do("ingenium status; true").startswith("live: trading is halted")
    # There is room again. The server may keep its stream frozen until it is started again.
    resource.prlimit(server, resource.RLIMIT_FSIZE, (most, most))
    day.do(f"kill -9 {server}")
    run.until(" s, on its store: signals, orders and executions go on where they were")
    day.until_well("halted")
    assert day.do("ingenium resume --yes live").startswith("live: active\n")
    day.until_fills()
    day.until_well()
    day.check()


def feed_that_ends(day: Day, run: Command) -> None:
    assert day.stop(run).code == 0
    run = day.start("ingenium run examples/live/ending.py --processes")
    ended = run.wait()
    assert ended.code == 0, ended.out
    assert "ingestor 'feed' has ended: ingest() returned" in ended.out
    assert "ingestor 'feed' has ended; the app ends with it, as its on_end='stop' asks" in ended.out
    assert not missing_lines(shown("stopping after what is under way")[1:], ended.out), ended.out
    assert day.status(3)[0] == "live: nothing runs"
    # What was on its way when it ended goes on with the next start.
    run = day.start()
    day.until_fills()
    day.check()
    assert day.stop(run).code == 0
