"""An executor at a broker that fails in every way that a broker can."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.brokering import Office
from support.http_broker import BrokerProcess

from ingenium.brokers.journal_entry import OrderState
from ingenium.events import CancelEvent, OrderEvent, ReplaceEvent, encode
from ingenium.subjects.names import ORDER

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker that takes a client id more than once."""
    process = BrokerProcess(tmp_path, idempotent=False).start()
    yield process
    process.stop()


@pytest.fixture
def office(tmp_path: Path, broker: BrokerProcess) -> Office:
    return Office(tmp_path, broker)


async def test_order_is_placed_and_its_fills_are_reported(office: Office) -> None:
    office.broker.market(parts=2)
    async with office.open() as executor:
        await office.order()
        await office.until_reported("new", "partial_fill", "filled")
        assert executor.problems == []
    office.check()
    assert executor.journal.positions == {"AAPL": Decimal(10)}
    assert [e.commission for e in office.executions()] == [None, "0.5", "0.5"]


async def test_orders_of_one_symbol_are_placed_in_their_order(office: Office) -> None:
    async with office.open():
        for number in range(1, 6):
            await office.order(number)
        await office.until(lambda: len(office.broker.lines("order")) == 5, "all orders")
    there = [order["client_order_id"] for order in office.broker.lines("order")]
    assert there == [f"order_{number}" for number in range(1, 6)]


@pytest.mark.parametrize("mode", ["drop_response", "error_after"])
async def test_order_whose_answer_is_lost_is_adopted(office: Office, mode: str) -> None:
    office.broker.fault("submit", mode)
    async with office.open() as executor:
        await office.order()
        await office.until_reported("new", "filled")
        assert any("the outcome of order order_1 is unknown" in p for p in executor.problems)
    office.check()


async def test_order_that_did_not_arrive_is_sent_again_with_its_id(office: Office) -> None:
    office.broker.fault("submit", "drop_request")
    async with office.open():
        await office.order()
        await office.until_reported("new", "filled")
    office.check()


async def test_slow_answer_counts_as_none_and_the_order_is_adopted(office: Office) -> None:
    office.broker.fault("submit", seconds=2)
    async with office.open(timeout_seconds=0.5):
        await office.order()
        await office.until_reported("new", "filled")
    office.check()


async def test_id_that_the_broker_knows_already_is_adopted(office: Office) -> None:
    """The request arrives so late that the second attempt is the duplicate."""
    office.broker.fault("submit", "drop_response")
    office.broker.fault("find", "drop_request", times=2)
    async with office.open():
        await office.order()
        await office.until_reported("new", "filled")
    office.check()


async def test_duplicate_answer_to_a_first_attempt_is_looked_up(office: Office) -> None:
    """As after a restore from an old copy of the journal: the broker has the order, we do not."""
    body = {"client_order_id": "order_1", "symbol": "AAPL", "side": "buy", "qty": "10"}
    async with office.open():
        office.broker.control("orders", **body)
        await office.order()
        await office.until(lambda: "new" in office.updates(), "the order adopted")
    assert len(office.broker.lines("order")) == 1


async def test_missing_order_at_a_broker_without_unique_ids_needs_a_person(
    tmp_path: Path, twins: BrokerProcess
) -> None:
    office = Office(tmp_path, twins)
    twins.fault("submit", "drop_request")
    async with office.open() as executor:
        await office.order()
        await office.until(
            lambda: any("start with --adopt" in p for p in executor.problems), "a call for help"
        )
        assert office.updates() == []
        # Others in the symbol are turned away, and those in another one are not.
        await office.order(2)
        await office.order(3, symbol="MSFT")
        await office.until_reported("rejected", order_id="order_2")
        await office.until_reported("new", "filled", order_id="order_3")
    async with office.open() as executor:
        assert executor.journal.entries["order_1"].state is OrderState.UNKNOWN
        assert executor.journal.why_blocked("AAPL")
    async with office.open(adopt=True) as executor:
        await office.until_reported("rejected")
        assert executor.journal.why_blocked("AAPL") == ""
        await office.order(4)
        await office.until_reported("new", "filled", order_id="order_4")
    office.check()


async def test_lost_answer_of_a_broker_without_unique_ids_is_adopted(
    tmp_path: Path, twins: BrokerProcess
) -> None:
    office = Office(tmp_path, twins)
    twins.fault("submit", "drop_response")
    async with office.open():
        await office.order()
        await office.until_reported("new", "filled")
    office.check()


async def test_refused_order_is_rejected_with_the_brokers_reason(office: Office) -> None:
    office.broker.fault("submit", "reject")
    async with office.open():
        await office.order()
        await office.until_reported("rejected")
    assert office.executions()[0].reason == "HTTP 403: reject"
    assert office.broker.lines("order") == []


async def test_busy_broker_is_asked_again(office: Office) -> None:
    office.broker.fault("submit", "busy", times=3)
    async with office.open():
        await office.order()
        await office.until_reported("new", "filled")
    office.check()


async def test_unknown_order_is_resolved_when_the_broker_is_back(office: Office) -> None:
    async with office.open() as executor:
        office.broker.fault("submit", "drop_response")
        for kind in ("find", "updates", "fills"):
            office.broker.fault(kind, "drop_request", times=1000)
        await office.order()
        await office.until(
            lambda: any("order_1 cannot be asked for" in p for p in executor.problems), "doubt"
        )
        assert executor.journal.entries["order_1"].state is OrderState.UNKNOWN
        office.broker.stop()
        office.broker.start()
        await office.until_reported("new", "filled")
    office.check()


async def test_fills_that_are_told_again_and_again_are_reported_once(office: Office) -> None:
    office.broker.market(parts=5, duplicates=4)
    async with office.open():
        for number in range(1, 4):
            await office.order(number)
        await office.until(lambda: len(office.executions()) == 18, "all reports")
        await office.order(4)
        await office.until(lambda: len(office.executions()) == 24, "all reports")
    office.check()


async def test_cancel_ends_a_working_order(office: Office) -> None:
    office.broker.market(parts=0)
    async with office.open():
        await office.order()
        await office.until_reported("new")
        office.broker.control("fill/order_1", qty="4")
        office.broker.fault("cancel", "drop_response")
        await office.send(CancelEvent(id="cancel_1", order_id="order_1", symbol="AAPL"))
        await office.until_reported("new", "partial_fill", "canceled")
        await office.send(CancelEvent(id="cancel_2", order_id="order_1", symbol="AAPL"))
        await office.until_reported("rejected", order_id="cancel_2")
    office.check()


async def test_order_of_before_the_first_start_expires_and_is_not_placed(office: Office) -> None:
    await office.order()
    async with office.open():
        await office.until_reported("expired")
        await office.order(2)
        await office.until_reported("new", "filled", order_id="order_2")
    assert [order["client_order_id"] for order in office.broker.lines("order")] == ["order_2"]
    office.check()


async def test_order_that_works_is_followed_by_an_executor_without_the_journal(
    office: Office,
) -> None:
    office.broker.market(parts=0)
    async with office.open():
        await office.order()
        await office.until_reported("new")
        office.broker.control("fill/order_1", qty="4")
        await office.until_reported("new", "partial_fill")
    for file in office.path.parent.glob("broker.db*"):
        file.unlink()
    office.broker.control("fill/order_1", qty="6")
    async with office.open() as executor:
        await office.until_reported("new", "partial_fill", "filled")
        assert executor.journal.positions == {"AAPL": Decimal(10)}
        assert not executor.is_halted
    office.check()


async def test_order_without_a_report_is_canceled_by_an_executor_without_the_journal(
    office: Office,
) -> None:
    """It has left, and the process died, and its file was lost, before anybody was told."""
    office.broker.market(parts=0)
    await office.order()
    body = {"client_order_id": "order_1", "symbol": "AAPL", "side": "buy", "qty": "10"}
    office.broker.control("orders", **body)
    async with office.open() as executor:
        await office.until_reported("expired", "new", "canceled")
        assert any("is working at the broker" in problem for problem in executor.problems)
    office.check()


async def test_fill_after_the_cancel_is_reported(office: Office) -> None:
    office.broker.market(parts=0)
    async with office.open() as executor:
        await office.order()
        await office.until_reported("new")
        await office.send(CancelEvent(id="cancel_1", order_id="order_1", symbol="AAPL"))
        await office.until_reported("new", "canceled")
        office.broker.control("fill/order_1", qty="4")
        await office.until_reported("new", "canceled", "partial_fill")
    office.check()
    assert executor.journal.positions == {"AAPL": Decimal(4)}


async def test_replace_puts_another_order_in_its_place(office: Office) -> None:
    office.broker.market(parts=0)
    async with office.open():
        await office.order()
        await office.until_reported("new")
        office.broker.market(parts=1)
        office.broker.fault("replace", "drop_response")
        await office.send(
            ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL", quantity="20")
        )
        await office.until_reported("new", "replaced")
        await office.until_reported("new", "filled", order_id="order_2")
    office.check()


async def test_orders_that_make_no_sense_are_rejected(office: Office) -> None:
    async with office.open():
        await office.order(1, quantity="-1")
        await office.until_reported("rejected")
        await office.send(
            OrderEvent(
                id="order_2",
                symbol="AAPL",
                side="buy",
                quantity="1",
                type="market",
                take_profit="200",
            )
        )
        await office.until_reported("rejected", order_id="order_2")
        await office.send(ReplaceEvent(id="order_3", order_id="order_1", symbol="AAPL"))
        await office.until_reported("rejected", order_id="order_3")
    assert office.broker.lines("order") == []


async def test_impossible_fill_blocks_its_symbol(office: Office) -> None:
    async with office.open() as executor:
        await office.order()
        await office.until_reported("new", "filled")
        office.broker.control("fill/order_1", qty="5")
        await office.until(lambda: executor.journal.blocked, "the symbol blocked")
        # The order's new count may block the symbol before the fill itself is listed.
        await office.until_reported("new", "filled", "filled")
        await office.order(2)
        await office.until_reported("rejected", order_id="order_2")
    office.check()


async def test_order_that_waited_too_long_is_not_placed(office: Office) -> None:
    old = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="1", type="market")
    async with office.open():
        pass
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    await office.stream.append(ORDER, encode(old), {"Ingenium-Deadline": past})
    async with office.open():
        await office.until_reported("expired")
    [event] = office.executions()
    assert "no order is worked after 30 s" in (event.reason or "")
    assert office.broker.lines("order") == []


async def test_order_that_cannot_be_sent_in_time_expires(office: Office) -> None:
    office.broker.fault("submit", "busy", times=1000)
    async with office.open() as executor:
        executor.max_order_age_seconds = 0.5
        await office.order()
        await office.until_reported("expired")
    assert office.broker.lines("order") == []
