"""Portfolios turn signals into orders, and keep the account."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import force_setattr, replace

from ingenium.components.component import StatefulComponent
from ingenium.components.handle import Handled
from ingenium.components.overrides import overrides_of
from ingenium.components.portfolio_handle import PortfolioHandle
from ingenium.errors import InvalidOrderError
from ingenium.events import (
    CancelEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    OrderType,
    ReplaceEvent,
    Side,
    SignalEvent,
    TimeInForce,
    TradingState,
)
from ingenium.subjects.names import data_subject
from ingenium.trading.account import Account
from ingenium.trading.arguments import exact, exact_or_none, text_of, token
from ingenium.trading.bar import Bar
from ingenium.trading.money import Number
from ingenium.trading.order import Order
from ingenium.trading.position import Position
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["Portfolio"]


class Portfolio(StatefulComponent):
    """Turns signals into orders, and keeps the account.

    Override `on_signal`; it reads `position`, `pending`, `price` and `account`, and calls
    `send_order`. Within one instant a portfolio sees the market data first, then the executions,
    then the signals: fills are booked before any decision.

    An execution that cannot be booked never stops a portfolio: it is logged and kept in
    `problems`.

    Args:
        cash: Initial cash of the account.
        name: See `Component`.

    Raises:
        ConfigError: Cash is no finite number.
        ComponentError: The name does not fit.
    """

    _handle: PortfolioHandle

    max_data_age_seconds: float | None = None
    """Live market data older than this is skipped, up to the newest of each symbol: seconds since
    the server took it; ``None`` for never. It needs a server with JetStream."""

    def __init__(self, cash: Number = Decimal(100_000), *, name: str | None = None) -> None:
        self._cash = cash
        super().__init__(name)
        self.account: Account = self._handle.books.account
        """Cash, positions and trades, booked from the executions."""
        self.problems: deque[str] = self._handle.problems
        """Events that could not be booked or acted upon, one line each; the last 1,000."""

    def _make_handle(self) -> PortfolioHandle:
        own = overrides_of(self, Portfolio)
        return PortfolioHandle(
            self,
            self._cash,
            own_data="on_data" in own,
            own_bars="on_bar" in own,
            own_executions="on_execution" in own,
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

    def on_denied(self, event: DenialEvent) -> Handled:
        """Handle a denial: an order was not sent; called after the handler that sent it."""
        return None

    def on_trading_state(self, state: TradingState) -> Handled:
        """Handle a change of the trading state to active, reducing or halted."""
        return None

    def report_problem(self, text: str) -> None:
        """Log a line and keep it in `problems`."""
        self._handle.note_problem(text)

    @property
    def orders(self) -> Mapping[str, WorkingOrder]:
        """The working orders, by id; without the protective ones of brackets."""
        return self._handle.books.orders.working

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat when there is none."""
        return self.account.position(symbol)

    def pending(self, symbol: str) -> Decimal:
        """Return the quantity that working orders would still add, negative for sells."""
        return self._handle.books.orders.working.pending(symbol)

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
            quantity: Quantity, positive, in shares or units.
            type: Order type; market when left out.
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
            The order to be sent, with its id; for a denied one the risk gate calls `on_denied`.
            While trading is reducing, the gate cuts it to the closing quantity.

        Raises:
            InvalidOrderError: The order is invalid; nothing is sent.
            SubjectError: The symbol cannot be part of a subject; nothing is sent.
        """
        data_subject(symbol)  # checks it, and records that
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
        handle = self._handle
        if handle.risk.gate is not None:
            order = handle.risk.cut(order)
            if (denied := handle.risk.denied(order)) is not None:
                return denied
        # Not shared yet, and checked already.
        force_setattr(order, "id", handle.next_id("order"))
        force_setattr(order, "timestamp", handle.data_time or self.now)
        if handle.hands_over:
            handle.send_as_is(order)
        else:
            handle.send(order.to_event(), "order")
        handle.books.orders.add(order)
        return order

    def cancel_order(self, order_id: str) -> CancelEvent | None:
        """Request to cancel an order; an execution reports whether that was in time.

        Args:
            order_id: Its id; that of a bracket's protective order, too
                (`Order.protective_orders`).

        Returns:
            The event to be sent; ``None`` when the order has ended already.

        Raises:
            InvalidOrderError: This portfolio has sent no such order.
        """
        order = self._handle.books.orders.active(order_id)
        if order is None:
            if self._handle.books.orders.has_ended(order_id):
                return None
            raise InvalidOrderError(_unknown(order_id))
        event = self._handle.send(CancelEvent(order_id=order_id, symbol=order.symbol), "cancel")
        self._handle.books.note_cancel(event.id)
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
        """Request to replace a working order; parameters left out stay unchanged.

        Args:
            order_id: Id of the order to replace; of a bracket's protective order only the prices
                may change.
            quantity: Total quantity, including the already filled quantity.
            limit_price: Worst price accepted.
            stop_price: Price that triggers.
            trail_price: Distance of a trailing stop in currency.
            trail_percent: The same in percent.
            time_in_force: How long the order works.

        Returns:
            The replacement, with an id of its own. It works once an execution confirms it; when
            that is ``rejected``, or a gate stops it, the old one keeps working.

        Raises:
            InvalidOrderError: The order has ended or is not of this portfolio, or the new one is
                invalid; nothing is sent.
        """
        old = self._handle.books.orders.active(order_id)
        if old is None:
            if self._handle.books.orders.has_ended(order_id):
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
        risk = self._handle.risk
        if risk.gate is not None and (denied := risk.denied(order, order_id)) is not None:
            return denied
        event = self._handle.send(event, "order")
        order = replace(order, id=event.id, timestamp=event.timestamp)
        self._handle.books.orders.ask(order_id, order)
        return order


def _unknown(order_id: str) -> str:
    return (
        f"order {order_id!r} is unknown: use the id of an order that send_order of this portfolio "
        "returned"
    )
