"""Traces from events alone: of a recorded backtest, and of events written by hand.

Ids of hand-written events are hashes that are computed here from the documented formula.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from unit.recorder.test_backtest_recording import T0, make_app

from ingenium.backtest import run
from ingenium.bus.envelope import headers_for
from ingenium.bus.headers import encode_headers
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.errors import ConfigError, RecorderError
from ingenium.events import (
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    encode,
)
from ingenium.operations.stream_traces import HeldMarketData
from ingenium.recorder.backtest_recording import BacktestRecording
from ingenium.recorder.database import Database
from ingenium.recorder.recorded_traces import recorded_trace
from ingenium.recorder.trace_event import TraceEvent, trace_event
from ingenium.recorder.trace_tree import Hop, TraceEvents, TraceTree
from ingenium.subjects.names import ORDER, subject_of

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def made_id(prefix: str, *cause: str) -> str:
    digest = hashlib.sha256("\x1f".join(cause).encode()).digest()
    return prefix + "_" + "".join(LETTERS[byte % 62] for byte in digest[:27])


def walk(hop: Hop, depth: int = 0) -> list[tuple[int, str, str, str]]:
    found = [(depth, hop.event.kind, hop.component, hop.link)]
    for each in hop.children:
        found += walk(each, depth + 1)
    return found


class Written:
    """Events of two streams, a millisecond apart."""

    def __init__(self) -> None:
        self.data: list[TraceEvent] = []
        self.others: list[TraceEvent] = []

    def add(self, event: Event, source: str, **headers: str) -> None:
        held = self.data if isinstance(event, DataEvent) else self.others
        count = len(self.data) + len(self.others) + 1
        block = encode_headers(dict(headers_for(event, source)) | headers)
        kept = KeptMessage(
            len(held) + 1, count * 1_000_000, subject_of(event), block, encode(event)
        )
        held.append(trace_event("tested", kept))

    def bar(self, identifier: str, symbol: str = "AAPL") -> None:
        ohlc = Ohlc(open="1", high="1", low="1", close="2", volume="1", period="1m")
        self.add(
            DataEvent(
                id=identifier, symbol=symbol, type="data.type.ohlc",
                timestamp="2024-01-02T00:00:00Z", ohlc=ohlc,
            ),
            "feed",
        )  # fmt: skip

    def trace(self, identifier: str) -> list[tuple[int, str, str, str]]:
        events = TraceEvents(self.others, is_live=True)
        return walk(TraceTree(events, HeldMarketData(self.data)).of(identifier))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = Database(str(tmp_path / "record.db"))
    opened.migrate()
    return opened


def record(database: Database) -> str:
    with BacktestRecording(database, "demo") as recording:
        recording.end(run(make_app(), on_lines=recording.add))
    return recording.run_id


def test_order_of_a_recorded_backtest_is_found_by_ids_alone(database: Database) -> None:
    # Long after the first day, filled at the next open, by the ready components.
    run_id = record(database)
    bar = made_id("data", "days", "AAPL", "2024-01-02T00:00:00Z", "1d", "100")
    signal = made_id("signal", "long-then-short", bar, "0")
    order = made_id("order", "fixed-quantity", signal, "0")
    assert database.path is not None
    expected = [
        (0, "bar", "days", ""),
        (1, "signal", "long-then-short", "id"),
        (2, "order", "fixed-quantity", "id"),
        (3, "execution", "paper", "order"),
        (3, "execution", "paper", "order"),
    ]
    trace_id = hashlib.sha256(f"trace{bar}".encode()).hexdigest()[:32]
    for identifier in (bar, signal, order, trace_id):
        root, is_live = recorded_trace(str(database.path), identifier, "demo", None)
        assert walk(root) == expected
        assert not is_live
    new, filled = root.children[0].children[0].children
    assert new.event.text.startswith("new")
    assert filled.event.text == "filled 10 at 101"
    since = timedelta(microseconds=(filled.event.time - root.event.time) // 1000)
    # At the open of the second day, which is the end of the first.
    assert since == timedelta(0)
    assert root.event.time == (T0 - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e9 + (
        86_400 * 10**9
    )
    assert new.parent_span_id == hashlib.sha256(f"process{order}/paper".encode()).hexdigest()[:16]
    assert new.span_id == hashlib.sha256(f"send{new.event.id}".encode()).hexdigest()[:16]
    again = record(database)
    with pytest.raises(ConfigError, match=f"2 runs have '{order}'"):
        recorded_trace(str(database.path), order, None, None)
    assert walk(recorded_trace(str(database.path), order, None, again)[0]) == expected
    assert run_id != again


def test_unknown_id_is_an_error_that_names_it(database: Database) -> None:
    record(database)
    with pytest.raises(RecorderError, match="nothing with the id 'order_x'"):
        recorded_trace(str(database.path), "order_x", None, None)


def test_two_strategies_a_denial_and_a_dead_letter_are_branches() -> None:
    all_of = Written()
    for number in range(3):
        all_of.bar(f"bar{number}")
    first, second = made_id("signal", "a", "bar1", "0"), made_id("signal", "b", "bar1", "1")
    all_of.add(SignalEvent(id=first, symbol="AAPL", signal="ingenium.signal.long"), "a")
    all_of.add(SignalEvent(id=second, symbol="MSFT", signal="ingenium.signal.short"), "b")
    order = OrderEvent(id=made_id("order", "pf", first, "0"), symbol="AAPL")
    all_of.add(order, "pf")
    denied = OrderEvent(id=made_id("order", "pf", second, "0"), symbol="MSFT")
    denial = DenialEvent(
        id=made_id("denial", "pf", second, "1"), component="pf", order=denied, symbol="MSFT",
        reason="halted",
    )  # fmt: skip
    all_of.add(denial, "pf")
    letter = DeadLetterEvent(
        id="dead_1", component="ex", original_subject=ORDER, data=encode(order), error="a\nb: c"
    )
    all_of.add(letter, "ex")
    # The count of a send is in the id, so a third strategy's signal of another bar is no part.
    all_of.add(SignalEvent(id=made_id("signal", "a", "bar2", "0"), symbol="AAPL"), "a")
    expected = [
        (0, "bar", "feed", ""),
        (1, "signal", "a", "id"),
        (2, "order", "pf", "id"),
        (3, "dead letter", "ex", "letter"),
        (1, "signal", "b", "id"),
        (2, "denial", "pf", "id"),
    ]
    for identifier in ("bar1", first, second, order.id, denial.id, "dead_1"):
        assert all_of.trace(identifier) == expected


def test_header_connects_where_ids_have_a_secret_in_them() -> None:
    all_of = Written()
    for number in range(3):
        all_of.bar(f"bar{number}")
    trace_id = hashlib.sha256(b"tracebar1").hexdigest()[:32]
    header = {"traceparent": f"00-{trace_id}-{'1' * 16}-01"}
    other = {"traceparent": f"00-{hashlib.sha256(b'tracebar2').hexdigest()[:32]}-{'1' * 16}-01"}
    all_of.add(SignalEvent(id="s1", symbol="AAPL"), "a", **header)
    all_of.add(SignalEvent(id="s2", symbol="AAPL"), "a", **other)
    all_of.add(OrderEvent(id="o1", symbol="AAPL"), "pf", **header)
    all_of.add(ExecutionEvent(id="e1", order_id="o1", symbol="AAPL", update="filled"), "ex")
    expected = [
        (0, "bar", "feed", ""),
        (1, "signal", "a", "header"),
        (2, "order", "pf", "header"),
        (3, "execution", "ex", "order"),
    ]
    for identifier in ("bar1", "s1", "o1", "e1", trace_id):
        assert all_of.trace(identifier) == expected
    assert all_of.trace("s2") == [(0, "bar", "feed", ""), (1, "signal", "a", "header")]


def test_time_of_the_bar_connects_where_neither_ids_nor_headers_do() -> None:
    all_of = Written()
    for number in range(3):
        all_of.bar(f"bar{number}")
    all_of.bar("ibm", "IBM")
    # The strategies' stream stored bar 1, of 2 ms, 0.3 ms later.
    cause = {"Ingenium-Cause-Time": "1970-01-01T00:00:00.002300Z"}
    all_of.add(SignalEvent(id="s1", symbol="AAPL"), "a", **cause)
    all_of.add(OrderEvent(id="o1", symbol="AAPL"), "pf", **cause)
    expected = [
        (0, "bar", "feed", ""),
        (1, "signal", "a", "time"),
        (2, "order", "pf", "time"),
    ]
    assert all_of.trace("o1") == all_of.trace("bar1") == expected
    assert all_of.trace("bar2") == all_of.trace("ibm") == expected[:1]


def test_execution_of_a_protective_order_is_under_the_order_it_belongs_to() -> None:
    all_of = Written()
    all_of.add(OrderEvent(id="o1", symbol="AAPL"), "pf")
    leg = made_id("order", "o1", "stop_loss")
    all_of.add(ExecutionEvent(id="e1", order_id=leg, symbol="AAPL", update="filled"), "ex")
    assert all_of.trace("e1") == [(0, "order", "pf", ""), (1, "execution", "ex", "order")]


def test_stated_cause_connects_where_ids_have_a_secret_in_them() -> None:
    all_of = Written()
    all_of.bar("b1")
    all_of.bar("b2")
    all_of.add(SignalEvent(id="s1", symbol="AAPL"), "rsi", **{"Ingenium-Cause": "b1"})
    all_of.add(OrderEvent(id="o1", symbol="AAPL"), "pf", **{"Ingenium-Cause": "s1"})
    # A fill is caused by a later bar, and belongs to its order.
    filled = ExecutionEvent(id="e1", order_id="o1", update="filled", quantity="1", price="2")
    all_of.add(filled, "paper", **{"Ingenium-Cause": "b2"})
    # Another order in the symbol, of the other bar: not in the trace.
    all_of.add(OrderEvent(id="o2", symbol="AAPL"), "pf", **{"Ingenium-Cause": "b2"})
    expected = [
        (0, "bar", "feed", ""),
        (1, "signal", "rsi", "cause"),
        (2, "order", "pf", "cause"),
        (3, "execution", "paper", "order"),
    ]
    for identifier in ("b1", "s1", "o1", "e1"):
        assert all_of.trace(identifier) == expected
    assert all_of.trace("o2") == [(0, "bar", "feed", ""), (1, "order", "pf", "cause")]
