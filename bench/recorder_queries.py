"""What ``ingenium order ID`` and a page of 100 transactions take, in a large recording."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import structs

from bench.recorder_messages import T0, make_messages
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.events import OrderEvent, SignalEvent, decode, encode
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.instants import datetime_of
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.records import Records
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.subjects.names import DATA, ORDER, SIGNAL

__all__ = ["query_times"]

MAX_SECONDS = 0.05
_BATCH = 1000
_REPEATED = 9


def write_live(url: str, count: int) -> None:
    """Record so many messages as those of a live app: bars in one stream, the rest in the other.

    Each order has a signal, and both state the time at which the stream stored their bar.
    """
    writer = open_writer(open_database(url), "bench")
    trading = TradingRows("bench", {}, {})
    typed = TypedRows(trading)
    streams = {name: RecordedStream("bench", name) for name in ("INGENIUM", "INGENIUM_DATA")}
    for stream in streams.values():
        writer.claim(stream)
    for start in range(0, count, _BATCH):
        parts: dict[str, list[KeptMessage]] = {name: [] for name in streams}
        cause = b""
        for each in make_messages(_BATCH, start):
            if each.subject.startswith(DATA):
                parts["INGENIUM_DATA"].append(each)
                second, fraction = divmod(each.received, 1_000_000_000)
                time = datetime.fromtimestamp(second, UTC) + timedelta(
                    microseconds=fraction // 1000
                )
                cause = f"{CAUSE_TIME}: {time.isoformat()}\r\n\r\n".encode()
                continue
            kept = each
            if each.subject == ORDER:
                signal = SignalEvent(
                    id=f"signal_{each.sequence}",
                    symbol=decode(OrderEvent, each.payload).symbol,
                    signal="long",
                    timestamp=T0,
                )
                parts["INGENIUM"].append(
                    KeptMessage(0, each.received, SIGNAL, each.headers[:-2] + cause, encode(signal))
                )
                kept = structs.replace(each, headers=each.headers[:-2] + cause)
            parts["INGENIUM"].append(kept)
        for name, part in parts.items():
            stream = streams[name]
            batch = WriteBatch(
                stream.label, stream.sequence, stream.sequence + len(part), part[-1].received
            )
            for each in part:
                stream.sequence += 1
                typed.add(batch.rows, stream.label, structs.replace(each, sequence=stream.sequence))
            batch.books = trading.take_changes()
            writer.write(batch)
    writer.close()


def query_times(name: str, url: str, count: int) -> bool:
    """Print what queries take of so many events; whether each is quick enough.

    The shortest of some attempts counts, since other processes only add to it.
    """
    write_live(url, count)
    good = True
    with Records(url) as records:
        page = records.transactions(limit=100)
        orders = [fill["order_id"] for fill in page]
        late = datetime_of(page.rows[0][0])
        early = T0 + (late - T0) / 2
        queries: list[tuple[str, Callable[[], RecordTable]]] = [
            ("a page of 100 transactions", lambda: records.transactions(limit=100)),
            ("the next page", lambda: records.transactions(limit=100, after=page.next)),
            ("a page of an app", lambda: records.transactions("bench", limit=100)),
            ("a page of a symbol", lambda: records.transactions(symbol="SYM0", limit=100)),
            (
                "a page of a symbol without fills",
                lambda: records.transactions("bench", symbol="SYM1"),
            ),
            ("a page of a day", lambda: records.transactions("bench", until=early, limit=100)),
            ("the story of an order", lambda: records.order(orders[0])),
            ("the story of another", lambda: records.order(orders[-1], "bench")),
        ]
        for what, query in queries:
            least = 4 if "story" in what else 0 if "without" in what else 100
            assert len(query()) >= least, what
            seconds = min(_timed(query) for _ in range(_REPEATED))
            good &= seconds < MAX_SECONDS
            print(
                f"{name}: {what} out of {count:,} events takes {seconds * 1000:.1f} ms "
                f"(at most {MAX_SECONDS * 1000:.0f})",
                flush=True,
            )
    return good


def _timed(query: Callable[[], object]) -> float:
    start = time.perf_counter()
    query()
    return time.perf_counter() - start
