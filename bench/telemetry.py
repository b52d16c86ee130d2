"""What telemetry costs a live app that does not ask for it, and one that exports to a collector.

* **Off**: a strategy, a portfolio and an executor at most once over a bus in memory, where the
  least is beside what is measured, with and without the check of the ``OTEL_*`` variables:
  processor time of an order.
* **Backtest**: the same comparison for a backtest of thirteen years of prices.
* **On**: the app of `bench.load` on its server with traces, metrics and logs to a collector, with
  the default sampling, against the same app without: orders a second while bars never run out, and
  the processor time of an order. Bars whose traces are all sampled come before those measured.

Live and in memory, each bar makes a signal, an order and a fill. The kinds of run take turns. Off,
the fastest of each is compared, and live the median.

Run it with ``python -m bench telemetry``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from bench.load import ROOT, check, running
from bench.load_app import EveryBar, EverySignal, Feed, FillAll
from ingenium import App
from ingenium.backtest import run
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.events import encode
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.app_telemetry import observed
from ingenium.runtime.live import LiveRunner
from ingenium.strategies import RsiStrategy
from ingenium.subjects.names import EXECUTION, data_subject
from ingenium.trading import Bar

BARS = 1_000
ROUNDS = 15
FIRST_BARS = 1_500
"""Bars before those that are measured: all of their traces are sampled."""
LIVE_BARS = 3_000
LIVE_ROUNDS = 5
BACKTEST_ROUNDS = 40
LIVE_SECONDS = 60.0
MOST_OFF = 0.02
MOST_ON = 0.15
_OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"


def main() -> int:
    """Print the costs; 1 when one is above its limit."""
    bare: list[float] = []
    off: list[float] = []
    for number in range(ROUNDS):
        for is_observed in (number % 2 == 0, number % 2 == 1):
            (off if is_observed else bare).append(_seconds_in_memory(is_observed=is_observed))
    costs = [f"{min(each) / BARS * 1e6:,.0f}" for each in (bare, off)]
    print(f"in memory: {costs[0]} microseconds of processor an order, {costs[1]} with it off")
    passed = _check_cost("off", 1 - min(bare) / min(off), MOST_OFF)
    bare, off = [], []
    for number in range(BACKTEST_ROUNDS):
        for is_observed in (number % 2 == 0, number % 2 == 1):
            (off if is_observed else bare).append(_seconds_of_backtest(is_observed=is_observed))
    costs = [f"{min(each) * 1000:,.1f}" for each in (bare, off)]
    print(f"backtest: {costs[0]} ms of processor, {costs[1]} with it off")
    passed &= _check_cost("off in a backtest", 1 - min(bare) / min(off), MOST_OFF)
    plain: list[tuple[float, float]] = []
    exporting: list[tuple[float, float]] = []
    with _collector() as url:
        for number in range(LIVE_ROUNDS):
            for is_on in (number % 2 == 0, number % 2 == 1):
                found = asyncio.run(_live({_OTLP: url} if is_on else {}))
                (exporting if is_on else plain).append(found)
    for name, runs in (("off", plain), ("on", exporting)):
        rate, cpu = (median(values) for values in zip(*runs, strict=True))
        rates = " ".join(f"{each:.0f}" for each, _ in runs)
        print(f"live, {name}: {rate:,.0f} orders/s ({rates}), {cpu:.2f} ms of processor an order")
    before, after = (median(rate for rate, _ in runs) for runs in (plain, exporting))
    passed &= _check_cost("on", 1 - after / before, MOST_ON)
    return 0 if passed else 1


def _check_cost(name: str, cost: float, most: float) -> bool:
    return check(f"telemetry {name} costs {cost:.1%} (at most {most:.0%})", cost <= most)


def _seconds_of_backtest(*, is_observed: bool) -> float:
    """Return the processor time of a backtest."""
    app = App(
        ingestors=[CsvIngestor(str(ROOT / "examples" / "data" / "AAPL.csv"))],
        strategies=[RsiStrategy(["AAPL"])],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
    )
    with observed(app, {}) if is_observed else nullcontext():
        began = process_time()
        run(app)
        return process_time() - began


def _seconds_in_memory(*, is_observed: bool) -> float:
    app = App(
        ingestors=[Feed(name="feed")],
        strategies=[EveryBar()],
        portfolio=EverySignal(),
        executor=FillAll(name="fill-all"),
    )
    if not is_observed:
        return asyncio.run(_in_memory(app))
    with observed(app, {}):
        return asyncio.run(_in_memory(app))


async def _in_memory(app: App) -> float:
    bus, done, fills = MemoryBus(), asyncio.Event(), 0

    def count(_message: object) -> None:
        nonlocal fills
        fills += 1
        if fills == BARS:
            done.set()

    await bus.subscribe(EXECUTION, count)
    runners = [LiveRunner(bus, each, middleware=app.middleware) for each in app.components]
    tasks = []
    for runner in runners:
        await runner.start()
        tasks.append(asyncio.create_task(runner.run()))
    bars = [
        Bar.make(
            "AAPL", datetime(2024, 1, 2, tzinfo=UTC) + timedelta(minutes=minute), open="1",
            high="1", low="1", close="1", volume="1", period=timedelta(minutes=1),
        ).event
        for minute in range(BARS)
    ]  # fmt: skip
    began = process_time()
    for bar in bars:
        await bus.publish(data_subject("AAPL"), encode(bar))
    async with asyncio.timeout(120):
        await done.wait()
    seconds = process_time() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seconds


async def _live(environment: dict[str, str]) -> tuple[float, float]:
    """Return orders a second, and milliseconds of processor an order, with these variables."""
    os.environ.update(environment)
    try:
        async with running(ROOT) as it:
            await it.publish(FIRST_BARS)
            await it.watch.until(FIRST_BARS, LIVE_SECONDS)
            it.forget()
            used, began = _processor_seconds(it.pid), perf_counter()
            await it.publish(LIVE_BARS)
            await it.watch.until(LIVE_BARS, LIVE_SECONDS)
            seconds = perf_counter() - began
            used = _processor_seconds(it.pid) - used
            return it.watch.filled / seconds, used / it.watch.filled * 1000
    finally:
        for name in environment:
            del os.environ[name]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _collector() -> Iterator[str]:
    """Run what takes OTLP and forgets it, in a process of its own."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_collect, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _collect(pipe: Connection) -> None:
    class Sink(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which keeps connections, as collectors do

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    pipe.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    raise SystemExit(main())
