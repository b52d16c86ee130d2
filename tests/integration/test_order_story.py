"""The story of an order: by ids, by its trace, or by time where neither is stated."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from support.recorded_market import Market, fill, settle

from ingenium import recorder as recorder_room
from ingenium.bus.envelope import CAUSE
from ingenium.bus.nats.stream_layout import DATA_STREAM
from ingenium.errors import RecorderError
from ingenium.events import (
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
)
from ingenium.recorder.live_recording import open_database
from ingenium.runtime.durable.causes import CAUSE_TIME


def cause_time(nanoseconds: int) -> dict[str, str]:
    """The header with a time, to the microsecond."""
    time = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    time = time.replace(microsecond=nanoseconds % 10**9 // 1000)
    return {CAUSE_TIME: time.isoformat().replace("+00:00", "Z")}


async def test_order_without_ids_tells_its_story_by_time(market: Market, database_url: str) -> None:
    await market.send_bar("AAPL", "101.5")
    await settle(market, 1)
    (bar,) = await market.kept(DATA_STREAM.name)
    # Another bar, a moment later, and a stream of the strategies that took the first one later too.
    await market.send_bar("AAPL", "102.5")
    await settle(market, 2)
    _, later = await market.kept(DATA_STREAM.name)
    cause = cause_time(bar.received + (later.received - bar.received) // 3)
    signal = SignalEvent(id="signal_1", symbol="AAPL", signal="long")
    await market.send(signal, cause | {"Ingenium-Source": "rsi"})
    order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="4", type="market")
    await market.send(order, cause)
    await market.send(ExecutionEvent(id="exec_0", order_id="order_1", update="accepted"))
    await market.send(fill(1, "buy", 4, 102, "order_1"))
    await market.send(
        DenialEvent(id="denial_1", component="pf", reason="halted", symbol="AAPL",
                    order=OrderEvent(id="order_2", symbol="AAPL"))
    )  # fmt: skip
    database = open_database(database_url)
    await market.record(database)
    with recorder_room.open(database_url) as records:
        story = [(row["step"], row["text"], row["found"]) for row in records.order("order_1")]
        assert story == [
            ("bar", "AAPL close 101.5, volume 7", "by time"),
            ("signal", "long AAPL by rsi", "by time"),
            ("order", "buy 4 AAPL, market", "by id"),
            ("execution", "accepted", "by id"),
            ("execution", "filled buy 4 at 102, commission 0.50", "by id"),
        ]
        assert [row["step"] for row in records.order("order_2")] == ["denial"]
        with pytest.raises(RecorderError, match="knows no order 'order_9'"):
            records.order("order_9")


async def test_order_with_ids_tells_its_story_by_them(market: Market, database_url: str) -> None:
    """The bar is of another symbol, and farther away in time than others of the order's symbol."""
    for symbol, identifier in (("AAPL", "data_1"), ("MSFT", "data_2"), ("AAPL", "data_3")):
        await market.send_bar(symbol, "50" if symbol == "MSFT" else "100", identifier)
    await settle(market, 3)
    near = (await market.kept(DATA_STREAM.name))[-1]
    cause = cause_time(near.received)
    for number, sender in ((1, "other"), (2, "pairs")):
        signal = SignalEvent(id=f"signal_{number}", symbol="AAPL", signal="long")
        header = {CAUSE: "data_2", "Ingenium-Source": sender}
        await market.send(signal, cause | header)
    order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="4", type="market")
    await market.send(order, cause | {CAUSE: "signal_2"})
    await market.send(fill(1, "buy", 4, 102, "order_1"), {CAUSE: "data_3"})
    stop = OrderEvent(id="order_2", symbol="AAPL", side="sell", quantity="4", type="stop")
    await market.send(stop, {CAUSE: "exec_1"})
    database = open_database(database_url)
    await market.record(database)
    with recorder_room.open(database_url) as records:
        story = [(row["step"], row["text"], row["found"]) for row in records.order("order_1")]
        assert story == [
            ("bar", "MSFT close 50, volume 7", "by id"),
            ("signal", "long AAPL by pairs", "by id"),
            ("order", "buy 4 AAPL, market", "by id"),
            ("execution", "filled buy 4 at 102, commission 0.50", "by id"),
        ]
        assert [(row["step"], row["text"], row["found"]) for row in records.order("order_2")] == [
            ("bar", "AAPL close 100, volume 7", "by id"),
            ("execution", "filled buy 4 at 102, commission 0.50, of order order_1", "by id"),
            ("order", "sell 4 AAPL, stop", "by id"),
        ]


async def test_order_of_a_program_with_traces_is_followed_by_its_trace(
    market: Market, database_url: str
) -> None:
    for identifier in ("data_1", "data_2", "data_3"):
        await market.send_bar("AAPL", f"10{identifier[-1]}", identifier)
    await settle(market, 3)
    # The trace of the event that caused all others, by SHA-256 of "trace" and its id.
    trace = f"00-{sha256(b'tracedata_2').hexdigest()[:32]}-00f067aa0ba902b7-01"
    order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="4", type="market")
    await market.send(order, {"traceparent": trace})
    database = open_database(database_url)
    await market.record(database)
    with recorder_room.open(database_url) as records:
        assert [(row["step"], row["text"], row["found"]) for row in records.order("order_1")] == [
            ("bar", "AAPL close 102, volume 7", "by trace"),
            ("order", "buy 4 AAPL, market", "by id"),
        ]
