"""The recorder against what its parts can do at best, in one run.

* the writer alone, against the driver's own ``executemany`` (SQLite) or binary ``COPY``
  (PostgreSQL, where one is installed) of the same rows into the same tables;
* rows made of messages and written, against the same;
* end to end from a NATS stream, against a bare ordered read of that stream;
* what ``ingenium order ID`` and a page of 100 transactions take, out of 1,000,000 events.

The third is a ratio of processor time, since other processes and the server take theirs from both.
Contenders take turns, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
from nats.aio.msg import Msg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.postgresql import PostgresServer, find_programs

from bench.recorder_messages import make_messages
from bench.recorder_queries import query_times
from ingenium.bus import Message, NatsBus
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID
from ingenium.events import (
    OrderEvent,
    encode,
)
from ingenium.nats_server import EmbeddedServer
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.event_recorder import Recorder
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.schema import Rows
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.recorder.writer import BatchWriter
from ingenium.subjects.names import subject_of

MIN_OF_SQLITE = 0.7
MIN_OF_POSTGRESQL = 0.8
MIN_OF_READ = 0.45
BATCH = 1000
STREAM = "bench/INGENIUM"


def make_batches(messages: list[KeptMessage]) -> list[WriteBatch]:
    """Make rows of messages, as the recorder does."""
    trading = TradingRows("bench", {}, {})
    typed = TypedRows(trading)
    batches = []
    for start in range(0, len(messages), BATCH):
        part = messages[start : start + BATCH]
        rows: Rows = {}
        for each in part:
            typed.add(rows, STREAM, each)
        batches.append(
            WriteBatch(
                STREAM, start, part[-1].sequence, part[-1].received, rows, trading.take_changes()
            )
        )
    return batches


def open_empty(url: str) -> BatchWriter:
    """Return a writer into an empty database."""
    writer = open_writer(open_database(url), "bench")
    writer.claim(RecordedStream("bench", "INGENIUM"))
    return writer


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_sqlite(url: str, batches: list[WriteBatch]) -> float:
    """Write rows with nothing but the driver."""
    open_empty(url).close()
    raw = open_database(url).engine.raw_connection()
    connection: Any = raw.driver_connection
    inserts = {
        name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})"
        for batch in batches
        for name, rows in batch.rows.items()
    }

    def write() -> None:
        for batch in batches:
            connection.execute("BEGIN")
            for name, rows in batch.rows.items():
                connection.executemany(inserts[name], rows)
            connection.execute("COMMIT")

    seconds = timed(write)
    raw.close()
    return seconds


def bare_postgresql(url: str, batches: list[WriteBatch]) -> float:
    """Copy rows, with their numbers made before, with nothing but the driver."""
    from ingenium.recorder.postgresql import COLUMN_TYPES, PostgresqlWriter
    from ingenium.recorder.schema import METADATA
    from ingenium.recorder.writer import money_columns, with_decimals

    writer = open_empty(url)
    assert isinstance(writer, PostgresqlWriter)
    writer.make_partitions(batches)
    writer.close()
    made = [
        {
            name: with_decimals(rows, money_columns(METADATA.tables[name]))
            for name, rows in batch.rows.items()
        }
        for batch in batches
    ]
    raw = open_database(url).engine.raw_connection()
    connection: Any = raw.driver_connection

    def write() -> None:
        for batch in made:
            with connection.cursor() as cursor:
                for name, rows in batch.items():
                    with cursor.copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
                        copy.set_types(COLUMN_TYPES[name])
                        for row in rows:
                            copy.write_row(row)
            connection.commit()

    seconds = timed(write)
    raw.close()
    return seconds


def write_all(url: str, batches: list[WriteBatch]) -> float:
    """Write rows with the recorder's writer."""
    writer = open_empty(url)
    seconds = timed(lambda: [writer.write(batch) for batch in batches])
    writer.close()
    return seconds


def compare(
    name: str,
    least: float,
    messages: list[KeptMessage],
    rounds: int,
    make_url: Callable[[], str],
    bare: Callable[[str, list[WriteBatch]], float],
) -> bool:
    """Print the ratios of one kind of database; whether the writer's is high enough."""
    batches = make_batches(messages)
    rows = sum(len(rows) for batch in batches for rows in batch.rows.values())
    alone, whole, rates = [], [], []
    for _ in range(rounds):
        best = bare(make_url(), batches)
        own = write_all(make_url(), batches)
        making = timed(lambda: make_batches(messages))
        alone.append(best / own)
        whole.append(best / (own + making))
        rates.append(len(messages) / (own + making))
    ratio = statistics.median(alone)
    print(
        f"{name}: {len(messages):,} events, {rows:,} rows; writer {ratio:.2f} of the bare driver "
        f"(at least {least}), with rows made of messages {statistics.median(whole):.2f}, "
        f"{statistics.median(rates):,.0f} events/s",
        flush=True,
    )
    return ratio >= least


async def read_bare(url: str, count: int) -> float:
    """Return how long nats-py's ordered consumer takes, in seconds of the processor."""
    client = await nats.connect(url)
    left, done = count, asyncio.Event()

    async def receive(_message: Msg) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    start = time.process_time()
    await client.jetstream().subscribe(
        "ingenium.>", stream=MONEY_STREAM.name, ordered_consumer=True, cb=receive
    )
    await done.wait()
    seconds = time.process_time() - start
    await client.close()
    return seconds


async def end_to_end(messages: list[KeptMessage], folder: Path) -> bool:
    """Print the ratio of recording a stream to reading it."""
    async with EmbeddedServer(folder / "server") as server:
        bus = await NatsBus.connect(server.url, name="bench")
        stream = await open_stream(bus, MONEY_STREAM)
        sent = [
            Message(subject_of(event), encode(event), {MESSAGE_ID: event.id})
            for event in (
                OrderEvent(id=f"order_{n}", symbol=f"SYM{n % 50}", side="buy", quantity="1")
                for n in range(len(messages))
            )
        ]
        for start in range(0, len(sent), BATCH):
            await stream.append_many(sent[start : start + BATCH])
        ratios = []
        for round in range(3):
            bare = await read_bare(server.url, len(sent))
            database = open_database(str(folder / f"end{round}.db"))
            recorder = Recorder(bus, database, "bench")
            began, wall_start = time.process_time(), time.perf_counter()
            await recorder.run(asyncio.Event(), once=True)
            own, wall = time.process_time() - began, time.perf_counter() - wall_start
            assert recorder.counts.events == len(sent), recorder.counts
            ratios.append(bare / own)
        ratio = statistics.median(ratios)
        print(
            f"end to end, SQLite: {len(sent):,} orders, {ratio:.2f} of the speed of a bare ordered "
            f"read with nats-py, by the time of the processor (at least {MIN_OF_READ}); "
            f"{len(sent) / wall:,.0f} events/s",
            flush=True,
        )
        await bus.close()
    return ratio >= MIN_OF_READ


def main(arguments: list[str] | None = None) -> int:
    """Print all figures; 1 when one is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m bench.recorder")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--queried", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments or [])
    messages = make_messages(options.events)
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = 0

        def file() -> str:
            nonlocal count
            count += 1
            return str(folder / f"{count}.db")

        good &= compare("SQLite", MIN_OF_SQLITE, messages, options.rounds, file, bare_sqlite)
        url = str(folder / "queries.db")
        write_all(url, make_batches(messages))
        size = Path(url).stat().st_size / len(messages)
        print(f"SQLite: {size:.0f} bytes an event, raw and typed", flush=True)
        good &= query_times("SQLite", file(), options.queried)
        good &= asyncio.run(end_to_end(messages, folder))
        if (programs := find_programs()) is None:
            print("PostgreSQL: not installed")
            return 0 if good else 1
        server = PostgresServer(programs).start()
        try:

            def database() -> str:
                nonlocal count
                count += 1
                return server.make_database(f"bench{count}")

            good &= compare(
                "PostgreSQL", MIN_OF_POSTGRESQL, messages, options.rounds, database,
                bare_postgresql,
            )  # fmt: skip
            good &= query_times("PostgreSQL", database(), options.queried)
        finally:
            server.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
