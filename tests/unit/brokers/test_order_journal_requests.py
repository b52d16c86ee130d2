"""The order journal: refusals, cancels and replacements."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from support.journal_orders import NOW, copy, fill, miss, order, said, state, told

from ingenium.brokers.journal_entry import HALT, Call, CallKind, OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.errors import ConfigError
from ingenium.events import Side, TradeUpdate


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


def test_late_fill_of_the_replaced_order_ends_its_successor(working: OrderJournal) -> None:
    replace(working, "6")
    working.submitting("order_2")
    working.told(told(TradeUpdate.NEW, id="order_2", quantity=Decimal(6)))
    working.fill(fill("f2", "2", "order_2"))
    working.take_events()
    # The broker filled 4 before it replaced the order, and lists that last.
    working.fill(fill("f1", "4"))
    assert [
        (e.order_id, e.update, e.quantity, e.leaves_quantity) for e in working.take_events()
    ] == [("order_1", "partial_fill", "4", "0"), ("order_2", "canceled", "0", "0")]
    assert not working.open
    assert state(working, "order_2") is OrderState.FILLED
    # The broker's own word on it comes later, and is no news.
    working.told(told(TradeUpdate.FILLED, "2", id="order_2", quantity=Decimal(6)))
    assert working.take_events() == []
    assert working.take_problems() == []


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
    assert "no longer knows order order_1" in problem
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
    with pytest.raises(ConfigError, match="account 'U1', but the broker reports account 'U2'"):
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
