"""What a component sends, it gets back as it goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingenium.components import Executor, Ingestor, Portfolio, Strategy, handle_of
from ingenium.errors import SubjectError
from ingenium.events import (
    CancelEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Signal,
    SignalEvent,
)
from ingenium.trading import Bar, Order

NOW = datetime(2024, 1, 2, tzinfo=UTC)


def row(*values: object) -> tuple[object, ...]:
    """Numbers of any type, to compare."""
    return values


def test_send_execution_returns_the_event_with_id_and_time() -> None:
    executor = Executor("desk")
    handle_of(executor).begin("a test", NOW)
    event = ExecutionEvent(order_id="order_1", symbol="AAPL", update="new")
    returned = executor.send_execution(event)
    assert returned is event
    assert (returned.id.startswith("exec_"), returned.timestamp) == (True, NOW)
    assert handle_of(executor).take() == [event]


def test_send_execution_of_a_symbol_that_no_subject_can_hold_sends_nothing() -> None:
    executor = Executor("desk")
    handle_of(executor).begin("a test", NOW)
    with pytest.raises(SubjectError):
        executor.send_execution(ExecutionEvent(order_id="order_1", symbol="A\nB", update="new"))
    assert handle_of(executor).take() == []


def test_send_signal_returns_the_signal_that_goes_out() -> None:
    strategy = Strategy(name="s")
    handle_of(strategy).begin("a test", NOW)
    returned = strategy.send_signal("AAPL", Signal.LONG, strength=1)
    assert isinstance(returned, SignalEvent)
    assert (returned.symbol, returned.signal, returned.strength) == ("AAPL", Signal.LONG, "1")
    assert returned.id.startswith("signal_")
    assert returned.timestamp == NOW
    [sent] = handle_of(strategy).take()
    assert sent is returned


def test_send_data_returns_the_event_that_goes_out() -> None:
    ingestor = Ingestor("feed")
    handle_of(ingestor).begin("a test", NOW)
    event = Bar.make(
        "AAPL", NOW - timedelta(days=1), open="1", high="1", low="1", close="1",
        period=timedelta(days=1),
    ).event  # fmt: skip
    returned = ingestor.send_data(event)
    assert returned is event
    assert returned.id.startswith("data_")
    assert handle_of(ingestor).take() == [event]


def test_events_sent_twice_by_one_cause_have_ids_of_their_own() -> None:
    strategy = Strategy(name="s")
    handle_of(strategy).begin("a test", NOW)
    first, second = (strategy.send_signal("AAPL", Signal.LONG) for _ in range(2))
    assert first.id != second.id


@pytest.mark.parametrize("hands_over", [False, True])
def test_send_order_returns_the_order_that_goes_out(hands_over: bool) -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    handle_of(portfolio).hands_over = hands_over
    order = portfolio.send_order("AAPL", "buy", 10)
    assert row(order.symbol, order.quantity, order.timestamp) == ("AAPL", 10, NOW)
    [sent] = handle_of(portfolio).take_sent()
    event: Event = sent.to_event() if isinstance(sent, Order) else sent  # type: ignore[assignment]
    assert isinstance(event, OrderEvent)
    assert (event.id, event.symbol, event.quantity) == (order.id, "AAPL", "10")
    assert portfolio.orders[order.id].order is order


def test_cancel_order_returns_the_request_that_goes_out() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    order = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).take()
    request = portfolio.cancel_order(order.id)
    assert isinstance(request, CancelEvent)
    assert (request.order_id, request.symbol) == (order.id, "AAPL")
    assert handle_of(portfolio).take() == [request]
    handle_of(portfolio).handle_execution(
        ExecutionEvent(id="exec_1", order_id=order.id, update="canceled", timestamp=NOW)
    )
    assert portfolio.cancel_order(order.id) is None
    assert handle_of(portfolio).take() == []


def test_replace_order_returns_the_order_that_is_to_work() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    old = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).take()
    new = portfolio.replace_order(old.id, quantity=4)
    [request] = handle_of(portfolio).take()
    assert isinstance(request, ReplaceEvent)
    assert (request.id, request.order_id, request.quantity) == (new.id, old.id, "4")
    assert row(new.quantity, new.symbol, new.timestamp) == (4, "AAPL", NOW)
    assert new.id != old.id


def test_option_that_an_order_does_not_have_is_refused_by_name() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    with pytest.raises(TypeError, match="reduce_only"):
        portfolio.send_order("AAPL", "sell", 10, reduce_only=True)  # type: ignore[call-arg]
    assert handle_of(portfolio).take() == []
