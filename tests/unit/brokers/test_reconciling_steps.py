"""How a journal is held against its broker step by step: which calls, in which order, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from support.broker_fake import FakeBroker, Work

from ingenium.brokers import calls, reconciler
from ingenium.components import handle_of
from ingenium.errors import BrokerRefusedError
from ingenium.events import ExecutionEvent, TradeUpdate

D = Decimal
POSITIONS = ("positions", "")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two looks, or two tries."""
    monkeypatch.setattr(reconciler, "FIRST_DELAY_SECONDS", 0)
    monkeypatch.setattr(calls, "FIRST_DELAY_SECONDS", 0)


async def ready(**options: Any) -> Work:
    """An executor with one fill of 4 at 100 behind it."""
    work = Work(**options)
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    work.broker.fill("o1", 4)
    await work.reconciler.read_fills()
    work.broker.calls.clear()
    return work


def again(work: Work, **options: Any) -> Work:
    new = Work(work.broker, **options)
    handle_of(new.executor).restore_rows(handle_of(work.executor).state_rows())
    new.desk.now = work.desk.now
    work.broker.calls.clear()
    return new


async def test_difference_is_looked_at_five_times_and_all_fills_are_read_before_the_last() -> None:
    work = await ready()
    work.broker.held = {"A": D(5)}
    await work.reconciler.compare(adopt=False)
    since_the_last = [POSITIONS, ("fills", "f1")]
    assert work.broker.calls == [*since_the_last * 3, POSITIONS, ("fills", ""), POSITIONS]
    assert work.executor.is_halted


async def test_difference_that_begins_later_has_its_own_five_looks() -> None:
    work = await ready()
    both = {"A": D(5), "B": D(2)}
    work.broker.faults["positions"] = [{"A": D(5)}, {"A": D(5)}, *[both] * 5]
    await work.reconciler.compare(adopt=False)
    # Two without B and five with it.
    assert work.broker.calls.count(POSITIONS) == 7
    problem, halt = work.executor.problems
    assert "A: 5 there, 4 here; B: 2 there, 0 here" in problem
    assert halt == f"trading is halted: {problem}"


async def test_differences_that_come_and_go_are_given_up_and_halt_nothing() -> None:
    work = await ready()
    work.broker.faults["positions"] = [{"A": D(5)}, {"A": D(4), "B": D(1)}] * 20
    await work.reconciler.compare(adopt=False)
    assert work.broker.calls.count(POSITIONS) == 30
    assert not work.executor.is_halted
    assert work.executor.problems == []


async def test_difference_has_to_last_as_long_as_it_is_given() -> None:
    work = await ready()
    work.broker.held = {"A": D(5)}
    await work.reconciler.compare(adopt=False, patience_seconds=3600)
    assert work.broker.calls.count(POSITIONS) == 30
    assert not work.executor.is_halted


async def test_halt_says_since_when_positions_differ() -> None:
    work = await ready()
    await work.reconciler.compare(adopt=False)
    work.broker.held = {}
    await work.reconciler.compare(adopt=False)
    assert "A: 0 there, 4 here (equal until 2024-01-02 15:00:00 UTC)" in work.executor.problems[-1]
    fresh = Work()
    fresh.broker.held = {"A": D(1)}
    await fresh.executor.prepare(fresh.desk)
    assert "(they were never equal)" in fresh.executor.problems[-1]


async def test_same_halt_is_said_once_and_another_too() -> None:
    work = await ready()
    await work.reconciler.halt("a reason")
    await work.reconciler.halt("a reason")
    assert work.executor.problems == ["a reason", "trading is halted: a reason"]
    await work.reconciler.halt("another")
    assert work.executor.problems[2:3] == ["another"]


async def test_equal_positions_forget_the_reason_of_the_last_halt() -> None:
    work = await ready()
    halts: list[str] = []
    work.desk.on_record = lambda cause: halts.append(cause) if "halt" in cause else None
    for held, expected in [(5, 1), (5, 1), (4, 1), (5, 2)]:
        work.broker.held = {"A": D(held)}
        await work.reconciler.compare(adopt=False)
        assert len(halts) == expected


@pytest.mark.parametrize("answer", [[("A", 4)], {"A": 4}, {"A": D(4), "B": D("NaN")}])
async def test_positions_that_cannot_be_read_halt_trading(answer: object) -> None:
    work = await ready()
    work.broker.faults["positions"] = [answer] * 40
    await work.reconciler.compare(adopt=False)
    assert work.executor.is_halted
    problem, _ = work.executor.problems
    cannot_be_compared = "positions at account U1 cannot be compared"
    texts = {
        "<class 'list'>": cannot_be_compared,
        "A": "A: the quantity is 4: expected a Decimal there, 4 here",
        "AB": "B: the quantity is NaN: expected a finite number there, 0 here",
    }
    key = "".join(answer) if isinstance(answer, dict) else str(type(answer))
    assert texts[key] in problem


async def test_broker_without_a_list_of_positions_is_never_asked_for_one() -> None:
    broker = FakeBroker()
    broker.lists_positions = False
    broker.held = {"A": D(5)}
    work = Work(broker)
    await work.executor.prepare(work.desk)
    await work.reconciler.compare(adopt=False)
    assert POSITIONS not in broker.calls
    assert not work.executor.is_halted
    [problem] = work.executor.problems
    assert problem.startswith("this broker lists no positions")


async def test_fills_of_others_count_only_where_they_are_new() -> None:
    work = await ready()
    assert not await work.reconciler.read_fills(whole=True)
    work.broker.fill("", 7)
    assert await work.reconciler.read_fills(whole=True)
    assert not await work.reconciler.read_fills(whole=True)
    assert work.executor.journal.positions == {"A": D(4)}


async def test_fills_of_others_before_all_that_is_kept_are_old() -> None:
    work = await ready()
    work.broker.fill("", 7)
    # The last fill that was read is in the list no more, so nothing says what is new.
    work.broker.faults["fills"] = [[replace(work.broker.told[1], id="f0")]]
    assert not await work.reconciler.read_fills(whole=True)


async def test_own_fill_that_is_listed_before_what_was_read_is_booked_and_doubted() -> None:
    work = await ready()
    early = replace(work.broker.told[0], id="f0", quantity=D(3))
    work.broker.told.insert(0, early)
    assert await work.reconciler.read_fills(whole=True)
    assert work.executor.journal.positions == {"A": D(7)}
    assert work.executor.problems == [
        "fill f0 of order o1 is listed before fills that were read earlier: it is booked now"
    ]
    assert work.executor.journal.why_blocked("A")


async def test_fill_that_cannot_be_booked_blocks_its_symbol_once() -> None:
    work = await ready()
    bad = replace(work.broker.told[0], id="f2", price=D("NaN"))
    work.broker.told.append(bad)
    assert await work.reconciler.read_fills()
    text = "fill 'f2' cannot be booked: price is NaN: expected a finite number (order o1)"
    assert work.executor.problems == [text]
    assert work.executor.journal.why_blocked("A") == f"A is blocked: {text}"
    assert not work.executor.is_halted
    await work.reconciler.read_fills()
    assert work.executor.problems == [text]
    # It is known after a restart too, and read again as long as it is not booked.
    later = again(work)
    await later.executor.prepare(later.desk)
    assert text not in later.executor.problems
    assert ("fills", "") in work.broker.calls
    assert later.executor.journal.why_blocked("A") == f"A is blocked: {text}"


async def test_fill_that_cannot_be_booked_and_names_no_symbol_halts_trading() -> None:
    work = await ready()
    bad = replace(work.broker.told[0], id="f2", client_order_id="", symbol="", price=D("NaN"))
    work.broker.told.append(bad)
    await work.reconciler.read_fills()
    assert work.executor.is_halted
    assert work.executor.problems[-1].endswith(": look at the broker, and start with --adopt")
    assert "(order" not in work.executor.problems[0]


async def test_list_of_fills_that_is_none_halts_the_start_and_no_more() -> None:
    work = await ready()
    later = again(work)
    work.broker.faults["fills"] = [7] * 40
    await later.executor.prepare(later.desk)
    assert later.executor.is_halted
    assert any(p.startswith("the fills of account U1 cannot be") for p in later.executor.problems)


async def test_order_that_cannot_be_read_in_the_list_blocks_its_symbol() -> None:
    work = await ready()
    ours = replace(work.broker.orders["o1"], filled=4)
    theirs = replace(work.broker.orders["o1"], client_order_id="o9", update="new")
    later = again(work)
    work.broker.faults["open_orders"] = [[ours, theirs]]
    await later.executor.prepare(later.desk)
    unreadable = "open_orders returned an order: filled is 4: expected a Decimal"
    assert later.executor.journal.why_blocked("A") == f"A is blocked: {unreadable}"
    assert later.executor.problems == [
        unreadable,
        "open_orders returned an order: update is 'new': expected a member of TradeUpdate",
    ]
    assert ("find", "o1") in work.broker.calls


async def test_list_of_orders_that_is_none_leads_to_a_call_for_each() -> None:
    work = await ready()
    later = again(work)
    work.broker.faults["open_orders"] = [7] * 5
    await later.executor.prepare(later.desk)
    [problem] = later.executor.problems
    assert problem.startswith("open orders are looked up one by one: ")
    assert work.broker.calls.count(("find", "o1")) == 1
    assert not later.executor.journal.why_blocked("A")


async def test_order_that_cannot_be_read_blocks_its_symbol_at_the_start() -> None:
    work = await ready()
    later = again(work)
    work.broker.faults |= {"open_orders": [[]], "find": [7] * 5}
    await later.executor.prepare(later.desk)
    reason = later.executor.journal.why_blocked("A")
    assert "order o1: the adapter's find() returned an order: it is 7" in reason
    assert later.state() == "partial"


async def test_adopt_takes_the_count_of_an_order_for_true_and_ends_it() -> None:
    work = await ready(grace_seconds=0.0)
    order = replace(work.broker.orders["o1"], filled=D(6), update=TradeUpdate.CANCELED)
    work.broker.orders["o1"] = order
    work.broker.held = {"A": D(6)}
    later = again(work, adopt=True, grace_seconds=0.0)
    await later.executor.prepare(later.desk)
    assert later.state() == "canceled"
    assert later.executor.journal.positions == {"A": D(6)}
    # 4 are known by a fill, and the position brings 2 more.
    [adopted] = [e for e in later.desk.sent if isinstance(e, ExecutionEvent) and e.quantity == "2"]
    assert (adopted.side, adopted.order_id) == ("buy", "adopted")
    assert later.updates()[-1] == "canceled"
    assert not later.executor.is_halted
    # The missing fill is listed at last: it is in the position.
    work.broker.fill("o1", 2)
    work.broker.held = {"A": D(6)}
    await later.reconciler.read_fills()
    assert later.executor.journal.positions == {"A": D(6)}
    assert "not booked again" in later.executor.problems[-1]


async def test_cancel_of_a_halt_that_is_refused_is_reported_to_no_portfolio() -> None:
    work = await ready()
    work.executor.cancel_all()
    work.broker.faults["cancel"] = [BrokerRefusedError("too late")]
    before = len(work.desk.sent)
    assert await work.step() == ["cancel o1"]
    assert work.desk.sent[before:] == []
    assert await work.step() == ["find o1"]
