"""Log of a replay: its events in one order, their digest, and the resulting account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from ingenium.bus.base import Message
from ingenium.bus.envelope import source_of, unpack
from ingenium.components import App, Component
from ingenium.components.handle import Sent, event_of
from ingenium.errors import IngeniumError, InvalidOrderError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    TradeUpdate,
    encode,
)
from ingenium.runtime.incidents import describe
from ingenium.runtime.replay.copied_digest import CopiedDigest, Digest, OnLines
from ingenium.runtime.replay.denials import DeniedOrders
from ingenium.runtime.replay.digest_lines import BarLines, line_of
from ingenium.runtime.replay.feed import Item
from ingenium.runtime.replay.outcomes import OrderOutcomes
from ingenium.runtime.replay.problems import replay_problems, why_nothing_came
from ingenium.subjects.names import event_type_of, subject_of
from ingenium.trading import Account, Bar, Fill, LazyExecution, Order, Trade
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.order import protective_ids
from ingenium.trading.period import is_period
from ingenium.trading.tally import Tally

_LISTED = 10
# A tuple, as a union is recreated for each check.
_ORDERS = (Order, OrderEvent)
# Access to a member of an enumeration is slow.
_NEW = TradeUpdate.NEW

__all__ = ["EventLog", "OnStep", "ReplayResult", "Step"]

OnStep = Callable[[int, datetime, int, int | None], None]
"""Receives, after each step of a replay, its number, its time, the number of events of market data
so far, and their total, if known."""


@dataclass(frozen=True, slots=True)
class Step:
    """The messages of one instant, each kind in the order in which it was handled.

    Attributes:
        time: The instant, UTC.
        data: Messages of market data.
        signals: Messages of strategies.
        orders: Messages of the portfolio: orders, and requests to cancel or replace one.
        executions: Messages of the executor.
        notices: Denials and control events of the risk gates, the portfolio's first.
    """

    time: datetime
    data: Sequence[Message]
    signals: Sequence[Message]
    orders: Sequence[Message]
    executions: Sequence[Message]
    notices: Sequence[Message] = ()


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result of a replay.

    Attributes:
        steps: Instants of simulated time.
        first: The first instant; ``None`` without data.
        last: The last one.
        data: Events of market data.
        signals: Signals.
        orders: Orders, and requests to cancel or replace one.
        executions: Executions.
        dead_letters: Payloads that a component could not handle.
        events_digest: SHA-256, in hex, over all events in their order: equal for equal runs.
            Empty when none was requested.
        account: Cash, positions and trades, booked from the executions.
        complete: Whether the end of history was reached.
        problems: Events that could not be booked, or that never came, one line each; see
            `replay_problems`.
        fills: The fills, one by one; `account` combines them into trades.
        fill_steps: The instant at which each of the fills was booked.
        rejected_orders: Orders that the executor rejected.
        denials: Orders that a risk limit stopped, by limit.
        inexact: Why another run may give another result, one line each; empty when it cannot.
        hopeless: Why no trade was possible, such as a symbol that no ingestor sends; empty when one
            was.
    """

    steps: int
    first: datetime | None
    last: datetime | None
    data: int
    signals: int
    orders: int
    executions: int
    dead_letters: int
    events_digest: str
    account: Account
    complete: bool
    problems: tuple[str, ...]
    fills: Sequence[Fill] = ()
    fill_steps: Sequence[datetime] = ()
    rejected_orders: int = 0
    denials: tuple[DeniedOrders, ...] = ()
    inexact: tuple[str, ...] = ()
    hopeless: str = ""

    @property
    def trades(self) -> Sequence[Trade]:
        """The closed round trips, in the order in which their exits began."""
        return self.account.trades


class EventLog:
    """Collects a replay's events.

    The digest is over subject and JSON of every event: step by step, and within a step data,
    signals, orders, executions, and denials and control events of risk gates. So it depends neither
    on how the messages of different components interleaved, nor on their encoding on the bus: the
    digest is over the output of `encode`, or over the payload itself where it is no event.

    Args:
        cash: Initial cash of the account.
        digest: Whether to digest the events; without, ``events_digest`` is empty, and a backtest
            takes half the time.
    """

    def __init__(self, cash: Decimal, *, digest: bool = True) -> None:
        self.account = Account(cash)
        self.traded_value = Decimal(0)
        """Sum of quantity times price of all fills, in the account's currency."""
        self._orders: dict[str, Order | OrderEvent] = {}
        self._hash: Digest | None = sha256() if digest else None
        self._lines = BarLines()
        self._counts = [0, 0, 0, 0]
        self._dead_letters = 0
        self.steps = 0
        """Instants so far."""
        self._first: datetime | None = None
        self.last: datetime | None = None
        """The last instant; ``None`` before the first."""
        self.problems = Tally()
        """Events that could not be booked."""
        self.outcomes = OrderOutcomes()
        """Outcomes of the orders."""
        self.signals_of: dict[str, int] = {}
        """Signals by the name of the strategy; those of a warm-up included."""
        self.fills: list[Fill] = []
        """The fills."""
        self.fill_times: list[datetime] = []
        """The instant at which each of the fills was booked."""
        self.symbols: dict[str, None] = {}
        """The symbols with data."""
        self._odd_periods: set[str] = set()

    def add(self, step: Step) -> None:
        """Add one instant of messages."""
        self._begin(step.time)
        kinds = (step.data, step.signals, step.orders, step.executions)
        for place, messages in enumerate(kinds):
            self._counts[place] += len(messages)
            for message in messages:
                self._add_message(message, book=messages is not step.signals)
        for message in step.notices:
            self._add_message(message, book=True)
        self._count_signals(step.signals)

    def _count_signals(self, signals: Sequence[Message]) -> None:
        for message in signals:
            name = source_of(message)
            self.signals_of[name] = self.signals_of.get(name, 0) + 1

    def add_data(self, time: datetime, data: Sequence[Item]) -> None:
        """Begin an instant with market data that was never on a bus."""
        self._begin(time)
        self._counts[0] += len(data)
        mark, digest = self.account.mark_bar, self._hash
        for item in data:
            if isinstance(item, Bar):
                self.symbols[item.symbol] = None
                if digest is not None:
                    digest.update(self._lines.lines_of([item]))
                if item.close < LARGEST_PRICE:
                    mark(item)
                else:
                    self._book(item.event)
            else:
                self._digest(item)
                self._book(item)

    def add_bars(self, steps: int, bars: int, time: datetime, quiet: Mapping[str, Bar]) -> None:
        """Count instants with bars and no other event; `digest_bars` digests them.

        Args:
            steps: Number of instants.
            bars: Total number of bars.
            time: The last of the instants.
            quiet: The last bar of each symbol; prices are below `LARGEST_PRICE`.
        """
        self._begin(time)
        self.steps += steps - 1
        self._counts[0] += bars
        for symbol, bar in quiet.items():
            self.symbols[symbol] = None
            self.account.mark_bar(bar)

    def digest_bars(self, bars: Sequence[Bar]) -> None:
        """Digest bars of the instants that `add_bars` counts, before any later event."""
        if self._hash is not None:
            self._hash.update(self._lines.lines_of(bars))

    def add_events(
        self, signals: Sequence[Sent], orders: Sequence[Sent], executions: Sequence[Sent]
    ) -> None:
        """Add the other events of the instant; the digest is that of messages on a bus."""
        for place, events in enumerate((signals, orders, executions), 1):
            self._counts[place] += len(events)
            if self._hash is not None:
                for event in events:
                    self._digest(event_of(event))
        for order in orders:
            if isinstance(order, _ORDERS):
                self._orders[order.id] = order  # an Ingenium portfolio has checked it
                self.outcomes.sent += 1
            else:
                self._book(event_of(order))
        for sent in executions:
            if not isinstance(sent, LazyExecution):
                self._book(event_of(sent))
            elif sent.fill is not None:
                self._book_fill(sent.fill)
            elif sent.report.update is not _NEW:
                report = sent.report
                order = report.order
                self.outcomes.report(
                    order.id, order.symbol, report.update.value, report.reason, self.last
                )

    def add_notices(self, notices: Sequence[Event]) -> None:
        """Add denials and control events of the instant, the portfolio's first."""
        for event in notices:
            self._digest(event)
            self._book(event)

    def _digest(self, event: Event) -> None:
        if self._hash is not None:
            self._hash.update(line_of(event))

    def _begin(self, time: datetime) -> None:
        self.steps += 1
        self._first = self._first or time
        self.last = time

    def copy_lines(self, on_lines: OnLines) -> None:
        """Pass all that is digested to a function too; call it before the first event."""
        if self._hash is not None:
            self._hash = CopiedDigest(self._hash, on_lines)

    @property
    def has_digest(self) -> bool:
        """Whether the events are digested."""
        return self._hash is not None

    @property
    def data(self) -> int:
        """Events of market data so far."""
        return self._counts[0]

    @property
    def signals(self) -> int:
        """Signals so far, those of a warm-up left out."""
        return self._counts[1]

    def sent_at(self, order_id: str) -> datetime | None:
        """Return when an order was sent; ``None`` if it is unknown."""
        order = self._orders.get(order_id)
        return None if order is None else order.timestamp

    def add_dead_letter(self, message: Message) -> None:
        """Count a payload that a component could not handle."""
        self._dead_letters += 1

    def add_refusal(
        self, component: Component, event: Event | None, time: datetime, reason: str
    ) -> None:
        """Count an event that a middleware refused, and record the reason as a problem."""
        self._dead_letters += 1
        self.problems.add(f"{component} did not receive {describe(event)}: {reason}", time)

    def result(
        self,
        *,
        complete: bool,
        app: App | None = None,
        here: Collection[Component] | None = None,
        bars_of: Mapping[str, int] | None = None,
    ) -> ReplayResult:
        """Return the result.

        Args:
            complete: Whether the end of history was reached.
            app: Its components may have waited for events that never came.
            here: Its components that ran in this process; all when left out.
            bars_of: Bars by symbol, if they were counted.
        """
        data, signals, orders, executions = self._counts
        problems = self.problems.lines(_LISTED)
        if app is not None:
            problems += replay_problems(self, app, complete=complete, here=here, bars_of=bars_of)
        return ReplayResult(
            steps=self.steps,
            first=self._first,
            last=self.last,
            data=data,
            signals=signals,
            orders=orders,
            executions=executions,
            dead_letters=self._dead_letters,
            events_digest="" if self._hash is None else self._hash.hexdigest(),
            account=self.account,
            complete=complete,
            problems=tuple(problems),
            fills=self.fills,
            fill_steps=self.fill_times,
            rejected_orders=self.outcomes.rejected.count,
            denials=self.outcomes.denied.listed(),
            hopeless=why_nothing_came(self, app) if complete and app is not None else "",
        )

    def _add_message(self, message: Message, *, book: bool) -> None:
        payload = message.payload
        kind = event_type_of(message.subject)
        if kind is not None:
            try:
                event = unpack(kind, message)
            except IngeniumError as error:
                if book:
                    self.problems.add(f"{message.subject}: {error}", self.last)
            else:
                # Another encoding or spelling of the same event must not change the digest.
                payload = b"" if self._hash is None else encode(event)
                if book:
                    self._book(event)
        if self._hash is not None:
            self._hash.update(b"%b %b\n" % (message.subject.encode(), payload))

    def _book(self, event: Event) -> None:
        try:
            match event:
                case ExecutionEvent():
                    self._fill(event)
                case OrderEvent():
                    self.outcomes.send(event)
                    self._orders[event.id] = Order.from_event(event)
                case DataEvent():
                    self._mark(event)
                case ReplaceEvent():
                    self.outcomes.send(event)
                    self._replace(event)
                case CancelEvent():
                    self.outcomes.send(event)
                case DenialEvent():
                    self.outcomes.denied.add(event.reason, event.detail, event.symbol, self.last)
                case ControlEvent():
                    self.outcomes.denied.restrict(event, self.last)
        except IngeniumError as error:
            # A result without one of the fills must report that.
            self.problems.add(f"{subject_of(event)}: {error}", self.last)

    def _mark(self, event: DataEvent) -> None:
        self.symbols[event.symbol] = None
        if event.ohlc is not None:
            period = event.ohlc.period
            if period and self._is_odd(period):
                self.problems.add(
                    f"{event.symbol}: Ohlc.Period {period!r} is unknown, so its bars count as "
                    "bars without a stated period",
                    self.last,
                    kind=period,
                )
            self.account.mark(event.symbol, event.ohlc.close)

    def _is_odd(self, period: str) -> bool:
        """Whether the length of a bar is unknown and has to be reported now."""
        odd = self._odd_periods
        if is_period(period) or period in odd or len(odd) >= _LISTED:
            return False
        odd.add(period)
        return True

    def _order(self, order_id: str) -> Order | None:
        order = self._orders.get(order_id)
        if isinstance(order, OrderEvent):
            order = self._orders[order_id] = Order.from_event(order)
        return self._leg(order_id) if order is None else order

    def _leg(self, order_id: str) -> Order | None:
        """Return the protective order of that id: without an event, as it comes with another."""
        for name, other in self._orders.items():
            has_legs = other.take_profit is not None or other.stop_loss is not None
            if has_legs and order_id in protective_ids(name):
                parent = other if isinstance(other, Order) else Order.from_event(other)
                legs = {leg.id: leg for leg in parent.protective_orders()}
                if order_id in legs:
                    self._orders[order_id] = legs[order_id]
                    return legs[order_id]
        return None

    def _replace(self, event: ReplaceEvent) -> None:
        with suppress(InvalidOrderError):  # the executor rejects it
            order = self._order(event.order_id)
            if order is not None:
                self._orders[event.id] = order.replaced_by(event)

    def _fill(self, event: ExecutionEvent) -> None:
        order = self._orders.get(event.order_id)
        if order is None and event.symbol and event.side:
            pass  # not needed, and looking for a protective order is slow
        elif order is not None and event.symbol == order.symbol and event.side == order.side:
            order = None  # the execution has all of it
        else:
            order = self._order(event.order_id)
        symbol = event.symbol or (order.symbol if order else "")
        # As the portfolio does with a documented execution, which has no price.
        price = None if event.price or not symbol else self.account.price(symbol)
        fill = Fill.from_event(event, order, price=price)
        if fill is None:
            if event.update:
                self.outcomes.report(
                    event.order_id, symbol, event.update, event.reason or "", self.last
                )
            return
        self._book_fill(fill)
        if price is not None:
            self.problems.add(f"execution {event.id} states no price: booked at {price}", self.last)

    def _book_fill(self, fill: Fill) -> None:
        self.account.book(fill)
        self.traded_value += fill.quantity * fill.price
        self.fills.append(fill)
        if self.last is not None:
            self.fill_times.append(self.last)
        self.outcomes.fill(fill.order_id)
