"""An app on live data under load, against the one of an older commit in the same run.

One process runs strategy, portfolio and executor on an embedded server that writes each message
to the disk before it acknowledges it. Bars come at a fixed rate, and each makes one order.

* **Latency** is the time from the publish of a bar until its order has come out of the stream.
* **Saturation** is how many orders a second come out, and are filled, while bars never run out.
* **Overload**: how soon the app says that it is behind, and how soon after the bars stop it has
  caught up.

Run it with ``python -m bench.load``. The older commit is checked out into a temporary work tree;
without the history of the repository it is left out, and said to be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import nats
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from ingenium import DataEvent, Ohlc
from ingenium.events import decode, encode
from ingenium.events import ExecutionEvent, OrderEvent

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "42a7336"
RATES = (10, 50, 100, 300)
SECONDS = 8.0
BURST = 12_000
BURST_SECONDS = 10.0
MIN_OF_BEFORE = 4.0
MAX_P99_OF_SLOWEST = 2.0
SAID_WITHIN = 5.0
_SYMBOLS = [f"SYM{number}" for number in range(20)]
_START_SECONDS = 30.0
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
    """Sends bars and looks for their orders.

    Attributes:
        sent: When each bar was published whose order has not come, by symbol, oldest first.
        seconds: How long each order took.
        filled: How many executions have come.
    """

    sent: dict[str, deque[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    filled: int = 0

    def order(self, symbol: str) -> None:
        """Take note of an order."""
        if waiting := self.sent.get(symbol):
            self.seconds.append(perf_counter() - waiting.popleft())

    @property
    def waiting(self) -> int:
        """How many bars have no order yet."""
        return sum(map(len, self.sent.values()))


class Running:
    """An app that runs, and connections to its server.

    Args:
        log: What it writes.
        feed: As its ingestor.
        watch: What has come.
    """

    def __init__(self, log: Path, feed: nats.NATS, watch: Watch) -> None:
        self.log = log
        self.watch = watch
        self._feed = feed
        self._number = 0

    async def publish(self, count: int = 1) -> None:
        """Publish bars."""
        now = datetime.now(UTC)
        for _ in range(count):
            self._number += 1
            symbol = _SYMBOLS[self._number % len(_SYMBOLS)]
            event = DataEvent(
                id=f"data_{self._number:027}",
                type="data.type.ohlc",
                symbol=symbol,
                timestamp=now.isoformat().replace("+00:00", "Z"),
                ohlc=Ohlc(open="100", high="101", low="99", close="100", volume="10"),
            )
            self.watch.sent.setdefault(symbol, deque()).append(perf_counter())
            await self._feed.publish(f"ingenium.ingestor.data.{symbol.lower()}", encode(event))

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

    async def settle(self, seconds: float) -> float:
        """Wait until each bar has its order; return how long that took."""
        began = perf_counter()
        while self.watch.waiting and perf_counter() - began < seconds:
            await asyncio.sleep(0.01)
        return perf_counter() - began

    def said(self, pattern: str) -> bool:
        """Whether the app has written something."""
        return re.search(pattern, self.log.read_text(errors="replace")) is not None


@asynccontextmanager
async def running(tree: Path, folder: Path, app: str = "load_app.py") -> AsyncIterator[Running]:
    """Run the app with the library of a work tree."""
    log = folder / "log"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM", "NATS"))}
    environment |= {
        "PYTHONPATH": str(tree / "python"),
        "INGENIUM_DATA_DIR": str(folder / "data"),
        "COLUMNS": "300",
    }
    command = [sys.executable, "-c", _MAIN, "run", str(ROOT / "bench" / app)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=folder
        )
    connections: list[nats.NATS] = []
    try:
        operator = await _connect(folder, "operator", process, log)
        connections.append(operator)
        feed = await _connect(folder, "ingestor", process, log)
        connections.append(feed)
        watch = Watch()

        async def on_message(message: Msg) -> None:
            if message.subject == "ingenium.portfolio.order":
                watch.order(decode(OrderEvent, message.data).symbol)
            elif message.subject == "ingenium.executor.execution":
                decode(ExecutionEvent, message.data)
                watch.filled += 1

        js = operator.jetstream()
        began = perf_counter()
        while True:
            try:
                await js.stream_info("INGENIUM")
                break
            except Exception:  # noqa: BLE001 - it is just being made
                if perf_counter() - began > _START_SECONDS:
                    raise
                await asyncio.sleep(0.05)
        await js.subscribe(
            "ingenium.>",
            stream="INGENIUM",
            ordered_consumer=True,
            cb=on_message,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.NEW),
        )
        it = Running(log, feed, watch)
        # The first bars come before all read; one that gives an order says that all is ready.
        while not watch.seconds:
            await it.publish()
            await asyncio.sleep(0.2)
            if perf_counter() - began > _START_SECONDS:
                raise SystemExit(f"the app gives no order: {log.read_text(errors='replace')}")
        await asyncio.sleep(0.5)
        watch.sent.clear()
        watch.seconds.clear()
        yield it
    finally:
        for connection in connections:
            with suppress(Exception):
                await connection.close()
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _connect(
    folder: Path, role: str, process: subprocess.Popen[bytes], log: Path
) -> nats.NATS:
    address = folder / "data" / "load" / "nats" / f"address.{role}"
    began = perf_counter()
    while True:
        if process.poll() is not None or perf_counter() - began > _START_SECONDS:
            raise SystemExit(f"the app does not run: {log.read_text(errors='replace')}")
        try:
            return await nats.connect(
                address.read_text(), inbox_prefix=f"_INBOX.{role}".encode(), connect_timeout=5
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


async def latencies(tree: Path, rates: tuple[int, ...]) -> dict[int, tuple[float, float, int]]:
    """Return p50 and p99 in milliseconds, and how many orders never came, by rate."""
    found = {}
    for rate in rates:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            async with running(tree, Path(folder)) as it:
                await it.at_rate(rate, max(SECONDS, 200 / rate))
                await it.settle(20.0)
                times = [each * 1000 for each in it.watch.seconds]
                found[rate] = percentile(times, 0.5), percentile(times, 0.99), it.watch.waiting
    return found


async def saturation(tree: Path) -> float:
    """Return how many orders a second come out and are filled while bars wait."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        async with running(tree, Path(folder)) as it:
            filled = it.watch.filled
            began = perf_counter()
            await it.publish(BURST)
            while perf_counter() - began < BURST_SECONDS and it.watch.filled - filled < BURST:
                await asyncio.sleep(0.01)
            elapsed = perf_counter() - began
            return min(len(it.watch.seconds), it.watch.filled - filled) / elapsed


async def measure(rates: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        median, worst = fsync_milliseconds(Path(folder))
    print(f"fdatasync of 512 bytes: p50 {median:.2f} ms, p99 {worst:.2f} ms", flush=True)
    with work_tree(BEFORE) as before:
        trees = {"now": ROOT} | ({} if before is None else {BEFORE: before})
        for name, tree in trees.items():
            print(name, "saturation", await saturation(tree), flush=True)
            for rate, it in (await latencies(tree, rates)).items():
                print(name, rate, it, flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="*", default=list(RATES))
    given = parser.parse_args()
    asyncio.run(measure(tuple(given.rates)))


if __name__ == "__main__":
    main()
