"""What an account may do, where its owner wants the exchange to hold it to that."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import reduce

from ingenium.errors import ConfigError
from ingenium.events import Side
from ingenium.exchange.resting import RestingOrder
from ingenium.trading import Account, Fill, Order
from ingenium.trading.money import EXACT, QUOTIENT, ZERO, Number, to_decimal

__all__ = ["Ledger"]

_TWO = Decimal(2)


class Ledger:
    """Cash and positions, and what they allow.

    With an amount of cash there is no margin: what opens or adds to a position must be paid for,
    and a short sale blocks its proceeds and as much again until it is bought back. What reduces a
    position is always allowed.

    Args:
        cash: What the account starts with; ``None`` for as much as it takes.
        allow_short: Whether it may sell what it does not hold.

    Raises:
        ConfigError: The cash is no finite number, or negative.
    """

    def __init__(self, cash: Number | None = None, *, allow_short: bool = True) -> None:
        self._is_limited = cash is not None
        self._allow_short = allow_short
        self._account = Account(ZERO if cash is None else to_decimal(cash, "cash"))
        if self._account.cash < 0:
            raise ConfigError(f"cash is {cash}: use zero or more, or None for no limit")

    @property
    def account(self) -> Account:
        """Cash and positions, which are kept where something is forbidden."""
        return self._account

    @property
    def forbids_nothing(self) -> bool:
        """Whether every order is allowed, so that there is nothing to keep books for."""
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

    def admit(
        self, resting: RestingOrder, price: Decimal, fee: Decimal, working: Iterable[RestingOrder]
    ) -> str:
        """Say why an order cannot be taken, beside those that work; empty when it can.

        Takes note in the order of what it sets aside.

        Args:
            resting: The order.
            price: At which it is expected to be filled.
            fee: What that would cost.
            working: The orders that work, without protective ones.
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
        return self._objection(order, opening, closing, price, fee, set_aside)

    def admit_fill(self, order: Order, quantity: Decimal, price: Decimal, fee: Decimal) -> str:
        """Say why a fill cannot happen; empty when it can."""
        if self.forbids_nothing:
            return ""
        closing = min(self._closable(order), quantity)
        opening = EXACT.subtract(quantity, closing)
        return self._objection(order, opening, closing, price, fee, ZERO)

    def _closable(self, order: Order) -> Decimal:
        """How much of a position an order in the other direction could close."""
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
    # The built-in sum would round to the digits of the caller's context.
    return reduce(EXACT.add, numbers, ZERO)
