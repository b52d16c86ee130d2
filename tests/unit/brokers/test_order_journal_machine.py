"""The journal under everything that can happen: lost calls, crashes, news in any order.

A broker, a wire and a journal. Whatever is drawn, an order is at the broker at most once, each fill
is reported once, and nothing whose fate is unknown ends without a word.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import Call, CallKind, JournalEntry, OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.errors import DuplicateOrderError
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.trading import Order

START = datetime(2024, 1, 2, 15, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT")
MAX_AGE_SECONDS = 30
# A request may be on its way for less than the journal's grace. What arrives even later, nobody
# can tell from what never does; the journal then cancels it, which another test shows.
MAX_WIRE_SECONDS = 4


class Broker:
    """What is true: orders by number, of which several may have one id."""

    def __init__(self, *, idempotent: bool) -> None:
        self.idempotent = idempotent
        self.orders: list[BrokerOrder] = []
        self.fills: list[BrokerFill] = []

    def find(self, client_order_id: str) -> BrokerOrder | None:
        return next((o for o in self.orders if o.client_order_id == client_order_id), None)

    def submit(self, order: Order) -> BrokerOrder:
        if self.idempotent and self.find(order.id) is not None:
            raise DuplicateOrderError(order.id)
        made = BrokerOrder(
            client_order_id=order.id,
            venue_order_id=f"b{len(self.orders)}",
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
        )
        self.orders.append(made)
        return made

    def change(self, old: BrokerOrder, update: TradeUpdate, filled: Decimal) -> None:
        at = self.orders.index(old)
        self.orders[at] = BrokerOrder(
            client_order_id=old.client_order_id,
            venue_order_id=old.venue_order_id,
            symbol=old.symbol,
            side=old.side,
            quantity=old.quantity,
            update=update,
            filled=filled,
        )

    def fill(self, order: BrokerOrder, quantity: int) -> None:
        some = min(Decimal(quantity), order.quantity - order.filled)
        filled = order.filled + some
        update = TradeUpdate.FILLED if filled == order.quantity else TradeUpdate.PARTIAL_FILL
        self.change(order, update, filled)
        self.fills.append(
            BrokerFill(
                id=f"f{len(self.fills)}",
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=some,
                price=Decimal(100),
                time=START,
            )
        )

    def position(self, symbol: str) -> Decimal:
        return sum((f.quantity for f in self.fills if f.symbol == symbol), Decimal(0))


class Machine(RuleBasedStateMachine):
    idempotent = True

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.broker = Broker(idempotent=self.idempotent)
        self.journal = OrderJournal("U1")
        self.disk: dict[str, bytes] = self.journal.rows()
        self.told: list[ExecutionEvent] = []
        # Requests that are on the wire, and answers that are on their way back.
        self.requests: list[tuple[datetime, Order]] = []
        self.answers: list[BrokerOrder | str] = []
        self.news: list[BrokerOrder] = []
        self.entered = 0
        self.sent: Counter[str] = Counter()
        self.refused: set[str] = set()

    # The journal's surroundings.

    def commit(self) -> None:
        for key, row in self.journal.changed_rows().items():
            if row is None:
                self.disk.pop(key, None)
            else:
                self.disk[key] = row
        self.told += self.journal.take_events()
        assert self.disk == self.journal.rows()

    def crash(self) -> None:
        self.journal = OrderJournal("U1")
        self.journal.restore(self.disk)
        self.journal.all_unanswered(self.now)
        self.answers.clear()
        self.commit()

    def may_send(self, entry: JournalEntry) -> bool:
        return (self.now - entry.entered).total_seconds() <= MAX_AGE_SECONDS

    def calls(self) -> list[Call]:
        return [call for symbol in SYMBOLS for call in self.journal.calls(symbol)]

    def miss_or_tell(self, order_id: str) -> None:
        found = self.broker.find(order_id)
        if found is not None:
            self.journal.told(found)
            return
        entry = self.journal.entries[order_id]
        self.journal.missing(
            order_id, self.now, idempotent=self.idempotent, may_send=self.may_send(entry)
        )

    # What may happen.

    @rule(symbol=st.sampled_from(SYMBOLS), quantity=st.integers(1, 5))
    def enter(self, symbol: str, quantity: int) -> None:
        self.entered += 1
        order = Order(
            id=f"order_{self.entered}", symbol=symbol, side=Side.BUY, quantity=Decimal(quantity)
        )
        self.journal.enter(order, self.now)
        self.commit()

    @rule(data=st.data(), crashes=st.sampled_from(["", "before", "after"]))
    @precondition(lambda self: any(c.act is CallKind.SUBMIT for c in self.calls()))
    def send(self, data: st.DataObject, crashes: str) -> None:
        due = data.draw(st.sampled_from([c for c in self.calls() if c.act is CallKind.SUBMIT]))
        entry = self.journal.entries[due.order_id]
        if not self.may_send(entry):
            self.journal.withhold(due.order_id, TradeUpdate.EXPIRED, "too old")
            self.journal.keep_asking(due.order_id)
            self.commit()
            return
        self.journal.submitting(due.order_id)
        if crashes == "before":
            self.crash()  # Nothing was written, and nothing has left.
            return
        self.commit()
        if crashes == "after":
            self.crash()
            return
        self.sent[due.order_id] += 1
        self.requests.append((self.now, entry.order))

    @rule(data=st.data(), is_lost=st.booleans())
    @precondition(lambda self: self.requests)
    def arrive(self, data: st.DataObject, is_lost: bool) -> None:
        request = data.draw(st.sampled_from(self.requests))
        self.requests.remove(request)
        if is_lost:
            return
        try:
            answer: BrokerOrder | str = self.broker.submit(request[1])
        except DuplicateOrderError as error:
            answer = str(error)
        self.answers.append(answer)

    @rule(data=st.data())
    @precondition(lambda self: self.answers)
    def answer(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from(self.answers))
        self.answers.remove(answer)
        if isinstance(answer, str):
            self.journal.unanswered(answer, self.now, is_known_there=True)
        else:
            self.journal.told(answer)
        self.commit()

    @rule(data=st.data())
    @precondition(lambda self: self.submitting())
    def time_out(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(self.submitting()))
        self.journal.unanswered(order_id, self.now)
        self.commit()

    @rule(data=st.data())
    @precondition(lambda self: self.submitting() and not self.requests and not self.answers)
    def refuse(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(self.submitting()))
        if self.broker.find(order_id) is None:
            self.journal.refused(order_id, "no")
            self.refused.add(order_id)
            self.commit()

    @rule(data=st.data())
    @precondition(lambda self: any(c.act is CallKind.FIND for c in self.calls()))
    def find(self, data: st.DataObject) -> None:
        due = data.draw(st.sampled_from([c for c in self.calls() if c.act is CallKind.FIND]))
        self.miss_or_tell(due.order_id)
        self.commit()

    @rule(seconds=st.integers(1, MAX_WIRE_SECONDS))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        oldest = self.now - timedelta(seconds=MAX_WIRE_SECONDS)
        self.requests = [(time, order) for time, order in self.requests if time > oldest]

    @rule(data=st.data(), quantity=st.integers(1, 5))
    @precondition(lambda self: any(o.is_open for o in self.broker.orders))
    def fill_there(self, data: st.DataObject, quantity: int) -> None:
        order = data.draw(st.sampled_from([o for o in self.broker.orders if o.is_open]))
        self.broker.fill(order, quantity)
        self.news.append(self.broker.orders[-1])

    @rule(data=st.data())
    @precondition(lambda self: self.broker.fills)
    def tell_fill(self, data: st.DataObject) -> None:
        self.journal.fill(data.draw(st.sampled_from(self.broker.fills)))
        self.commit()

    @rule(data=st.data())
    @precondition(lambda self: self.broker.orders)
    def tell_update(self, data: st.DataObject) -> None:
        self.journal.told(data.draw(st.sampled_from([*self.broker.orders, *self.news])))
        self.commit()

    @rule(data=st.data())
    @precondition(lambda self: self.journal.open)
    def ask_cancel(self, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.journal.open)))
        self.journal.ask_cancel(order_id, "cancel_1")
        self.commit()

    @rule(data=st.data(), is_lost=st.booleans())
    @precondition(lambda self: any(c.act is CallKind.CANCEL for c in self.calls()))
    def cancel(self, data: st.DataObject, is_lost: bool) -> None:
        due = data.draw(st.sampled_from([c for c in self.calls() if c.act is CallKind.CANCEL]))
        self.cancel_there(due.order_id)
        if not is_lost:
            self.journal.cancel_sent(due.order_id)
            self.commit()

    @rule()
    def die(self) -> None:
        self.crash()

    def submitting(self) -> list[str]:
        return sorted(i for i, e in self.journal.open.items() if e.state is OrderState.SUBMITTING)

    def cancel_there(self, order_id: str) -> None:
        order = self.broker.find(order_id)
        if order is not None and order.is_open:
            self.broker.change(order, TradeUpdate.CANCELED, order.filled)

    # What must always hold.

    @invariant()
    def no_order_is_there_twice(self) -> None:
        counts = Counter(order.client_order_id for order in self.broker.orders)
        assert all(count == 1 for count in counts.values()), counts
        if not self.idempotent:
            assert all(count == 1 for count in self.sent.values()), self.sent

    @invariant()
    def every_report_has_an_id_of_its_own(self) -> None:
        assert len({event.id for event in self.told}) == len(self.told)

    @invariant()
    def positions_are_what_was_reported(self) -> None:
        for symbol in SYMBOLS:
            reported = sum(
                (Decimal(e.quantity) for e in self.told if e.quantity and e.symbol == symbol),
                Decimal(0),
            )
            assert self.journal.positions.get(symbol, Decimal(0)) == reported

    @invariant()
    def nothing_ends_without_a_word(self) -> None:
        words = {(event.order_id, event.update) for event in self.told}
        for order_id, entry in self.journal.entries.items():
            if entry.has_ended:
                assert (order_id, entry.state.value) in words

    def teardown(self) -> None:
        """Let the network and the broker be well again, and see that all comes to its end."""
        self.requests.clear()
        self.answers.clear()
        self.crash()
        for _ in range(200):
            self.now += timedelta(seconds=1)
            for fill in self.broker.fills:
                self.journal.fill(fill)
            self.journal.check_all()
            due = self.calls()
            for call in due:
                if call.act is CallKind.CANCEL:
                    self.cancel_there(call.order_id)
                    self.journal.cancel_sent(call.order_id)
                elif call.act is CallKind.FIND:
                    self.miss_or_tell(call.order_id)
                elif self.may_send(self.journal.entries[call.order_id]):
                    self.journal.submitting(call.order_id)
                    self.commit()
                    self.sent[call.order_id] += 1
                    self.journal.told(self.broker.submit(self.journal.entries[call.order_id].order))
                else:
                    self.journal.withhold(call.order_id, TradeUpdate.EXPIRED, "too old")
                    self.journal.keep_asking(call.order_id)
            self.commit()
        self.no_order_is_there_twice()
        self.nothing_ends_without_a_word()
        for symbol in SYMBOLS:
            assert self.journal.positions.get(symbol, Decimal(0)) == self.broker.position(symbol)
        there = {order.client_order_id: order for order in self.broker.orders}
        for order_id, entry in self.journal.entries.items():
            at_broker = there.get(order_id)
            if at_broker is None:
                # Never there, or nobody but a person can tell.
                assert entry.has_ended or entry.needs_human or self.waits(entry)
                if not self.idempotent and self.sent[order_id] and order_id not in self.refused:
                    assert entry.needs_human
            elif not at_broker.is_open:
                assert entry.state.value == at_broker.update.value
            else:
                assert entry.is_at_broker

    def waits(self, entry: JournalEntry) -> bool:
        """Whether an order waits behind one of its symbol that a person has to look at."""
        symbol = entry.order.symbol
        return entry.state is OrderState.NEW and any(
            e.needs_human for e in self.journal.open.values() if e.order.symbol == symbol
        )


class MachineWithTwins(Machine):
    idempotent = False


_SETTINGS = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(120)
class TestAtABrokerThatTakesAnIdOnce(Machine.TestCase):  # type: ignore[valid-type,misc]
    settings = _SETTINGS


@pytest.mark.timeout(120)
class TestAtABrokerThatTakesAnIdTwice(MachineWithTwins.TestCase):  # type: ignore[valid-type,misc]
    settings = _SETTINGS
