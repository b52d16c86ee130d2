"""What an executor at a broker answers to each request that it cannot take, and why."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.broker_fake import NOW, Work

from ingenium.brokers import PaperExecutor
from ingenium.clock import ManualClock
from ingenium.components import Executor, handle_of
from ingenium.events import (
    CancelEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    StopLoss,
    TradeUpdate,
)
from ingenium.risk import RiskLimits
from ingenium.trading import Bar

D = Decimal


def rejected(work: Work) -> list[tuple[str, str]]:
    """The ids that the last request has rejected, and why."""
    sent, work.desk.sent = work.desk.sent, []
    return [
        (each.order_id, each.reason or "")
        for each in sent
        if isinstance(each, ExecutionEvent) and each.update == "rejected"
    ]


def replacement(order_id: str = "o1", **fields: Any) -> ReplaceEvent:
    return ReplaceEvent(id="r1", order_id=order_id, symbol="A", **({"quantity": "5"} | fields))


def cancellation(order_id: str = "o1") -> CancelEvent:
    return CancelEvent(id="c1", order_id=order_id, symbol="A")


async def sent() -> Work:
    work = Work(limits=RiskLimits(price_collar=None, duplicate_seconds=None))
    work.order(type="limit", limit_price="99")
    await work.step()
    assert work.state() == "submitted"
    work.desk.sent = []
    return work


async def test_order_that_cannot_be_taken_is_rejected_with_the_reason() -> None:
    work = Work()
    work.order(quantity="-1")
    [(order_id, reason)] = rejected(work)
    assert order_id == "o1"
    assert "Quantity" in reason
    work.order("o2", stop_loss=StopLoss(stop_price="95"))
    assert rejected(work) == [
        ("o2", "no brackets are placed at a broker: send protective orders yourself")
    ]
    work.executor.journal.store.block("A", "a mismatch")
    work.order("o3")
    assert rejected(work) == [("o3", "A is blocked: a mismatch")]
    work.order("o4", symbol="B")
    assert rejected(work) == []
    assert list(work.executor.journal.entries) == ["o4"]


async def test_replacement_of_an_order_that_is_not_there_is_rejected() -> None:
    work = await sent()
    work.ask(replacement("o9"))
    assert rejected(work) == [("r1", "order 'o9' is unknown here")]
    work.ask(replacement(quantity="x"))
    [(order_id, reason)] = rejected(work)
    assert order_id == "r1"
    assert "Quantity" in reason
    work.executor.journal.store.block("A", "a mismatch")
    work.ask(replacement())
    assert rejected(work) == [("r1", "A is blocked: a mismatch")]
    assert list(work.executor.journal.entries) == ["o1"]
    assert not work.executor.journal.entries["o1"].successor


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (cancellation(), "order 'o1' is about to be canceled"),
        (replacement(quantity="7"), "order 'o1' is about to be replaced by 'r1'"),
    ],
)
async def test_second_request_for_an_order_is_rejected(first: Any, reason: str) -> None:
    work = await sent()
    work.ask(first)
    assert rejected(work) == []
    second = ReplaceEvent(id="r2", order_id="o1", symbol="A", quantity="6")
    work.ask(second)
    assert rejected(work) == [("r2", reason)]


async def test_request_for_an_order_that_has_ended_is_rejected() -> None:
    work = Work()
    work.order()
    work.executor.journal.withhold("o1", TradeUpdate.REJECTED, "no")
    work.ask(cancellation())
    assert sorted(rejected(work)) == [
        ("c1", "order 'o1' has ended: it is rejected"),
        ("o1", "no"),
    ]
    work.ask(replacement())
    assert rejected(work) == [("r1", "order 'o1' has ended: it is rejected")]
    work.ask(cancellation("o9"))
    assert rejected(work) == [("c1", "order 'o9' is unknown here")]


async def test_cancel_is_asked_for_once_by_the_first_who_wants_it() -> None:
    work = await sent()
    assert work.executor.journal.ask_cancel("o1", "c1") == ""
    assert work.executor.journal.ask_cancel("o1", "c2") == ""
    assert work.executor.journal.entries["o1"].cancel == "c1"


async def test_problem_is_kept_once_among_the_last_ten() -> None:
    work = Work()
    report = work.executor.report_problem
    report("a")
    report("a")
    assert work.executor.problems == ["a"]
    for number in range(9):
        report(str(number))
    report("a")
    assert work.executor.problems.count("a") == 1
    report("9")
    report("a")
    assert work.executor.problems.count("a") == 2


async def test_halt_ends_what_has_not_left_and_cancels_the_rest() -> None:
    work = await sent()
    work.order("o2")
    assert work.executor.needs_cancel_all()
    work.executor.cancel_all()
    assert (work.state("o1"), work.state("o2")) == ("submitted", "rejected")
    assert not work.executor.needs_cancel_all()
    assert await work.step() == ["cancel o1"]
    assert work.broker.orders["o1"].update is TradeUpdate.CANCELED
    assert "o2" not in work.broker.orders


async def test_position_without_a_price_is_left_out_of_the_limits_and_said_so() -> None:
    work = Work(limits=RiskLimits(max_gross_notional=D(1_000)))
    work.executor.journal.store.move("B", D(4))
    work.executor.journal.store.move("A", D(3))
    work.executor.journal.store.saw_price("A", D(50))
    work.executor.adopt_book()
    assert work.executor.problems == ["position in B has no price yet: limits leave it out"]
    assert handle_of(work.executor).risk.account.position("A") == 3
    assert handle_of(work.executor).risk.account.position("B") == 0


# Executors in general.


class Plain(Executor):
    """Works nothing."""


def reports(executor: Executor, event: Any) -> list[ExecutionEvent]:
    handle_of(executor).begin("cause", NOW)
    handle_of(executor).handle_request(event)
    return [each for each in handle_of(executor).take() if isinstance(each, ExecutionEvent)]


def test_executor_that_overrides_nothing_rejects_what_would_change_orders() -> None:
    executor = Plain(name="plain")
    [report] = reports(executor, cancellation())
    assert (report.order_id, report.update) == ("c1", "rejected")
    assert (report.symbol, report.side, report.leaves_quantity) == ("A", None, "0")
    assert report.reason == "executor 'plain' does not cancel orders"
    [report] = reports(executor, replacement())
    assert report.reason == "executor 'plain' does not replace orders"
    assert reports(executor, OrderEvent(id="o1", symbol="A", side="buy", quantity="1")) == []


@pytest.mark.parametrize(
    ("side", "symbol", "expected"),
    [("buy", "A", ("buy", "A")), ("sideways", "A", (None, "A")), ("sell", "", ("sell", ""))],
)
def test_rejection_has_only_what_can_be_written(
    side: str, symbol: str, expected: tuple[str | None, str]
) -> None:
    executor = Plain()
    handle_of(executor).begin("cause", NOW)
    executor.reject(OrderEvent(id="o1", symbol=symbol, side=side, quantity="1"), "no")
    [report] = handle_of(executor).take()
    assert isinstance(report, ExecutionEvent)
    assert (report.side, report.symbol) == expected
    assert (report.quantity, report.leaves_quantity, report.reason) == ("0", "0", "no")


def test_time_of_the_data_is_written_when_it_has_changed() -> None:
    executor = PaperExecutor(clock="data")
    handle = handle_of(executor)
    handle.clock = ManualClock(NOW)
    saved: dict[str, bytes] = {}
    for minute in (0, 1, 1, 2):
        start = NOW + timedelta(minutes=minute)
        bar = Bar.make("A", start, open="1", high="1", low="1", close="1",
                       period=timedelta(minutes=1))  # fmt: skip
        handle.begin(bar, bar.end)
        executor.on_data(bar.event)
        changed = handle.changed_rows()
        saved.update({key: row for key, row in changed.items() if row is not None})
        assert saved == handle.state_rows()
        assert f"{bar.end:%H:%M}".encode() in saved["time"]
    assert handle.changed_rows() == {}
