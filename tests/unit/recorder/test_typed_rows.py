"""Rows that are made of events; the numbers are worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.events import (
    CancelEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    encode,
    encode_binary,
)
from ingenium.recorder.schema import METADATA, Rows
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.subjects.names import subject_of

T0 = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)
# 19,724 days since 1970, and 15 hours and a half.
T0_NS = (19_724 * 86_400 + 15 * 3600 + 30 * 60) * 1_000_000_000
RECEIVED = 1_800_000_000_123_456_789


class Feeder:
    """Puts events through, one sequence after the other."""

    def __init__(self, trading: TradingRows | None = None) -> None:
        self.trading = trading or TradingRows("app", {}, {})
        self._typed = TypedRows(self.trading)
        self.rows: Rows = {}
        self.sequence = 0

    def put(self, event: Any, headers: bytes = b"", *, binary: bool = False) -> None:
        self.put_raw(subject_of(event), encode_binary(event) if binary else encode(event), headers)

    def put_raw(self, subject: str, payload: bytes, headers: bytes = b"") -> None:
        self.sequence += 1
        kept = KeptMessage(self.sequence, RECEIVED, subject, headers, payload)
        self._typed.add(self.rows, "app/INGENIUM", kept)

    def table(self, name: str) -> list[dict[str, Any]]:
        columns = METADATA.tables[name].columns.keys()
        return [dict(zip(columns, row, strict=True)) for row in self.rows.get(name, ())]


@pytest.fixture
def feeder() -> Feeder:
    return Feeder()


def fill(
    identifier: str, side: str, quantity: str, price: str, *, commission: str = "", order: str = "o"
) -> ExecutionEvent:
    return ExecutionEvent(
        id=identifier,
        order_id=order,
        symbol="AAPL",
        side=side,
        quantity=quantity,
        price=price,
        commission=commission or None,
        update="filled",
        execution_timestamp=T0,
    )


def test_raw_event_keeps_its_bytes_and_says_what_it_is(feeder: Feeder) -> None:
    headers = (
        b"NATS/1.0\r\nIngenium-Source: rsi\r\nContent-Type: application/json\r\n"
        b"Ingenium-Cause-Time: 2024-01-02T15:29:59.5Z\r\nNats-Msg-Id: signal_1\r\n"
        b"Ingenium-Cause: data_7\r\n\r\n"
    )
    feeder.put(SignalEvent(id="signal_1", symbol="AAPL", signal="long", timestamp=T0), headers)
    (event,) = feeder.table("events")
    assert event["body"] == encode(
        SignalEvent(id="signal_1", symbol="AAPL", signal="long", timestamp=T0)
    )
    assert event["headers"] == headers
    assert (event["stream"], event["sequence"]) == ("app/INGENIUM", 1)
    assert (event["type"], event["id"], event["source"]) == ("SignalEvent", "signal_1", "rsi")
    assert event["cause"] == "data_7"
    (signal,) = feeder.table("signals")
    assert (signal["cause"], signal["cause_time"]) == ("data_7", T0_NS - 500_000_000)
    assert (event["time"], event["received"]) == (T0_NS, RECEIVED)


@pytest.mark.parametrize("time", ["", "yesterday", "2024-01-02T15:29:59"])
def test_cause_without_a_usable_time_has_none(feeder: Feeder, time: str) -> None:
    headers = f"NATS/1.0\r\nIngenium-Cause-Time: {time}\r\n\r\n".encode()
    feeder.put(SignalEvent(id="signal_1", symbol="AAPL", signal="long", timestamp=T0), headers)
    (signal,) = feeder.table("signals")
    assert (signal["cause"], signal["cause_time"]) == ("", 0)


def test_cause_is_that_of_the_header_or_else_the_order_of_the_event(feeder: Feeder) -> None:
    headers = b"NATS/1.0\r\nIngenium-Cause: data_9\r\n\r\n"
    feeder.put(fill("exec_1", "buy", "1", "100", order="order_1"), headers)
    feeder.put(fill("exec_2", "buy", "1", "100", order="order_1"))
    assert [event["cause"] for event in feeder.table("events")] == ["data_9", "order_1"]


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"{}}", b'{"Symbol": 3}'])
def test_event_that_cannot_be_read_is_recorded_raw(feeder: Feeder, payload: bytes) -> None:
    feeder.put_raw("ingenium.portfolio.order", payload)
    (event,) = feeder.table("events")
    assert (event["body"], event["time"]) == (payload, RECEIVED)
    assert set(feeder.rows) == {"events"}


def test_event_of_a_users_own_type_is_recorded_raw(feeder: Feeder) -> None:
    feeder.put_raw("acme.news.aapl", b"\x08\x01")
    (event,) = feeder.table("events")
    assert (event["type"], event["subject"], event["body"]) == ("", "acme.news.aapl", b"\x08\x01")


@pytest.mark.parametrize("binary", [False, True])
def test_bar_keeps_its_digits(feeder: Feeder, binary: bool) -> None:
    bar = Ohlc(open="1.10", high="2", low="0.5", close="1.50", volume="1000", period="1m")
    headers = b"NATS/1.0\r\nContent-Type: application/protobuf\r\n\r\n" if binary else b""
    event = DataEvent(type="ohlc", symbol="AAPL", timestamp="2024-01-02T10:30:00-05:00", ohlc=bar)
    feeder.put(event, headers, binary=binary)
    (row,) = feeder.table("bars")
    assert row == {
        "stream": "app/INGENIUM",
        "sequence": 1,
        "symbol": "AAPL",
        "time": T0_NS,
        "received": RECEIVED,
        "open": "1.10",
        "high": "2",
        "low": "0.5",
        "close": "1.50",
        "volume": "1000",
        "period": "1m",
    }


@pytest.mark.parametrize("text", ["NaN", "1e400", ".", "1.", "--1", "١", "1_000", "Infinity", ""])
def test_number_that_is_none_is_null(feeder: Feeder, text: str) -> None:
    payload = (
        f'{{"Type":"ohlc","Symbol":"A","Timestamp":"","Ohlc":{{"Open":"{text}","High":"1",'
        f'"Low":"1","Close":"1","Volume":"1","Timestamp":"0001-01-01T00:00:00Z"}}}}'
    ).encode()
    feeder.put_raw("ingenium.ingestor.data.a", payload)
    assert [(row["open"], row["time"]) for row in feeder.table("bars")] == [(None, RECEIVED)]


def test_text_with_a_zero_letter_is_taken_by_every_database(feeder: Feeder) -> None:
    feeder.put_raw("ingenium.strategy.signal", b'{"Symbol":"A\\u0000B","Signal":"long"}')
    assert [row["symbol"] for row in feeder.table("signals")] in ([], ["A\ufffdB"])
    assert len(feeder.table("events")) == 1


def test_order_and_what_is_said_about_it_name_the_order_as_cause(feeder: Feeder) -> None:
    order = OrderEvent(
        id="order_1", symbol="AAPL", side="buy", quantity="3", type="limit", limit_price="9.50"
    )
    feeder.put(order)
    feeder.put(CancelEvent(id="cancel_1", order_id="order_1", symbol="AAPL"))
    feeder.put(
        DenialEvent(id="denial_1", component="pf", reason="halted", symbol="AAPL", order=order)
    )
    feeder.put(ExecutionEvent(id="exec_1", order_id="order_1", update="accepted"))
    assert [event["cause"] for event in feeder.table("events")] == ["", *["order_1"] * 3]
    assert [
        (row["request"], row["order_id"], row["quantity"], row["limit_price"])
        for row in feeder.table("orders")
    ] == [("new", "order_1", "3", "9.50"), ("cancel", "order_1", None, None)]
    assert feeder.table("denials")[0]["order_id"] == "order_1"
    assert feeder.table("executions")[0]["booked"] == 0


def test_positions_trades_and_account_add_up(feeder: Feeder) -> None:
    # 10 at 100 and 10 at 110 cost 2,100, which is 105 each; 15 of them sold at 120 bring
    # 15 x 15 = 225; what is left, 5 at 105 = 525, and 10 more are sold at 90: -75, and 5 short.
    feeder.put(fill("e1", "buy", "10", "100", commission="1", order="o1"))
    feeder.put(fill("e2", "buy", "10", "110", order="o2"))
    feeder.put(fill("e3", "sell", "15", "120", commission="2", order="o3"))
    feeder.put(fill("e4", "sell", "10", "90", order="o4"))
    assert [
        [Decimal(row[name]) for name in ("quantity", "cost", "realized_pnl")]
        for row in feeder.table("position_changes")
    ] == [[10, 1000, 0], [20, 2100, 0], [5, 525, 225], [-5, -450, 150]]
    # Cash: -1001, -1100, +1798, +900.
    assert [
        [Decimal(row[name]) for name in ("cash_flow", "realized_pnl", "commissions")]
        for row in feeder.table("account_snapshots")
    ] == [[-1001, 0, 1], [-2101, 0, 1], [-303, 225, 3], [597, 150, 3]]
    trades = feeder.table("trades")
    assert [
        [row["number"], row["sequence"], row["order_id"], row["side"], Decimal(row["quantity"]),
         Decimal(row["pnl"])]
        for row in trades
    ] == [[1, 3, "o3", "buy", 15, 225], [2, 4, "o4", "buy", 5, -75]]  # fmt: skip
    # Of the commission of 1 on 20, three quarters, and 2 of its own.
    assert Decimal(trades[0]["commission"]) == Decimal("2.75")
    assert [row["booked"] for row in feeder.table("executions")] == [1, 1, 1, 1]


def test_fill_that_comes_twice_is_booked_once(feeder: Feeder) -> None:
    for _ in range(2):
        feeder.put(fill("e1", "buy", "10", "100"))
    assert [row["booked"] for row in feeder.table("executions")] == [1, 0]
    assert len(feeder.table("position_changes")) == 1


def test_fill_that_the_database_knows_is_not_booked_again() -> None:
    feeder = Feeder(TradingRows("app", {}, {}, has_fill=lambda fill_id, _order: fill_id == "e1"))
    feeder.put(fill("e1", "buy", "10", "100"))
    feeder.put(fill("e2", "buy", "1", "100"))
    assert [row["booked"] for row in feeder.table("executions")] == [0, 1]


def test_execution_without_symbol_and_side_takes_those_of_its_order(feeder: Feeder) -> None:
    feeder.put(OrderEvent(id="o1", symbol="IBM", side="sell", quantity="3", type="market"))
    for order in ("o1", "unknown"):
        event = ExecutionEvent(id=f"e_{order}", order_id=order, quantity="3", price="10")
        feeder.put(event)
    assert [(row["symbol"], row["side"], row["booked"]) for row in feeder.table("executions")] == [
        ("IBM", "sell", 1),
        ("", "", 0),
    ]
    assert Decimal(feeder.table("position_changes")[0]["quantity"]) == -3


def test_trade_that_grows_has_a_row_for_each_fill_of_its_exit(feeder: Feeder) -> None:
    feeder.put(fill("e1", "buy", "10", "100", order="in"))
    feeder.put(fill("e2", "sell", "4", "101", order="out"))
    feeder.put(fill("e3", "sell", "6", "103", order="out"))
    # 4 x 1 = 4, and then 4 + 6 x 3 = 22.
    assert [
        [row["number"], row["exit_fills"], Decimal(row["quantity"]), Decimal(row["pnl"])]
        for row in feeder.table("trades")
    ] == [[1, 1, 4, 4], [1, 2, 10, 22]]


def test_account_goes_on_from_what_was_saved() -> None:
    first = Feeder()
    first.put(fill("e1", "buy", "10", "100", commission="1"))
    saved = {name: data for _, name, data in first.trading.take_changes()}
    assert first.trading.take_changes() == []
    second = Feeder(TradingRows("app", saved, {"AAPL": T0_NS + 5}))
    second.put(fill("e2", "sell", "10", "130", commission="1"))
    (change,) = second.table("position_changes")
    assert [Decimal(change[name]) for name in ("quantity", "realized_pnl")] == [0, 300]
    # Never before the change before it.
    assert change["time"] == T0_NS + 5
    (snapshot,) = second.table("account_snapshots")
    assert Decimal(snapshot["cash_flow"]) == 298
