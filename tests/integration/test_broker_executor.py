"""An executor at a broker that fails in every way that a broker can."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from support.brokering import Office
from support.http_broker import BrokerProcess

from ingenium.brokers.journal_entry import OrderState
from ingenium.bus.lease import LeaseTable, MemoryLease
from ingenium.components import handle_of
from ingenium.components.failpoints import Point
from ingenium.errors import BrokerError, LeaseHeldError, LeaseLostError
from ingenium.events import CancelEvent, OrderEvent, ReplaceEvent, TradingState, encode
from ingenium.subjects.names import ORDER

pytestmark = pytest.mark.timeout(60)


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
        assert any("it is not known what became of order_1" in p for p in executor.problems)
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
        assert any("is at the broker after all" in problem for problem in executor.problems)
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


@pytest.mark.parametrize("point", [Point.CALLING, Point.CALLED, Point.ANSWERED])
@pytest.mark.parametrize("idempotent", [True, False])
async def test_killed_around_a_call_places_one_order(
    tmp_path: Path, point: Point, idempotent: bool
) -> None:
    process = BrokerProcess(tmp_path, idempotent=idempotent).start()
    try:
        office = Office(tmp_path, process)
        async with office.open():
            await office.order(1)
            await office.until_reported("new", "filled")
        await office.order(2)
        await office.until_killed(point, 0)
        async with office.open() as executor:
            if point is Point.CALLING and not idempotent:
                await office.until(lambda: executor.journal.why_blocked("AAPL"), "doubt")
            else:
                await office.until_reported("new", "filled", order_id="order_2")
        office.check()
    finally:
        process.stop()


@pytest.mark.parametrize(
    ("count", "point"),
    [
        *product([0, 1, 3], [Point.HANDLED, Point.COMMITTED, Point.SENT]),
        # What was sent together is forgotten together, which is once or twice here.
        (0, Point.FORGOTTEN),
    ],
)
async def test_killed_anywhere_else_places_one_order_too(
    office: Office, count: int, point: Point
) -> None:
    async with office.open():
        pass
    await office.order(1)
    await office.order(2)
    await office.until_killed(point, count)
    async with office.open():
        for number in (1, 2):
            await office.until_reported("new", "filled", order_id=f"order_{number}")
    office.check()


async def test_what_happened_while_nobody_looked_is_reported_at_the_start(office: Office) -> None:
    office.broker.market(parts=0)
    async with office.open():
        await office.order(1)
        await office.order(2)
        await office.until_reported("new", order_id="order_2")
    office.broker.control("fill/order_1", qty="10")
    office.broker.control("fill/order_2", qty="4")
    office.broker.control("end/order_2", status="expired")
    async with office.open():
        assert office.updates("order_1") == ["new", "filled"]
        assert office.updates("order_2") == ["new", "partial_fill", "expired"]
    office.check()


async def test_trade_by_hand_is_a_mismatch_at_the_start_until_it_is_adopted(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.open():
        await office.order()
        await office.until_reported("new", "filled")
    office.broker.trade_by_hand("AAPL", "5")
    office.broker.trade_by_hand("MSFT", "3", "sell")
    async with office.open() as executor:
        [problem, _] = [p for p in executor.problems if "positions at account U1" in p]
        assert "AAPL: 15 there, 10 here; MSFT: -3 there, 0 here" in problem
        await office.order(9)
        await office.until_reported("rejected", order_id="order_9")
    [control] = office.controls()
    assert (control.state, control.sender) == ("halted", "broker")
    assert "AAPL: 15 there, 10 here" in control.reason
    async with office.open(adopt=True) as executor:
        assert executor.journal.positions == {"AAPL": Decimal(15), "MSFT": Decimal(-3)}
        adopted = [e for e in office.executions() if e.order_id == "adopted"]
        assert [(e.symbol, e.side, e.quantity, e.price) for e in adopted] == [
            ("AAPL", "buy", "5", "100"),
            ("MSFT", "sell", "3", "100"),
        ]
    async with office.open() as executor:
        assert not any("positions" in p for p in executor.problems)
        await office.say(TradingState.ACTIVE)
        await office.order(2)
        await office.until_reported("new", "filled", order_id="order_2")


async def test_trade_by_hand_is_seen_while_running(office: Office) -> None:
    async with office.open() as executor:
        office.broker.trade_by_hand("AAPL", "5")
        await office.until(
            lambda: any("AAPL: 5 there, 0 here" in p for p in executor.problems), "a mismatch"
        )
        assert executor.is_halted


async def test_orders_of_others_are_listed_and_left_alone(office: Office) -> None:
    office.broker.market(parts=0)
    office.broker.trade_by_hand("AAPL", "5")
    async with office.open() as executor:
        assert any("it is left alone" in p for p in executor.problems)
    [order] = office.broker.control("all")
    assert order["status"] == "new"


async def test_broker_that_is_not_there_stops_the_start(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingenium.brokers.reconciler._TRIES", 2)
    office.broker.stop()
    with pytest.raises(BrokerError, match="cannot reach the broker"):
        async with office.open():
            pass


async def test_second_executor_of_an_account_is_refused(office: Office, tmp_path: Path) -> None:
    elapsed = asyncio.get_running_loop().time
    table = LeaseTable(elapsed)
    first = MemoryLease(table, "executor.U1", ttl_seconds=1.0)
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    member = office.member(lease=MemoryLease(table, "executor.U1", ttl_seconds=1.0))
    with pytest.raises(LeaseHeldError, match=r"executor\.U1 is led by .*:\d+"):
        await member.start()
    await member.stop()
    keeping.cancel()


async def test_executor_whose_lease_ran_out_places_nothing_and_ends(office: Office) -> None:
    now = 0.0
    table = LeaseTable(lambda: now)
    lease = MemoryLease(table, "executor.U1")
    office.executor.lease = lease
    member = office.member(lease=lease)
    await member.start()
    run = asyncio.create_task(member.run())
    # As after a SIGSTOP for longer than the lease.
    now = 20.0
    await office.order()
    with pytest.raises(LeaseLostError, match="another executor may work there"):
        await run
    await member.stop()
    assert office.broker.lines("order") == []


async def test_halt_cancels_what_works_and_lets_nothing_leave(office: Office) -> None:
    office.broker.market(parts=0)
    async with office.open() as executor:
        await office.order(1)
        await office.until_reported("new")
        await office.say(TradingState.HALTED)
        await office.until_reported("new", "canceled")
        await office.order(2)
        await office.until_reported("rejected", order_id="order_2")
        assert office.executions()[-1].reason == "trading is halted"
        await office.say(TradingState.ACTIVE)
        await office.order(3)
        await office.until_reported("new", order_id="order_3")
        executor.kill_state = lambda: TradingState.HALTED
        await office.until_reported("new", "canceled", order_id="order_3")
        await office.order(4)
        await office.until_reported("rejected", order_id="order_4")
    office.check()


async def test_halt_reaches_an_order_whose_fate_is_unknown(office: Office) -> None:
    office.broker.market(parts=0)
    for kind in ("find", "updates", "fills"):
        office.broker.fault(kind, "drop_request", times=5)
    office.broker.fault("submit", "drop_response")
    async with office.open() as executor:
        await office.order(1)
        await office.until(lambda: any("not known what" in p for p in executor.problems), "doubt")
        await office.say(TradingState.HALTED)
        await office.until_reported("new", "canceled")
    office.check()


async def test_order_beyond_a_limit_of_risk_is_rejected(office: Office) -> None:
    async with office.open():
        await office.order(1, quantity="1000000")
        await office.until_reported("rejected")
    assert (office.executions()[0].reason or "").startswith("max_order_quantity: ")
    assert office.broker.lines("order") == []


async def test_gate_knows_positions_and_orders_after_a_restart(office: Office) -> None:
    async with office.open():
        await office.order(1)
        await office.until_reported("new", "filled")
        office.broker.market(parts=0)
        await office.order(2)
        await office.until_reported("new", order_id="order_2")
        office.broker.control("fill/order_2", qty="4")
        await office.until_reported("new", "partial_fill", order_id="order_2")
    async with office.open() as executor:
        assert handle_of(executor).risk.account.position("AAPL") == 14
        assert handle_of(executor).risk.account.orders.working["order_2"].leaves == 6
