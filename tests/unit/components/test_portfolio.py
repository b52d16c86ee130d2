"""The portfolio base class: books executions, follows orders, never crashes on a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium.components import Portfolio, handle_of
from ingenium.errors import ConfigError, InvalidOrderError, SubjectError
from ingenium.events import (
    DataEvent,
    ExecutionEvent,
    OrderEvent,
    OrderType,
    Side,
    Signal,
    SignalEvent,
    TimeInForce,
)
from ingenium.runtime.dispatch import Dispatcher
from ingenium.trading import Bar, Order

NOW = datetime(2024, 1, 2, tzinfo=UTC)


class Recording(Portfolio):
    """Keeps what its handlers see."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: list[object] = []

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((bar.close, self.price(bar.symbol)))

    def on_signal(self, event: SignalEvent) -> None:
        self.seen.append(event.signal)

    def on_execution(self, event: ExecutionEvent) -> None:
        self.seen.append((event.id, self.position("AAPL").quantity))


@pytest.fixture
def portfolio() -> Recording:
    portfolio = Recording(cash=Decimal(10_000))
    handle_of(portfolio).begin("a test", NOW)
    return portfolio


def data(close: str = "100", symbol: str = "AAPL") -> DataEvent:
    bar = Bar.make(
        symbol,
        NOW,
        open=close,
        high=close,
        low=close,
        close=close,
        period=timedelta(days=1),
    )
    return bar.event


def execution(id: str, order: Order, quantity: str = "", **fields: Any) -> ExecutionEvent:
    values: dict[str, Any] = {"timestamp": NOW, "order_id": order.id, "price": "100"}
    return ExecutionEvent(id=id, quantity=quantity, **(values | fields))


def bought(portfolio: Portfolio, quantity: int = 10) -> Order:
    return portfolio.send_order("AAPL", Side.BUY, quantity)


def test_send_order_goes_out_as_an_event_and_works(portfolio: Recording) -> None:
    order = portfolio.send_order(
        "AAPL",
        "buy",
        "10",
        type="limit",
        limit_price=99.5,
        time_in_force=TimeInForce.GTC,
        stop_loss=95,
        stop_loss_limit="94.5",
        take_profit=Decimal(120),
    )
    [event] = handle_of(portfolio).take()
    assert isinstance(event, OrderEvent)
    assert event.id == order.id
    assert event.id.startswith("order_")
    assert event.timestamp == NOW
    assert (event.type, event.limit_price, event.take_profit) == ("limit", "99.5", "120")
    assert event.stop_loss is not None
    assert (event.stop_loss.stop_price, event.stop_loss.limit_price) == ("95", "94.5")
    assert Order.from_event(event) == order
    assert portfolio.orders[order.id].order == order
    assert portfolio.pending("AAPL") == 10


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("AAPL", "up", 10), "order side is 'up': use one of buy, sell"),
        (("AAPL", "buy", 0), "order Quantity is 0: use a positive decimal"),
        (("AAPL", "buy", float("nan")), "order quantity is"),
        (("AAPL", "buy", "ten"), "order quantity is 'ten': pass a finite decimal"),
    ],
)
def test_send_order_that_makes_no_sense_is_refused_and_not_sent(
    portfolio: Recording, arguments: tuple[str, str, Any], text: str
) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        portfolio.send_order(*arguments)
    assert text in str(caught.value)
    assert handle_of(portfolio).take() == []
    assert portfolio.orders == {}


def test_send_order_limit_without_price_is_refused(portfolio: Recording) -> None:
    with pytest.raises(InvalidOrderError, match="LimitPrice is missing"):
        portfolio.send_order("AAPL", Side.BUY, 10, type=OrderType.LIMIT)


def test_send_order_with_a_symbol_no_subject_can_hold_is_refused(portfolio: Recording) -> None:
    with pytest.raises(SubjectError):
        portfolio.send_order("A*", Side.BUY, 10)


def test_cash_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="cash is 'much'"):
        Portfolio(cash="much")


def test_data_marks_the_price_before_the_handler_sees_the_bar(portfolio: Recording) -> None:
    handle_of(portfolio).handle_data(data("101.5"))
    assert portfolio.seen == [(101.5, Decimal("101.5"))]


def test_data_is_not_parsed_for_a_portfolio_that_does_not_read_it() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    event = data("100")
    assert event.ohlc is not None
    event.ohlc.open = "broken"
    handle_of(portfolio).handle_data(event)
    assert portfolio.price("AAPL") == 100


def test_data_with_an_unreadable_close_is_reported_and_the_price_stays() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    handle_of(portfolio).handle_data(data("100"))
    event = data("100")
    assert event.ohlc is not None
    event.ohlc.close = "?"
    handle_of(portfolio).handle_data(event)
    assert portfolio.price("AAPL") == 100
    [problem] = portfolio.problems
    assert "price of 'AAPL' is not updated" in problem


def test_execution_is_booked_before_the_handler_sees_it(portfolio: Recording) -> None:
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(
        execution("exec_1", order, "10", update="filled", side="buy")
    )
    assert portfolio.seen == [("exec_1", Decimal(10))]
    assert portfolio.account.cash == 9_000
    assert portfolio.orders == {}
    assert portfolio.pending("AAPL") == 0
    assert not portfolio.problems


def test_execution_partial_leaves_the_rest_pending(portfolio: Recording) -> None:
    order = bought(portfolio, 100)
    handle_of(portfolio).handle_execution(execution("exec_1", order, "30", update="partial_fill"))
    assert portfolio.orders[order.id].filled == 30
    assert portfolio.orders[order.id].leaves == 70
    assert portfolio.pending("AAPL") == 70
    handle_of(portfolio).handle_execution(execution("exec_2", order, "70", update="filled"))
    assert portfolio.pending("AAPL") == 0
    assert portfolio.position("AAPL").quantity == 100


def test_execution_of_the_original_executor_is_found_by_its_order(portfolio: Recording) -> None:
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(
        ExecutionEvent(id="exec_1", timestamp=NOW, order_id=order.id, quantity="10", price="99")
    )
    assert portfolio.position("AAPL").quantity == 10
    assert portfolio.orders == {}
    assert not portfolio.problems


def test_execution_without_a_price_is_booked_at_the_last_one_and_reported(
    portfolio: Recording,
) -> None:
    handle_of(portfolio).handle_data(data("101"))
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(execution("exec_1", order, "10", price=None))
    assert portfolio.position("AAPL").average_price == 101
    [problem] = portfolio.problems
    assert "states no price: booked 10 AAPL at 101, the nearest" in problem


def test_execution_without_any_price_is_reported_not_booked(portfolio: Recording) -> None:
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(execution("exec_1", order, "10", price=None))
    assert portfolio.position("AAPL").quantity == 0
    [problem] = portfolio.problems
    assert "ExecutionEvent.Price: expected the price of the fill" in problem


@pytest.mark.parametrize(
    "prices", [{"type": "limit", "limit_price": 98}, {"type": "stop", "stop_price": 98}]
)
def test_execution_without_a_price_takes_that_of_its_order_before_the_first_bar(
    portfolio: Recording, prices: dict[str, object]
) -> None:
    order = portfolio.send_order("AAPL", Side.BUY, 10, **prices)  # type: ignore[arg-type]
    handle_of(portfolio).handle_execution(execution("exec_1", order, "10", price=None))
    assert portfolio.position("AAPL").average_price == 98
    assert handle_of(portfolio).take_refusal() is None
    [(kind, key, row)] = [row for row in handle_of(portfolio).take_log() if row[0] == "priced"]
    assert (kind, key, row) == ("priced", "exec_1", b'{"bookings":0,"price":"98"}')


def test_execution_that_was_refused_is_booked_when_it_comes_again(portfolio: Recording) -> None:
    order = bought(portfolio)
    unpriced = execution("exec_1", order, "10", price=None)
    handle_of(portfolio).handle_execution(unpriced)
    assert "expected the price of the fill" in str(handle_of(portfolio).take_refusal())
    assert handle_of(portfolio).take_refusal() is None
    handle_of(portfolio).handle_data(data("101"))
    handle_of(portfolio).handle_execution(unpriced)
    assert handle_of(portfolio).take_refusal() is None
    assert portfolio.position("AAPL").quantity == 10


def test_books_are_made_again_with_the_prices_of_the_first_time(portfolio: Recording) -> None:
    """The second one knows no bars, and meets the execution that was refused, too."""
    order = bought(portfolio, 30)
    story = [
        execution("exec_1", order, "10", update="partial_fill", price=None),
        execution("exec_2", order, "10", update="partial_fill", price="99"),
        execution("exec_1", order, "10", update="partial_fill", price=None),
        execution("exec_3", order, "5", update="partial_fill", price=None),
    ]
    for event in story[:2]:
        handle_of(portfolio).booker.book(event)
    handle_of(portfolio).handle_data(data("104"))
    for event in story[2:]:
        handle_of(portfolio).booker.book(event)
    again = Recording(cash=Decimal(10_000))
    handle_of(again).books.price_as(
        row for row in handle_of(portfolio).take_log() if row[0] == "priced"
    )
    handle_of(again).books.recall(order.to_event())
    for event in story:
        handle_of(again).booker.book(event)
    assert handle_of(again).books.saved.rows() == handle_of(portfolio).books.saved.rows()
    assert again.position("AAPL").quantity == 25


def test_execution_that_comes_twice_is_handled_once(portfolio: Recording) -> None:
    order = bought(portfolio, 100)
    for _ in range(2):
        handle_of(portfolio).handle_execution(execution("exec_0", order, update="new", price=None))
        handle_of(portfolio).handle_execution(
            execution("exec_1", order, "30", update="partial_fill")
        )
    assert portfolio.seen == [("exec_0", Decimal(0)), ("exec_1", Decimal(30))]
    assert portfolio.pending("AAPL") == 70


@pytest.mark.parametrize("update", ["canceled", "rejected", "expired", "replaced"])
def test_execution_that_ends_an_order_leaves_nothing_pending(
    portfolio: Recording, update: str
) -> None:
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(
        execution("exec_1", order, update=update, reason="for a test")
    )
    assert portfolio.orders == {}
    assert portfolio.pending("AAPL") == 0
    assert portfolio.position("AAPL").quantity == 0


def test_execution_after_the_end_of_its_order_is_still_booked(portfolio: Recording) -> None:
    order = bought(portfolio, 100)
    handle_of(portfolio).handle_execution(execution("exec_2", order, update="canceled"))
    handle_of(portfolio).handle_execution(execution("exec_1", order, "30", update="partial_fill"))
    assert portfolio.position("AAPL").quantity == 30
    assert portfolio.pending("AAPL") == 0
    assert not portfolio.problems


def test_execution_over_the_order_is_booked_and_reported(portfolio: Recording) -> None:
    order = bought(portfolio)
    handle_of(portfolio).handle_execution(execution("exec_1", order, "12"))
    assert portfolio.position("AAPL").quantity == 12
    assert portfolio.pending("AAPL") == 0
    [problem] = portfolio.problems
    assert "of 10 AAPL is overfilled: 12 filled" in problem


def test_execution_of_an_unknown_order_that_states_all_is_booked_and_reported(
    portfolio: Recording,
) -> None:
    handle_of(portfolio).handle_execution(
        ExecutionEvent(
            id="exec_1", order_id="order_x", symbol="AAPL", side="sell", quantity="5", price="9"
        )
    )
    assert portfolio.position("AAPL").quantity == -5
    [problem] = portfolio.problems
    assert "which this portfolio did not send: booked sell 5 AAPL anyway" in problem


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": "5"},
        {"quantity": "5", "price": "9"},
        {"quantity": "5", "price": "9", "symbol": "AAPL"},
        {"quantity": "x", "price": "9", "symbol": "AAPL", "side": "buy"},
        {"quantity": "5", "price": "x", "symbol": "AAPL", "side": "buy"},
        {"quantity": "5", "price": "9", "symbol": "AAPL", "side": "up"},
        {"update": "filled"},
    ],
)
def test_execution_that_cannot_be_told_is_reported_and_changes_nothing(
    portfolio: Recording, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    handle_of(portfolio).handle_execution(ExecutionEvent(id="exec_1", order_id="order_x", **fields))
    assert portfolio.account.cash == 10_000
    assert portfolio.account.positions == {}
    [problem] = portfolio.problems
    assert problem.startswith("execution 'exec_1' of order 'order_x': cannot decode ")
    assert caplog.records[0].name == "ingenium.portfolio"


def test_handlers_are_those_that_keep_the_account(portfolio: Recording) -> None:
    handlers = Dispatcher(portfolio).handlers
    assert handlers == {
        DataEvent: handle_of(portfolio).handle_data,
        SignalEvent: handle_of(portfolio).handle_signal,
        ExecutionEvent: handle_of(portfolio).handle_execution,
    }
    handlers[SignalEvent](SignalEvent(symbol="AAPL", signal=Signal.LONG))
    assert portfolio.seen == [Signal.LONG]


def test_pending_is_signed_and_per_symbol(portfolio: Recording) -> None:
    portfolio.send_order("AAPL", Side.BUY, 10)
    portfolio.send_order("AAPL", Side.SELL, 25)
    portfolio.send_order("MSFT", Side.SELL, 7)
    assert portfolio.pending("AAPL") == -15
    assert portfolio.pending("MSFT") == -7
    assert portfolio.pending("IBM") == 0
