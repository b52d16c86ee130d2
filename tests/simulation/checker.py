"""What must be true of a world that has healed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from simulation.parts import PORTFOLIO, BusyPortfolio, make_portfolio, signal_id
from simulation.words import said

from ingenium.brokers.broker_executor import BrokerExecutor
from ingenium.brokers.journal_entry import OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.components import Portfolio, arm, handle_of
from ingenium.components.handle_of import risk_of
from ingenium.events import (
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    TradeUpdate,
    decode,
)
from ingenium.ids import make_id
from ingenium.subjects.names import event_type_of

if TYPE_CHECKING:
    from simulation.world import SimWorld

__all__ = ["check"]

_MOST_SENDS = 4
ZERO = Decimal(0)
_STATES = {
    TradeUpdate.NEW: OrderState.SUBMITTED,
    TradeUpdate.PARTIAL_FILL: OrderState.PARTIAL,
    TradeUpdate.FILLED: OrderState.FILLED,
    TradeUpdate.CANCELED: OrderState.CANCELED,
    TradeUpdate.REJECTED: OrderState.REJECTED,
    TradeUpdate.REPLACED: OrderState.REPLACED,
}
_MAY_HOLD_EXITS = {"halted", "symbol_halted"}
_LIES_ABOUT_POSITIONS = {"unlisted", "bust"}
_LAST_WORDS = {"filled", "canceled", "rejected", "expired", "replaced"}


def check(world: SimWorld) -> None:
    """Look for what must not be, and add it to the world's violations."""
    if any(actor.refused for actor in world.actors) or world.server.lost:
        _check_refusals(world)
        return
    check = _Check(world)
    check.signals()
    check.orders()
    check.stream()
    check.dead_letters()
    if world.chaos.options.rival:
        # Who took over on another machine does not know what the first one has begun.
        return
    check.positions()
    check.lies()
    check.journal()
    check.working()
    check.exits()
    check.outboxes()
    check.switches()
    check.state()


def _check_refusals(world: SimWorld) -> None:
    for actor in world.actors:
        if actor.refused is not None and not world.server.lost:
            world.violations.append(f"{actor.name} refuses a stream that is whole: {actor.refused}")


class _Check:
    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.events: list[tuple[Record, Event]] = []
        for record in world.server.records:
            kind = event_type_of(record.message.subject)
            if kind is not None:
                self.events.append((record, decode(kind, record.message.payload)))
        self.acted = 0
        """How many signals the portfolio has acted upon."""
        counts = world.chaos.counts
        for _, event in self.events:
            counts[f"events {type(event).__name__}"] += 1
            if isinstance(event, DenialEvent):
                counts[f"denials {event.reason}"] += 1
        counts["events"] = len(world.server.records)

    def fail(self, text: str) -> None:
        self.world.violations.append(text)

    def signals(self) -> None:
        """I1: each signal that was acknowledged makes one order, or a denial, and never two."""
        orders = Counter(event.id for _, event in self.events if isinstance(event, OrderEvent))
        denials = {
            event.id: event.reason for _, event in self.events if isinstance(event, DenialEvent)
        }
        acknowledged = set(self.world.script.acknowledged)
        for number in range(self.world.chaos.options.signals):
            cause = signal_id(number)
            numbers = [str(count) for count in range(_MOST_SENDS)]
            ordered = [make_id("order", PORTFOLIO, cause, n) for n in numbers]
            denied = [make_id("denial", PORTFOLIO, cause, n) for n in numbers]
            sent = sum(order in orders for order in ordered)
            no = sum(denial in denials for denial in denied)
            late = any(denials.get(denial) == "late" for denial in denied)
            self.acted += sent + no > 0 and not late
            if sent > 1:
                self.fail(f"I1: signal {cause} made {sent} orders")
            if cause in acknowledged and self.world.chaos.options.is_busy and not sent + no:
                self.fail(f"I1: signal {cause} was acknowledged, and nothing came of it")
        unknown = set(orders) - {
            make_id("order", PORTFOLIO, signal_id(n), str(c))
            for n in range(self.world.chaos.options.signals)
            for c in range(_MOST_SENDS)
        }
        if unknown:
            self.fail(f"I1: orders that no signal caused: {sorted(unknown)}")

    def orders(self) -> None:
        """I1: no order is at the broker twice, and none that nobody has sent."""
        sent = {
            event.id for _, event in self.events if isinstance(event, OrderEvent | ReplaceEvent)
        }
        placed = Counter(each.order.id for each in self.world.exchange.placed)
        options = self.world.chaos.options
        for order_id, count in placed.items():
            # An executor on another machine cannot know what the first one has sent to a broker
            # that does not know ids again.
            if count > 1 and (options.idempotent or not options.rival):
                self.fail(f"I1: order {order_id} is at the broker {count} times")
            if order_id not in sent:
                self.fail(f"I1: the broker has order {order_id}, which nobody has sent")

    def positions(self) -> None:
        """I2: fills of the broker and of the stream, and positions, are the same."""
        told: dict[str, Decimal] = {}
        seen: set[str] = set()
        for _, event in self.events:
            if isinstance(event, ExecutionEvent) and event.quantity != "0" and event.id not in seen:
                seen.add(event.id)
                quantity = Decimal(event.quantity)
                _add(told, event.symbol, quantity if event.side == "buy" else -quantity)
        filled: dict[str, Decimal] = {}
        for fill in self.world.exchange.executed:
            _add(filled, fill.symbol, fill.quantity if fill.side == "buy" else -fill.quantity)
        portfolio = self.world.portfolio.component
        assert isinstance(portfolio, Portfolio)
        journal = self._journal().positions
        for symbol in self.world.script.symbols:
            found = {
                "at the broker": filled.get(symbol, ZERO),
                "in its positions": Decimal(self.world.exchange.positions[symbol]),
                "in the stream": told.get(symbol, ZERO),
                "in the portfolio": portfolio.position(symbol).quantity,
                "in the journal": journal.get(symbol, ZERO),
            }
            if self.world.exchange.lied.get(symbol) in _LIES_ABOUT_POSITIONS:
                del found["at the broker"], found["in its positions"]
            if len(set(found.values())) > 1:
                text = ", ".join(f"{quantity} {where}" for where, quantity in found.items())
                self.fail(f"I2: {symbol}: {text}")

    def journal(self) -> None:
        """I6: what became of each order is known, or a person is told that it is not."""
        executor = self.world.executor.component
        assert isinstance(executor, BrokerExecutor)
        journal = self._journal()
        there = {each.order.id: each for each in self.world.exchange.placed}
        said: dict[str, set[str]] = {}
        for _, event in self.events:
            if isinstance(event, ExecutionEvent):
                said.setdefault(event.order_id, set()).add(event.update or "")
        for order_id, each in there.items():
            if each.update is not TradeUpdate.REJECTED and "rejected" in said.get(order_id, set()):
                self.fail(f"I6: {order_id} was told to be rejected, and is {each.update}")
        for order_id, entry in journal.entries.items():
            placed = there.get(order_id)
            if entry.needs_human:
                self.world.chaos.counts["orders in doubt"] += 1
                if placed is not None:
                    self.fail(f"I6: {order_id} is in doubt, and is at the broker")
                if self.world.chaos.options.idempotent:
                    self.fail(f"I6: {order_id} is left in doubt at a broker that takes ids once")
            elif entry.is_in_doubt or entry.state is OrderState.NEW:
                self.fail(f"I6: {order_id} is left {entry.state}")
            elif placed is not None and placed.order.symbol not in self.world.exchange.lied:
                if entry.state != _STATES.get(placed.update):
                    self.fail(f"I6: {order_id} is {placed.update} there and {entry.state} here")
            elif placed is None and not entry.has_ended:
                self.fail(f"I6: {order_id} is {entry.state} here, and not at the broker")
            if entry.has_ended and not said.get(order_id, set()) & _LAST_WORDS:
                self.fail(f"I6: {order_id} is {entry.state}, and nobody was told")
        for _, event in self.events:
            if not isinstance(event, OrderEvent | ReplaceEvent):
                continue
            if event.id not in journal.entries and not said.get(event.id, set()) & _LAST_WORDS:
                self.fail(f"I1: nothing became of order {event.id}")

    def lies(self) -> None:
        """I7: a broker that contradicts itself is found out, and nothing is traded on it."""
        executor = self.world.executor.component
        assert isinstance(executor, BrokerExecutor)
        exchange = self.world.exchange
        journal = executor.journal
        for symbol, lie in exchange.lied.items():
            if lie in {"forgotten", "unlisted"} and symbol not in journal.blocked:
                self.fail(f"I7: {symbol} is not blocked, and the broker has lied: {lie}")
            if lie not in _LIES_ABOUT_POSITIONS:
                continue
            there = Decimal(exchange.positions[symbol])
            if there == journal.positions.get(symbol, ZERO):
                continue  # Two wrongs.
            text = f"{symbol}: {there:f} there"
            if not executor.is_halted or not any(text in each for each in executor.problems):
                self.fail(f"I7: {text}, other here, and trading is not halted for that: {lie}")

    def switches(self) -> None:
        """What an operator has said last holds for all."""
        for actor in (self.world.portfolio, self.world.executor):
            component = actor.component
            assert component is not None
            risk = risk_of(component)
            assert risk is not None
            assert risk.gate is not None
            state = risk.gate.switch.state
            last = said(self.world.server.records)
            if state != last:
                self.fail(f"trading is {state} for {actor.name}, and {last} in the stream")

    def _journal(self) -> OrderJournal:
        executor = self.world.executor.component
        assert isinstance(executor, BrokerExecutor)
        return executor.journal

    def stream(self) -> None:
        """I3: what was acknowledged is in the stream once."""
        world = self.world
        ids = Counter(getattr(event, "id", "") for _, event in self.events)
        for identifier in world.script.acknowledged:
            if not ids[identifier]:
                self.fail(f"I3: {identifier} was acknowledged and is not in the stream")
        if world.chaos.options.window < 60:
            return
        for identifier, count in ids.items():
            if count > 1 and identifier not in world.script.doubled:
                self.fail(f"I3: {identifier} is {count} times in the stream")
        for record, event in self.events:
            header = record.message.headers.get(MESSAGE_ID, "")
            if header and header != getattr(event, "id", ""):
                self.fail(f"I3: {getattr(event, 'id', '')} has {header} as its message id")

    def working(self) -> None:
        """What works for the portfolio works for the executor, and each signal counts once."""
        portfolio = self.world.portfolio.component
        assert isinstance(portfolio, Portfolio)
        here = set(portfolio.orders)
        there = {
            order_id
            for order_id, entry in self._journal().open.items()
            # What is to take another's place works for the portfolio when that is known.
            if not (entry.replaces and entry.is_in_doubt)
        }
        if here != there:
            self.fail(
                f"orders {sorted(here - there)} work for the portfolio only, and "
                f"{sorted(there - here)} for the executor only"
            )
        if isinstance(portfolio, BusyPortfolio) and portfolio.signals != self.acted:
            self.fail(f"I1: {portfolio.signals} signals count, and {self.acted} were acted upon")

    def exits(self) -> None:
        """No limit denies what only makes a position smaller; a halt may, and that is said."""
        causes: dict[str, int] = {}
        for record, event in self.events:
            if isinstance(event, SignalEvent) and event.id:
                for number in range(_MOST_SENDS):
                    for kind in ("order", "denial"):
                        sent = make_id(kind, PORTFOLIO, event.id, str(number))
                        # One that comes twice is acted upon once, the first time.
                        causes.setdefault(sent, record.sequence)
        for _, event in self.events:
            if not isinstance(event, DenialEvent):
                continue
            order, sequence = event.order, causes.get(event.id)
            if order is None or sequence is None or order.take_profit:
                continue
            held, works = self._known(order.symbol, order.side, sequence, causes)
            towards = held if order.side == "sell" else -held
            if works is None or works + Decimal(order.quantity) > towards:
                continue
            what = f"exit {order.id} of {order.quantity} at a position of {held:f} was denied"
            if event.reason not in _MAY_HOLD_EXITS:
                self.fail(f"{what}: {event.reason}, {event.detail}")
            elif not event.detail.startswith("EXIT DENIED"):
                self.fail(f"{what}, and nobody is told: {event.detail}")

    def _known(
        self, symbol: str, side: str, sequence: int, causes: dict[str, int]
    ) -> tuple[Decimal, Decimal | None]:
        """What the portfolio holds at a signal, and how much of a side works at most.

        The latter is ``None`` where an order was replaced, since that may have come to nothing.
        """
        held = works = ZERO
        done: dict[str, Decimal] = {}
        ended: set[str] = set()
        seen: set[str] = set()
        for record, event in self.events:
            if isinstance(event, ReplaceEvent) and event.symbol == symbol:
                return ZERO, None
            if not isinstance(event, ExecutionEvent) or record.sequence >= sequence:
                continue
            if event.id in seen:
                continue
            seen.add(event.id)
            if event.update in _LAST_WORDS:
                ended.add(event.order_id)
            if event.quantity != "0" and event.symbol == symbol:
                quantity = Decimal(event.quantity)
                held += quantity if event.side == "buy" else -quantity
                done[event.order_id] = done.get(event.order_id, ZERO) + quantity
        for _, event in self.events:
            # Those of the same signal too, before or after: it makes fewer exits, and is sure.
            if (
                isinstance(event, OrderEvent)
                and (event.symbol, event.side) == (symbol, side)
                and event.id not in ended
                and causes.get(event.id, 0) <= sequence
            ):
                works += Decimal(event.quantity) - done.get(event.id, ZERO)
        return held, works

    def dead_letters(self) -> None:
        """No handler failed, nothing could not be read, and each forgery is reported."""
        first: dict[str, bytes] = {}
        forged: set[int] = set()
        told: set[int] = set()
        for record, event in self.events:
            if isinstance(event, SignalEvent) and event.id in self.world.script.forged:
                payload = record.message.payload
                if first.setdefault(event.id, payload) != payload:
                    forged.add(record.sequence)
        for _, event in self.events:
            if not isinstance(event, DeadLetterEvent):
                continue
            sequence = int(event.stream_sequence or 0)
            if sequence in forged and event.component == PORTFOLIO:
                told.add(sequence)
            else:
                self.fail(f"{event.component} could not take a message: {event.error[-300:]}")
        if untold := sorted(forged - told):
            self.fail(f"two signals have one id, and nobody is told: messages {untold}")

    def outboxes(self) -> None:
        """I3: nothing waits to be sent, and all was sent in the order of its outbox."""
        first: dict[str, int] = {}
        for record, event in self.events:
            first.setdefault(getattr(event, "id", ""), record.sequence)
        for actor in self.world.actors:
            left = actor.store().outbox()
            if left:
                self.fail(f"I3: {len(left)} events wait in the outbox of {actor.name}")
            if self.world.chaos.options.flipped:
                continue  # What is made anew from the stream sends again what is there.
            for before, behind in sorted(actor.disk.queued):
                if first.get(before, 0) > first.get(behind, len(self.world.server.records)):
                    self.fail(f"I3: {actor.name} sent {behind} before {before}")

    def state(self) -> None:
        """What is written down makes the same portfolio as the one that lives."""
        actor = self.world.portfolio
        component = actor.component
        assert component is not None
        store = actor.store()
        again = make_portfolio(self.world.chaos.options.is_busy)
        arm(again, self.world.limits)
        for kind, count in handle_of(again).log_kept.items():
            handle_of(again).restore_log([(kind, i, v) for i, v in store.log(kind, count)])
        handle_of(again).restore_rows(store.rows())
        written, living = handle_of(again).state_rows(), handle_of(component).state_rows()
        for key in sorted(written.keys() | living.keys()):
            if written.get(key) != living.get(key):
                self.fail(
                    f"row {key} is {written.get(key)!r} on the disk, and {living.get(key)!r} in "
                    "the portfolio that lives"
                )


def _add(held: dict[str, Decimal], symbol: str, quantity: Decimal) -> None:
    held[symbol] = held.get(symbol, ZERO) + quantity
