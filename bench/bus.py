"""Typed publish to typed handler over NATS, against raw nats-py and against FastStream.

One process, one connection, one embedded server. Each contender publishes the same bars to
itself; the clock runs from the first publish to the last handler call. Contenders take turns
within each round, and the median of the rounds' ratios counts, so that a busy machine slows all
of them.

Run it with ``python -m bench.bus``; FastStream is in the dependency group ``bench``.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import nats
from nats.aio.msg import Msg

import ingenium
from ingenium import DataEvent, Ohlc
from ingenium.bus.envelope import headers_for
from ingenium.ids import make_id
from ingenium.nats_server import EmbeddedServer

SUBJECT = "ingenium.ingestor.data.aapl"
DISTINCT = 1000
MIN_OF_RAW = 0.8
MIN_OF_FASTSTREAM = 5.0

Run = Callable[[str, int], Awaitable[float]]


@dataclass(frozen=True)
class Contender:
    """One way to send bars.

    Attributes:
        name: As the table shows it.
        run: Takes the server's address and a number of messages; gives seconds.
        messages: How many in each round.
    """

    name: str
    run: Run
    messages: int


def make_events() -> list[DataEvent]:
    """Make bars as an ingestor sends them, each with its id."""
    return [
        DataEvent(
            type="data.type.ohlc",
            symbol="AAPL",
            timestamp="2024-01-04T00:00:00Z",
            ohlc=Ohlc(
                open="184.22",
                high="185.88",
                low="183.43",
                close=f"{184 + number / 1000:.3f}",
                volume="58414500",
                period="1d",
            ),
            id=make_id("data", "bench", str(number)),
        )
        for number in range(DISTINCT)
    ]


EVENTS = make_events()
PAYLOADS = [ingenium.encode(event) for event in EVENTS]
HEADERS = [dict(headers_for(event, "bench")) for event in EVENTS]


class Counter:
    """Counts handler calls, and tells when all have come."""

    def __init__(self, messages: int) -> None:
        self.left = messages
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def count(self) -> None:
        """Count one."""
        self.left -= 1
        if not self.left:
            self.done.set_result(None)


async def run_ingenium(url: str, messages: int) -> float:
    """Publish typed events to a typed handler."""
    counter = Counter(messages)

    def handler(event: DataEvent) -> None:
        counter.count()

    async with ingenium.connect(url, name="bench") as bus:
        await bus.subscribe(DataEvent, symbol="AAPL", handler=handler)
        started = time.perf_counter()
        for number in range(messages):
            await bus.publish(EVENTS[number % DISTINCT])
        await counter.done
        return time.perf_counter() - started


async def run_raw(url: str, messages: int, *, with_headers: bool) -> float:
    """Publish the same bytes with nats-py to a callback that counts."""
    counter = Counter(messages)

    async def callback(message: Msg) -> None:
        counter.count()

    client = await nats.connect(url)
    await client.subscribe(SUBJECT, cb=callback)
    await client.flush()
    started = time.perf_counter()
    for number in range(messages):
        headers = HEADERS[number % DISTINCT] if with_headers else None
        await client.publish(SUBJECT, PAYLOADS[number % DISTINCT], headers=headers)
    await client.flush()
    await counter.done
    seconds = time.perf_counter() - started
    await client.close()
    return seconds


async def run_raw_payload(url: str, messages: int) -> float:
    """Raw nats-py, the payload alone."""
    return await run_raw(url, messages, with_headers=False)


async def run_raw_headers(url: str, messages: int) -> float:
    """Raw nats-py, with the three headers that an event carries."""
    return await run_raw(url, messages, with_headers=True)


def make_faststream() -> Run:
    """Make the run of FastStream with a pydantic model of the same fields."""
    from faststream.nats import NatsBroker  # type: ignore[import-not-found, unused-ignore]
    from pydantic import BaseModel

    class Bar(BaseModel):
        Open: str
        High: str
        Low: str
        Close: str
        Volume: str
        Period: str

    class Data(BaseModel):
        Type: str
        Symbol: str
        Timestamp: str
        Ohlc: Bar
        Id: str

    models = [Data.model_validate_json(payload) for payload in PAYLOADS]

    async def run(url: str, messages: int) -> float:
        counter = Counter(messages)
        broker = NatsBroker(url, logger=None)

        # Its decorator reads the annotations, which here are strings that name local classes.
        async def handler(event: Data) -> None:
            counter.count()

        handler.__annotations__ = {"event": Data, "return": None}
        broker.subscriber(SUBJECT)(handler)
        await broker.start()
        started = time.perf_counter()
        for number in range(messages):
            await broker.publish(models[number % DISTINCT], SUBJECT)
        await counter.done
        seconds = time.perf_counter() - started
        await broker.stop()
        return seconds

    return run


async def measure(contenders: list[Contender], rounds: int) -> dict[str, list[float]]:
    """Let the contenders take turns; return messages per second of each round."""
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedServer(directory) as server:
            for contender in contenders:
                await contender.run(server.url, max(100, contender.messages // 10))
            for turn in range(rounds):
                # Nobody is always the first after somebody else's rubbish.
                shift = turn % len(contenders)
                for contender in contenders[shift:] + contenders[:shift]:
                    seconds = await contender.run(server.url, contender.messages)
                    rates[contender.name].append(contender.messages / seconds)
    return rates


def main(arguments: Sequence[str] = ()) -> int:
    """Measure and print; return 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    messages: int = options.messages
    ours, raw, raw_headers, faststream = (
        "Ingenium, typed",
        "nats-py, same payload",
        "nats-py, same payload and headers",
        "FastStream, pydantic",
    )
    contenders = [
        Contender(ours, run_ingenium, messages),
        Contender(raw, run_raw_payload, messages),
        Contender(raw_headers, run_raw_headers, messages),
    ]
    if importlib.util.find_spec("faststream") is not None:
        contenders.append(Contender(faststream, make_faststream(), max(500, messages // 25)))
    rates = asyncio.run(measure(contenders, options.rounds))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"publish to handler over NATS, one process, {len(PAYLOADS[0])} bytes of payload")
    print(f"{'':36}{'messages/s':>12}{'lowest':>10}{'highest':>10}{'us each':>10}")
    for name, values in rates.items():
        median = medians[name]
        print(
            f"{name:36}{median:12,.0f}{min(values):10,.0f}{max(values):10,.0f}{1e6 / median:10.1f}"
        )
    bounds = [(raw, MIN_OF_RAW), (raw_headers, MIN_OF_RAW), (faststream, MIN_OF_FASTSTREAM)]
    passed = True
    for name, bound in bounds:
        if name not in medians:
            print(f"{name}: not installed, so not measured: pip install --group bench")
            continue
        # Within a round all ran at the machine's pace of that moment.
        pairs = zip(rates[ours], rates[name], strict=True)
        ratio = statistics.median([mine / theirs for mine, theirs in pairs])
        passed = passed and ratio >= bound
        verdict = "ok" if ratio >= bound else "MISSED"
        print(f"{ours} = {ratio:.2f} x {name} (at least {bound:g}: {verdict})")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
