"""What a journal makes of a broker's counts and of orders that are not found."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.journal_orders import NOW, fill, miss, order, state, told

from ingenium.brokers.journal_entry import JournalEntry, OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.components import Executor, handle_of
from ingenium.events import OrderEvent, TradeUpdate

D = Decimal
PARTIAL = TradeUpdate.PARTIAL_FILL


@pytest.fixture
def journal() -> OrderJournal:
    """One order of 10 that the broker has, with one fill of 4."""
    journal = OrderJournal("U1")
    journal.enter(order(), NOW)
    journal.submitting("order_1")
    journal.told(told(TradeUpdate.NEW))
    journal.fill(fill("f1"))
    journal.told(told(PARTIAL, "4"))
    journal.take_events()
    return journal


def test_count_below_what_was_counted_is_low_until_a_count_is_not(journal: OrderJournal) -> None:
    assert journal.updates.low == {}
    journal.told(told(PARTIAL, "3"))
    assert journal.updates.low == {"order_1": D(3)}
    journal.told(told(PARTIAL, "4"))
    assert journal.updates.low == {}
    # Counted by the broker before its fill is listed.
    journal.told(told(PARTIAL, "6"))
    assert journal.updates.low == {}
    journal.told(told(PARTIAL, "5"))
    assert journal.updates.low == {"order_1": D(5)}
    assert journal.entries["order_1"].told == 6


def test_operator_who_takes_the_count_settles_it(journal: OrderJournal) -> None:
    journal.told(told(PARTIAL, "6"))
    journal.told(told(PARTIAL, "5"))
    assert journal.updates.low
    assert journal.updates.gaps
    journal.updates.excuse("order_1", told(PARTIAL, "5"))
    assert journal.updates.low == {}
    assert not journal.updates.gaps
    assert journal.entries["order_1"].told == 5
    assert journal.entries["order_1"].excused == 1
    assert state(journal) is OrderState.PARTIAL


def test_count_that_agrees_needs_no_operator(journal: OrderJournal) -> None:
    journal.changed_rows()
    journal.updates.excuse("order_1", told(PARTIAL, "4"))
    assert journal.changed_rows() == {}
    assert journal.entries["order_1"].excused == 0


@pytest.mark.parametrize(
    ("update", "filled", "order_id", "expected"),
    [
        (PARTIAL, "4", "order_1", False),
        (TradeUpdate.NEW, "4", "order_1", False),
        (PARTIAL, "3", "order_1", True),
        (PARTIAL, "5", "order_1", True),
        (TradeUpdate.CANCELED, "4", "order_1", True),
        (TradeUpdate.ACCEPTED, "4", "order_1", True),
        (PARTIAL, "4", "other", False),
    ],
)
def test_update_that_would_change_nothing_is_no_news(
    journal: OrderJournal, update: TradeUpdate, filled: str, order_id: str, expected: bool
) -> None:
    assert journal.updates.is_news(told(update, filled, order_id)) is expected


@pytest.mark.parametrize("idempotent", [True, False])
def test_order_of_a_lost_journal_is_looked_up_and_never_sent_again(idempotent: bool) -> None:
    journal = OrderJournal("U1")
    journal.enter(order(), NOW)
    journal.seen_elsewhere("order_1", NOW)
    for seconds in (1, 40, 80, 120):
        miss(journal, seconds, idempotent=idempotent)
        assert [call.act for call in journal.calls("AAPL")] != ["submit"]
    assert state(journal) is OrderState.UNKNOWN
    [problem] = journal.take_problems()
    assert problem.startswith("order order_1 (buy 10 AAPL) had no answer")


def test_leaves_count_the_fills_of_all_that_an_order_replaced() -> None:
    journal = OrderJournal("U1")
    for name, quantity, before in (("a", "10", ""), ("b", "12", "a"), ("c", "15", "b")):
        entry = JournalEntry(order=order(name, quantity), entered=NOW, replaces=before)
        journal.store.add(entry)
    for name, filled in (("a", "2"), ("b", "3"), ("c", "4")):
        journal.entries[name].filled = D(filled)
    assert journal.leaves(journal.entries["a"]) == 8
    assert journal.leaves(journal.entries["b"]) == 7
    assert journal.leaves(journal.entries["c"]) == 6
    # A journal in which orders replace each other ends too: 20 less 4, 3 and 2.
    journal.entries["a"].replaces = "c"
    last = JournalEntry(order=order("d", "20"), entered=NOW, replaces="c")
    journal.store.add(last)
    assert journal.leaves(last) == 11


# A second order under a known id.


class Recording(Executor):
    def __init__(self) -> None:
        super().__init__(name="recording")
        self.seen: list[str] = []

    def on_order(self, event: OrderEvent) -> None:
        """Note the quantity."""
        self.seen.append(event.quantity)


def ask(executor: Recording, **fields: Any) -> list[Any]:
    event = OrderEvent(**({"id": "o1", "symbol": "A", "side": "buy", "quantity": "10"} | fields))
    handle = handle_of(executor)
    handle.begin("cause", NOW + timedelta(seconds=1))
    handle.handle_request(event)
    return handle.take()


def test_other_order_under_a_known_id_reaches_no_handler_and_is_rejected() -> None:
    executor = Recording()
    handle_of(executor).remember_orders()
    assert ask(executor) == []
    [report] = ask(executor, quantity="11")
    assert (report.order_id, report.update, report.side) == ("o1", "rejected", "buy")
    assert "is that of 'Quantity 10, Side buy, Symbol A', and comes again" in report.reason
    assert executor.seen == ["10"]
    # The same order again is for the executor to know.
    assert ask(executor) == []
    assert executor.seen == ["10", "10"]


def test_executor_that_remembers_no_orders_gets_them_all() -> None:
    executor = Recording()
    ask(executor)
    assert ask(executor, quantity="11") == []
    assert executor.seen == ["10", "11"]


@pytest.mark.parametrize(
    ("update", "reason", "asked", "expected"),
    [
        (TradeUpdate.CANCELED, "margin", False, "was canceled by the broker: margin"),
        (TradeUpdate.CANCELED, "margin", True, ""),
        (TradeUpdate.CANCELED, "", False, ""),
        (TradeUpdate.EXPIRED, "the day", False, "was expired by the broker: the day"),
        (TradeUpdate.REJECTED, "no funds", False, "was rejected by the broker: no funds"),
        (TradeUpdate.REJECTED, "no funds", True, "was rejected by the broker: no funds"),
    ],
)
def test_end_that_nobody_asked_for_is_a_problem(
    journal: OrderJournal, update: TradeUpdate, reason: str, asked: bool, expected: str
) -> None:
    if asked:
        assert journal.ask_cancel("order_1", "c1") == ""
    journal.told(told(update, "4", reason=reason))
    problems = [f"order order_1 (buy 10 AAPL) {expected}"] if expected else []
    assert journal.take_problems() == problems


def test_order_that_the_broker_forgets_twice_is_a_problem_twice(journal: OrderJournal) -> None:
    for first in (1, 1_000):
        for seconds in (first, first + 40, first + 80, first + 120):
            miss(journal, seconds, idempotent=True)
        problems = journal.take_problems()
        assert (
            problems[0] == "the broker no longer knows order order_1: check the order at the broker"
        )
        assert len(problems) == 2
        assert "no longer knows order order_1 (buy 10 AAPL, 4 filled)" in problems[1]
        assert "order_1" not in journal.questions.to_check
        # It has it after all.
        journal.told(told(PARTIAL, "4"))
