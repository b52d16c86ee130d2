"""Fills: executions with a quantity and a price."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.subjects.names import share_subject
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import parse_decimal
from ingenium.trading.order import Order

__all__ = ["Fill"]

_EVENT = "ExecutionEvent"
_FILLING = frozenset({TradeUpdate.PARTIAL_FILL.value, TradeUpdate.FILLED.value})
_NOT_FILLING = frozenset(update.value for update in TradeUpdate) - _FILLING
_BUY, _SELL = Side.BUY, Side.SELL
_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A quantity that was traded at a price.

    Attributes:
        id: Id of the execution; empty when it has none.
        order_id: Id of the order.
        symbol: Name of the instrument, case kept.
        side: Buy or sell.
        quantity: Positive, in shares or units.
        price: Price of one share or unit, in the instrument's currency.
        commission: Fee paid for this fill, in the account's currency; negative for a rebate.
        time: Execution time of the venue, or the time of the report when that is not stated; UTC.
    """

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal = ZERO
    time: datetime = _UNKNOWN_TIME
    id: str = ""
    order_id: str = ""

    @property
    def signed_quantity(self) -> Decimal:
        """The quantity, negative for a sell."""
        # Unary minus would round to the digits of the caller's context.
        return self.quantity if self.side is _BUY else self.quantity.copy_negate()

    @classmethod
    def from_event(
        cls,
        event: ExecutionEvent,
        order: Order | None = None,
        *,
        price: Decimal | None = None,
        time: datetime | None = None,
    ) -> Fill | None:
        """Parse the fill of an execution.

        Args:
            event: The execution.
            order: The order that the event reports on; supplies the symbol and side when the event
                omits them, as those of the original Go executor do.
            price: Used when the event states no price.
            time: Used when the event states no time.

        Returns:
            The fill; ``None`` for a report that fills nothing.

        Raises:
            DecodeError: The execution is a fill, but its symbol, quantity, price or side is
                missing, unreadable, or contradicts the order.
        """
        update = event.update or ""
        if update in _NOT_FILLING:
            return None
        quantity = _quantity(event, update)
        if quantity is None:
            return None
        if update and update not in _FILLING:
            raise DecodeError(
                _EVENT,
                "Update",
                f"expected one of {', '.join(TradeUpdate)} or an empty text, found {update!r} "
                f"with Quantity {event.quantity!r}: whether the report is a fill is unknown",
            )
        if event.price:
            price = parse_decimal(event.price, _EVENT, "Price")
        elif price is None:
            raise DecodeError(
                _EVENT,
                "Price",
                "expected the price of the fill, found none: the executor has to set Price",
            )
        return cls(
            id=event.id,
            order_id=event.order_id,
            symbol=_symbol(event, order),
            side=_side(event, order),
            quantity=quantity,
            price=price,
            commission=(
                parse_decimal(event.commission, _EVENT, "Commission") if event.commission else ZERO
            ),
            time=event.execution_timestamp or event.timestamp or time or _UNKNOWN_TIME,
        )


def _quantity(event: ExecutionEvent, update: str) -> Decimal | None:
    text = event.quantity
    quantity = parse_decimal(text, _EVENT, "Quantity") if text else ZERO
    if quantity < 0:
        raise DecodeError(
            _EVENT,
            "Quantity",
            (f"expected a positive decimal, found {text!r}: Side gives the direction"),
        )
    if quantity == 0:
        if update in _FILLING:
            raise DecodeError(
                _EVENT,
                "Quantity",
                f"expected a positive decimal with Update {update!r}, found {text!r}",
            )
        return None
    return quantity


def _symbol(event: ExecutionEvent, order: Order | None) -> str:
    if order is None:
        if not event.symbol:
            raise DecodeError(
                _EVENT,
                "Symbol",
                f"expected a symbol, found none, and order {event.order_id!r} is unknown",
            )
        return event.symbol
    if event.symbol and not share_subject(event.symbol, order.symbol):
        raise DecodeError(
            _EVENT, "Symbol", f"expected {order.symbol!r} as in the order, found {event.symbol!r}"
        )
    return order.symbol


def _side(event: ExecutionEvent, order: Order | None) -> Side:
    text = event.side
    if not text:
        if order is None:
            raise DecodeError(
                _EVENT,
                "Side",
                f"expected buy or sell, found none, and order {event.order_id!r} is unknown",
            )
        return order.side
    try:
        side = _BUY if text == "buy" else _SELL if text == "sell" else Side(text)
    except ValueError:
        raise DecodeError(_EVENT, "Side", f"expected buy or sell, found {text!r}") from None
    if order is not None and side is not order.side:
        raise DecodeError(
            _EVENT, "Side", f"expected {order.side.value!r} as in the order, found {text!r}"
        )
    return side
