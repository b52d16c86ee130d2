"""Portfolios turn signals into orders, and keep the account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import force_setattr, replace

from ingenium.components.base import Handled
from ingenium.components.execution_booking import BookingPortfolio
from ingenium.errors import DecodeError, InvalidOrderError
from ingenium.events import (
    CancelEvent,
    DataEvent,
    DenialReason,
    Event,
    ExecutionEvent,
    OrderType,
    ReplaceEvent,
    Side,
    Signal,
    SignalEvent,
    TimeInForce,
)
from ingenium.subjects.names import data_subject
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.arguments import exact, exact_or_none, text_of, token
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.money import Number
from ingenium.trading.order import Order
from ingenium.trading.position import Position
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["Portfolio"]


class Portfolio(BookingPortfolio):
    """Turns signals into orders, and keeps the account.

    Override `on_signal`; it reads `position`, `pending`, `price` and `account`, and calls
    `send_order`. Within one instant a portfolio sees the market data first, then the executions,
    then the signals: what was filled is booked before anything is decided.

    An execution that cannot be booked never stops a portfolio: it is logged and kept in
    `problems`.

    Args:
        cash: What the account starts with.
        name: See `Component`.

    Raises:
        ConfigError: Cash is no finite number.
        ComponentError: The name does not fit.
    """

    role = "portfolio"

    def __init__(self, cash: Number = Decimal(100_000), *, name: str | None = None) -> None:
        super().__init__(cash, name)
        cls = type(self)
        self._takes_reports = (
            cls.on_execution is Portfolio.on_execution
            and cls.handle_execution is Portfolio.handle_execution
            and cls.book_execution is Portfolio.book_execution
        )
        self._takes_bars = cls.on_data is Portfolio.on_data
        self._reads_data = (
            cls.on_data is not Portfolio.on_data or cls.on_bar is not Portfolio.on_bar
        )

    def on_signal(self, event: SignalEvent) -> Handled:
        """Handle a signal."""
        return None

    def on_execution(self, event: ExecutionEvent) -> Handled:
        """Handle a report on an order, once; its fill is booked already."""
        return None

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden."""
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event, self.now))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar; its close is the symbol's `price` already."""
        return None

    @property
    def orders(self) -> Mapping[str, WorkingOrder]:
        """The orders that are still working, by id; without the protective ones of brackets."""
        return self._orders.working

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat when there is none."""
        return self.account.position(symbol)

    def pending(self, symbol: str) -> Decimal:
        """Return what the working orders would still add to the position, negative for sells."""
        return self._orders.working.pending(symbol)

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price of a symbol; ``None`` before the first one."""
        return self.account.price(symbol)

    def send_order(
        self,
        symbol: str,
        side: Side | str,
        quantity: Number,
        *,
        type: OrderType | str = OrderType.MARKET,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
        trail_price: Number | None = None,
        trail_percent: Number | None = None,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
        stop_loss_limit: Number | None = None,
        time_in_force: TimeInForce | str = TimeInForce.DAY,
        extended_hours: bool = False,
    ) -> Order:
        """Check an order, send it, and remember it as working.

        Args:
            symbol: Name of the instrument.
            side: ``Side.BUY`` or ``SELL``.
            quantity: How much, positive, in shares or units.
            type: Market unless said otherwise.
            limit_price: Worst price accepted; for limit and stop-limit orders.
            stop_price: Price that triggers; for stop and stop-limit orders.
            trail_price: Distance of a trailing stop in currency.
            trail_percent: The same in percent.
            take_profit: Limit price of a bracket's profit-taking order.
            stop_loss: Trigger price of a bracket's protective order.
            stop_loss_limit: Worst price accepted by the protective order.
            time_in_force: How long the order works.
            extended_hours: Whether it may trade outside regular hours.

        Returns:
            The order that goes out, with its id; a gate's `on_denied` tells of one that does not.
            While trading only reduces, a gate cuts it to what closes.

        Raises:
            InvalidOrderError: The order makes no sense; nothing is sent.
            SubjectError: The symbol cannot be part of a subject; nothing is sent.
        """
        data_subject(symbol)  # checks it, and remembers that it did
        order = Order(
            symbol=symbol,
            side=token(Side, "side", side),
            quantity=exact(quantity, "quantity"),
            type=token(OrderType, "type", type),
            time_in_force=token(TimeInForce, "time_in_force", time_in_force),
            limit_price=exact_or_none(limit_price, "limit_price"),
            stop_price=exact_or_none(stop_price, "stop_price"),
            trail_price=exact_or_none(trail_price, "trail_price"),
            trail_percent=exact_or_none(trail_percent, "trail_percent"),
            take_profit=exact_or_none(take_profit, "take_profit"),
            stop_loss=exact_or_none(stop_loss, "stop_loss"),
            stop_loss_limit=exact_or_none(stop_loss_limit, "stop_loss_limit"),
            extended_hours=extended_hours,
        ).as_written()
        if self.gate is not None:
            order = self._cut(order)
            if (denied := self._denied(order)) is not None:
                return denied
        # Nobody else has it yet, and it has been checked.
        force_setattr(order, "id", self._next_id("order"))
        force_setattr(order, "timestamp", self.data_time or self.now)
        if self.hands_over:
            self._hand_over(order)
        else:
            self._send(order.to_event(), "order")
        self._orders.add(order)
        return order

    def cancel_order(self, order_id: str) -> CancelEvent | None:
        """Ask to cancel an order; whether that comes in time, an execution says.

        Args:
            order_id: Its id; that of a bracket's protective order, too
                (`Order.protective_orders`).

        Returns:
            The event that goes out; ``None`` when the order has ended already.

        Raises:
            InvalidOrderError: This portfolio has sent no such order.
        """
        order = self._orders.active(order_id)
        if order is None:
            if self._orders.has_ended(order_id):
                return None
            raise InvalidOrderError(_unknown(order_id))
        event = self._send(CancelEvent(order_id=order_id, symbol=order.symbol), "cancel")
        self._note_cancel(event.id)
        return event

    def replace_order(
        self,
        order_id: str,
        *,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
        trail_price: Number | None = None,
        trail_percent: Number | None = None,
        time_in_force: TimeInForce | str | None = None,
    ) -> Order:
        """Ask to put another order in the place of one that works; what is left out stays.

        Args:
            order_id: Id of the order to replace; of a bracket's protective order only the prices
                may change.
            quantity: How much in all, what has been filled already included.
            limit_price: Worst price accepted.
            stop_price: Price that triggers.
            trail_price: Distance of a trailing stop in currency.
            trail_percent: The same in percent.
            time_in_force: How long the order works.

        Returns:
            The order that is to take its place, with an id of its own. It works once an execution
            says so; when that says ``rejected``, or a gate stops it, the old one works on.

        Raises:
            InvalidOrderError: The order has ended or is not of this portfolio, or the new one
                makes no sense; nothing is sent.
        """
        old = self._orders.active(order_id)
        if old is None:
            if self._orders.has_ended(order_id):
                raise InvalidOrderError(f"order {order_id!r} has ended: send a new one")
            raise InvalidOrderError(_unknown(order_id))
        event = ReplaceEvent(
            order_id=order_id,
            symbol=old.symbol,
            quantity=text_of(quantity, "quantity"),
            limit_price=text_of(limit_price, "limit_price"),
            stop_price=text_of(stop_price, "stop_price"),
            trail_price=text_of(trail_price, "trail_price"),
            trail_percent=text_of(trail_percent, "trail_percent"),
            time_in_force="" if time_in_force is None else time_in_force,
        )
        order = old.replaced_by(event)  # raises before anything is sent
        if self.gate is not None and (denied := self._denied(order, order_id)) is not None:
            return denied
        event = self._send(event, "order")
        order = replace(order, id=event.id, timestamp=event.timestamp)
        self._orders.ask(order_id, order)
        return order

    # What follows is called by those who run components.

    def handle_data(self, event: DataEvent) -> Handled:
        """Take note of the price, then call `on_data` if it or `on_bar` is overridden."""
        ohlc = event.ohlc
        if ohlc is not None:
            try:
                self.account.mark(event.symbol, ohlc.close)
            except DecodeError as error:
                self.report_problem(f"price of {event.symbol!r} is left as it was: {error}")
            if self.gate is not None:
                self._look(event)
        return self.on_data(event) if self._reads_data else None

    def observe(self, bar: Bar) -> bool:
        """Take note of a bar's price, and say whether `handle_bar` has more to do with it."""
        if self._reads_data or bar.close >= LARGEST_PRICE:
            return True
        if self.gate is not None and self.gate.watches_data:
            return True
        self.account.mark_bar(bar)
        return False

    def handle_bar(self, bar: Bar) -> Handled:
        """Do as `handle_data` with the bar's event."""
        try:
            self.account.mark_bar(bar)
        except DecodeError as error:
            self.report_problem(f"price of {bar.symbol!r} is left as it was: {error}")
        if not self._reads_data:
            return None
        return self.on_bar(bar) if self._takes_bars else self.on_data(bar.event)

    def handle_signal(self, event: SignalEvent) -> Handled:
        """Call `on_signal`."""
        return self.on_signal(event)

    def handle_execution(self, event: ExecutionEvent) -> Handled:
        """Book the fill and follow the order, then call `on_execution`.

        One of the last 100,000 that comes again, by its id, is passed over. Who runs a portfolio
        on a stream knows all that were ever handled, from its file.
        """
        return self.on_execution(event) if self.book_execution(event) else None

    def handle_report(self, sent: LazyExecution) -> Handled:
        """Do as `handle_execution` with the event that a report stands for."""
        if self._takes_reports and self.gate is None and self._book_report(sent):
            return None
        return self.handle_execution(sent.event)

    def hand_over(self) -> None:
        """Hand over orders as they are, unless a gate wants their events."""
        self.hands_over = self.gate is None

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Pass over a signal that is too old to trade on, and say so."""
        if isinstance(event, SignalEvent):
            text = f"signal {event.id!r} of {event.symbol} is {age_seconds:.0f} s old"
            if closes := self._would_close(event):
                text = f"EXIT DENIED, {closes}: {text}"
                self._raise_exit_alarm(event.symbol, DenialReason.LATE.value, text)
            self._report_denial(DenialReason.LATE, f"{text}: it is not acted upon")
            self._send_denial(DenialReason.LATE, text, event.symbol)
        return None

    def _would_close(self, event: SignalEvent) -> str:
        """Say which position a signal is against; empty for none."""
        held = self.account.position(event.symbol).quantity
        if not held or event.signal == (Signal.LONG if held > 0 else Signal.SHORT):
            return ""
        word = event.signal.rpartition(".")[2]
        return f"signal {word} at a position of {held:f} {event.symbol}"


def _unknown(order_id: str) -> str:
    return (
        f"order {order_id!r} is unknown: use the id of an order that send_order of this portfolio "
        "returned"
    )
