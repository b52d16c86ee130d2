"""The mutable position in one symbol, opened and closed by fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ingenium.events import Side
from ingenium.trading.fill import Fill
from ingenium.trading.money import EXACT, QUOTIENT, ZERO
from ingenium.trading.trade import Trade

__all__ = ["Exit", "Holding", "part_of"]

# Enum member lookup is slow.
_BUY = Side.BUY
_SELL = Side.SELL
_MOST_EXITS = 16


@dataclass(slots=True)
class Exit:
    """The part of an open position that the fills of one exit order have closed.

    Attributes:
        number: Number of the trade made by these fills.
        quantity: Shares or units closed, positive.
        cost: Their share of the position's cost, negative for a short.
        value: Proceeds of the close, negative for a short.
        commission: Their share of the entry and exit commissions.
        fills: Number of fills.
    """

    number: int
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    value: Decimal = ZERO
    commission: Decimal = ZERO
    fills: int = 0


@dataclass(slots=True)
class Holding:
    """The position in one symbol, while it changes.

    Attributes:
        entry_time: When the position was opened from flat.
        quantity: Shares or units, negative for a short.
        cost: Amount paid, excluding commissions.
        commission: Entry commissions not yet assigned to a trade.
        realized_pnl: Realized P&L, excluding commissions.
        number: Number of symbols traded before this one.
        exits: Exit orders that have closed part of the present position, by id; at most 16.
    """

    entry_time: datetime
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    commission: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    number: int = 0
    exits: dict[str, Exit] | None = None

    def open(self, fill: Fill, signed: Decimal, fee: Decimal) -> None:
        """Open the position, or add to it.

        Args:
            fill: Supplies price and time.
            signed: The opening part of its quantity, negative for a sell.
            fee: The commission of that part.
        """
        if not self.quantity:
            self.entry_time = fill.time
        self.quantity = EXACT.add(self.quantity, signed)
        self.cost = EXACT.add(self.cost, EXACT.multiply(signed, fill.price))
        if fee:
            self.commission = EXACT.add(self.commission, fee)

    def close(
        self, fill: Fill, closing: Decimal, fee: Decimal, next_number: int
    ) -> tuple[int, Trade, Decimal]:
        """Close a part of the position, or all of it.

        Args:
            fill: Supplies price, time and order.
            closing: The closing part of its quantity, at most the position.
            fee: The commission of that part.
            next_number: Number of the trade, unless the order has begun one already.

        Returns:
            Number of the trade, the trade so far, and the realized P&L of this fill.
        """
        held = self.quantity.copy_abs()
        is_long = self.quantity > 0
        signed = closing if is_long else closing.copy_negate()
        own_cost = cost = part_of(self.cost, closing, held)
        entry_fee = part_of(self.commission, closing, held)
        value = EXACT.multiply(signed, fill.price)
        pnl = total = EXACT.subtract(value, cost)
        commission = EXACT.add(entry_fee, fee)
        begun = None if self.exits is None else self.exits.get(fill.order_id)
        if begun is None:
            number, fills = next_number, 1
            quantity, exit_price = closing, fill.price
            entry_price = QUOTIENT.divide(self.cost, self.quantity)
        else:
            number, fills = begun.number, begun.fills + 1
            quantity = EXACT.add(begun.quantity, closing)
            cost, value = EXACT.add(begun.cost, cost), EXACT.add(begun.value, value)
            commission = EXACT.add(begun.commission, commission)
            total = EXACT.subtract(value, cost)
            whole = quantity if is_long else quantity.copy_negate()
            entry_price, exit_price = QUOTIENT.divide(cost, whole), QUOTIENT.divide(value, whole)
        trade = Trade(
            fill.symbol,
            _BUY if is_long else _SELL,
            self.entry_time,
            fill.time,
            quantity,
            entry_price,
            exit_price,
            total,
            commission,
            fills,
        )
        self.quantity = EXACT.subtract(self.quantity, signed)
        self.cost = EXACT.subtract(self.cost, own_cost)
        if entry_fee:
            self.commission = EXACT.subtract(self.commission, entry_fee)
        self.realized_pnl = EXACT.add(self.realized_pnl, pnl)
        if not self.quantity:
            self.exits = None
        elif fill.order_id:
            self._remember(fill.order_id, Exit(number, quantity, cost, value, commission, fills))
        return number, trade, pnl

    def _remember(self, order_id: str, exit: Exit) -> None:
        if self.exits is None:
            self.exits = {}
        self.exits[order_id] = exit
        if len(self.exits) > _MOST_EXITS:
            del self.exits[min(self.exits, key=self._number_of)]

    def _number_of(self, order_id: str) -> int:
        return 0 if self.exits is None else self.exits[order_id].number


def part_of(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return the share of ``total`` for ``part`` of ``whole``; all of it when they are equal."""
    if part == whole or not total:
        return total
    return QUOTIENT.divide(EXACT.multiply(total, part), whole)
