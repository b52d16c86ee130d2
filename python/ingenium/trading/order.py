"""Orders: validated once, on creation, and immutable."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from ingenium.errors import DecodeError, InvalidOrderError, SubjectError
from ingenium.events import OrderEvent, OrderType, ReplaceEvent, Side, StopLoss, TimeInForce
from ingenium.ids import make_id
from ingenium.subjects.names import data_subject
from ingenium.trading.numbers import NUMBER_LIMIT, as_written, format_decimal, parse_decimal

__all__ = ["Order", "protective_ids"]

_TokenT = TypeVar("_TokenT", bound=StrEnum)

_NO_STOP_LOSS = StopLoss()

# Enum member lookup is slow, also by value.
_BUY = Side.BUY
_MARKET = OrderType.MARKET
_DAY = TimeInForce.DAY
_MEMBERS: dict[type[StrEnum], dict[str, StrEnum]] = {
    kind: {str(member.value): member for member in kind} for kind in (Side, OrderType, TimeInForce)
}

_MOST_DECIMALS = 18
_FEW_DIGITS = 15
_PRICES = {
    "limit_price": "LimitPrice",
    "stop_price": "StopPrice",
    "trail_price": "TrailPrice",
    "trail_percent": "TrailPercent",
    "take_profit": "TakeProfit",
    "stop_loss": "StopLoss.StopPrice",
    "stop_loss_limit": "StopLoss.LimitPrice",
}
_REPLACEABLE = {
    name: _PRICES[name] for name in ("limit_price", "stop_price", "trail_price", "trail_percent")
}
_WANTED = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: (),
}


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to trade; every instance is valid.

    A Struct, like `Bar`; `msgspec.structs.replace` returns a modified copy.

    Attributes:
        id: Unique id, named by executions; empty until the order is sent.
        symbol: Name of the instrument, case kept.
        side: Buy or sell.
        quantity: Positive, in shares or units.
        type: Market, limit, stop, stop-limit or trailing stop.
        time_in_force: How long the order works.
        limit_price: Worst price accepted; for limit and stop-limit orders.
        stop_price: Trigger price; for stop and stop-limit orders.
        trail_price: Distance of a trailing stop from the best price, in currency.
        trail_percent: The same distance in percent; a trailing stop has one of the two.
        take_profit: Limit price of a bracket's profit-taking order.
        stop_loss: Trigger price of a bracket's protective order.
        stop_loss_limit: Worst price accepted by the protective order; ``None`` to fill at the
            market.
        extended_hours: Whether the order may trade outside regular hours.
        timestamp: When the order was created, UTC; ``None`` when not stated.

    Raises:
        InvalidOrderError: The fields are not a valid order; the text names field, value and cure.
    """

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    extended_hours: bool = False
    id: str = ""
    timestamp: datetime | None = None

    def __post_init__(self) -> None:
        try:
            data_subject(self.symbol)  # checks the symbol and caches the result
        except SubjectError as error:
            raise InvalidOrderError(f"order Symbol cannot be used: {error}") from error
        _check_number("Quantity", self.quantity)
        if self.type is _MARKET and self.has_no_prices:
            return  # the common case
        for name, path in _PRICES.items():
            value = getattr(self, name)
            if value is not None:
                _check_number(path, value)
        self._check_prices_of_type()
        self._check_bracket()

    def _check_prices_of_type(self) -> None:
        wanted = _WANTED[self.type]
        for name in ("limit_price", "stop_price"):
            value = getattr(self, name)
            if name in wanted and value is None:
                raise InvalidOrderError(
                    f"order {_PRICES[name]} is missing: a {self.type} order needs a positive "
                    "decimal like '12.50'"
                )
            if name not in wanted and value is not None:
                raise InvalidOrderError(
                    f"order {_PRICES[name]} is {value}, which a {self.type} order does not have: "
                    "leave it empty or use another Type"
                )
        trails = [n for n in ("trail_price", "trail_percent") if getattr(self, n) is not None]
        if self.type is OrderType.TRAILING_STOP:
            if len(trails) != 1:
                raise InvalidOrderError(
                    "order TrailPrice and TrailPercent are "
                    f"{'both set' if trails else 'both missing'}: a trailing_stop order needs "
                    "exactly one of them"
                )
            if self.trail_percent is not None and self.trail_percent >= 100:
                raise InvalidOrderError(
                    f"order TrailPercent is {self.trail_percent}: use a percentage below 100"
                )
        elif trails:
            raise InvalidOrderError(
                f"order {_PRICES[trails[0]]} is {getattr(self, trails[0])}, which a {self.type} "
                "order does not have: leave it empty or use Type trailing_stop"
            )

    def _check_bracket(self) -> None:
        if self.stop_loss_limit is not None and self.stop_loss is None:
            raise InvalidOrderError(
                f"order StopLoss.LimitPrice is {self.stop_loss_limit} without a "
                "StopLoss.StopPrice: set both, or leave both empty"
            )
        if self.take_profit is None or self.stop_loss is None:
            return
        low, high = self.stop_loss, self.take_profit
        if self.side is Side.SELL:
            low, high = high, low
        if low >= high:
            where = "above" if self.side is Side.BUY else "below"
            raise InvalidOrderError(
                f"order TakeProfit is {self.take_profit} and StopLoss.StopPrice is "
                f"{self.stop_loss}: for a {self.side} order the profit must be {where} the loss"
            )

    @property
    def has_no_prices(self) -> bool:
        """Whether no price is set, as in most market orders."""
        return (
            self.limit_price is self.stop_price is self.trail_price is self.trail_percent is None
            and self.take_profit is self.stop_loss is self.stop_loss_limit is None
        )

    @property
    def is_bracket(self) -> bool:
        """Whether the order has protective orders."""
        return self.take_profit is not None or self.stop_loss is not None

    def protective_orders(self) -> tuple[Order, ...]:
        """Return the protective orders of this order's fills: take-profit, then stop-loss.

        They are good till canceled, and their ids are derived from this order's.
        """
        if self.take_profit is None and self.stop_loss is None:
            return ()
        legs: list[Order] = []
        side = self.side.opposite
        take_profit_id, stop_loss_id = protective_ids(self.id)
        if self.take_profit is not None:
            legs.append(
                Order(
                    id=take_profit_id,
                    symbol=self.symbol,
                    side=side,
                    quantity=self.quantity,
                    type=OrderType.LIMIT,
                    limit_price=self.take_profit,
                    time_in_force=TimeInForce.GTC,
                    extended_hours=self.extended_hours,
                )
            )
        if self.stop_loss is not None:
            limit = self.stop_loss_limit
            legs.append(
                Order(
                    id=stop_loss_id,
                    symbol=self.symbol,
                    side=side,
                    quantity=self.quantity,
                    type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
                    stop_price=self.stop_loss,
                    limit_price=limit,
                    time_in_force=TimeInForce.GTC,
                    extended_hours=self.extended_hours,
                )
            )
        return tuple(legs)

    @property
    def signed_quantity(self) -> Decimal:
        """The quantity, negative for a sell."""
        # Unary minus would round to the digits of the caller's context.
        return self.quantity if self.side is _BUY else self.quantity.copy_negate()

    @classmethod
    def from_event(cls, event: OrderEvent) -> Order:
        """Parse the order of an event.

        A price of ``"0"`` counts as empty if the order type has no such price, since some writers
        cannot omit a number. An empty ``TimeInForce`` means day, the shortest-lived.

        Raises:
            InvalidOrderError: A field is missing, unknown or not positive, or contradicts the
                others.
        """
        # Compared to None, since the truth value of a message is computed field by field.
        stop_loss = _NO_STOP_LOSS if event.stop_loss is None else event.stop_loss
        return cls(
            id=event.id,
            timestamp=event.timestamp,
            symbol=event.symbol,
            side=_token(Side, "Side", event.side),
            quantity=_number("Quantity", event.quantity),
            type=_token(OrderType, "Type", event.type),
            time_in_force=(
                _token(TimeInForce, "TimeInForce", event.time_in_force)
                if event.time_in_force
                else _DAY
            ),
            extended_hours=event.extended_hours,
            **{
                name: _price(event, _PRICES[name], text)
                for name, text in (
                    ("limit_price", event.limit_price),
                    ("stop_price", event.stop_price),
                    ("trail_price", event.trail_price),
                    ("trail_percent", event.trail_percent),
                    ("take_profit", event.take_profit),
                    ("stop_loss", stop_loss.stop_price),
                    ("stop_loss_limit", stop_loss.limit_price),
                )
                if text
            },
        )

    def replaced_by(self, event: ReplaceEvent) -> Order:
        """Return the order that replaces this one; its id is the event's id.

        Raises:
            InvalidOrderError: The event names another symbol, changes nothing, or the changed order
                is invalid.
        """
        if event.symbol != self.symbol:
            raise InvalidOrderError(
                f"order Symbol is {event.symbol!r}, but the order to replace is in "
                f"{self.symbol!r}: cancel it and send a new one"
            )
        changes: dict[str, Decimal | TimeInForce | None] = {}
        if event.quantity:
            changes["quantity"] = _number("Quantity", event.quantity)
        if event.time_in_force:
            changes["time_in_force"] = _token(TimeInForce, "TimeInForce", event.time_in_force)
        for name, path in _REPLACEABLE.items():
            if text := getattr(event, name):
                changes[name] = _number(path, text)
        if not changes:
            raise InvalidOrderError(
                f"order {self.id!r} would stay as it is: state what to change, or cancel it"
            )
        if "trail_price" in changes:
            changes.setdefault("trail_percent", None)
        elif "trail_percent" in changes:
            changes["trail_price"] = None
        return msgspec.structs.replace(self, id=event.id, timestamp=event.timestamp, **changes)

    def as_written(self) -> Order:
        """Return the order as parsed from its event: equal, its numbers without trailing zeros."""
        quantity = as_written(self.quantity)
        if quantity is self.quantity and self.has_no_prices:
            return self
        prices = {name: _as_written(getattr(self, name)) for name in _PRICES}
        return msgspec.structs.replace(self, quantity=quantity, **prices)

    def to_event(self) -> OrderEvent:
        """Return the order as an event."""
        return OrderEvent(
            id=self.id,
            timestamp=self.timestamp,
            symbol=self.symbol,
            side=self.side._value_,
            quantity=format_decimal(self.quantity),
            type=self.type._value_,
            time_in_force=self.time_in_force._value_,
            extended_hours=self.extended_hours,
            limit_price=_text(self.limit_price),
            stop_price=_text(self.stop_price),
            take_profit=_text(self.take_profit),
            trail_price=_text(self.trail_price),
            trail_percent=_text(self.trail_percent),
            stop_loss=StopLoss(
                limit_price=_text(self.stop_loss_limit), stop_price=_text(self.stop_loss)
            ),
        )


def _as_written(value: Decimal | None) -> Decimal | None:
    return None if value is None else as_written(value)


def protective_ids(order_id: str) -> tuple[str, str]:
    """Return the ids of the take-profit and the stop-loss order that protect an order."""
    return make_id("order", order_id, "take_profit"), make_id("order", order_id, "stop_loss")


def _check_number(path: str, value: Decimal) -> None:
    text = str(value)
    if len(text) <= _FEW_DIGITS and text.isdigit() and value:
        return  # the common case
    if not value.is_finite() or value <= 0:
        raise InvalidOrderError(f"order {path} is {value}: use a positive decimal like '12.50'")
    if value >= NUMBER_LIMIT:
        raise InvalidOrderError(f"order {path} is {value}: use a number below 10^15")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MOST_DECIMALS:
        raise InvalidOrderError(
            f"order {path} is {value}: round it to at most {_MOST_DECIMALS} decimals"
        )


def _token(kind: type[_TokenT], path: str, text: str) -> _TokenT:
    member = _MEMBERS[kind].get(text)
    if isinstance(member, kind):
        return member
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(kind)
        found = f"is {text!r}, which is unknown" if text else "is missing"
        raise InvalidOrderError(f"order {path} {found}: use one of {known}") from None


def _number(path: str, text: str) -> Decimal:
    if not text:
        raise InvalidOrderError(f"order {path} is missing: use a positive decimal like '12.50'")
    try:
        return parse_decimal(text, "OrderEvent", path)
    except DecodeError:
        raise InvalidOrderError(
            f"order {path} is {text!r}: use a positive plain decimal like '12.50'"
        ) from None


def _price(event: OrderEvent, path: str, text: str) -> Decimal | None:
    value = _number(path, text)
    if value == 0 and path not in _needed(event.type):
        return None
    return value


def _needed(type_: str) -> tuple[str, ...]:
    """Return the wire names of the prices that an order of this type must have."""
    if type_ == OrderType.TRAILING_STOP:
        return ()
    return tuple(_PRICES[name] for name in _WANTED[OrderType(type_)])


def _text(value: Decimal | None) -> str:
    return "" if value is None else format_decimal(value)
