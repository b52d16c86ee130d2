"""What an executor asks of its broker, and what it makes of each answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.broker_fake import FakeBroker, Work

from ingenium.brokers import reconciler
from ingenium.components import handle_of
from ingenium.components.failpoints import Point
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    DuplicateOrderError,
    LeaseLostError,
    StoreError,
)
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    ExecutionEvent,
    ReplaceEvent,
    Side,
    TradeUpdate,
    TradingState,
)
from ingenium.risk import RiskLimits
from ingenium.trading import Order


def other(**fields: Any) -> Order:
    values: dict[str, Any] = {"id": "x9", "symbol": "A", "side": Side.BUY, "quantity": Decimal(10)}
    return Order(**(values | fields))


def rejections(work: Work) -> list[tuple[str, str]]:
    return [
        (each.order_id, each.reason or "")
        for each in work.desk.sent
        if isinstance(each, ExecutionEvent) and each.update == "rejected"
    ]


async def test_order_is_sent_once_and_reported() -> None:
    work = Work()
    work.order()
    assert await work.step() == ["submit o1"]
    assert work.desk.points == [Point.CALLING, Point.CALLED, Point.ANSWERED]
    assert work.updates() == ["new"]
    assert await work.step() == []
    work.broker.fill("o1", 4)
    work.broker.fill("o1", 6, 101)
    await work.reconciler.read_fills()
    assert work.updates() == ["new", "partial_fill 4", "filled 6"]
    assert work.submits() == ["o1"]


async def test_answer_with_another_orders_id_is_no_answer_and_nothing_is_sent_twice() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [FakeBroker().put(other())]
    await work.step()
    assert work.state() == "unknown"
    assert work.updates() == []
    assert work.executor.problems == [
        "the outcome of order o1 is unknown: the broker answered with another order"
    ]
    work.broker.put(other(id="o1"))
    assert await work.step() == ["find o1"]
    assert work.state() == "submitted"
    assert work.updates() == ["new"]
    assert await work.step() == []
    assert work.submits() == ["o1"]
    assert "x9" not in work.executor.journal.entries


async def test_broker_that_is_down_has_not_got_the_order_and_gets_it_later() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [BrokerError("HTTP 429"), BrokerError("no route")]
    for number, reason in enumerate(["HTTP 429", "no route"], 1):
        await work.step()
        assert work.state() == "new", "it is certain that it is not there"
        assert len(work.executor.problems) == number
        assert work.executor.problems[-1] == f"order o1 cannot be sent, trying again: {reason}"
        assert work.work._delays.ready_at("o1") > asyncio.get_running_loop().time()
    assert work.updates() == []
    await work.step()
    assert work.state() == "submitted"
    assert work.work._delays.ready_at("o1") == 0
    assert work.submits() == ["o1", "o1", "o1"]
    assert [method for method, _ in work.broker.calls] == ["submit"] * 3


@pytest.mark.parametrize(
    ("fault", "state", "next_call"),
    [
        (BrokerTimeoutError("HTTP 504"), "unknown", ["find o1"]),
        (DuplicateOrderError("known"), "unknown", ["find o1"]),
        (RuntimeError("a bug"), "unknown", ["find o1"]),
        (BrokerRefusedError("no money"), "rejected", []),
    ],
)
async def test_what_an_error_of_submit_says_about_the_order(
    fault: Exception, state: str, next_call: list[str]
) -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [fault]
    await work.step()
    assert work.state() == state
    assert rejections(work) == ([("o1", "no money")] if state == "rejected" else [])
    assert await work.step() == next_call
    assert work.submits() == ["o1"]


@pytest.mark.parametrize("idempotent", [True, False])
async def test_order_that_is_missing_is_sent_again_only_where_an_id_is_taken_once(
    idempotent: bool,
) -> None:
    work = Work(FakeBroker(idempotent=idempotent))
    work.order()
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    await work.step()
    assert await work.step() == ["find o1"]
    for _ in range(3):
        work.desk.now += timedelta(seconds=3)
        await work.step()
    if idempotent:
        assert work.submits() == ["o1", "o1"]
        assert work.state() == "submitted"
    else:
        assert work.submits() == ["o1"]
        assert work.state() == "unknown"
        assert work.executor.journal.why_blocked("A") != ""
        assert any("start with --adopt" in text for text in work.executor.problems)


async def test_order_that_is_known_there_already_is_never_sent_again() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [DuplicateOrderError("known")]
    await work.step()
    for _ in range(5):
        work.desk.now += timedelta(seconds=3)
        await work.step()
    assert work.submits() == ["o1"]


async def test_look_up_that_fails_is_repeated_and_says_so() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    work.broker.faults["find"] = [BrokerError("down")]
    await work.step()
    await work.step()
    assert work.state() == "unknown"
    assert work.executor.problems[-1] == "order o1 cannot be asked for: down"
    assert work.work._delays.ready_at("o1") > 0
    work.broker.put(other(id="o1"))
    await work.step()
    assert work.state() == "submitted"


async def test_order_that_is_too_old_for_a_second_attempt_is_not_sent_again() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    await work.step()
    await work.step()
    work.desk.now += timedelta(seconds=31)
    await work.step()
    assert work.submits() == ["o1"]
    for _ in range(3):
        await work.step()
    assert work.state() == "expired"


async def test_new_order_that_has_waited_too_long_expires_and_is_never_sent() -> None:
    work = Work()
    work.order()
    work.desk.now += timedelta(seconds=30.1)
    await work.step()
    assert work.updates() == ["expired"]
    assert work.broker.calls == []
    later = Work()
    later.order()
    later.desk.now += timedelta(seconds=30)
    await later.step()
    assert later.submits() == ["o1"]


async def test_halt_that_comes_while_it_is_written_down_still_stops_the_order() -> None:
    work = Work()
    work.order()
    work.desk.on_record = lambda cause: handle_of(work.executor).risk.halt("a test")
    await work.step()
    assert work.broker.calls == []
    assert rejections(work) == [("o1", "trading is halted")]
    assert work.state() == "rejected"


async def test_second_attempt_that_is_halted_leaves_the_order_unknown() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    await work.step()
    await work.step()
    work.desk.on_record = lambda cause: handle_of(work.executor).risk.halt("a test")
    await work.step()
    assert work.submits() == ["o1"]
    assert work.state() == "unknown", "the first attempt may have arrived"
    assert rejections(work) == []


async def test_cancel_is_asked_for_once_and_then_looked_after() -> None:
    work = Work()
    work.order()
    await work.step()
    work.ask(CancelEvent(id="c1", order_id="o1", symbol="A"))
    assert await work.step() == ["cancel o1"]
    assert await work.step() == ["find o1"]
    assert work.updates() == ["new", "canceled"]
    assert await work.step() == []


async def test_cancel_that_fails_is_tried_until_there_is_an_answer() -> None:
    work = Work()
    work.order()
    await work.step()
    work.ask(CancelEvent(id="c1", order_id="o1", symbol="A"))
    work.broker.faults["cancel"] = [BrokerError("down"), BrokerTimeoutError("no answer")]
    for _ in range(3):
        assert await work.step() == ["cancel o1"]
        assert work.work._delays.ready_at("o1") > 0
    await work.step()
    assert work.updates() == ["new", "canceled"]


@pytest.mark.parametrize("ends", [False, True])
async def test_cancel_that_is_refused_is_reported_and_the_order_looked_up(ends: bool) -> None:
    work = Work()
    work.order()
    await work.step()
    work.ask(CancelEvent(id="c1", order_id="o1", symbol="A"))
    work.broker.faults["cancel"] = [BrokerRefusedError("too late")]
    await work.step()
    assert rejections(work) == [("c1", "too late")]
    assert work.updates() == ["new"]
    if ends:
        work.broker.fill("o1", 10)
    assert await work.step() == ["find o1"]
    await work.reconciler.read_fills()
    assert work.updates() == (["new", "filled 10"] if ends else ["new"])
    assert await work.step() == []


async def test_replacement_names_the_order_in_whose_place_it_comes() -> None:
    work = Work(limits=RiskLimits(price_collar=None))
    work.order(type="limit", limit_price="99")
    await work.step()
    work.broker.fill("o1", 4)
    await work.reconciler.read_fills()
    work.ask(ReplaceEvent(id="o2", order_id="o1", symbol="A", limit_price="101"))
    assert await work.step() == ["replace o2"]
    assert work.broker.calls[-1] == ("replace", "o1 o2")
    assert work.updates("o2") == ["new"]
    assert work.updates("o1") == ["new", "partial_fill 4", "replaced"]
    work.broker.fill("o2", 6)
    await work.reconciler.read_fills()
    assert work.updates("o2") == ["new", "filled 6"]
    assert handle_of(work.executor).risk.account.position("A") == 10
    assert handle_of(work.executor).risk.account.leaves("A", Side.BUY) == 0


async def test_replacement_of_an_order_that_has_ended_meanwhile_is_rejected() -> None:
    work = Work(limits=RiskLimits(price_collar=None))
    work.order(type="limit", limit_price="99")
    await work.step()
    work.ask(ReplaceEvent(id="o2", order_id="o1", symbol="A", limit_price="101"))
    work.broker.fill("o1", 10)
    await work.reconciler.read_fills()
    await work.step()
    assert rejections(work) == [("o2", "order 'o1' has ended: it is filled")]
    assert not any(method == "replace" for method, _ in work.broker.calls)


async def test_order_that_is_to_be_canceled_is_not_sent_a_second_time() -> None:
    work = Work()
    work.order()
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    await work.step()
    await work.step()
    work.ask(CancelEvent(id="c1", order_id="o1", symbol="A"))
    for _ in range(4):
        work.desk.now += timedelta(seconds=3)
        await work.step()
    assert work.submits() == ["o1"]
    assert work.updates() == ["canceled"]


async def test_order_that_waits_behind_one_in_doubt_for_too_long_expires() -> None:
    work = Work(FakeBroker(idempotent=False), poll_seconds=3600.0)
    work.order("o1")
    work.broker.faults["submit"] = [BrokerTimeoutError("no answer")]
    await work.step()
    work.order("o2")
    assert await work.step() == ["find o1"], "the other one waits"
    work.desk.now += timedelta(seconds=31)
    await drive(work, lambda: work.state("o2") == "expired")
    assert work.submits() == ["o1"]


# What the broker says by itself.


async def drive(work: Work, condition: Any) -> None:
    """Run the work until a condition holds."""
    task = asyncio.create_task(work.work.run())
    try:
        async with asyncio.timeout(10):
            while not condition():
                if task.done():
                    task.result()
                await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_updates_are_heard_and_fills_looked_for() -> None:
    work = Work(poll_seconds=3600.0)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    work.broker.news = [work.broker.orders["o1"], FakeBroker().put(other(id="somebody's"))]
    await drive(work, lambda: work.state() == "filled")
    assert work.updates() == ["new", "filled 10"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            BrokerError("socket closed"),
            "order updates of the broker are interrupted: socket closed",
        ),
        (KeyError("qty"), "order updates of the broker are interrupted: KeyError: 'qty'"),
    ],
)
async def test_updates_that_end_are_asked_for_again_and_all_is_looked_up(
    fault: Exception, text: str
) -> None:
    work = Work(poll_seconds=3600.0)
    work.order()
    await work.step()
    work.broker.orders["o1"] = work.broker.put(other(id="o1"), update=TradeUpdate.CANCELED)
    work.broker.news = [fault]
    await drive(work, lambda: work.state() == "canceled")
    assert text in work.executor.problems
    assert ("find", "o1") in work.broker.calls


async def test_order_that_was_put_off_is_sent_when_its_time_has_come() -> None:
    work = Work(poll_seconds=3600.0)
    work.order()
    work.broker.faults["submit"] = [BrokerError("busy")]
    await drive(work, lambda: work.state() == "submitted")
    assert work.submits() == ["o1", "o1"]


async def test_fills_that_cannot_be_read_are_a_problem_and_read_later() -> None:
    work = Work(poll_seconds=3600.0)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    work.broker.faults["fills"] = [BrokerError("down")]
    work.work._fills_wanted.set()
    await drive(work, lambda: work.state() == "filled")
    assert "fills of the broker cannot be read, trying again: down" in work.executor.problems


@pytest.mark.parametrize("error", [LeaseLostError("lost"), StoreError("full")])
async def test_what_must_end_the_executor_ends_it(error: Exception) -> None:
    work = Work(poll_seconds=3600.0)

    def fail(cause: str) -> None:
        raise error

    work.order()
    work.desk.on_record = fail
    with pytest.raises(type(error)):
        async with asyncio.timeout(10):
            await work.work.run()


async def test_halt_ends_what_has_not_left_and_cancels_what_works() -> None:
    work = Work(poll_seconds=3600.0)
    work.order("o1")
    await work.step()
    work.order("o2", symbol="B")
    handle_of(work.executor).risk.halt("a test")
    await drive(work, lambda: work.state("o1") == "canceled")
    assert work.state("o2") == "rejected"
    assert work.submits() == ["o1"]


async def test_fill_of_a_strangers_order_makes_positions_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciler, "FIRST_DELAY_SECONDS", 0)
    work = Work(poll_seconds=3600.0, grace_seconds=0.0)
    await work.reconciler.prepare()
    work.broker.fill("", 5)
    work.broker.held["A"] = Decimal(7)
    work.work._fills_wanted.set()
    await drive(work, lambda: work.executor.is_halted)
    assert any("A: 7 there, 0 here" in text for text in work.executor.problems)


# Exits.


async def held(quantity: int = 10) -> Work:
    work = Work()
    work.order("entry", str(quantity))
    await work.step()
    work.broker.fill("entry", quantity)
    await work.reconciler.read_fills()
    assert handle_of(work.executor).risk.account.position("A") == quantity
    return work


def exits(work: Work) -> list[str]:
    return [text for text in work.executor.problems if "EXIT DENIED" in text]


async def test_exit_that_waits_too_long_is_an_alarm() -> None:
    work = await held()
    work.order("exit", side="sell")
    work.order("more")
    work.desk.now += timedelta(seconds=31)
    handle_of(work.executor).begin("late", work.desk.now)
    work.executor.withhold_late(work.desk.now)
    assert (work.state("exit"), work.state("more")) == ("expired", "expired")
    assert len(exits(work)) == 1
    assert exits(work)[0].endswith(
        "EXIT DENIED, sell 10 A market only reduces the position of 10: it waited for 31.0 s, and "
        "no order is worked after 30 s"
    )


@pytest.mark.parametrize("quantity", ["10", "4"])
async def test_exit_that_a_halt_holds_is_an_alarm(quantity: str) -> None:
    work = await held()
    work.order("exit", quantity, side="sell")
    handle_of(work.executor).handle_control(
        ControlEvent(id="c", state=TradingState.HALTED.value, sender="ann@trader-1", reason="why")
    )
    handle_of(work.executor).begin("halt", work.desk.now)
    work.executor.cancel_all()
    assert work.state("exit") == "rejected"
    assert len(exits(work)) == 1
    gate = handle_of(work.executor).risk.gate
    assert gate is not None
    assert gate.denied_exits["A"].detail.endswith("trading is halted")


async def test_exit_in_a_blocked_symbol_is_an_alarm_and_an_entry_is_not() -> None:
    work = await held()
    work.executor.journal.store.block("A", "over-filled")
    work.order("entry_2")
    assert exits(work) == []
    work.order("exit", side="sell")
    [text] = exits(work)
    assert "A is blocked: over-filled" in text


async def test_stop_that_cannot_be_moved_is_an_alarm() -> None:
    work = await held()
    work.order("stop", side="sell", type="stop", stop_price="90", time_in_force="gtc")
    await work.step()
    handle_of(work.executor).risk.halt("a test")
    work.ask(ReplaceEvent(id="stop_2", order_id="stop", symbol="A", stop_price="95"))
    await work.step()
    assert work.state("stop_2") == "rejected"
    [text] = exits(work)
    assert "sell 10 A stop, stop price 95 only reduces the position of 10" in text
