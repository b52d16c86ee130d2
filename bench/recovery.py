"""How long it takes until everything is there again: `python -m bench.recovery [EVENTS]`.

A portfolio with a long history behind it, started with its file, and once more without it, so that
it has to learn everything from the stream; a server that is killed under a running portfolio; and
how long after a halt the last order leaves.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from ingenium import Portfolio, RiskLimits, Side, Signal, SignalEvent
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.components import arm
from ingenium.errors import BusTimeoutError
from ingenium.events import ControlEvent, ExecutionEvent, OrderEvent, encode
from ingenium.nats_server.binary import find_binary
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL, TRADING

EVENTS = 1_000_000
RUNS = 5
_IN_FLIGHT = 2_000
_SYMBOLS = [f"SYM{number}" for number in range(50)]


class Holder(Portfolio):
    """Buys one share for each signal."""

    def __init__(self) -> None:
        super().__init__(cash=10**9, name="holder")

    def on_signal(self, event: SignalEvent) -> None:
        """Buy."""
        self.send_order(event.symbol, Side.BUY, 1)


class Server:
    """A nats-server that can be killed, on a port that it keeps."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self._config = folder / "server.conf"
        self._config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{\n  store_dir: "{folder / "js"}"\n}}\n'
        )

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [find_binary(), "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()


async def write_history(bus: NatsBus, events: int) -> None:
    """Put signals, their orders and their fills into the stream."""
    js = bus.client.jetstream(publish_async_max_pending=_IN_FLIGHT)
    began = perf_counter()
    for number in range(events // 3):
        symbol, side = _SYMBOLS[number % 50], (Side.BUY, Side.SELL)[number // 50 % 2]
        now = datetime.now(UTC)
        order = OrderEvent(
            id=f"order_{number:027}", timestamp=now, symbol=symbol, side=side.value,
            quantity="1", type="market", time_in_force="day",
        )  # fmt: skip
        fill = ExecutionEvent(
            id=f"exec_{number:027}", timestamp=now, order_id=order.id, symbol=symbol,
            side=side.value, quantity="1", price=f"{100 + number % 7}", update="filled",
        )  # fmt: skip
        signal = SignalEvent(id=f"signal_{number:027}", symbol=symbol, signal=Signal.LONG)
        for subject, event in ((SIGNAL, signal), (ORDER, order), (EXECUTION, fill)):
            headers = {"Ingenium-Source": "holder", "Nats-Msg-Id": event.id or ""}
            await js.publish_async(subject, encode(event), headers=headers, wait_stall=30)
    await js.publish_async_completed()
    print(f"{events:,} events written in {perf_counter() - began:.0f} s", flush=True)


@asynccontextmanager
async def member(
    url: str, path: Path, component: Portfolio
) -> AsyncIterator[tuple[float, NatsBus, NatsStream]]:
    bus = await NatsBus.connect(url, options=NatsOptions(reconnect_buffer_bytes=0))
    stream = await open_stream(bus, MONEY_STREAM)
    began = perf_counter()
    it = DurableRunner(bus, stream, component, Store.open(path, owner="holder"))
    await it.start()
    run = asyncio.create_task(it.run())
    try:
        yield perf_counter() - began, bus, stream
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await it.stop()
        await bus.close()


async def measure(folder: Path, events: int) -> None:
    server = Server(folder)
    server.start()
    try:
        bus = await NatsBus.connect(server.url)
        await open_stream(bus, MONEY_STREAM)
        await write_history(bus, events)
        await bus.close()
        path = folder / "holder.db"
        async with member(server.url, path, Holder()) as (seconds, _, _):
            print(f"ready without its file, from the stream alone: {seconds:.1f} s", flush=True)
        times = []
        for _ in range(RUNS):
            async with member(server.url, path, Holder()) as (seconds, _, _):
                times.append(seconds)
        print(
            f"ready with its file of {path.stat().st_size / 2**20:.0f} MiB: median "
            f"{statistics.median(times):.2f} s, worst {max(times):.2f} s, of {RUNS} starts"
        )
        await measure_server(server, path)
    finally:
        server.kill()


async def measure_server(server: Server, path: Path) -> None:
    """Kill the server under a portfolio, and wait for the first order that it makes then."""
    component = Holder()
    async with member(server.url, path, component) as (_, bus, stream):
        await _kill_and_wait(server, component, stream, "all ids within the hour")
        js = bus.client.jetstream(timeout=30)
        config = (await js.stream_info(stream.name)).config
        # As if all but the last of them were older than the hour for which ids are known.
        config.duplicate_window = 1.0
        await js.update_stream(config)
        await _kill_and_wait(server, component, stream, "no id within the hour")


async def _kill_and_wait(server: Server, component: Holder, stream: NatsStream, which: str) -> None:
    times = []
    for number in range(RUNS):
        server.kill()
        server.start()
        began = perf_counter()
        opened = asyncio.create_task(_until_open(server))
        before = len(component.orders)
        name = f"signal_after_{number}_{perf_counter():.6f}"
        event = SignalEvent(id=name, symbol="SYM0", signal=Signal.LONG)
        while True:
            try:
                await stream.append(SIGNAL, encode(event), {"Nats-Msg-Id": name})
            except BusTimeoutError:
                await stream.pause(0.1)
            else:
                break
        acknowledged = perf_counter() - began
        # A look now and then disturbs less than a hook in what is measured.
        while len(component.orders) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        times.append((await opened - began, acknowledged, perf_counter() - began))
    port, first, delivery = (statistics.median(each) for each in zip(*times, strict=True))
    print(
        f"server killed and started again, {which}: port open after {port:.2f} s, first "
        f"acknowledgement {first:.2f} s, first delivery {delivery:.2f} s, worst "
        f"{max(times, key=lambda each: each[2])[2]:.2f} s, of {RUNS}",
        flush=True,
    )


async def _until_open(server: Server) -> float:
    """Wait until a server listens, which it does once it has recovered its streams."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.005)
        else:
            writer.close()
            return perf_counter()


async def measure_halt(folder: Path) -> None:
    """Halt a portfolio that sends orders as fast as it can, and look for the last one."""
    server = Server(folder)
    server.start()
    times = []
    try:
        for number in range(RUNS):
            component = Holder()
            arm(component, RiskLimits(max_orders_per_second=None, duplicate_seconds=None))
            path = folder / f"halt{number}.db"
            async with member(server.url, path, component) as (_, _, stream):
                for count in range(200):
                    name = f"signal_{number}_{count}"
                    event = SignalEvent(id=name, symbol="SYM0", signal=Signal.LONG)
                    await stream.append(SIGNAL, encode(event), {"Nats-Msg-Id": name})
                    if count == 100:
                        halt = ControlEvent(
                            id=f"control_{number}", timestamp=datetime.now(UTC), state="halted",
                            reason="a measurement", sender="bench@here",
                        )  # fmt: skip
                        said = await stream.append(TRADING, encode(halt))
            bus = await NatsBus.connect(server.url)
            stream = await open_stream(bus, MONEY_STREAM)
            state = await stream.state()
            last = when = None
            async with aclosing(stream.read(["ingenium.>"], said.sequence - 1)) as records:
                async for record in records:
                    when = when or record.time
                    last = record.time if record.message.subject == ORDER else last
                    if record.sequence == state.last:
                        break
            await bus.close()
            assert when is not None
            times.append(max(0.0, (last - when).total_seconds()) if last else 0.0)
    finally:
        server.kill()
    print(
        f"halt: last order {statistics.median(times) * 1000:.0f} ms after it was said, worst "
        f"{max(times) * 1000:.0f} ms, of {RUNS}"
    )


def main(events: int = EVENTS) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        asyncio.run(measure(Path(folder), events))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        asyncio.run(measure_halt(Path(folder)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
