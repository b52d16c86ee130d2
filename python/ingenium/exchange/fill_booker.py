"""Sizing, pricing and booking of fills on the simulated exchange."""

from __future__ import annotations

from decimal import Decimal

from ingenium.events import Side, TradeUpdate
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.exchange_books import ExchangeBooks
from ingenium.exchange.fees import FeeModel, NoFees, OrderFill, commission
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.matching import Match
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.slippage import NoSlippage, SlippageModel, slipped
from ingenium.exchange.volume_cap import fillable
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import EXACT, ZERO

__all__ = ["FillBooker"]

# Enum member lookup is slow.
_BUY = Side.BUY
_FILLED, _PARTIAL_FILL = TradeUpdate.FILLED, TradeUpdate.PARTIAL_FILL


class FillBooker:
    """Sizes, prices and books fills.

    Args:
        books: The books in which fills are booked.
        policy: The fill policy.
        fees: The fee model.
        slippage: The slippage model of market fills.

    Attributes:
        freed_later: Cash freed by fills within the bars of this instant, which was not available at
            their open.
    """

    def __init__(
        self,
        books: ExchangeBooks,
        policy: FillPolicy,
        fees: FeeModel,
        slippage: SlippageModel,
    ) -> None:
        self.policy = policy
        self.fees = fees
        self.slippage = slippage
        self.freed_later = ZERO
        self._books = books
        self._ledger = books.ledger

    def largest(self, resting: RestingOrder, bar: ExactBar, *, counts: bool = True) -> Decimal:
        """Return the quantity of an order that a bar can fill.

        Args:
            resting: The order.
            bar: The bar.
            counts: Whether a cap that limited the fill, or could not be applied, is counted in the
                notes.
        """
        notes = self._books.notes if counts else FillCounters()
        return fillable(resting, bar, self.policy, notes)

    def cost(
        self, resting: RestingOrder, bar: ExactBar, match: Match, quantity: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Return the price of a fill after slippage, and its commission."""
        price = match.price
        if match.slips and type(self.slippage) is not NoSlippage:
            distance = self.slippage.distance(price, quantity, bar.volume)
            price = slipped(price, resting.order.side, distance)
        return price, self.fee(resting, quantity, price)

    def fee(self, resting: RestingOrder, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the fee of the next fill of an order."""
        if type(self.fees) is NoFees:
            return ZERO
        fill = OrderFill(resting.order, quantity, price, resting.filled, resting.value)
        return commission(self.fees, fill)

    def book(
        self,
        resting: RestingOrder,
        bar: ExactBar,
        match: Match,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
    ) -> ExecutionReport:
        """Book a fill, and return its report.

        Args:
            resting: The order.
            bar: The bar that fills it.
            match: Time of the fill, and its price before slippage.
            quantity: Quantity of the fill.
            price: Price of one share, with slippage.
            fee: The commission of the fill.
        """
        order, books = resting.order, self._books
        resting.leaves = EXACT.subtract(resting.leaves, quantity)
        resting.filled = EXACT.add(resting.filled, quantity)
        resting.value = EXACT.add(resting.value, EXACT.multiply(quantity, price))
        books.notes.fills += 1
        books.notes.ambiguous_fills += match.is_ambiguous
        signed = quantity if order.side is _BUY else quantity.copy_negate()
        books.move(order.symbol, signed)
        if not self._ledger.forbids_nothing:
            before = self._ledger.free_cash
            self._ledger.book(order, quantity, price, fee)
            freed = EXACT.subtract(self._ledger.free_cash, before)
            if freed > 0 and not match.at_open:
                self.freed_later = EXACT.add(self.freed_later, freed)
        return ExecutionReport(
            order,
            _PARTIAL_FILL if resting.leaves else _FILLED,
            bar.start if match.at_open else bar.end,
            resting.leaves,
            quantity,
            price,
            fee,
            is_ambiguous=match.is_ambiguous,
        )
