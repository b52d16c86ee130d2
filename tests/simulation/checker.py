"""What must be true of a world that has healed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.components import Portfolio
from ingenium.events import (
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
    decode,
)
from ingenium.ids import make_id
from ingenium.subjects import event_type_of
from simulation.parts import PORTFOLIO, make_portfolio, signal_id

if TYPE_CHECKING:
    from simulation.world import SimWorld

__all__ = ["check"]

_MOST_SENDS = 4


def check(world: SimWorld) -> None:
    """Look for what must not be, and add it to the world's violations."""
    if any(actor.refused for actor in world.actors) or world.server.lost:
        _check_refusals(world)
        return
    check = _Check(world)
    check.signals()
    check.positions()
    check.stream()
    check.outboxes()
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
        counts = world.chaos.counts
        for _, event in self.events:
            counts[f"events {type(event).__name__}"] += 1
        counts["events"] = len(world.server.records)

    def fail(self, text: str) -> None:
        self.world.violations.append(text)

    def signals(self) -> None:
        """I1: each signal that was acknowledged makes one order, or a denial, and never two."""
        orders = Counter(event.id for _, event in self.events if isinstance(event, OrderEvent))
        denials = {event.id for _, event in self.events if isinstance(event, DenialEvent)}
        acknowledged = set(self.world.script.acknowledged)
        for number in range(self.world.chaos.options.signals):
            cause = signal_id(number)
            numbers = [str(count) for count in range(_MOST_SENDS)]
            ordered = [make_id("order", PORTFOLIO, cause, n) for n in numbers]
            denied = [make_id("denial", PORTFOLIO, cause, n) for n in numbers]
            sent = sum(order in orders for order in ordered)
            no = sum(denial in denials for denial in denied)
            if sent + no > 1:
                self.fail(f"I1: signal {cause} made {sent} orders and {no} denials")
            if cause in acknowledged and self.world.chaos.options.is_busy and not sent + no:
                self.fail(f"I1: signal {cause} was acknowledged, and nothing came of it")
        unknown = set(orders) - {
            make_id("order", PORTFOLIO, signal_id(n), str(c))
            for n in range(self.world.chaos.options.signals)
            for c in range(_MOST_SENDS)
        }
        if unknown:
            self.fail(f"I1: orders that no signal caused: {sorted(unknown)}")

    def positions(self) -> None:
        """I2: fills in the stream and positions of the portfolio are the same."""
        told: Counter[str] = Counter()
        seen: set[str] = set()
        for _, event in self.events:
            if isinstance(event, ExecutionEvent) and event.quantity and event.id not in seen:
                seen.add(event.id)
                sign = 1 if event.side == "buy" else -1
                told[event.symbol] += sign * Decimal(event.quantity)  # type: ignore[assignment]
        member = self.world.portfolio.member
        assert member is not None
        portfolio = member.component
        assert isinstance(portfolio, Portfolio)
        for symbol in self.world.script.symbols:
            held = portfolio.position(symbol).quantity
            if held != told[symbol]:
                self.fail(f"I2: {held} {symbol} in the portfolio, {told[symbol]} in the stream")

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

    def outboxes(self) -> None:
        """I3: nothing waits to be sent."""
        for actor in self.world.actors:
            left = actor.store().outbox()
            if left:
                self.fail(f"I3: {len(left)} events wait in the outbox of {actor.name}")

    def state(self) -> None:
        """What is written down makes the same portfolio as the one that lives."""
        actor = self.world.portfolio
        member = actor.member
        assert member is not None
        store = actor.store()
        again = make_portfolio(self.world.chaos.options.is_busy)
        for kind, count in again.log_kept.items():
            again.restore_log([(kind, i, v) for i, v in store.log(kind, count)])
        again.restore_rows(store.rows())
        written, living = again.state_rows(), member.component.state_rows()
        for key in sorted(written.keys() | living.keys()):
            if written.get(key) != living.get(key):
                self.fail(
                    f"row {key} is {written.get(key)!r} on the disk, and {living.get(key)!r} in "
                    "the portfolio that lives"
                )


_ = SignalEvent
