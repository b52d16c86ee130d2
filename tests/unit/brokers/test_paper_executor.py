"""The paper executor: orders and bars in, executions out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium.brokers import PaperExecutor
from ingenium.components import handle_of
from ingenium.events import DataEvent, ExecutionEvent, OrderEvent, decode, encode
from ingenium.exchange import FeePerShare, FillPolicy, SlippageTicks
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def bar(day: int, open: str = "100", volume: str = "") -> DataEvent:
    made = Bar.make(
        "AAPL",
        START + day * DAY,
        open=open,
        high="120",
        low="80",
        close="100",
        volume=volume,
        period=DAY,
    )
    return made.event


def order(**fields: Any) -> OrderEvent:
    values = {
        "id": "order_1",
        "symbol": "AAPL",
        "side": "buy",
        "quantity": "10",
        "type": "market",
        "time_in_force": "gtc",
    }
    return OrderEvent(timestamp=START + DAY, **(values | fields))


class Run:
    """Hands events to an executor as the runtime does."""

    def __init__(self, executor: PaperExecutor) -> None:
        self.executor = executor

    def data(self, event: DataEvent, day: int) -> list[ExecutionEvent]:
        handle_of(self.executor).begin(f"bar {day}", START + (day + 1) * DAY)
        self.executor.on_data(event)
        return self.sent()

    def order(self, event: OrderEvent) -> list[ExecutionEvent]:
        handle_of(self.executor).begin(f"order {event.id}", START + DAY)
        self.executor.on_order(event)
        return self.sent()

    def sent(self) -> list[ExecutionEvent]:
        events = [
            event for event in handle_of(self.executor).take() if isinstance(event, ExecutionEvent)
        ]
        return [decode(ExecutionEvent, encode(event)) for event in events]


def test_market_order_is_reported_new_and_filled_at_the_next_open() -> None:
    run = Run(PaperExecutor(fees=FeePerShare(Decimal("0.005")), slippage=SlippageTicks(1)))
    assert run.data(bar(0), 0) == []
    [new] = run.order(order())
    assert (new.update, new.quantity, new.price) == ("new", "0", None)
    assert new.leaves_quantity == "10"
    [filled] = run.data(bar(1, open="101.5"), 1)
    assert filled.id.startswith("exec_")
    assert (filled.order_id, filled.symbol, filled.side) == ("order_1", "AAPL", "buy")
    assert (filled.update, filled.quantity, filled.price) == ("filled", "10", "101.51")
    assert (filled.commission, filled.leaves_quantity) == ("0.05", "0")
    assert filled.execution_timestamp == START + DAY, "the open of the bar"
    assert filled.timestamp == START + 2 * DAY, "when the bar is known"
    assert filled.reason is None


def test_order_over_the_volume_cap_gives_partial_fills_with_its_own_id() -> None:
    run = Run(PaperExecutor())
    run.data(bar(0), 0)
    run.order(order(quantity="100"))
    [first] = run.data(bar(1, volume="300"), 1)
    [second] = run.data(bar(2, volume="9000"), 2)
    assert (first.update, first.quantity, first.leaves_quantity) == ("partial_fill", "30", "70")
    assert (second.update, second.quantity, second.leaves_quantity) == ("filled", "70", "0")
    assert first.order_id == second.order_id == "order_1"
    assert first.id != second.id


def test_policy_is_handed_to_the_exchange() -> None:
    policy = FillPolicy(touch_fills=True)
    assert PaperExecutor(policy).exchange.policy is policy


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "iceberg"}, "order Type is 'iceberg', which is unknown"),
        ({"type": "stop", "stop_price": "90"}, "order StopPrice 90 is not above"),
        ({"quantity": "-1"}, "order Quantity is -1: use a positive decimal"),
        ({"type": "limit", "limit_price": "x"}, "order LimitPrice is 'x'"),
        ({"symbol": "NONE"}, "order Symbol 'NONE' has had no data"),
        ({"symbol": "A*"}, "order Symbol cannot be used"),
        ({"side": "hold"}, "order Side is 'hold', which is unknown"),
        ({"time_in_force": "gtx"}, "order TimeInForce is 'gtx', which is unknown"),
    ],
)
def test_order_that_cannot_be_worked_is_rejected_by_an_execution(
    fields: dict[str, str], reason: str
) -> None:
    run = Run(PaperExecutor())
    run.data(bar(0), 0)
    [report] = run.order(order(**fields))
    assert report.update == "rejected"
    assert report.order_id == "order_1"
    assert report.quantity == "0"
    assert report.reason is not None
    assert reason in report.reason
    assert run.data(bar(1), 1) == []


def test_order_that_comes_twice_is_worked_once() -> None:
    run = Run(PaperExecutor())
    run.data(bar(0), 0)
    assert len(run.order(order())) == 1
    assert run.order(order()) == []
    assert len(run.data(bar(1), 1)) == 1


def test_bar_that_no_order_waits_for_is_not_parsed() -> None:
    run = Run(PaperExecutor())
    event = bar(0)
    assert event.ohlc is not None
    event.ohlc.high = "broken"
    assert run.data(event, 0) == []
    assert run.order(order())[0].update == "new", "the symbol counts as known all the same"


def test_repeated_run_gives_the_same_bytes() -> None:
    def once() -> list[bytes]:
        run = Run(PaperExecutor())
        events = run.data(bar(0), 0) + run.order(order()) + run.data(bar(1), 1)
        return [encode(event) for event in events]

    assert once() == once()
