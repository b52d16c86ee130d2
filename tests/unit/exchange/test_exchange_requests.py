"""Orders that are canceled or replaced on the paper exchange."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.exchanging import DAY, START, D, bar, opened, order, prices

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import ExecutionReport, FeePerOrder, PaperExchange
from ingenium.trading import Order

LIMIT, STOP, TRAILING = OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP


def change(made: Order, **fields: Any) -> Order:
    values: dict[str, Any] = {name: D(v) if type(v) is str else v for name, v in fields.items()}
    return replace(made, id=f"{made.id}b", **values)


def told(reports: list[ExecutionReport]) -> list[tuple[str, str]]:
    return [(report.order.id, report.update.value) for report in reports]


def refused(reports: list[ExecutionReport]) -> str:
    [report] = reports
    assert report.update is TradeUpdate.REJECTED
    assert report.leaves == 0
    return report.reason


def resting(made: Order, **options: Any) -> PaperExchange:
    exchange = opened(**options)
    assert exchange.submit(made, START + DAY)[0].update is TradeUpdate.NEW
    return exchange


def test_replace_puts_another_order_in_the_place_of_one() -> None:
    made = order(Side.BUY, type=LIMIT, limit_price="90")
    exchange = resting(made)
    new = change(made, limit_price="97", quantity="20")
    reports = exchange.replace(made.id, new, START + DAY)
    assert told(reports) == [("order_1", "replaced"), ("order_1b", "new")]
    assert [report.leaves for report in reports] == [D(0), D(20)]
    assert exchange.working == [new]
    [report] = exchange.on_bar(bar(1, "100 101 95 100"))
    assert (report.order.id, report.quantity, report.price) == ("order_1b", D(20), D(97))


def test_replace_keeps_what_was_filled() -> None:
    made = order(Side.BUY, "100")
    exchange = resting(made, fees=FeePerOrder(D(1)))
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    reports = exchange.replace(made.id, change(made, quantity="50"), START + 2 * DAY)
    assert [report.leaves for report in reports] == [D(0), D(20)]
    [report] = exchange.on_bar(bar(2, "100 101 99 100", volume="3000"))
    assert (report.update, report.quantity) == (TradeUpdate.FILLED, D(20))
    assert report.commission == 0, "the order has paid with its first fill"


@pytest.mark.parametrize("quantity", ["30", "29"])
def test_replace_by_no_more_than_what_was_filled_is_rejected(quantity: str) -> None:
    made = order(Side.BUY, "100")
    exchange = resting(made)
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    reason = refused(exchange.replace(made.id, change(made, quantity=quantity), START + 2 * DAY))
    assert reason.startswith(f"order Quantity is {quantity}, of which 30 have been filled")
    assert exchange.working == [made]


def test_replace_counts_as_sent_now() -> None:
    made = order(Side.BUY, type=LIMIT, limit_price="90")
    exchange = resting(made)
    other = order(Side.BUY, id="order_2", type=LIMIT, limit_price="97")
    exchange.submit(other, START + DAY)
    # In the middle of a bar, as live data have it.
    exchange.replace(made.id, change(made, limit_price="97"), START + DAY + timedelta(hours=1))
    assert told(exchange.on_bar(bar(1, "100 101 95 100"))) == [("order_2", "filled")]
    assert told(exchange.on_bar(bar(2, "100 101 95 100"))) == [("order_1b", "filled")]


def test_replace_of_the_time_in_force_begins_a_session_anew() -> None:
    made = order(Side.BUY, type=LIMIT, limit_price="90")
    exchange = resting(made)
    exchange.on_bar(bar(1, "100 101 99 100"))
    exchange.replace(made.id, change(made, time_in_force=TimeInForce.DAY), START + 2 * DAY)
    assert told(exchange.on_bar(bar(2, "100 101 99 100"))) == [("order_1b", "expired")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"stop_price": "95"}, "StopPrice 95 is not above the last price 100"),
        ({"time_in_force": TimeInForce.IOC}, "'ioc' does not go with Type 'stop'"),
    ],
)
def test_replace_by_what_is_not_taken_is_rejected_and_the_old_order_works_on(
    fields: dict[str, Any], reason: str
) -> None:
    made = order(Side.BUY, type=STOP, stop_price="105")
    exchange = resting(made)
    assert reason in refused(exchange.replace(made.id, change(made, **fields), START + DAY))
    assert prices(exchange.on_bar(bar(1, "104 106 103 104"))) == [D(105)]


def test_replace_of_an_unknown_or_ended_order_is_rejected() -> None:
    made = order(Side.BUY)
    exchange = resting(made)
    assert refused(exchange.replace("order_9", change(made), START)) == "order 'order_9' is unknown"
    exchange.on_bar(bar(1, "100 101 99 100"))
    later = replace(made, id="order_1c")
    assert refused(exchange.replace(made.id, later, START)) == "order 'order_1' has ended"


def test_replace_that_comes_twice_is_passed_over() -> None:
    made = order(Side.BUY, type=LIMIT, limit_price="90")
    exchange = resting(made)
    new = change(made, limit_price="91")
    assert len(exchange.replace(made.id, new, START + DAY)) == 2
    assert exchange.replace(made.id, new, START + DAY) == []
    assert exchange.notes.repeated_orders == 1


def test_replace_of_a_replacement() -> None:
    made = order(Side.BUY, type=LIMIT, limit_price="90")
    exchange = resting(made)
    first = change(made, limit_price="91")
    second = change(first, limit_price="92")
    exchange.replace(made.id, first, START + DAY)
    exchange.replace(first.id, second, START + DAY)
    assert exchange.working == [second]
    assert exchange.order(made.id) is None


# Stops.


def test_replace_of_a_trail_keeps_the_best_price_seen() -> None:
    made = order(Side.SELL, type=TRAILING, trail_price="5")
    exchange = resting(made)
    exchange.on_bar(bar(1, "100 110 106 106"))  # the stop is at 105
    exchange.replace(made.id, change(made, trail_price="8"), START + 2 * DAY)
    assert exchange.on_bar(bar(2, "106 107 103 104")) == []
    assert prices(exchange.on_bar(bar(3, "104 105 101 102"))) == [D(102)]


def test_replace_of_a_trail_that_would_stop_at_once_is_rejected() -> None:
    made = order(Side.SELL, type=TRAILING, trail_price="5")
    exchange = resting(made)
    exchange.on_bar(bar(1, "100 110 106 106"))
    reports = exchange.replace(made.id, change(made, trail_price="3"), START + 2 * DAY)
    assert "StopPrice 107 is not below the last price 106" in refused(reports)


def test_replace_of_the_limit_of_a_triggered_stop_limit_leaves_it_a_limit_order() -> None:
    made = order(Side.BUY, type=OrderType.STOP_LIMIT, stop_price="105", limit_price="104")
    exchange = resting(made)
    assert exchange.on_bar(bar(1, "100 106 99 105")) == []
    other = change(made, stop_price="110")
    assert "has been triggered" in refused(exchange.replace(made.id, other, START + 2 * DAY))
    new = replace(made, id="order_1c", limit_price=D(103))
    assert len(exchange.replace(made.id, new, START + 2 * DAY)) == 2
    assert prices(exchange.on_bar(bar(2, "105 105 102 104"))) == [D(103)]


# Brackets.


def bracket() -> Order:
    return order(Side.BUY, "100", type=LIMIT, limit_price="98", stop_loss="95", take_profit="108")


def test_replace_of_an_entry_takes_its_protective_orders_along() -> None:
    made = bracket()
    exchange = resting(made)
    profit, loss = made.protective_orders()
    new = change(made, limit_price="99")
    assert told(exchange.replace(made.id, new, START + DAY)) == [
        (made.id, "replaced"),
        (new.id, "new"),
    ]
    assert told(exchange.on_bar(bar(1, "100 101 98.5 100"))) == [
        (new.id, "filled"),
        (profit.id, "new"),
        (loss.id, "new"),
    ]
    assert told(exchange.on_bar(bar(2, "96 97 94 95"))) == [
        (loss.id, "filled"),
        (profit.id, "canceled"),
    ]


def test_cancel_of_a_replaced_entry_ends_its_protective_orders() -> None:
    made = bracket()
    exchange = resting(made)
    new = change(made, limit_price="99")
    exchange.replace(made.id, new, START + DAY)
    assert [r.update.value for r in exchange.cancel(new.id, START + DAY)] == ["canceled"] * 3
    assert exchange.working == []
    assert not exchange.is_waiting("AAPL", "100")


def test_replace_of_a_protective_order_moves_its_price() -> None:
    made = bracket()
    exchange = resting(made)
    profit, loss = made.protective_orders()
    held = exchange.replace(loss.id, change(loss, stop_price="94"), START + DAY)
    assert told(held) == [(loss.id, "replaced"), (f"{loss.id}b", "held")]
    exchange.on_bar(bar(1, "100 101 97 100"))
    live = exchange.replace(profit.id, change(profit, limit_price="104"), START + 2 * DAY)
    assert told(live) == [(profit.id, "replaced"), (f"{profit.id}b", "new")]
    assert live[1].leaves == 100
    assert told(exchange.on_bar(bar(2, "100 105 94.5 100"))) == [
        (f"{profit.id}b", "filled"),
        (f"{loss.id}b", "canceled"),
    ]


def test_replace_of_a_protective_order_within_a_bar_waits_for_the_next() -> None:
    made = bracket()
    exchange = resting(made)
    _, loss = made.protective_orders()
    exchange.on_bar(bar(1, "100 101 97 100"))
    new = change(loss, stop_price="99")
    exchange.replace(loss.id, new, START + 2 * DAY + timedelta(hours=1))
    assert exchange.on_bar(bar(2, "100 101 98 100")) == []
    assert prices(exchange.on_bar(bar(3, "100 101 98 100"))) == [D(99)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quantity": "50"}, "has the quantity of its entry"),
        ({"time_in_force": TimeInForce.DAY}, "is good till canceled"),
        ({"stop_price": "100"}, "StopPrice 100 is not below the last price 100"),
    ],
)
def test_replace_of_a_protective_order_by_another_kind_is_rejected(
    fields: dict[str, Any], reason: str
) -> None:
    made = bracket()
    exchange = resting(made)
    _, loss = made.protective_orders()
    exchange.on_bar(bar(1, "100 101 97 100"))
    assert reason in refused(exchange.replace(loss.id, change(loss, **fields), START + 2 * DAY))
    assert loss in exchange.working


def test_replace_of_a_stop_loss_that_has_been_triggered_is_rejected() -> None:
    made = bracket()
    exchange = resting(made)
    _, loss = made.protective_orders()
    exchange.on_bar(bar(1, "100 101 97 100"))
    exchange.on_bar(bar(2, "96 97 94 96", volume="300"))  # 30 of 100 are out
    reports = exchange.replace(loss.id, change(loss, stop_price="90"), START + 3 * DAY)
    assert "has been triggered" in refused(reports)


def test_cancel_of_an_ended_protective_order_says_nothing() -> None:
    made = bracket()
    exchange = resting(made)
    _, loss = made.protective_orders()
    assert len(exchange.cancel(loss.id, START + DAY)) == 1
    assert exchange.cancel(loss.id, START + DAY) == []
    assert exchange.why_unknown(loss.id) == f"order {loss.id!r} has ended"


def test_cancel_of_an_entry_filled_in_part_leaves_its_protection() -> None:
    made = order(Side.BUY, "100", stop_loss="95")
    exchange = resting(made)
    [loss] = made.protective_orders()
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert told(exchange.cancel(made.id, START + 2 * DAY)) == [(made.id, "canceled")]
    assert exchange.working == [loss]
    [report] = exchange.on_bar(bar(2, "96 97 94 95"))
    assert (report.quantity, report.update) == (D(30), TradeUpdate.FILLED)
