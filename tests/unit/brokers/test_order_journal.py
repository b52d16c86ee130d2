"""The journal of an executor at a broker: what follows from what it hears."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from support.journal_orders import NOW, copy, fill, miss, order, said, state, told

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import Call, CallKind, OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.events import Side, TradeUpdate
from ingenium.ids import make_id


@pytest.fixture
def journal() -> OrderJournal:
    journal = OrderJournal("U1")
    journal.enter(order(), NOW)
    return journal


@pytest.fixture
def working(journal: OrderJournal) -> OrderJournal:
    journal.submitting("order_1")
    journal.told(told(TradeUpdate.NEW))
    journal.take_events()
    return journal


@pytest.fixture
def unknown(journal: OrderJournal) -> OrderJournal:
    journal.submitting("order_1")
    journal.unanswered("order_1", NOW)
    return journal


def test_new_order_is_due_to_be_submitted_and_says_nothing(journal: OrderJournal) -> None:
    assert journal.calls("AAPL") == [Call(CallKind.SUBMIT, "order_1")]
    assert journal.take_events() == []
    assert state(journal) is OrderState.NEW


def test_order_that_is_entered_twice_is_one_order(journal: OrderJournal) -> None:
    journal.enter(order(quantity="99"), NOW)
    assert journal.entries["order_1"].order.quantity == 10


def test_submitted_order_is_told_as_new_and_then_filled_in_parts(journal: OrderJournal) -> None:
    journal.submitting("order_1")
    assert journal.calls("AAPL") == []
    journal.told(told(TradeUpdate.ACCEPTED))
    assert state(journal) is OrderState.SUBMITTED
    journal.fill(fill("f1", "4"))
    assert state(journal) is OrderState.PARTIAL
    journal.fill(fill("f2", "6"))
    assert state(journal) is OrderState.FILLED
    events = journal.take_events()
    assert said(events) == [("new", "0"), ("accepted", "0"), ("partial_fill", "4"), ("filled", "6")]
    assert events[0].id == make_id("exec", "U1", "order_1", "new")
    assert events[2].id == make_id("exec", "U1", "fill", "AAPL", "order_1", "f1")
    assert [event.leaves_quantity for event in events] == ["10", "10", "6", "0"]
    assert journal.positions == {"AAPL": Decimal(10)}
    assert not journal.open


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (TradeUpdate.CANCELED, OrderState.CANCELED),
        (TradeUpdate.REJECTED, OrderState.REJECTED),
        (TradeUpdate.EXPIRED, OrderState.EXPIRED),
        (TradeUpdate.REPLACED, OrderState.REPLACED),
    ],
)
def test_last_word_of_the_broker_ends_the_order_once(
    working: OrderJournal, update: TradeUpdate, expected: OrderState
) -> None:
    for _ in range(2):
        working.told(told(update, reason="why"))
    [event] = working.take_events()
    assert (event.update, event.leaves_quantity, event.reason) == (update.value, "0", "why")
    assert state(working) is expected


def test_last_word_waits_for_the_fills_that_it_counts(working: OrderJournal) -> None:
    working.told(told(TradeUpdate.CANCELED, filled="7"))
    assert working.take_events() == []
    working.fill(fill("f1", "4"))
    working.fill(fill("f2", "3"))
    assert said(working.take_events()) == [
        ("partial_fill", "4"),
        ("partial_fill", "3"),
        ("canceled", "0"),
    ]
    assert state(working) is OrderState.CANCELED


def test_fill_that_comes_after_the_cancel_is_booked(working: OrderJournal) -> None:
    working.told(told(TradeUpdate.CANCELED))
    working.fill(fill("f1", "4"))
    assert said(working.take_events()) == [("canceled", "0"), ("partial_fill", "4")]
    assert working.positions == {"AAPL": Decimal(4)}
    assert state(working) is OrderState.CANCELED


def test_fill_before_the_answer_of_submit_proves_that_the_order_is_there(
    journal: OrderJournal,
) -> None:
    journal.submitting("order_1")
    journal.fill(fill("f1", "10"))
    assert said(journal.take_events()) == [("new", "0"), ("filled", "10")]
    journal.unanswered("order_1", NOW)
    journal.told(told(TradeUpdate.FILLED, filled="10"))
    assert state(journal) is OrderState.FILLED
    assert journal.take_events() == []


def test_any_order_of_updates_and_fills_leads_to_the_same_end() -> None:
    news: list[BrokerOrder | BrokerFill] = [
        told(TradeUpdate.NEW),
        told(TradeUpdate.PARTIAL_FILL, filled="4"),
        told(TradeUpdate.CANCELED, filled="7"),
        fill("f1", "4"),
        fill("f2", "3"),
        fill("f1", "4"),
    ]
    for order_of_news in permutations(news):
        journal = OrderJournal("U1")
        journal.enter(order(), NOW)
        journal.submitting("order_1")
        for each in order_of_news:
            if isinstance(each, BrokerFill):
                journal.fill(each)
            else:
                journal.told(each)
        events = journal.take_events()
        assert journal.positions == {"AAPL": Decimal(7)}
        assert state(journal) is OrderState.CANCELED
        assert sorted(event.quantity for event in events if event.price) == ["3", "4"]
        assert [event.update for event in events].count("canceled") == 1
        assert len({event.id for event in events}) == len(events)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (fill("f1", "11"), "more is filled than the 10"),
        (fill("f1", "0"), "its quantity is 0"),
        (fill("f1", "-4"), "its quantity is -4"),
        (fill("f1", price="0"), "its price is 0"),
        (fill("f1", price="-1"), "its price is -1"),
        (fill("f1", symbol="MSFT"), "it is buy MSFT, the order buy AAPL"),
        (fill("f1", side=Side.SELL), "it is sell AAPL, the order buy AAPL"),
    ],
)
def test_fill_that_makes_no_sense_is_told_once_and_blocks_the_symbol(
    working: OrderJournal, wrong: BrokerFill, text: str
) -> None:
    for _ in range(2):
        working.fill(wrong)
    [event] = working.take_events()
    assert text in (event.reason or "")
    [problem] = working.take_problems()
    assert text in problem
    assert text in working.why_blocked("AAPL")
    again = copy(working)
    assert text in again.why_blocked("AAPL")
    again.store.unblock_all()
    assert again.why_blocked("AAPL") == ""
    assert again.changed_rows() == {"broker/blocked/AAPL": None}


def test_over_fill_counts_since_it_is_true(working: OrderJournal) -> None:
    working.fill(fill("f1", "11"))
    assert working.positions == {"AAPL": Decimal(11)}
    assert state(working) is OrderState.FILLED


def test_fill_of_a_stranger_changes_nothing_but_is_listed(working: OrderJournal) -> None:
    assert working.fill(fill("x", "4", "somebody"))
    assert not working.fill(fill("x", "4", "somebody"))
    assert working.take_events() == []
    assert working.positions == {}
    [problem] = working.take_problems()
    assert "this app did not send" in problem


def test_unknown_order_is_looked_for_and_adopted(unknown: OrderJournal) -> None:
    assert unknown.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    assert unknown.take_events() == []
    unknown.told(told(TradeUpdate.NEW))
    assert said(unknown.take_events()) == [("new", "0")]
    assert state(unknown) is OrderState.SUBMITTED


def test_unknown_order_that_was_rejected_is_told_so(unknown: OrderJournal) -> None:
    unknown.told(told(TradeUpdate.REJECTED, reason="no cash"))
    assert said(unknown.take_events()) == [("rejected", "0")]
    assert state(unknown) is OrderState.REJECTED


def test_new_order_waits_while_it_is_unknown_what_became_of_another(unknown: OrderJournal) -> None:
    unknown.enter(order("order_2"), NOW)
    unknown.enter(order("order_3", symbol="MSFT"), NOW)
    assert unknown.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    assert unknown.calls("MSFT") == [Call(CallKind.SUBMIT, "order_3")]
    unknown.told(told(TradeUpdate.NEW))
    assert unknown.calls("AAPL") == [Call(CallKind.SUBMIT, "order_2")]


def test_missing_order_is_sent_again_where_an_id_is_taken_once(unknown: OrderJournal) -> None:
    miss(unknown, 0, idempotent=True)
    assert unknown.calls("AAPL") == [Call(CallKind.SUBMIT, "order_1")]
    unknown.submitting("order_1")
    assert unknown.calls("AAPL") == []
    unknown.told(told(TradeUpdate.NEW))
    assert state(unknown) is OrderState.SUBMITTED


def test_missing_order_needs_a_person_where_an_id_is_taken_twice(unknown: OrderJournal) -> None:
    for seconds in range(6):
        assert unknown.why_blocked("AAPL") == ""
        miss(unknown, seconds, idempotent=False)
    assert unknown.take_events() == []
    assert state(unknown) is OrderState.UNKNOWN
    [problem] = unknown.take_problems()
    assert "start with --adopt" in problem
    assert "order_1" in unknown.why_blocked("AAPL")
    assert "order_1" in copy(unknown).why_blocked("AAPL")
    assert unknown.calls("AAPL") == [Call(CallKind.FIND, "order_1")]


def test_person_may_say_that_a_missing_order_is_not_there(unknown: OrderJournal) -> None:
    for seconds in range(6):
        miss(unknown, seconds, idempotent=False)
    unknown.settle_by_hand("order_1")
    assert said(unknown.take_events()) == [("rejected", "0")]
    assert unknown.why_blocked("AAPL") == ""


def test_missing_order_that_needs_a_person_is_adopted_when_it_turns_up(
    unknown: OrderJournal,
) -> None:
    for seconds in range(6):
        miss(unknown, seconds, idempotent=False)
    unknown.told(told(TradeUpdate.NEW))
    assert unknown.why_blocked("AAPL") == ""
    assert state(unknown) is OrderState.SUBMITTED


def test_order_whose_id_is_known_there_is_never_sent_again(journal: OrderJournal) -> None:
    journal.submitting("order_1")
    journal.unanswered("order_1", NOW, is_known_there=True)
    for seconds in range(6):
        miss(journal, seconds, idempotent=True)
        assert journal.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    assert journal.entries["order_1"].needs_human


def test_missing_order_that_is_too_old_expires_after_a_while(unknown: OrderJournal) -> None:
    for seconds in range(5):
        miss(unknown, seconds, idempotent=True, may_send=False)
        assert state(unknown) is OrderState.UNKNOWN
    miss(unknown, 5, idempotent=True, may_send=False)
    [event] = unknown.take_events()
    assert (event.update, event.leaves_quantity) == ("expired", "0")


def test_missing_order_that_is_to_be_canceled_is_not_sent_again(unknown: OrderJournal) -> None:
    assert unknown.ask_cancel("order_1", "cancel_1") == ""
    for seconds in range(6):
        miss(unknown, seconds, idempotent=True)
    assert said(unknown.take_events()) == [("canceled", "0")]


def test_order_that_turns_up_after_it_was_given_up_is_canceled(unknown: OrderJournal) -> None:
    for seconds in range(6):
        miss(unknown, seconds, idempotent=True, may_send=False)
    unknown.told(told(TradeUpdate.NEW))
    [problem] = unknown.take_problems()
    assert "is working at the broker" in problem
    assert unknown.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]
    unknown.fill(fill("f1", "4"))
    unknown.told(told(TradeUpdate.CANCELED, filled="4"))
    assert [event.update for event in unknown.take_events()] == [
        "expired",
        "new",
        "partial_fill",
        "canceled",
    ]


def test_fill_of_an_order_that_was_given_up_opens_it_again(unknown: OrderJournal) -> None:
    for seconds in (0, 3, 6):
        unknown.missing(
            "order_1", NOW + timedelta(seconds=seconds), idempotent=True, may_send=False
        )
    assert state(unknown) is OrderState.EXPIRED
    unknown.take_events()
    unknown.take_problems()
    journal = copy(unknown)
    assert journal.fill(fill("f1", "4"))
    assert state(journal) is OrderState.PARTIAL
    assert "order_1" in journal.open
    [new, part] = journal.take_events()
    assert (new.update, new.leaves_quantity) == ("new", "10")
    assert (part.update, part.quantity, part.leaves_quantity) == ("partial_fill", "4", "6")
    assert journal.positions == {"AAPL": 4}
    [problem] = journal.take_problems()
    assert problem == (
        "order order_1 was ended as expired, but is working at the broker: it will be canceled"
    )
    # Nobody wants it any more, and a portfolio may still ask for that, too.
    assert journal.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]
    assert journal.ask_cancel("order_1", "cancel_1") == ""
    journal.cancel_sent("order_1")
    journal.told(told(TradeUpdate.CANCELED, "4"))
    assert state(journal) is OrderState.CANCELED
    assert said(journal.take_events()) == [("canceled", "0")]
    assert copy(journal).rows() == journal.rows()


@pytest.mark.parametrize("end", [TradeUpdate.REJECTED, TradeUpdate.EXPIRED])
def test_fill_of_an_order_that_was_withheld_opens_it_again(
    journal: OrderJournal, end: TradeUpdate
) -> None:
    journal.withhold("order_1", end, "trading is halted")
    assert said(journal.take_events()) == [(end.value, "0")]
    assert journal.fill(fill("f1", "4"))
    assert state(journal) is OrderState.PARTIAL
    assert said(journal.take_events()) == [("new", "0"), ("partial_fill", "4")]
    assert journal.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]
    journal.fill(fill("f2", "6"))
    assert state(journal) is OrderState.FILLED
    assert said(journal.take_events()) == [("filled", "6")]
    assert journal.open == {}


def test_fill_of_an_order_that_is_believed_unsent_proves_that_it_is_there(
    journal: OrderJournal,
) -> None:
    assert journal.fill(fill("f1", "4"))
    assert state(journal) is OrderState.PARTIAL
    assert journal.calls("AAPL") == [], "it is not sent"
    assert said(journal.take_events()) == [("new", "0"), ("partial_fill", "4")]
    assert journal.take_problems() == []
    assert journal.ask_cancel("order_1", "cancel_1") == ""
    assert journal.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]


def test_late_fill_of_an_order_that_the_broker_ended_does_not_open_it_again(
    working: OrderJournal,
) -> None:
    working.told(told(TradeUpdate.CANCELED))
    working.take_events()
    assert working.fill(fill("f1", "4"))
    assert state(working) is OrderState.CANCELED
    [part] = working.take_events()
    assert (part.update, part.leaves_quantity) == ("partial_fill", "0")
    assert working.calls("AAPL") == []
