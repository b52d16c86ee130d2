"""A journal held against its broker: at the start, and whenever fills come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.broker_fake import FakeBroker, Work

from ingenium.brokers import BrokerExecutor, reconciler
from ingenium.components import arm, handle_of
from ingenium.errors import BrokerError, BrokerRefusedError, BrokerTimeoutError
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.risk import RiskLimits
from ingenium.trading import Order

D = Decimal


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two looks."""
    monkeypatch.setattr(reconciler, "FIRST_DELAY_SECONDS", 0)


def again(work: Work, **options: Any) -> Work:
    """Start the executor once more, from what it had written down."""
    new = Work(work.broker, **options)
    handle_of(new.executor).restore_rows(handle_of(work.executor).state_rows())
    new.desk.now = work.desk.now
    return new


async def unanswered(**options: Any) -> Work:
    """An order that was under way when the process died."""
    work = Work(FakeBroker(**options))
    await work.executor.prepare(work.desk)
    work.order()
    work.executor.journal.submitting("o1")
    work.broker.calls.clear()
    return work


async def test_order_under_way_at_the_crash_is_found_and_its_fills_are_booked() -> None:
    work = await unanswered()
    work.broker.put(work.executor.journal.entries["o1"].order)
    work.broker.fill("o1", 4)
    work = again(work)
    await work.executor.prepare(work.desk)
    assert work.state() == "partial"
    assert work.updates() == ["new", "partial_fill 4"]
    assert work.executor.journal.positions == {"A": 4}
    assert handle_of(work.executor).risk.account.position("A") == 4
    assert handle_of(work.executor).risk.account.leaves("A", Side.BUY) == 6
    assert work.submits() == []
    assert not work.executor.is_halted


async def test_order_that_ended_while_nobody_looked_is_asked_for() -> None:
    work = await unanswered()
    work.broker.put(work.executor.journal.entries["o1"].order, update=TradeUpdate.CANCELED)
    work = again(work)
    await work.executor.prepare(work.desk)
    assert work.updates() == ["new", "canceled"]
    assert ("find", "o1") in work.broker.calls


@pytest.mark.parametrize(
    ("idempotent", "age", "next_call"),
    [(True, 1, ["submit o1"]), (True, 31, ["find o1"]), (False, 1, ["find o1"])],
)
async def test_order_that_never_arrived_is_sent_only_where_that_is_safe(
    idempotent: bool, age: float, next_call: list[str]
) -> None:
    work = await unanswered(idempotent=idempotent)
    work.desk.now += timedelta(seconds=age)
    work = again(work)
    await work.executor.prepare(work.desk)
    assert work.state() == "unknown"
    assert await work.step() == next_call


@pytest.mark.parametrize(
    ("idempotent", "age", "state"),
    [(False, 1, "rejected"), (True, 1, "unknown"), (True, 31, "rejected")],
)
async def test_adopt_settles_by_hand_what_cannot_be_sent_again(
    idempotent: bool, age: float, state: str
) -> None:
    work = await unanswered(idempotent=idempotent)
    work.desk.now += timedelta(seconds=age)
    work = again(work, adopt=True)
    await work.executor.prepare(work.desk)
    assert work.state() == state


async def test_order_that_was_given_up_and_works_all_the_same_is_canceled() -> None:
    work = await unanswered()
    work.executor.journal.withhold("o1", TradeUpdate.REJECTED, "trading is halted")
    work.broker.put(work.executor.journal.entries["o1"].order)
    work = again(work)
    await work.executor.prepare(work.desk)
    assert work.state() == "submitted"
    assert await work.step() == ["cancel o1"]


async def test_orders_of_others_are_listed_and_left_alone() -> None:
    broker = FakeBroker()
    broker.put(Order(id="theirs", symbol="B", side=Side.SELL, quantity=D(3)))
    work = Work(broker)
    await work.executor.prepare(work.desk)
    assert work.executor.problems == [
        "order b-theirs (sell 3 B) at the broker was not sent by this app: it is left unchanged"
    ]
    assert "theirs" not in work.executor.journal.entries


async def test_history_of_an_account_is_in_its_positions_and_is_not_booked() -> None:
    broker = FakeBroker()
    broker.fill("", 5)
    work = Work(broker, adopt=True)
    await work.executor.prepare(work.desk)
    assert work.executor.journal.positions == {"A": 5}
    [adopted] = [e for e in work.desk.sent if isinstance(e, ExecutionEvent)]
    assert (adopted.order_id, adopted.side, adopted.quantity, adopted.price) == (
        "adopted", "buy", "5", "100",
    )  # fmt: skip
    assert not work.executor.is_halted


async def test_fills_are_read_from_where_it_was_and_booked_once() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 4)
    assert not await work.reconciler.read_fills()
    assert not await work.reconciler.read_fills()
    work.broker.fill("o1", 6)
    work = again(work)
    assert not await work.reconciler.read_fills()
    assert [after for method, after in work.broker.calls if method == "fills"] == [
        "", "", "f1", "f1",
    ]  # fmt: skip
    assert work.updates() == ["filled 6"]
    assert work.executor.journal.positions == {"A": 10}


async def test_fill_of_a_stranger_is_said_to_be_one() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.broker.fill("", 5)
    assert await work.reconciler.read_fills()
    assert not await work.reconciler.read_fills()


@pytest.mark.parametrize(
    ("there", "text"),
    [
        ({"A": D(7)}, "A: 7 there, 0 here"),
        ({"A": D(-1), "B": D(2)}, "A: -1 there, 0 here; B: 2 there, 0 here"),
    ],
)
async def test_positions_that_differ_halt_trading(there: dict[str, Decimal], text: str) -> None:
    work = Work()
    work.broker.held = there
    await work.executor.prepare(work.desk)
    assert work.executor.is_halted
    assert any(text in problem for problem in work.executor.problems)
    assert work.broker.calls.count(("positions", "")) == 5, "it may be slow to count them"


async def test_position_that_we_have_and_the_broker_has_not_halts_trading() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    work.broker.held = {}
    await work.reconciler.read_fills()
    await work.reconciler.compare(adopt=False)
    assert any("A: 0 there, 10 here" in problem for problem in work.executor.problems)


async def test_positions_that_lag_behind_fills_halt_nothing() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    await work.reconciler.read_fills()
    work.broker.faults["positions"] = [{}, {"A": D(4)}, {"A": D(10)}]
    await work.reconciler.compare(adopt=False)
    assert not work.executor.is_halted
    work.broker.fill("o1", 0)  # nothing
    work.broker.faults["positions"] = [{}] * 5
    await work.reconciler.compare(adopt=False)
    assert work.executor.is_halted


async def test_adopt_takes_the_positions_of_the_broker_and_says_so() -> None:
    work = Work()
    work.broker.held = {"A": D(-3), "B": D(2)}
    work.broker.told = []
    work = Work(work.broker, adopt=True)
    work.executor.journal.store.block("A", "a mismatch")
    work.executor.journal.store.saw_price("A", D(50))
    await work.executor.prepare(work.desk)
    assert not work.executor.is_halted
    assert work.executor.journal.positions == {"A": -3, "B": 2}
    assert work.executor.journal.why_blocked("A") == "", "a person has looked"
    adopted = [
        (e.symbol, e.side, e.quantity, e.price)
        for e in work.desk.sent
        if isinstance(e, ExecutionEvent)
    ]
    assert adopted == [("A", "sell", "3", "50"), ("B", "buy", "2", None)]
    assert "position in A is set to -3, as the broker reports: it was 0" in work.executor.problems
    assert handle_of(work.executor).risk.account.position("A") == -3


async def test_ids_of_what_is_adopted_differ_from_time_to_time() -> None:
    ids: list[str] = []
    work = Work(adopt=True)
    work.executor.journal.store.saw_price("A", D(50))
    for quantity in (1, 3, 2):
        work.broker.held = {"A": D(quantity)}
        await work.reconciler.compare(adopt=True)
    ids = [e.id for e in work.desk.sent if isinstance(e, ExecutionEvent)]
    assert len(set(ids)) == 3
    assert work.executor.journal.positions == {"A": 2}


async def test_broker_that_is_down_is_asked_again_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingenium.brokers.calls.FIRST_DELAY_SECONDS", 0)
    work = Work()
    work.broker.faults["open_orders"] = [BrokerError("down"), BrokerTimeoutError("slow")]
    work.broker.faults["positions"] = [BrokerError("down")]
    await work.executor.prepare(work.desk)
    assert work.broker.calls.count(("open_orders", "")) == 3
    work.broker.faults["open_orders"] = [BrokerRefusedError("wrong key")]
    with pytest.raises(BrokerRefusedError, match="wrong key"):
        await work.executor.prepare(work.desk)


async def test_gate_knows_of_working_orders_and_positions_after_a_restart() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 4)
    await work.reconciler.read_fills()
    # Without the rows of its book, as after an upgrade.
    rows = {
        k: v for k, v in handle_of(work.executor).state_rows().items() if not k.startswith("book/")
    }
    executor = BrokerExecutor(work.broker)
    arm(executor)
    handle_of(executor).restore_rows(rows)
    await executor.prepare(work.desk.__class__(executor))
    assert handle_of(executor).risk.account.position("A") == 4
    assert handle_of(executor).risk.account.leaves("A", Side.BUY) == 6


async def test_order_that_worked_and_has_ended_while_the_executor_was_down_is_looked_up() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    await work.broker.cancel("o1")
    work = again(work)
    await work.executor.prepare(work.desk)
    assert work.updates() == ["canceled"]


async def test_order_that_had_not_left_passes_the_gate_after_a_restart() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    work = again(work, limits=RiskLimits(max_order_quantity=5))
    await work.executor.prepare(work.desk)
    await work.step()
    assert work.submits() == []
    assert work.state() == "rejected"


async def test_trades_of_others_before_the_first_start_are_nobodys_news() -> None:
    broker = FakeBroker()
    broker.fill("", 5)
    broker.fill("", 5, side=Side.SELL)
    work = Work(broker)
    await work.executor.prepare(work.desk)
    assert work.executor.problems == []
    assert not work.executor.journal.store.strangers
    assert work.executor.journal.store.last_fill == "f2"
    await work.reconciler.read_fills()
    assert broker.calls[-1] == ("fills", "f2")


async def test_fill_that_comes_while_positions_are_compared_explains_them() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    await work.reconciler.compare(adopt=False)
    assert not work.executor.is_halted
    assert work.updates() == ["new", "filled 10"]
