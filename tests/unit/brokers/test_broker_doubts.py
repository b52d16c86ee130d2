"""What a journal keeps of fills, whose they are, and what a person has taken as it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.broker_fake import NOW, FakeBroker, Work
from support.lying_broker import LyingBroker

from ingenium.brokers import BrokerExecutor, BrokerFill, audit, read_broker, reconciler
from ingenium.brokers.answers import BadAnswerError
from ingenium.brokers.order_journal import OrderJournal
from ingenium.components import handle_of
from ingenium.errors import BrokerError, ConfigError
from ingenium.events import Side, TradeUpdate
from ingenium.ids import make_id
from ingenium.trading import Order

D = Decimal


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "FIRST_DELAY_SECONDS", 0)
    monkeypatch.setattr(audit, "_LOOK_SECONDS", 0.01)


def order(id: str = "o1", symbol: str = "A", quantity: int = 10) -> Order:
    return Order(id=id, symbol=symbol, side=Side.BUY, quantity=D(quantity))


def fill(id: str, client_order_id: str = "o1", quantity: int = 4, **fields: Any) -> BrokerFill:
    values: dict[str, Any] = {"symbol": "A", "side": Side.BUY, "price": D(100), "time": NOW}
    return BrokerFill(
        id=id, client_order_id=client_order_id, quantity=D(quantity), **(values | fields)
    )


def journal_of(*orders: Order) -> OrderJournal:
    journal = OrderJournal("U1")
    for each in orders:
        journal.enter(each, NOW)
        journal.submitting(each.id)
    return journal


def copy(journal: OrderJournal) -> OrderJournal:
    again = OrderJournal("U1")
    again.restore(journal.rows())
    return again


# Ids.


def test_id_of_a_report_follows_from_account_symbol_order_and_fill() -> None:
    journal = journal_of(order("o1"), order("o2"), order("o3", "B"))
    for client_order_id, symbol in (("o1", "A"), ("o2", "A"), ("o3", "B")):
        assert journal.fill(fill("7", client_order_id, symbol=symbol))
    ids = [event.id for event in journal.take_events() if event.price]
    assert ids == [
        make_id("exec", "U1", "fill", "A", "o1", "7"),
        make_id("exec", "U1", "fill", "A", "o2", "7"),
        make_id("exec", "U1", "fill", "B", "o3", "7"),
    ]
    assert journal.positions == {"A": 8, "B": 4}


@pytest.mark.parametrize(
    "other",
    [
        fill("7", quantity=5),
        fill("7", price=D("100.01")),
        fill("7", time=NOW + timedelta(seconds=1)),
    ],
)
def test_two_fills_under_one_id_are_a_problem_and_never_a_duplicate(other: BrokerFill) -> None:
    journal = journal_of(order())
    journal.fill(fill("7"))
    journal.take_events()
    assert not journal.fill(fill("7")), "the same again is no news"
    assert not journal.fill(fill("7", commission=D(1))), "a fee may be told later"
    same_moment = NOW.astimezone().replace(microsecond=NOW.microsecond)
    assert not journal.fill(fill("7", time=same_moment)), "in another time zone"
    assert journal.take_problems() == []
    assert journal.fill(other)
    [problem] = journal.take_problems()
    assert "fill 7 of order o1 is buy" in problem
    assert "the second one is not booked" in problem
    assert journal.why_blocked("A")
    assert journal.updates.is_doubted
    assert journal.positions == {"A": 4}
    again = copy(journal)
    assert not again.fill(other), "it is said once, over restarts too"
    assert again.take_problems() == []


def test_strangers_fills_are_told_apart_by_order_and_symbol() -> None:
    journal = OrderJournal("U1")
    assert journal.fill(fill("7", "", symbol="A"))
    assert journal.fill(fill("7", "", symbol="B"))
    assert journal.fill(fill("7", "theirs", symbol="A"))
    assert not journal.fill(fill("7", "", symbol="B"))
    assert not journal.blocked
    assert journal.fill(fill("7", "", symbol="B", quantity=5))
    assert "B" in journal.blocked


# Journals of before.


def older(journal: OrderJournal) -> dict[str, bytes]:
    """Return rows as the version before wrote them."""
    rows: dict[str, bytes] = {}
    for key, data in journal.rows().items():
        row = msgspec.json.decode(data)
        if isinstance(row, dict):
            for name in ("contents", "clashes", "excused", "reported", "last_key", "equal_at"):
                row.pop(name, None)
        rows[key] = msgspec.json.encode(row)
    return rows


def test_fills_that_an_older_version_has_booked_are_not_reported_again() -> None:
    journal = journal_of(order())
    journal.store.reconciled()
    journal.fill(fill("7"))
    journal.store.read_to(fill("7"))
    again = OrderJournal("U1")
    again.restore(older(journal))
    assert (again.store.last_fill, again.store.last_key) == ("7", "")
    assert not again.fill(fill("7"))
    assert again.fill(fill("8"))
    [event] = again.take_events()
    assert (event.quantity, event.id) == ("4", make_id("exec", "U1", "fill", "A", "o1", "8"))
    assert again.positions == {"A": 8}


def test_strangers_of_an_older_journal_keep_their_rows_under_new_keys() -> None:
    journal = OrderJournal("U1")
    journal.fill(fill("7", "theirs"))
    rows = {
        f"broker/stranger/{'7' if 'stranger' in key else key}" if "stranger" in key else key: data
        for key, data in older(journal).items()
    }
    assert "broker/stranger/7" in rows
    again = OrderJournal("U1")
    again.restore(rows)
    assert not again.fill(fill("7", "theirs"))
    changed = again.changed_rows()
    assert changed["broker/stranger/7"] is None
    assert {k: v for k, v in (rows | changed).items() if v is not None} == again.rows()


def test_fill_that_was_reported_under_an_older_id_keeps_it_when_the_journal_is_lost() -> None:
    """Else a portfolio, which has booked the older one, would book it twice."""
    old_id = make_id("exec", "U1", "7")
    journal = OrderJournal("U1")
    journal.enter(order(), NOW)
    journal.seen_elsewhere("o1", NOW, ["exec_new", old_id])
    journal = copy(journal)
    journal.fill(fill("7"))
    journal.fill(fill("8"))
    ids = [event.id for event in journal.take_events() if event.price]
    assert ids == [old_id, make_id("exec", "U1", "fill", "A", "o1", "8")]


# What a person has taken as it is.


def test_fill_that_is_listed_after_it_was_taken_over_is_not_booked_again() -> None:
    journal = journal_of(order())
    told = FakeBroker().put(order(), filled=D(10), update=TradeUpdate.FILLED)
    journal.told(told)
    journal.fill(fill("1"))
    assert list(journal.updates.gaps) == ["o1"]
    journal.updates.excuse("o1", told)
    assert not journal.updates.gaps
    assert not copy(journal).updates.gaps
    events = journal.take_events()
    assert [event.update for event in events] == ["new", "partial_fill", "canceled"]
    assert "counts 10 as filled and lists 4" in (events[-1].reason or "")
    journal.move("A", D(6))  # as the positions are taken over
    again = copy(journal)
    assert not again.fill(fill("2", quantity=6))
    assert again.positions == {"A": 10}
    assert again.take_events() == []
    [problem] = again.take_problems()
    assert "not booked again" in problem
    assert not again.updates.gaps


def test_order_that_works_on_keeps_what_was_taken_over_out_of_its_rest() -> None:
    journal = journal_of(order())
    told = FakeBroker().put(order(), filled=D(6), update=TradeUpdate.PARTIAL_FILL)
    journal.told(told)
    journal.fill(fill("1"))
    journal.updates.excuse("o1", told)
    entry = journal.entries["o1"]
    assert journal.leaves(entry) == 4
    assert "o1" in journal.open
    journal.fill(fill("3", quantity=4))
    assert entry.state == "filled"


async def test_adopt_ends_an_order_that_the_broker_has_forgotten() -> None:
    work = Work()
    await work.executor.prepare(work.desk)
    work.order()
    await work.step()
    del work.broker.orders["o1"]
    for _ in range(3):
        work.executor.journal.check_all()
        assert await work.step() == ["find o1"]
        work.desk.now += timedelta(seconds=3)
    assert "no longer knows order o1 (buy 10 A, 0 filled)" in work.executor.journal.why_blocked("A")
    again = Work(work.broker, adopt=True)
    handle_of(again.executor).restore_rows(handle_of(work.executor).state_rows())
    await again.executor.prepare(again.desk)
    assert again.updates() == ["canceled"]
    assert not again.executor.journal.why_blocked("A")


# What cannot be asked.


async def test_symbol_waits_while_missing_fills_cannot_be_asked_for() -> None:
    work = Work(poll_seconds=3600.0, grace_seconds=0.0)
    work.order()
    await work.step()
    work.broker.fill("o1", 10)
    journal = work.executor.journal
    journal.told(work.broker.orders["o1"])
    fills = work.broker.fills

    async def fail(after: str) -> Any:
        raise BrokerError("down")

    work.broker.fills = fail  # type: ignore[method-assign]
    task = asyncio.create_task(work.work._audit.run())
    try:
        async with asyncio.timeout(10):
            while not journal.why_blocked("A"):
                await asyncio.sleep(0)
            assert "orders in A wait: the broker counts other fills of order o1" in (
                journal.why_blocked("A")
            )
            work.broker.fills = fills  # type: ignore[method-assign]
            while journal.why_blocked("A"):
                await asyncio.sleep(0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert journal.positions == {"A": 10}
    assert not journal.blocked


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("account", None, "account is None: expected a string"),
        ("account", "", "account is empty"),
        ("idempotent", "no", "idempotent is 'no': set it to True or False"),
        ("lists_positions", 1, "lists_positions is 1: set it to True or False"),
    ],
)
def test_adapter_whose_attributes_are_wrong_is_refused(name: str, value: Any, text: str) -> None:
    broker = LyingBroker()
    setattr(broker, name, value)
    with pytest.raises(ConfigError, match=text):
        BrokerExecutor(broker)


# For those who compare.


async def test_books_of_a_broker_are_read_without_changing_anything() -> None:
    broker = LyingBroker()
    await broker.submit(order())
    broker.execute("o1", 4)
    broker.hold("B", -3)
    broker.hold("C", 0)
    books = await read_broker(broker)
    assert books.account == "U1"
    assert books.positions == {"A": D(4), "B": D(-3)}
    assert [each.client_order_id for each in books.orders] == ["o1"]
    assert books.problems == []
    broker.held["D"] = 1.5
    broker.tell(replace(broker.orders["o1"], quantity=10.0))
    books = await read_broker(broker)
    assert books.positions == {"A": D(4), "B": D(-3)}
    assert books.orders == []
    assert len(books.problems) == 2
    broker.lists_positions = False
    assert (await read_broker(broker)).positions is None


async def test_books_that_cannot_be_read_are_an_error() -> None:
    class Broken(LyingBroker):
        async def positions(self) -> Any:
            return [("A", 1)]

    with pytest.raises(BadAnswerError, match="set lists_positions = False"):
        await read_broker(Broken())


async def test_updates_that_are_no_iterator_and_items_that_are_no_orders_are_said() -> None:
    class Listing(FakeBroker):
        async def updates(self) -> Any:  # type: ignore[override]
            return []

    for broker, text in ((Listing(), "expected an async iterator"), (FakeBroker(), "it is 7, not")):
        broker.news = [7]  # type: ignore[list-item]
        work = Work(broker, poll_seconds=3600.0)
        task = asyncio.create_task(work.work.run())
        async with asyncio.timeout(10):
            while not any(text in problem for problem in work.executor.problems):
                assert not task.done()
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_difference_says_since_when(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> Work:
        work = Work()
        await work.executor.prepare(work.desk)
        work.desk.now = datetime(2024, 1, 2, 16, tzinfo=UTC)
        work.broker.held = {"A": D(-5)}
        await work.reconciler.compare(adopt=False)
        return work

    work = asyncio.run(run())
    assert any(
        "A: -5 there, 0 here (equal until 2024-01-02 15:00:00 UTC)" in text
        for text in work.executor.problems
    )
