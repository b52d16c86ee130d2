"""Real messages, to be shown: bytes that Go components send, and what our codec writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from asyncapi.source import TOP

from ingenium._gen.ingenium.v1 import (
    AccountStatus,
    ComponentStatus,
    LockstepGrant,
    LockstepReport,
    PositionStatus,
    WorkingOrdersStatus,
    WorkingOrderStatus,
)
from ingenium.bus.envelope import headers_for
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DeadLetterEvent,
    DeadLetterReason,
    DenialEvent,
    OrderEvent,
    ReplaceEvent,
    TradingState,
    decode,
    encode,
)
from ingenium.subjects.names import ORDER

__all__ = ["GOLDEN", "examples_of"]

_ORDER_ID = "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD"
_AT = datetime(2024, 1, 3, 21, tzinfo=UTC)

GOLDEN = {
    "DataEvent": {
        "documented/data_bar": "a bar, in the fields of the original library",
        "later/data_bar": "the same with id, period and start",
        "documented/data_dotted_symbol": "a symbol with a dot, and small prices",
    },
    "SignalEvent": {
        "documented/signal_long": "in the fields of the original library",
        "later/signal_long": "with id and time",
    },
    "OrderEvent": {
        "documented/order_limit": "a limit order",
        "documented/order_bracket": "with a profit target and a stop",
        "documented/order_trailing": "a stop that trails",
    },
    "ExecutionEvent": {
        "documented/execution_fill": "in the fields of the original library",
        "later/execution_fill": "with price and kind of update",
        "documented/execution_no_symbol": "without a symbol, as the original executor sends it",
    },
}
"""Files of ``tests/golden`` and what they show."""


def examples_of(name: str) -> list[dict[str, Any]]:
    """Return the examples of one message, as AsyncAPI has them.

    Raises:
        RuntimeError: There are none.
    """
    found = [
        _example(file.replace("/", "-"), text, (TOP / f"tests/golden/{file}.json").read_bytes())
        for file, text in GOLDEN.get(name, {}).items()
    ]
    for text, event in _made():
        if type(event).__name__ == name:
            example = _example(f"made-{len(found) + 1}", text, encode(event))
            if name.endswith("Event"):
                example["headers"] = dict(headers_for(event, "paper"))
            found.append(example)
    if not found:
        raise RuntimeError(f"{name} has no example: add one to proto/asyncapi/examples.py")
    return found


def _example(name: str, summary: str, payload: bytes) -> dict[str, Any]:
    return {"name": name, "summary": summary, "payload": json.loads(payload)}


def _made() -> list[tuple[str, Any]]:
    """Return what no component in Go sends."""
    order = decode(OrderEvent, (TOP / "tests/golden/documented/order_limit.json").read_bytes())
    return [
        (
            "the limit order above is no longer wanted",
            CancelEvent(
                id="cancel_2YvmpUh3PgXRhQ8yhXTdRnF0vDF",
                timestamp=_AT,
                order_id=_ORDER_ID,
                symbol="AAPL",
            ),
        ),
        (
            "it shall buy more, at another price",
            ReplaceEvent(
                id="order_2YvmpUh3PgXRhQ8yhXTdRnF0vDG",
                timestamp=_AT,
                order_id=_ORDER_ID,
                symbol="AAPL",
                quantity="12",
                limit_price="183.9",
            ),
        ),
        (
            "more shares than the limit allows",
            DenialEvent(
                id="denial_2YvmpUh3PgXRhQ8yhXTdRnF0vDH",
                timestamp=_AT,
                component="fixed-quantity",
                reason="max_order_quantity",
                detail="10 shares of AAPL, where 5 are the most",
                symbol="AAPL",
                order=order,
            ),
        ),
        (
            "somebody stops all trading",
            ControlEvent(
                id="control_2YvmpUh3PgXRhQ8yhXTdRnF0vDI",
                timestamp=_AT,
                state=TradingState.HALTED,
                reason="the venue reports odd prices",
                sender="ann@trader-1",
            ),
        ),
        (
            "a payload in which a price is a number",
            DeadLetterEvent(
                id="dead_2YvmpUh3PgXRhQ8yhXTdRnF0vDJ",
                timestamp=_AT,
                component="paper",
                reason=DeadLetterReason.UNDECODABLE,
                error="cannot decode OrderEvent.LimitPrice: expected a string, found 12.5",
                original_subject=ORDER,
                data=b'{"LimitPrice":12.5}',
                content_type="application/json",
            ),
        ),
        (
            "a strategy has handled 42 bars and sent 3 signals",
            LockstepReport(component="rsi", role="strategy", data_handled=42, signals_sent=3),
        ),
        (
            "the ingestor may send all bars up to that time",
            LockstepGrant(step=43, time=_AT, component="csv-ingestor", until_time=_AT),
        ),
        (
            "a strategy in Go has handled 1,042 bars, and is 20 seconds behind",
            ComponentStatus(
                app="momentum",
                component="rsi",
                role="strategy",
                language="go",
                version="0.1.0",
                life="2YvmpUh3PgXRhQ8yhXTdRnF0vDK",
                host="trader-1",
                process=4711,
                state="ready",
                timestamp=_AT,
                start_time=datetime(2024, 1, 3, 14, 30, tzinfo=UTC),
                interval_seconds=5,
                handled=1042,
                sent=17,
                last_event="DataEvent",
                last_symbol="AAPL",
                last_time=_AT,
                waiting=400,
                lag_milliseconds=20_000,
                cause_age_milliseconds=19_950,
            ),
        ),
        (
            "a portfolio in Python, halted by a person",
            ComponentStatus(
                app="momentum",
                component="fixed-quantity",
                role="portfolio",
                language="python",
                life="4",
                state="ready",
                timestamp=_AT,
                interval_seconds=5,
                offset="1042",
                lag_milliseconds=0,
                trading=TradingState.HALTED,
                trading_reason="ann@trader-1: the venue reports odd prices",
                account=AccountStatus(
                    starting_cash="100000",
                    cash="98990",
                    equity="100015",
                    unrealized_pnl="15",
                    realized_pnl="0",
                    commissions="0",
                    positions=[
                        PositionStatus(
                            symbol="AAPL",
                            quantity="10",
                            cost="1010",
                            last_price="102.5",
                            last_price_time=_AT,
                            realized_pnl="0",
                        )
                    ],
                    open_positions=1,
                ),
                working_orders=WorkingOrdersStatus(
                    count=1,
                    orders=[
                        WorkingOrderStatus(
                            order_id="order_2YvmpUh3PgXRhQ8yhXTdRnF0vDK",
                            symbol="AAPL",
                            side="sell",
                            type="limit",
                            quantity="10",
                            filled="0",
                            limit_price="110",
                        )
                    ],
                ),
            ),
        ),
        ("the replay is over", LockstepGrant(step=44, end=True)),
    ]
