"""The journal of an executor at a broker: what follows from what it hears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import HALT, Call, CallKind, OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.errors import ConfigError
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.ids import make_id
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


def order(id: str = "order_1", quantity: str = "10", **fields: Any) -> Order:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(quantity)}
    return Order(id=id, **(values | fields))


def told(update: TradeUpdate, filled: str = "0", id: str = "order_1", **fields: Any) -> BrokerOrder:
    values: dict[str, Any] = {
        "venue_order_id": f"b-{id}",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal(10),
    }
    return BrokerOrder(
        client_order_id=id, update=update, filled=Decimal(filled), **(values | fields)
    )


def fill(
    id: str, quantity: str = "4", order_id: str = "order_1", price: str = "100", **fields: Any
) -> BrokerFill:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "time": NOW}
    return BrokerFill(
        id=id,
        client_order_id=order_id,
        quantity=Decimal(quantity),
        price=Decimal(price),
        **(values | fields),
    )


def said(events: list[ExecutionEvent]) -> list[tuple[str | None, str]]:
    return [(event.update, event.quantity) for event in events]


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


def state(journal: OrderJournal, id: str = "order_1") -> OrderState:
    return journal.entries[id].state


def copy(journal: OrderJournal) -> OrderJournal:
    again = OrderJournal("U1")
    again.restore(journal.rows())
    return again


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


def miss(journal: OrderJournal, seconds: float, *, idempotent: bool, may_send: bool = True) -> None:
    now = NOW + timedelta(seconds=seconds)
    journal.missing("order_1", now, idempotent=idempotent, may_send=may_send)


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
    assert "is at the broker after all" in problem
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
        "order order_1 was given up as expired, and is at the broker after all: it will be canceled"
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


def test_refusal_ends_an_order_that_was_sent_once(journal: OrderJournal) -> None:
    journal.submitting("order_1")
    journal.refused("order_1", "no cash")
    [event] = journal.take_events()
    assert (event.update, event.reason) == ("rejected", "no cash")


def test_refusal_of_a_second_attempt_does_not_count_until_the_order_is_missing(
    unknown: OrderJournal,
) -> None:
    miss(unknown, 0, idempotent=True)
    unknown.submitting("order_1")
    unknown.refused("order_1", "no cash")
    assert unknown.take_events() == []
    for seconds in range(1, 8):
        miss(unknown, seconds, idempotent=True)
        assert Call(CallKind.SUBMIT, "order_1") not in unknown.calls("AAPL")
    [event] = unknown.take_events()
    assert (event.update, event.reason) == ("rejected", "no cash")


def test_order_that_could_not_be_sent_is_new_again(journal: OrderJournal) -> None:
    journal.submitting("order_1")
    journal.not_sent("order_1")
    assert journal.calls("AAPL") == [Call(CallKind.SUBMIT, "order_1")]


def test_second_attempt_that_could_not_be_sent_leaves_the_order_unknown(
    unknown: OrderJournal,
) -> None:
    miss(unknown, 0, idempotent=True)
    unknown.submitting("order_1")
    unknown.not_sent("order_1")
    assert state(unknown) is OrderState.UNKNOWN


def test_order_under_way_at_a_crash_is_unknown(journal: OrderJournal) -> None:
    journal.enter(order("order_2"), NOW)
    journal.submitting("order_1")
    again = copy(journal)
    again.all_unanswered(NOW)
    assert (state(again), state(again, "order_2")) == (OrderState.UNKNOWN, OrderState.NEW)


def test_cancel_before_the_order_leaves_ends_it_here(journal: OrderJournal) -> None:
    assert journal.ask_cancel("order_1", "cancel_1") == ""
    assert said(journal.take_events()) == [("canceled", "0")]
    assert journal.calls("AAPL") == []


def test_cancel_is_sent_and_then_asked_for_until_the_order_has_ended(working: OrderJournal) -> None:
    assert working.ask_cancel("order_1", "cancel_1") == ""
    assert working.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]
    working.cancel_sent("order_1")
    assert working.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    working.told(told(TradeUpdate.CANCELED))
    assert working.calls("AAPL") == []


def test_cancel_of_what_is_not_there_says_why(working: OrderJournal) -> None:
    assert "unknown here" in working.ask_cancel("order_9", "cancel_1")
    working.told(told(TradeUpdate.CANCELED))
    assert "has ended: it is canceled" in working.ask_cancel("order_1", "cancel_2")


def test_cancel_that_the_broker_refuses_leaves_the_order_working(working: OrderJournal) -> None:
    working.ask_cancel("order_1", "cancel_1")
    assert working.cancel_refused("order_1", "too late") == "cancel_1"
    assert working.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    working.told(told(TradeUpdate.NEW))
    assert working.calls("AAPL") == []


def test_halt_cancels_what_is_unknown_as_soon_as_it_is_found(unknown: OrderJournal) -> None:
    assert unknown.ask_cancel("order_1", HALT) == ""
    unknown.told(told(TradeUpdate.NEW))
    assert unknown.calls("AAPL") == [Call(CallKind.CANCEL, "order_1")]


def replace(journal: OrderJournal, quantity: str = "20") -> None:
    journal.enter(order("order_2", quantity), NOW, replaces="order_1")


def test_replacing_order_ends_the_old_one_and_counts_what_that_has_filled(
    working: OrderJournal,
) -> None:
    working.fill(fill("f1", "4"))
    replace(working, "20")
    assert working.calls("AAPL") == [Call(CallKind.REPLACE, "order_2")]
    working.submitting("order_2")
    working.told(told(TradeUpdate.NEW, id="order_2", quantity=Decimal(20)))
    working.fill(fill("f2", "16", "order_2"))
    events = working.take_events()
    assert [(e.order_id, e.update, e.leaves_quantity) for e in events] == [
        ("order_1", "partial_fill", "6"),
        ("order_2", "new", "16"),
        ("order_1", "replaced", "0"),
        ("order_2", "filled", "0"),
    ]
    assert not working.open


def test_replacement_that_is_refused_leaves_the_old_order_working(working: OrderJournal) -> None:
    replace(working)
    assert working.entries["order_1"].successor == "order_2"
    working.submitting("order_2")
    working.refused("order_2", "no")
    assert [(e.order_id, e.update) for e in working.take_events()] == [("order_2", "rejected")]
    assert state(working) is OrderState.SUBMITTED
    assert working.entries["order_1"].successor == ""


def test_replacement_without_an_answer_is_looked_for_by_its_own_id(working: OrderJournal) -> None:
    replace(working)
    working.submitting("order_2")
    working.unanswered("order_2", NOW)
    assert working.calls("AAPL") == [Call(CallKind.FIND, "order_2")]
    working.told(told(TradeUpdate.NEW, id="order_2", quantity=Decimal(20)))
    assert state(working) is OrderState.REPLACED


@pytest.fixture
def replaced(working: OrderJournal) -> OrderJournal:
    """An order that was replaced, and of which the broker has not said what it had filled."""
    replace(working)
    working.submitting("order_2")
    working.told(told(TradeUpdate.NEW, id="order_2", quantity=Decimal(20)))
    return working


def test_replaced_order_is_looked_up_once_for_its_count(replaced: OrderJournal) -> None:
    assert replaced.symbols() == ["AAPL"]
    assert replaced.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    replaced.told(told(TradeUpdate.REPLACED, "4"))
    assert replaced.calls("AAPL") == []
    # Its fill is not listed.
    assert list(replaced.updates.gaps) == ["order_1"]
    replaced.fill(fill("f1", "4"))
    assert not replaced.updates.gaps


def test_replaced_order_is_not_looked_up_when_its_count_has_come(working: OrderJournal) -> None:
    replace(working)
    working.submitting("order_2")
    working.told(told(TradeUpdate.REPLACED, "0"))
    working.told(told(TradeUpdate.NEW, id="order_2", quantity=Decimal(20)))
    assert working.calls("AAPL") == []


def test_replaced_order_that_the_broker_does_not_know_is_given_up(replaced: OrderJournal) -> None:
    for seconds, is_wanted in ((0, True), (4, True), (5, False)):
        now = NOW + timedelta(seconds=seconds)
        replaced.missing("order_1", now, idempotent=True, may_send=True)
        assert (replaced.calls("AAPL") == [Call(CallKind.FIND, "order_1")]) is is_wanted
    assert state(replaced) is OrderState.REPLACED
    assert not replaced.blocked


def test_another_order_under_our_id_blocks_the_symbol(unknown: OrderJournal) -> None:
    unknown.told(told(TradeUpdate.NEW, side=Side.SELL))
    assert "the broker has sell 10 AAPL under that id" in unknown.why_blocked("AAPL")


def test_check_all_asks_for_what_works(working: OrderJournal) -> None:
    working.check_all()
    assert working.calls("AAPL") == [Call(CallKind.FIND, "order_1")]
    working.missing("order_1", NOW, idempotent=True, may_send=True)
    [problem] = working.take_problems()
    assert "does not know order order_1 any more" in problem
    assert state(working) is OrderState.SUBMITTED


def test_withheld_order_says_why(journal: OrderJournal) -> None:
    journal.withhold("order_1", TradeUpdate.EXPIRED, "too old")
    [event] = journal.take_events()
    assert (event.update, event.reason) == ("expired", "too old")


def test_order_that_is_withheld_at_its_second_attempt_stays_unknown(unknown: OrderJournal) -> None:
    miss(unknown, 0, idempotent=True)
    unknown.submitting("order_1")
    unknown.withhold("order_1", TradeUpdate.REJECTED, "halted")
    assert state(unknown) is OrderState.UNKNOWN
    assert unknown.take_events() == []


def test_rows_bring_everything_back(working: OrderJournal) -> None:
    working.fill(fill("f1", "4"))
    working.fill(fill("x", "4", "somebody"))
    working.store.block("AAPL", "why")
    working.store.read_to(fill("x", "4", "somebody"))
    working.store.reconciled()
    again = copy(working)
    assert again.rows() == working.rows()
    assert msgspec.structs.asdict(again.entries["order_1"]) == msgspec.structs.asdict(
        working.entries["order_1"]
    )
    assert (again.store.last_fill, again.store.is_reconciled) == ("x", True)
    assert not again.fill(fill("f1", "4"))
    assert not again.fill(fill("x", "4", "somebody"))


def test_changed_rows_add_up_to_all_rows(working: OrderJournal) -> None:
    rows: dict[str, bytes | None] = dict(working.changed_rows())
    working.fill(fill("f1", "10"))
    changed = working.changed_rows()
    assert set(changed) == {"broker/order/order_1", "broker/position/AAPL"}
    rows |= changed
    working.enter(order("order_2", side=Side.SELL), NOW)
    working.submitting("order_2")
    working.fill(fill("f2", "10", "order_2", side=Side.SELL))
    rows |= working.changed_rows()
    assert rows["broker/position/AAPL"] is None
    assert {key: row for key, row in rows.items() if row is not None} == working.rows()
    assert working.changed_rows() == {}


def test_journal_of_another_account_is_refused(working: OrderJournal) -> None:
    with pytest.raises(ConfigError, match="account 'U1', and the broker's is 'U2'"):
        OrderJournal("U2").restore(working.rows())


def test_journal_forgets_the_oldest_orders_that_have_ended(
    monkeypatch: pytest.MonkeyPatch, working: OrderJournal
) -> None:
    monkeypatch.setattr("ingenium.brokers.journal_store._KEPT", 3)
    for number in range(2, 8):
        working.enter(order(f"order_{number}"), NOW)
        working.withhold(f"order_{number}", TradeUpdate.REJECTED, "no")
    assert list(working.entries) == ["order_1", "order_5", "order_6", "order_7"]
    assert working.changed_rows()["broker/order/order_4"] is None


def test_last_word_waits_for_fills_of_fractions_too(working: OrderJournal) -> None:
    working.told(told(TradeUpdate.CANCELED, "0.5"))
    assert working.take_events() == []
    working.fill(fill("f1", "0.25"))
    assert state(working) is OrderState.PARTIAL
    working.fill(fill("f2", "0.25"))
    assert state(working) is OrderState.CANCELED
    assert said(working.take_events()) == [
        ("partial_fill", "0.25"), ("partial_fill", "0.25"), ("canceled", "0"),
    ]  # fmt: skip


def test_replacement_that_is_rejected_after_a_doubt_makes_room_for_another(
    working: OrderJournal,
) -> None:
    working.enter(order("order_2", limit_price=None), NOW, replaces="order_1")
    working.submitting("order_2")
    working.unanswered("order_2", NOW)
    assert working.entries["order_1"].successor == "order_2"
    working.told(told(TradeUpdate.REJECTED, id="order_2"))
    assert state(working, "order_2") is OrderState.REJECTED
    assert working.entries["order_1"].successor == ""
    assert state(working) is OrderState.SUBMITTED
