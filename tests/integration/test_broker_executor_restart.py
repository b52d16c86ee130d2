"""A broker executor that was killed, that starts beside other orders, and that is halted."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from support.brokering import Office
from support.http_broker import BrokerProcess

from ingenium.bus.lease import LeaseTable, MemoryLease
from ingenium.components import handle_of
from ingenium.components.failpoints import Point
from ingenium.errors import BrokerError, LeaseHeldError, LeaseLostError
from ingenium.events import TradingState

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def office(tmp_path: Path, broker: BrokerProcess) -> Office:
    return Office(tmp_path, broker)


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
        assert any("it is left unchanged" in p for p in executor.problems)
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
        doubt = "outcome of order order_1 is unknown"
        await office.until(lambda: any(doubt in p for p in executor.problems), "doubt")
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
