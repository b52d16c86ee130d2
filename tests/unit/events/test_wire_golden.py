"""The payloads that Go components send, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingenium.events import (
    DataEvent,
    DataType,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    OrderType,
    Side,
    Signal,
    SignalEvent,
    StopLoss,
    TimeInForce,
    TradeUpdate,
    decode,
    encode,
)

GOLDEN = Path(__file__).parents[2] / "golden"
DATA_ID = "data_2YvmpUh3PgXRhQ8yhXTdRnF0vDB"
SIGNAL_ID = "signal_2YvmpUh3PgXRhQ8yhXTdRnF0vDC"
ORDER_ID = "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD"
EXEC_ID = "exec_2YvmpUh3PgXRhQ8yhXTdRnF0vDE"
WHOLE = datetime(2024, 1, 3, 21, tzinfo=UTC)
FRACTION = datetime(2024, 1, 3, 21, 0, 0, 120_000, tzinfo=UTC)
NANOS = datetime(2024, 1, 3, 21, 0, 0, 123_456, tzinfo=UTC)

MARKET: dict[str, Any] = {
    "id": ORDER_ID,
    "timestamp": WHOLE,
    "symbol": "AAPL",
    "side": Side.BUY,
    "quantity": "10",
    "type": OrderType.MARKET,
    "time_in_force": TimeInForce.DAY,
}

DOCUMENTED: dict[str, Any] = {
    "data_bar": DataEvent(
        type=DataType.OHLC,
        symbol="AAPL",
        timestamp="2024-01-03T21:00:00Z",
        ohlc=Ohlc(open="184.22", high="185.88", low="183.43", close="184.25", volume="58414500"),
    ),
    "data_dotted_symbol": DataEvent(
        type=DataType.OHLC,
        symbol="BRK.B",
        timestamp="2024-01-03T21:00:00Z",
        ohlc=Ohlc(open="0.00001", high="0.00002", low="0.00001", close="0.000015"),
    ),
    "data_html": DataEvent(
        type="data.type.<ohlc>",
        symbol="M&M.NS",
        timestamp="\u2028 and \u2029",
        ohlc=Ohlc(open="1", high="1", low="1", close="1", volume="1"),
    ),
    "data_empty": DataEvent(ohlc=Ohlc()),
    "signal_long": SignalEvent(symbol="AAPL", signal=Signal.LONG),
    "signal_short": SignalEvent(symbol="EURUSD=X", signal=Signal.SHORT),
    "signal_text": SignalEvent(
        symbol="日経225 \U0001f4c8", signal='tab\t quote" slash/ back\\ bell\a del\x7f\b\f'
    ),
    "order_empty": OrderEvent(),
    "order_market": OrderEvent(**MARKET),
    "order_limit": OrderEvent(
        id=ORDER_ID,
        timestamp=FRACTION,
        symbol="AAPL",
        side=Side.SELL,
        quantity="0.5",
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        extended_hours=True,
        limit_price="184.25",
    ),
    "order_bracket": OrderEvent(
        **MARKET | {"type": OrderType.LIMIT},
        limit_price="184.25",
        take_profit="200",
        stop_loss=StopLoss(limit_price="169.5", stop_price="170"),
    ),
    "order_trailing": OrderEvent(
        **MARKET
        | {"type": OrderType.TRAILING_STOP, "side": Side.SELL, "time_in_force": TimeInForce.GTC},
        stop_price="1",
        trail_price="5",
        trail_percent="2.5",
    ),
    "execution_empty": ExecutionEvent(),
    "execution_fill": ExecutionEvent(
        id=EXEC_ID, timestamp=WHOLE, order_id=ORDER_ID, quantity="10", symbol="AAPL"
    ),
    "execution_no_symbol": ExecutionEvent(
        id=EXEC_ID, timestamp=FRACTION, order_id=ORDER_ID, quantity="10"
    ),
}

LATER: dict[str, Any] = {
    "data_bar": DataEvent(
        type=DataType.OHLC,
        symbol="AAPL",
        timestamp="2024-01-03T21:00:00Z",
        ohlc=Ohlc(
            open="184.22",
            high="185.88",
            low="183.43",
            close="184.25",
            volume="58414500",
            period="1d",
            timestamp=WHOLE,
        ),
        id=DATA_ID,
    ),
    "data_no_bar": DataEvent(
        type="data.type.news",
        symbol="AAPL",
        timestamp="2024-01-03T21:00:00.123456789Z",
        id=DATA_ID,
    ),
    "signal_long": SignalEvent(symbol="AAPL", signal=Signal.LONG, id=SIGNAL_ID, timestamp=NANOS),
    "order_market": OrderEvent(**MARKET),
    "execution_fill": ExecutionEvent(
        id=EXEC_ID,
        timestamp=WHOLE,
        order_id=ORDER_ID,
        quantity="10",
        symbol="AAPL",
        execution_timestamp=WHOLE,
        price="184.25",
        update=TradeUpdate.FILLED,
    ),
    # Go writes what is empty; empty is not the same as absent for an extension field.
    "execution_no_time": ExecutionEvent(
        id=EXEC_ID, timestamp=WHOLE, order_id=ORDER_ID, quantity="10", price="", update=""
    ),
}


def test_golden_folders_hold_exactly_the_vectors_of_this_test() -> None:
    assert {path.stem for path in (GOLDEN / "documented").iterdir()} == set(DOCUMENTED)
    assert {path.stem for path in (GOLDEN / "later").iterdir()} == set(LATER)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_event_is_written_as_go_writes_it(name: str) -> None:
    assert encode(DOCUMENTED[name]) == (GOLDEN / "documented" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_payload_is_read_as_the_event(name: str) -> None:
    event = DOCUMENTED[name]
    payload = (GOLDEN / "documented" / f"{name}.json").read_bytes()
    assert decode(type(event), payload) == event


@pytest.mark.parametrize("name", LATER)
def test_payload_of_later_go_code_is_read_as_the_event(name: str) -> None:
    event = LATER[name]
    assert decode(type(event), (GOLDEN / "later" / f"{name}.json").read_bytes()) == event
