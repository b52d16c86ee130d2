"""What an executor at a broker decides by itself, without the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ingenium import backtest
from ingenium.brokers import Broker, BrokerExecutor, BrokerFill, BrokerOrder, PaperExecutor
from ingenium.brokers.calls import Delays, ask, call
from ingenium.components import App, Executor, Ingestor, arm, handle_of
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    ConfigError,
)
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Side,
    TradingState,
)
from ingenium.ids import make_id
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


class NoBroker(Broker):
    """Must not be called."""

    account = "U1"
    idempotent = True

    async def submit(self, order: Order) -> BrokerOrder:
        raise NotImplementedError

    async def cancel(self, client_order_id: str) -> None:
        raise NotImplementedError

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        raise NotImplementedError

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        raise NotImplementedError

    async def open_orders(self) -> Sequence[BrokerOrder]:
        raise NotImplementedError

    async def fills(self, after: str) -> Sequence[BrokerFill]:
        raise NotImplementedError

    async def positions(self) -> Mapping[str, Decimal]:
        raise NotImplementedError

    def updates(self) -> AsyncIterator[BrokerOrder]:
        raise NotImplementedError


@pytest.fixture
def executor() -> BrokerExecutor:
    executor = BrokerExecutor(NoBroker())
    arm(executor)
    handle_of(executor).begin("cause", NOW)
    return executor


def order(id: str = "order_1", quantity: str = "10") -> OrderEvent:
    return OrderEvent(id=id, symbol="AAPL", side="buy", quantity=quantity, type="market")


def history() -> CsvIngestor:
    return CsvIngestor("prices.csv")


def test_app_on_history_refuses_an_executor_at_a_broker() -> None:
    with pytest.raises(ConfigError, match="use PaperExecutor in backtests and replays"):
        App(
            ingestors=[history()],
            portfolio=FixedQuantity(1),
            executor=BrokerExecutor(NoBroker()),
        )


def test_backtest_refuses_an_executor_at_a_broker() -> None:
    def make() -> App:
        return App(
            ingestors=[history()],
            portfolio=FixedQuantity(1),
            executor=BrokerExecutor(NoBroker()),
        )

    with pytest.raises(ConfigError, match="'broker' sends orders to a broker"):
        backtest.run(make)


def test_app_on_live_data_takes_an_executor_at_a_broker() -> None:
    class Live(Ingestor):
        pass

    app = App(ingestors=[Live()], portfolio=FixedQuantity(1), executor=BrokerExecutor(NoBroker()))
    assert not app.historical


@pytest.mark.parametrize("make", [PaperExecutor, lambda: BrokerExecutor(NoBroker())])
def test_order_that_comes_late_is_reported_as_expired(make: type[Executor]) -> None:
    executor = make()
    handle_of(executor).begin("cause", NOW)
    handle_of(executor).handle_late(order(), 31.25)
    handle_of(executor).handle_late(
        ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL"), 40
    )
    first, second = handle_of(executor).take()
    assert isinstance(first, ExecutionEvent)
    assert (first.order_id, first.update) == ("order_1", "expired")
    assert first.reason == "it is 31.2 s old, and no order is worked after 30 s"
    assert isinstance(second, ExecutionEvent)
    assert (second.order_id, second.update) == ("order_2", "rejected")


def test_request_to_cancel_is_never_late(executor: BrokerExecutor) -> None:
    executor.on_order(order())
    handle_of(executor).handle_late(
        CancelEvent(id="cancel_1", order_id="order_1", symbol="AAPL"), 600
    )
    [event] = handle_of(executor).take()
    assert isinstance(event, ExecutionEvent)
    assert (event.order_id, event.update) == ("order_1", "canceled")


def test_ids_of_reports_follow_from_account_order_and_update(executor: BrokerExecutor) -> None:
    executor.on_order(order(quantity="-1"))
    [event] = handle_of(executor).take()
    assert event.id == make_id("exec", "U1", "order_1", "rejected")


def test_new_order_may_leave_until_it_is_too_old(executor: BrokerExecutor) -> None:
    executor.on_order(order())
    entry = executor.journal.entries["order_1"]
    assert executor.withhold(entry, NOW + timedelta(seconds=31))
    [event] = handle_of(executor).take()
    assert isinstance(event, ExecutionEvent)
    assert (event.update, event.reason) == (
        "expired",
        "it waited for 31.0 s, and no order is worked after 30 s",
    )


def test_order_that_leaves_and_never_came_in_halts_trading(executor: BrokerExecutor) -> None:
    stray = Order(id="order_9", symbol="AAPL", side=Side.BUY, quantity=Decimal(1))
    executor.journal.enter(stray, NOW)
    assert executor.withhold(executor.journal.entries["order_9"], NOW)
    control, report = handle_of(executor).take()
    assert isinstance(control, ControlEvent)
    assert control.state == "halted"
    assert "'order_9' was sent to the broker without being received" in control.reason
    assert isinstance(report, ExecutionEvent)
    assert report.update == "rejected"


def test_orders_of_a_run_before_count_as_having_come_in(executor: BrokerExecutor) -> None:
    executor.on_order(order())
    again = BrokerExecutor(NoBroker())
    arm(again)
    handle_of(again).restore_rows(handle_of(executor).state_rows())
    handle_of(again).begin("cause", NOW)
    assert not again.withhold(again.journal.entries["order_1"], NOW)
    assert handle_of(again).take() == []


def test_saved_state_comes_in_changes_and_as_a_whole(executor: BrokerExecutor) -> None:
    rows = dict(handle_of(executor).changed_rows())
    executor.on_order(order())
    rows |= handle_of(executor).changed_rows()
    assert rows == handle_of(executor).state_rows()
    assert handle_of(executor).changed_rows() == {}


def test_kill_switch_outside_stops_what_is_about_to_leave(executor: BrokerExecutor) -> None:
    executor.on_order(order())
    executor.kill_state = lambda: TradingState.HALTED
    assert executor.why_not_now("AAPL") == "trading is halted"
    assert executor.needs_cancel_all()
    executor.cancel_all()
    assert not executor.needs_cancel_all()


def test_replacement_of_what_is_about_to_change_is_rejected(executor: BrokerExecutor) -> None:
    executor.on_order(order())
    replace = ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL", quantity="20")
    executor.on_replace(replace)
    assert handle_of(executor).take() == []
    replace.id = "order_3"
    executor.on_replace(replace)
    [event] = handle_of(executor).take()
    assert isinstance(event, ExecutionEvent)
    assert event.reason == "order 'order_1' is about to be replaced by 'order_2'"


async def test_call_without_an_answer_has_an_unknown_outcome() -> None:
    async def never() -> int:
        await asyncio.Event().wait()
        return 1

    async def broken() -> int:
        raise KeyError("id")

    slow = await call(never, "answer", 0.01)
    assert isinstance(slow.error, BrokerTimeoutError)
    assert slow.reason == "the broker did not answer within 0.01 s"
    wrong = await call(broken, "answer", 1)
    assert isinstance(wrong.error, BrokerTimeoutError)
    assert wrong.reason == "the broker's adapter failed to answer: KeyError: 'id'"


async def test_question_is_asked_again_unless_it_is_refused() -> None:
    asked: list[str] = []

    async def busy() -> int:
        asked.append("busy")
        if len(asked) < 2:
            raise BrokerError("busy")
        return 7

    async def no() -> int:
        asked.append("no")
        raise BrokerRefusedError("no")

    assert await ask(busy, "answer", 1, 3) == 7
    with pytest.raises(BrokerRefusedError):
        await ask(no, "answer", 1, 3)
    assert asked == ["busy", "busy", "no"]


def test_delays_grow_to_a_limit_and_begin_anew() -> None:
    delays = Delays()
    waits = [delays.wait("a", 10.0) for _ in range(7)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 1.6, 1.6]
    assert delays.ready_at("a") == 11.6
    delays.clear("a")
    assert (delays.ready_at("a"), delays.wait("a", 0.0)) == (0.0, 0.1)
