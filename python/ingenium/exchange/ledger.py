"""Limits on cash and shorts that the exchange enforces for an account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from typing import Literal

from ingenium.errors import ConfigError
from ingenium.events import Side
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Account, Fill, Order
from ingenium.trading.money import EXACT, QUOTIENT, ZERO, Number, to_decimal

__all__ = ["Ledger"]

_TWO = Decimal(2)


class Ledger:
    """Cash and positions, and the limits on them.

    With limited cash there is no margin: an order that opens or adds to a position must be paid
    for, and a short sale blocks its proceeds and the same amount again until it is bought back.
    Reducing a position is always allowed.

    Args:
        cash: Starting cash; ``None`` for no limit.
        allow_short: Whether the account may sell more than it holds.
        on_insufficient_cash: Treatment of an order that cash or shares do not allow in full when a
            bar fills it: ``"reduce"`` it to what they allow, or ``"reject"`` it.

    Raises:
        ConfigError: The cash is not a finite number, or negative; ``on_insufficient_cash`` is
            invalid.
    """

    def __init__(
        self,
        cash: Number | None = None,
        *,
        allow_short: bool = True,
        on_insufficient_cash: Literal["reduce", "reject"] = "reduce",
    ) -> None:
        if on_insufficient_cash not in ("reduce", "reject"):
            raise ConfigError(
                f"on_insufficient_cash is {on_insufficient_cash!r}: use 'reduce' or 'reject'"
            )
        self._reduces = on_insufficient_cash == "reduce"
        self._is_limited = cash is not None
        self._allow_short = allow_short
        self._account = Account(ZERO if cash is None else to_decimal(cash, "cash"))
        if self._account.cash < 0:
            raise ConfigError(f"cash is {cash}: use zero or more, or None for no limit")

    @property
    def account(self) -> Account:
        """Cash and positions, tracked only if something is limited."""
        return self._account

    @property
    def forbids_nothing(self) -> bool:
        """Whether every order is allowed, so that no books are needed."""
        return self._allow_short and not self._is_limited

    def book(self, order: Order, quantity: Decimal, price: Decimal, commission: Decimal) -> None:
        """Book a fill."""
        if self.forbids_nothing:
            return
        self._account.book(
            Fill(
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=price,
                commission=commission,
            )
        )

    @property
    def free_cash(self) -> Decimal:
        """Cash not blocked by short sales."""
        blocked = _sum(min(p.cost, ZERO) for p in self._account.positions.values())
        return EXACT.add(self._account.cash, EXACT.multiply(blocked, _TWO))

    def lacks_shares(self, order: Order) -> bool:
        """Return whether an order may lack shares rather than cash."""
        return order.side is Side.SELL and not self._allow_short

    def takes_cash(self, order: Order, quantity: Decimal) -> bool:
        """Return whether a fill opens a position that must be paid for."""
        return self._is_limited and quantity > self._closable(order)

    def frees(self, order: Order) -> bool:
        """Return whether an order closes a position, which frees cash or shares."""
        return self._closable(order) > 0

    def admit(
        self,
        resting: RestingOrder,
        price: Decimal,
        fee: Decimal,
        working: Iterable[RestingOrder],
        price_of: Callable[[str], Decimal | None],
    ) -> str:
        """Return why an order cannot be accepted beside the working ones; empty when it can.

        The proceeds of closing other positions count as free, since the same bars may close them.
        With ``"reduce"``, fees and the rest of an order that closes a position are checked only by
        the bar that fills it.

        Stores the reserved quantity and its price in the order.

        Args:
            resting: The order.
            price: Expected fill price.
            fee: Expected fee.
            working: The working orders, without protective ones.
            price_of: Returns the last price of a symbol.
        """
        if self.forbids_nothing:
            return ""
        order = resting.order
        others = [other for other in working if other is not resting]
        promised = _sum(
            other.leaves
            for other in others
            if other.order.symbol == order.symbol and other.order.side is order.side
        )
        free = EXACT.subtract(self._closable(order), promised)
        opening = max(EXACT.subtract(resting.leaves, max(free, ZERO)), ZERO)
        resting.opening, resting.expected_price = opening, price
        set_aside = _sum(
            EXACT.multiply(min(other.opening, other.leaves), other.expected_price)
            for other in others
        )
        closing = EXACT.subtract(resting.leaves, opening)
        if self._reduces:
            if closing >= resting.step:
                return ""
            fee = ZERO
        if self._is_limited:
            set_aside = EXACT.subtract(set_aside, self._redeemable(order.symbol, price_of))
        return self._objection(order, opening, closing, price, fee, set_aside)

    def admit_fill(
        self, order: Order, quantity: Decimal, price: Decimal, fee: Decimal, later: Decimal = ZERO
    ) -> str:
        """Return why a fill cannot happen; empty when it can.

        Args:
            order: The order.
            quantity: Quantity of the fill.
            price: Price of one share.
            fee: Fee of the fill.
            later: Cash that is not yet available at the time of the fill.
        """
        if self.forbids_nothing:
            return ""
        closing = min(self._closable(order), quantity)
        opening = EXACT.subtract(quantity, closing)
        return self._objection(order, opening, closing, price, fee, later)

    def largest_fill(
        self,
        resting: RestingOrder,
        quantity: Decimal,
        cost: Callable[[Decimal], tuple[Decimal, Decimal]],
        later: Decimal = ZERO,
    ) -> Decimal:
        """Return the largest part of a fill that cash and shares allow, in whole steps.

        Args:
            resting: The order.
            quantity: Quantity of the fill that is not allowed.
            cost: Returns price and fee of a quantity.
            later: Cash that is not yet available at the time of the fill.

        Returns:
            Zero if nothing is allowed, or orders may not be reduced.
        """
        if not self._reduces:
            return ZERO
        step = resting.step
        allowed, refused = 0, int(EXACT.divide_int(quantity, step)) + 1
        while refused - allowed > 1:
            middle = (allowed + refused) // 2
            part = EXACT.multiply(step, Decimal(middle))
            if self.admit_fill(resting.order, part, *cost(part), later):
                refused = middle
            else:
                allowed = middle
        return EXACT.multiply(step, Decimal(allowed))

    def _redeemable(self, symbol: str, price_of: Callable[[str], Decimal | None]) -> Decimal:
        """Return the cash that closing the other positions would free at their last prices."""
        freed: list[Decimal] = []
        for other, position in self._account.positions.items():
            price = price_of(other)
            if other == symbol or price is None:
                continue
            value = EXACT.multiply(position.quantity, price)
            if position.quantity < 0:
                value = EXACT.add(value, EXACT.multiply(position.cost.copy_abs(), _TWO))
            freed.append(max(value, ZERO))
        return _sum(freed)

    def _closable(self, order: Order) -> Decimal:
        """Return how much of the position an order against it could close."""
        held = self._account.position(order.symbol).quantity
        return max(held if order.side is Side.SELL else held.copy_negate(), ZERO)

    def _objection(
        self,
        order: Order,
        opening: Decimal,
        closing: Decimal,
        price: Decimal,
        fee: Decimal,
        set_aside: Decimal,
    ) -> str:
        if not opening:
            return ""
        if order.side is Side.SELL and not self._allow_short:
            return (
                f"not enough shares: {EXACT.add(opening, closing):f} {order.symbol} to sell, "
                f"{closing:f} are held and free, and the account may not sell short"
            )
        if not self._is_limited:
            return ""
        needed = EXACT.add(EXACT.multiply(opening, price), fee)
        available = EXACT.subtract(self._available(order, closing, price), set_aside)
        if needed <= available:
            return ""
        return (
            f"not enough cash: {opening:f} {order.symbol} at {price:f} with fees take {needed:f}, "
            f"and {max(available, ZERO):f} is free"
        )

    def _available(self, order: Order, closing: Decimal, price: Decimal) -> Decimal:
        """Return the cash that is free once an order has closed a quantity at a price."""
        available = self._account.cash
        for symbol, position in self._account.positions.items():
            cost = position.cost
            if cost >= 0:
                continue
            if symbol == order.symbol and closing:
                left = EXACT.subtract(position.quantity.copy_abs(), closing)
                cost = QUOTIENT.divide(EXACT.multiply(cost, left), position.quantity.copy_abs())
            available = EXACT.add(available, EXACT.multiply(cost, _TWO))
        value = EXACT.multiply(closing, price)
        change = value if order.side is Side.SELL else value.copy_negate()
        return EXACT.add(available, change)


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    # The built-in sum would round to the precision of the caller's context.
    return reduce(EXACT.add, numbers, ZERO)
