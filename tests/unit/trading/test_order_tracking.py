"""What still works of an order that takes another's place, in whatever order that is reported."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.components import Portfolio, handle_of
from ingenium.events import ExecutionEvent, Side
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, tzinfo=UTC)


class Story:
    """A portfolio with an order, and reports on it and on those in its place."""

    def __init__(self, **order: Any) -> None:
        self.portfolio = Portfolio(100_000)
        self.saved: dict[str, bytes] = {}
        self.count = 0
        self.begin()
        fields: dict[str, Any] = {"side": "buy", "quantity": 10} | order
        self.old = self.portfolio.send_order("A", **fields)
        self.new = self.old

    def begin(self) -> None:
        self.count += 1
        handle_of(self.portfolio).begin(f"cause {self.count}", NOW)

    def replace(self, old_id: str = "", **changes: Any) -> Order:
        self.begin()
        self.new = self.portfolio.replace_order(old_id or self.old.id, **changes)
        self.save()
        return self.new

    def report(self, order_id: str, update: str, quantity: int = 0) -> None:
        self.begin()
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(
                id=f"exec_{self.count}",
                order_id=order_id,
                update=update,
                quantity=str(quantity) if quantity else "",
                price="100" if quantity else None,
                timestamp=NOW,
            )
        )
        self.save()

    def save(self) -> None:
        """Write what has changed, as a store does: that is all there is to restore."""
        handle = handle_of(self.portfolio)
        for key, row in handle.changed_rows().items():
            self.saved.pop(key, None)
            if row is not None:
                self.saved[key] = row
        assert self.saved == handle.state_rows()

    def restart(self) -> None:
        again = Portfolio(100_000)
        handle_of(again).restore_log(handle_of(self.portfolio).take_log())
        handle_of(again).restore_rows(self.saved)
        self.portfolio = again

    @property
    def leaves(self) -> dict[str, Decimal]:
        return {id: working.leaves for id, working in self.portfolio.orders.items()}


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("first", ["new", "replaced"])
def test_successor_of_a_half_filled_order_leaves_what_is_left(first: str, restarts: bool) -> None:
    story = Story(type="limit", limit_price=100)
    story.report(story.old.id, "new")
    story.report(story.old.id, "partial_fill", 4)
    new = story.replace(quantity=12, limit_price=101)
    for update in ("new", "replaced") if first == "new" else ("replaced", "new"):
        if restarts:
            story.restart()
        story.report(new.id if update == "new" else story.old.id, update)
    assert story.leaves == {new.id: Decimal(8)}
    assert story.portfolio.pending("A") == 8
    story.report(new.id, "partial_fill", 3)
    assert story.leaves == {new.id: Decimal(5)}
    story.report(new.id, "filled", 5)
    assert story.leaves == {}
    assert story.portfolio.position("A").quantity == 12


@pytest.mark.parametrize("first", ["new", "replaced"])
def test_successor_of_a_half_filled_protective_order_protects_what_is_left(first: str) -> None:
    story = Story(stop_loss=90)
    story.report(story.old.id, "filled", 10)
    [stop] = story.old.protective_orders()
    story.report(stop.id, "partial_fill", 4)
    new = story.replace(stop.id, stop_price=95)
    for update in ("new", "replaced") if first == "new" else ("replaced", "new"):
        story.report(new.id if update == "new" else stop.id, update)
    assert story.leaves == {}, "protective orders count as pending for nobody"
    legs = {
        k: v for k, v in handle_of(story.portfolio).state_rows().items() if k.startswith("leg/")
    }
    assert list(legs) == [f"leg/{new.id}"]
    assert b'"filled":"4"' in legs[f"leg/{new.id}"]
    story.report(new.id, "partial_fill", 6)
    assert not any(k.startswith(("leg/", "heir/")) for k in handle_of(story.portfolio).state_rows())
    assert story.portfolio.position("A").quantity == 0
    assert not story.portfolio.problems


@pytest.mark.parametrize("restarts", [False, True])
def test_fill_of_the_old_order_that_comes_late_counts_for_those_in_its_place(
    restarts: bool,
) -> None:
    story = Story(type="limit", limit_price=100)
    first, second = story.old, story.replace(limit_price=101)
    story.report(second.id, "new")
    story.report(first.id, "partial_fill", 2)
    story.report(first.id, "replaced")
    assert story.leaves == {second.id: Decimal(8)}
    third = story.replace(second.id, limit_price=102)
    story.report(second.id, "replaced")
    if restarts:
        story.restart()
    story.report(first.id, "partial_fill", 1)
    story.report(second.id, "partial_fill", 3)
    assert story.leaves == {third.id: Decimal(4)}
    story.report(first.id, "partial_fill", 4)
    assert story.leaves == {}
    assert story.portfolio.position("A").quantity == 10
    assert not any(k.startswith("heir/") for k in handle_of(story.portfolio).state_rows())


def test_order_whose_replacement_is_rejected_works_on() -> None:
    story = Story(type="limit", limit_price=100)
    new = story.replace(quantity=12)
    story.report(new.id, "rejected")
    story.report(story.old.id, "partial_fill", 4)
    assert story.leaves == {story.old.id: Decimal(6)}
    again = story.replace(quantity=14)
    story.report(story.old.id, "replaced")
    assert story.leaves == {again.id: Decimal(10)}


@given(
    fills=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=6),
    seed=st.randoms(use_true_random=False),
    side=st.sampled_from(Side),
)
def test_leaves_are_the_quantity_without_all_that_was_filled(
    fills: list[tuple[int, int]], seed: Any, side: Side
) -> None:
    """An order is replaced twice; the reports come in any order that a broker could have."""
    story = Story(type="limit", limit_price=100, side=side, quantity=20)
    ids = [story.old.id]
    for number in (1, 2):
        ids.append(story.replace(ids[-1], limit_price=100 + number).id)
        reports = [(ids[-1], "new"), (ids[-2], "replaced")]
        seed.shuffle(reports)
        for order_id, update in reports:
            # What is filled of an order is told while it works, or late.
            while fills and fills[0][0] < number and seed.random() < 0.5:
                which, quantity = fills.pop(0)
                story.report(ids[which], "partial_fill", quantity)
            story.report(order_id, update)
    for which, quantity in fills:
        story.report(ids[which], "partial_fill", quantity)
    filled = abs(story.portfolio.position("A").quantity)
    left = 20 - filled
    assert sum(story.leaves.values()) == left
    assert story.portfolio.pending("A") == (left if side is Side.BUY else -left)
