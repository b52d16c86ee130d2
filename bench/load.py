"""An app on live data under load, against the one of an older commit in the same run.

One process runs strategy, portfolio and executor on an embedded server that writes each message
to the disk before it acknowledges it. Bars come at a fixed rate, and each makes one order.

* **Latency** is the time from the publish of a bar until its order has come out of the stream.
* **Saturation** is how many orders a second come out, and are filled, while bars never run out.
* **Overload**: after how long the app says that it is behind, whether each bar of a burst still
  gets its order in time, and whether the app says that it has caught up.

Run it with ``python -m bench.load``. The older commit is checked out into a temporary work tree;
without the history of the repository it is left out, and said to be. The rates take turns, so that
what else a machine does disturbs all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from ingenium import DataEvent, Ohlc
from ingenium.events import OrderEvent, decode, encode
from ingenium.subjects.names import DENIAL, EXECUTION, ORDER

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "42a7336"
RATES = (10, 50, 100, 300)
ROUNDS = 2
ORDERS = 60
SECONDS = 4.0
BURST = 10_000
BURST_SECONDS = 10.0
RECOVERY_SECONDS = 90.0
MIN_OF_BEFORE = 4.0
MAX_P99_OF_SLOWEST = 2.0
SAID_WITHIN = 5.0
_SYMBOLS = [f"SYM{number}" for number in range(20)]
_START_SECONDS = 30.0
_STORED_BYTES = 16
"""What the server adds to each message in memory, for its sequence and time."""
_TICK_SECONDS = 0.002
_MAIN = "import sys; from ingenium.cli.main import main; sys.exit(main())"


def fsync_milliseconds(folder: Path, count: int = 200) -> tuple[float, float]:
    """Return median and 99th percentile of a write that goes to the disk, in milliseconds."""
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 512)
            began = perf_counter()
            os.fdatasync(file.fileno())
            times.append((perf_counter() - began) * 1000)
    times.sort()
    return times[count // 2], times[int(count * 0.99)]


@dataclass
class Watch:
    """Looks for the orders of bars.

    Attributes:
        sent: When each bar was published whose order has not come, by symbol, oldest first.
        seconds: How long each order took.
        filled: How many executions have come.
        denied: How many signals were denied, such as for being late.
    """

    sent: dict[str, deque[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    filled: int = 0
    denied: int = 0

    async def take(self, message: Msg) -> None:
        """Take note of a message of the stream."""
        if message.subject == ORDER:
            if waiting := self.sent.get(decode(OrderEvent, message.data).symbol):
                self.seconds.append(perf_counter() - waiting.popleft())
        elif message.subject == EXECUTION:
            self.filled += 1
        elif message.subject == DENIAL:
            self.denied += 1

    def forget(self) -> None:
        """Begin again."""
        self.sent.clear()
        self.seconds.clear()
        self.filled = self.denied = 0

    async def until(self, filled: int, seconds: float) -> None:
        """Wait until so many orders are filled or denied, for so long at most."""
        ends_at = perf_counter() + seconds
        while self.filled + self.denied < filled and perf_counter() < ends_at:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Running:
    """An app that runs, and connections to its server.

    Args:
        pid: Of its process, which is the parent of its server.
        log: What it writes, in the folder of all its files.
        feed: As its ingestor.
        watch: What has come.
    """

    def __init__(self, pid: int, log: Path, feed: Client, watch: Watch) -> None:
        self.pid = pid
        self.log = log
        self.watch = watch
        self._feed = feed
        self._number = self._before = 0

    @property
    def sent(self) -> int:
        """How many bars were published since the watch was told to forget."""
        return self._number - self._before

    def forget(self) -> None:
        """Count bars, orders and fills anew."""
        self._before = self._number
        self.watch.forget()

    async def publish(self, count: int = 1) -> None:
        """Publish bars."""
        now = datetime.now(UTC)
        for _ in range(count):
            self._number += 1
            symbol, subject, data = _bar(self._number, now)
            self.watch.sent.setdefault(symbol, deque()).append(perf_counter())
            await self._feed.publish(subject, data)

    async def at_rate(self, rate: float, seconds: float) -> None:
        """Publish bars at a rate."""
        began = perf_counter()
        sent = 0
        while (elapsed := perf_counter() - began) < seconds:
            due = int(elapsed * rate) + 1 - sent
            if due > 0:
                await self.publish(due)
                sent += due
            await asyncio.sleep(_TICK_SECONDS)

    def said(self, pattern: str) -> bool:
        """Whether the app has written something."""
        return re.search(pattern, _text_of(self.log)) is not None


def _bar(number: int, time: datetime) -> tuple[str, str, bytes]:
    """Return symbol, subject and message of a bar."""
    symbol = _SYMBOLS[number % len(_SYMBOLS)]
    event = DataEvent(
        id=f"data_{number:027}",
        type="data.type.ohlc",
        symbol=symbol,
        timestamp=time.isoformat().replace("+00:00", "Z"),
        ohlc=Ohlc(open="100", high="101", low="99", close="100", volume="10"),
    )
    return symbol, f"ingenium.ingestor.data.{symbol.lower()}", encode(event)


def bar_bytes() -> int:
    """Return the size of a bar in a stream as the server counts it."""
    _, subject, data = _bar(0, datetime.now(UTC))
    return len(subject) + len(data) + _STORED_BYTES


def _text_of(log: Path) -> str:
    return log.read_text(errors="replace")


def _start(tree: Path, folder: Path, log: Path, prepare: str) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM", "NATS"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join((str(tree / "python"), str(tree))),
        "INGENIUM_DATA_DIR": str(folder / "data"),
        "COLUMNS": "300",
    }
    command = [sys.executable, "-c", prepare + _MAIN, "run", str(ROOT / "bench" / "load_app.py")]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)


@asynccontextmanager
async def running(tree: Path, prepare: str = "") -> AsyncIterator[Running]:
    """Run the app with the library of a work tree.

    Args:
        tree: The work tree.
        prepare: Python code that the app's process runs first.
    """
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        log = folder / "log"
        process = _start(tree, folder, log, prepare)
        connections: list[Client] = []
        try:
            connections.append(await _connect(folder, "operator", process, log))
            connections.append(await _connect(folder, "ingestor", process, log))
            yield await _until_ready(process.pid, log, *connections)
        finally:
            for connection in connections:
                with suppress(Exception):
                    await connection.drain()
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _until_ready(pid: int, log: Path, operator: Client, feed: Client) -> Running:
    watch = Watch()
    js = operator.jetstream()
    ends_at = perf_counter() + _START_SECONDS
    while True:
        try:
            await js.stream_info("INGENIUM")
        except (nats.errors.Error, TimeoutError):  # it is just being made
            if perf_counter() > ends_at:
                raise
            await asyncio.sleep(0.05)
        else:
            break
    await js.subscribe(
        "ingenium.>",
        stream="INGENIUM",
        ordered_consumer=True,
        cb=watch.take,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.NEW),
    )
    it = Running(pid, log, feed, watch)
    # Bars that come before all components read give no order; the first fill says that they do.
    while not watch.filled:
        await it.publish()
        await asyncio.sleep(0.2)
        if perf_counter() > ends_at:
            raise SystemExit(f"the app gives no order: {_text_of(log)}")
    await asyncio.sleep(0.5)
    it.forget()
    return it


async def _pass_over(error: Exception) -> None:
    """Say nothing of what goes wrong while the app and its server end."""


async def _connect(folder: Path, role: str, process: subprocess.Popen[bytes], log: Path) -> Client:
    address = folder / "data" / "load" / "nats" / f"address.{role}"
    began = perf_counter()
    while True:
        if process.poll() is not None or perf_counter() - began > _START_SECONDS:
            raise SystemExit(f"the app does not run: {_text_of(log)}")
        try:
            return await nats.connect(
                address.read_text(),
                inbox_prefix=f"_INBOX.{role}".encode(),
                connect_timeout=5,
                error_cb=_pass_over,
            )
        except (OSError, nats.errors.Error):
            await asyncio.sleep(0.05)


@contextmanager
def work_tree(commit: str) -> Iterator[Path | None]:
    """Check a commit out for as long as this lasts; ``None`` where it is not there."""
    git = ["git", "-C", str(ROOT)]
    with tempfile.TemporaryDirectory(prefix="ingenium-before-") as folder:
        path = Path(folder) / "tree"
        done = subprocess.run(
            [*git, "worktree", "add", "--detach", "--force", str(path), commit],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            yield None
            return
        try:
            yield path
        finally:
            subprocess.run(
                [*git, "worktree", "remove", "--force", str(path)], capture_output=True, check=False
            )


def percentile(values: list[float], part: float) -> float:
    """Return the value below which a part of all lies, 0 to 1; infinite for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("inf")


async def latencies(tree: Path, rates: Sequence[int]) -> dict[int, list[float]]:
    """Return how long each order took, in milliseconds, by rate."""
    found: dict[int, list[float]] = {rate: [] for rate in rates}
    for _ in range(ROUNDS):
        async with running(tree) as it:
            for rate in rates:
                it.watch.forget()
                seconds = max(SECONDS, ORDERS / rate)
                await it.at_rate(rate, seconds)
                await it.watch.until(int(rate * seconds), 30.0)
                found[rate] += [each * 1000 for each in it.watch.seconds]
    return found


@dataclass
class Burst:
    """What became of bars that all came at once.

    Attributes:
        rate: Orders a second that were sent and filled while bars waited.
        filled: How many were filled in the end.
        denied: How many signals were denied, as they were late.
        seconds: How long all of it took.
        said: After how many seconds the app said that it was behind; ``None`` for never.
        caught_up: Whether it said that it had caught up.
    """

    rate: float = 0.0
    filled: int = 0
    denied: int = 0
    seconds: float = 0.0
    said: float | None = None
    caught_up: bool = False


async def burst(tree: Path, *, to_the_end: bool) -> Burst:
    """Publish bars at full speed, and see what becomes of them."""
    found = Burst()
    async with running(tree) as it:
        began = perf_counter()

        async def listen() -> None:
            while not it.said(r"'[\w-]+' is [\d.]+ s behind"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            found.said = perf_counter() - began

        listening = asyncio.create_task(listen())
        await it.publish(BURST)
        await it.watch.until(BURST, BURST_SECONDS - (perf_counter() - began))
        found.rate = min(len(it.watch.seconds), it.watch.filled) / (perf_counter() - began)
        if to_the_end:
            await it.watch.until(BURST, RECOVERY_SECONDS)
            found.seconds = perf_counter() - began
            await asyncio.sleep(2.0)
            found.caught_up = it.said("has caught up")
        found.filled, found.denied = it.watch.filled, it.watch.denied
        listening.cancel()
    return found


async def measure(rates: Sequence[int]) -> bool:
    """Print the figures, and return whether they are as good as they should be."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        median, worst = fsync_milliseconds(Path(folder))
    print(f"fdatasync of 512 bytes on this disk: p50 {median:.2f} ms, p99 {worst:.2f} ms")
    with work_tree(BEFORE) as before:
        if before is None:
            print(f"commit {BEFORE} is not in this repository's history: nothing to compare with")
        trees = {"now": ROOT} | ({} if before is None else {BEFORE: before})
        print(f"bar to order, ms{'':4}" + "".join(f"{f'{rate}/s':>28}" for rate in rates))
        times = {}
        for name, tree in trees.items():
            times[name] = await latencies(tree, rates)
            cells = [
                f"p50 {percentile(each, 0.5):,.1f} p99 {percentile(each, 0.99):,.1f}"
                for each in times[name].values()
            ]
            print(f"{name:20}" + "".join(f"{cell:>28}" for cell in cells), flush=True)
        bursts = {name: await burst(tree, to_the_end=name == "now") for name, tree in trees.items()}
    for name, each in bursts.items():
        print(f"{name:20}saturation {each.rate:,.0f} orders/s")
    now = bursts["now"]
    behind = "never" if now.said is None else f"after {now.said:.1f} s"
    print(
        f"overload: {BURST:,} bars at once, {now.filled:,} filled and {now.denied:,} denied within "
        f"{now.seconds:.0f} s; being behind was said {behind}"
    )
    passed = check("said within 5 s", now.said is not None and now.said <= SAID_WITHIN)
    passed &= check("recovered, and nothing was late", now.caught_up and now.filled >= BURST)
    if before is not None:
        ratio = now.rate / max(bursts[BEFORE].rate, 0.1)
        passed &= check(
            f"saturation = {ratio:.1f} x {BEFORE} (at least {MIN_OF_BEFORE:g})",
            ratio >= MIN_OF_BEFORE,
        )
    if {10, 50} <= set(rates):
        slow, fast = (percentile(times["now"][rate], 0.99) for rate in (10, 50))
        passed &= check(
            f"p99 at 50/s = {fast / slow:.2f} x that at 10/s (at most {MAX_P99_OF_SLOWEST:g})",
            fast <= MAX_P99_OF_SLOWEST * slow,
        )
    return passed


def check(what: str, is_good: bool) -> bool:
    """Print a figure that has a limit, and return whether it keeps it."""
    print(f"{what}: {'ok' if is_good else 'MISSED'}", flush=True)
    return is_good


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; 1 when one of them is not as it should be."""
    parser = argparse.ArgumentParser(prog="bench.load", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="bars a second")
    return 0 if asyncio.run(measure(parser.parse_args(arguments).rates)) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
