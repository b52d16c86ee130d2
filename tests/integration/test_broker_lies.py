"""An executor at a broker that lies: each lie is said, stops orders, and can be got past."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.brokering import Office
from support.http_broker import BrokerProcess
from support.lying_broker import BAD_FILLS, LIES, ORDER, BadFillScript, Lie, LyingBroker

from ingenium.brokers import Broker, BrokerExecutor
from ingenium.events import CancelEvent, TradeUpdate, TradingState

pytestmark = pytest.mark.timeout(120)
GRACE = 0.3


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingenium.brokers.order_journal.GRACE_SECONDS", GRACE)
    monkeypatch.setattr("ingenium.brokers.audit._QUIET_SECONDS", GRACE)
    monkeypatch.setattr("ingenium.brokers.audit._LOOK_SECONDS", 0.02)
    monkeypatch.setattr("ingenium.brokers.worker._CHECK_EVERY", 2)
    monkeypatch.setattr("ingenium.brokers.reconciler.FIRST_DELAY_SECONDS", 0.01)


class LyingOffice(Office):
    """An office at a lying broker."""

    def __init__(self, folder: Path) -> None:
        self.lying = LyingBroker()
        super().__init__(folder, BrokerProcess(folder))

    def adapter(self) -> Broker:
        return self.lying

    def make(self, **options: Any) -> BrokerExecutor:
        return super().make(**({"grace_seconds": GRACE, "compare_seconds": 0.5} | options))

    async def order_works(self, executor: BrokerExecutor) -> None:
        await self.order()
        await self.until_reported("new")

    async def until_booked(self, executor: BrokerExecutor) -> None:
        """Wait until all that is true is booked, and was compared."""
        await self.until(lambda: executor.journal.positions == self.lying.held, "the books")
        await self.until(lambda: executor.journal.store.equal_at is not None, "a comparison")

    async def until_said(self, executor: BrokerExecutor, text: str) -> None:
        await self.until(lambda: any(text in each for each in executor.problems), text)

    def reported(self) -> dict[str, Decimal]:
        """Return the positions that follow from what was reported, each id once."""
        held: Counter[str] = Counter()
        by_id = {event.id: event for event in self.executions()}
        for event in by_id.values():
            quantity = Decimal(event.quantity or "0")
            held[event.symbol] += quantity if event.side == "buy" else -quantity  # type: ignore[assignment]
        return {symbol: Decimal(each) for symbol, each in held.items() if each}


@pytest.fixture
def office(tmp_path: Path) -> LyingOffice:
    return LyingOffice(tmp_path)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
async def test_lie_is_said_and_stops_orders_until_a_person_has_looked(
    office: LyingOffice, lie: Lie
) -> None:
    broker = office.lying
    async with office.open() as executor:
        await office.order_works(executor)
        lie.begin(broker)
        await office.until_booked(executor)
        assert not executor.journal.blocked
        assert not executor.is_halted
        lie.tell(broker)
        await office.until_said(executor, lie.says)
        if lie.blocks:
            await office.until(lambda: executor.journal.blocked, "the symbol blocked")
            assert set(executor.journal.blocked) == {"AAPL"}
        if lie.halts:
            await office.until(lambda: executor.is_halted, "a halt")
        await office.order(2)
        await office.until_reported("rejected", order_id="order_2")
        if not lie.halts:
            await office.order(3, symbol="MSFT")
            await office.until_reported("new", order_id="order_3")
            broker.execute("order_3", 10)
    async with office.open() as executor:
        assert lie.blocks == bool(executor.journal.why_blocked("AAPL"))
        assert executor.is_halted == lie.halts
    async with office.open(adopt=True) as executor:
        assert not executor.journal.blocked
        await office.say(TradingState.ACTIVE)
        await office.until(lambda: not executor.is_halted, "trading")
        broker.fills_at_once = True
        await office.order(4)
        await office.until_reported("new", "filled", order_id="order_4")
        await office.until(lambda: executor.journal.positions == broker.held, "equal books")
        # For long enough to doubt all of it once more.
        before = executor.journal.store.equal_at
        await office.until(lambda: executor.journal.store.equal_at != before, "a comparison")
        assert not executor.journal.blocked
        assert not executor.is_halted
    held = {symbol: quantity for symbol, quantity in broker.held.items() if quantity}
    assert office.reported() == held


@pytest.mark.parametrize("script", BAD_FILLS, ids=lambda script: script.name)
async def test_bad_fill_is_a_problem_and_a_block_and_stops_no_start(
    office: LyingOffice, script: BadFillScript
) -> None:
    broker = office.lying
    async with office.open() as executor:
        await office.order_works(executor)
        broker.execute(ORDER, 4)
        await office.until_booked(executor)
        bad = broker.execute(ORDER, 1, is_listed=False, is_counted=False, is_held=False)
        broker.listed.append(script.make(bad))
        await office.until_said(executor, script.says)
        if script.halts:
            await office.until(lambda: executor.is_halted, "a halt")
        assert executor.is_halted == script.halts
        assert bool(executor.journal.why_blocked("AAPL")) != script.halts
        if not script.halts:
            # What is listed behind it is read.
            broker.execute(ORDER, 2)
            await office.until(lambda: executor.journal.positions == broker.held, "the books")
    async with office.open() as executor:
        assert executor.is_halted == script.halts
        assert not any(script.says in each for each in executor.problems), "it was said before"
    async with office.open(adopt=True) as executor:
        assert not executor.journal.blocked
        await office.say(TradingState.ACTIVE)
        await office.until(lambda: not executor.is_halted, "trading")
        broker.fills_at_once = True
        await office.order(4)
        await office.until_reported("new", "filled", order_id="order_4")
        assert not executor.journal.blocked


@pytest.mark.parametrize(
    ("method", "answer", "says", "halts"),
    [
        ("fills", None, "fills() returned None: expected a list of BrokerFill", True),
        ("fills", {"fills": []}, "fills() returned {'fills': []}", True),
        ("positions", None, "positions() returned None: expected a mapping", True),
        ("positions", {"AAPL": 10.0}, "AAPL: the quantity is 10.0: expected a Decimal there", True),
        ("positions", {"AAPL": Decimal("NaN")}, "AAPL: the quantity is NaN", True),
        ("open_orders", iter(()), "expected a list of BrokerOrder", False),
        ("open_orders", [None], "it is None, not a BrokerOrder", False),
        ("find", {"id": 1}, "find() returned an order: it is {'id': 1}", False),
    ],
)
async def test_answer_that_is_none_stops_no_start(
    office: LyingOffice,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    answer: Any,
    says: str,
    halts: bool,
) -> None:
    broker = office.lying
    async with office.open() as executor:
        await office.order_works(executor)
        await office.until_booked(executor)

    async def lie(*_: Any) -> Any:
        return answer

    monkeypatch.setattr(broker, method, lie)
    if method == "find":
        monkeypatch.setattr(broker, "open_orders", open_orders_of_nobody)
    async with office.open() as executor:
        await office.until_said(executor, says)
        assert executor.is_halted == halts
        assert bool(executor.journal.blocked) == (method == "find")
    monkeypatch.undo()
    async with office.open(adopt=True) as executor:
        await office.say(TradingState.ACTIVE)
        broker.fills_at_once = True
        await office.order(4)
        await office.until_reported("new", "filled", order_id="order_4")


@pytest.mark.parametrize("method", ["fills", "positions", "open_orders", "find"])
async def test_adapter_that_cannot_read_an_answer_stops_no_start(
    office: LyingOffice, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async with office.open() as executor:
        await office.order_works(executor)
        await office.until_booked(executor)

    async def fail(*_: Any) -> Any:
        raise KeyError("qty")

    monkeypatch.setattr(office.lying, method, fail)
    if method == "find":
        monkeypatch.setattr(office.lying, "open_orders", open_orders_of_nobody)
    async with office.open() as executor:
        await office.until_said(executor, "KeyError: 'qty'")
        assert executor.is_halted == (method in {"fills", "positions"})
        assert bool(executor.journal.blocked) == (method == "find")


async def test_fills_that_cannot_be_read_any_more_halt_and_a_hiccup_does_not(
    office: LyingOffice,
) -> None:
    async with office.open(grace_seconds=1.0) as executor:
        await office.order_works(executor)
        fills = office.lying.fills
        failed = 0

        async def fail(after: str) -> Any:
            nonlocal failed
            failed += 1
            if failed == 3:
                office.lying.fills = fills  # type: ignore[method-assign]
            raise KeyError("qty")

        office.lying.fills = fail  # type: ignore[method-assign]
        office.lying.execute(ORDER, 4)
        await office.until_booked(executor)
        assert failed == 3
        assert not executor.is_halted
        failed = 10
        office.lying.fills = fail  # type: ignore[method-assign]
        await office.until(lambda: executor.is_halted, "a halt")
        await office.until_said(executor, "the broker's fills cannot be read")


async def open_orders_of_nobody() -> list[Any]:
    return []


async def test_fill_ids_that_repeat_from_order_to_order_are_booked_and_reported_each(
    office: LyingOffice,
) -> None:
    """As at venues that count trades by symbol, or by order."""
    broker = office.lying
    async with office.open() as executor:
        await office.order(1)
        await office.order(2)
        await office.order(3, symbol="MSFT")
        for number, quantity in ((1, 10), (2, 7), (3, 5)):
            await office.until_reported("new", order_id=f"order_{number}")
            broker.execute(f"order_{number}", quantity, id="1")
        await office.until(lambda: executor.journal.positions == broker.held, "the books")
        assert not executor.journal.blocked
        broker.execute("order_2", 3, id="2")
        broker.execute("order_3", 5, id="2")
        await office.until_reported("new", "partial_fill", "filled", order_id="order_3")
    assert broker.held == {"AAPL": 20, "MSFT": 10}
    assert office.reported() == broker.held
    ids = [event.id for event in office.executions()]
    assert len(ids) == len(set(ids)) == 8


async def test_journal_that_is_lost_begins_with_what_the_stream_holds(office: LyingOffice) -> None:
    """Else the portfolio, which has booked the fills, would be told to adopt them once more."""
    broker = office.lying
    async with office.open() as executor:
        await office.order(1)
        await office.order(2)
        await office.until_reported("new", order_id="order_2")
        broker.execute("order_1", 10)
        broker.execute("order_2", 3)
        await office.until_booked(executor)
    for file in office.path.parent.glob("broker.db*"):
        file.unlink()
    broker.execute("order_2", 7)
    async with office.open() as executor:
        await office.until_reported("new", "partial_fill", "filled", order_id="order_2")
        assert not executor.is_halted
    assert broker.held == {"AAPL": 20}
    for file in office.path.parent.glob("broker.db*"):
        file.unlink()
    broker.hold("AAPL", 5)
    async with office.open(adopt=True) as executor:
        assert executor.journal.positions == {"AAPL": 25}
    assert office.reported() == {"AAPL": 25}


async def test_positions_that_differ_halt_again_after_they_were_let_be(office: LyingOffice) -> None:
    broker = office.lying
    async with office.open() as executor:
        await office.order_works(executor)
        broker.execute(ORDER, 10)
        await office.until_booked(executor)
        broker.hold("AAPL", 5)
        for count in (1, 2):
            await office.until(lambda: executor.is_halted, "a halt")
            halts = [event for event in office.controls() if event.state == "halted"]
            assert len({event.id for event in halts}) == count, "others hear each of them"
            await office.say(TradingState.ACTIVE)
            await office.until(lambda: not executor.is_halted, "trading")


async def test_broker_without_positions_says_so_and_compares_nothing(office: LyingOffice) -> None:
    office.lying.lists_positions = False
    office.lying.held = {"AAPL": Decimal(99)}
    async with office.open() as executor:
        assert any("lists no positions" in each for each in executor.problems)
        await office.order()
        await office.until_reported("new")
        assert not executor.is_halted


async def test_reason_of_a_rejection_is_logged_and_reported(office: LyingOffice) -> None:
    async with office.open() as executor:
        await office.order_works(executor)
        order = office.lying.orders[ORDER]
        office.lying.tell(replace(order, update=TradeUpdate.REJECTED, reason="no shares to borrow"))
        await office.until_reported("new", "rejected")
        assert any(
            "order order_1 (buy 10 AAPL) was rejected by the broker: no shares to borrow" in each
            for each in executor.problems
        )
    assert office.executions()[-1].reason == "no shares to borrow"


async def test_order_that_is_forgotten_while_it_is_canceled_blocks_too(office: LyingOffice) -> None:
    async with office.open() as executor:
        await office.order_works(executor)

        async def forget(client_order_id: str) -> None:
            del office.lying.orders[client_order_id]

        office.lying.cancel = forget  # type: ignore[method-assign]
        await office.send(CancelEvent(id="cancel_1", order_id=ORDER, symbol="AAPL"))
        await office.until_said(executor, "the broker no longer knows order order_1 (buy")
        assert executor.journal.why_blocked("AAPL")
