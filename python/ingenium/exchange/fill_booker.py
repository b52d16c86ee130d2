"""What a fill costs on the simulated exchange, and what it changes in the books."""

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

# A member of an enumeration is looked up slowly.
_BUY = Side.BUY
_FILLED, _PARTIAL_FILL = TradeUpdate.FILLED, TradeUpdate.PARTIAL_FILL


class FillBooker:
    """Sizes, prices and books fills.

    Args:
        books: Where fills are booked.
        policy: The rules of filling.
        fees: What a fill costs.
        slippage: How far market fills slip.

    Attributes:
        freed_later: Cash that fills within the bars of this instant have freed; it was not
            available at their open.
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
        """Return how much of an order a bar can fill.

        Args:
            resting: The order.
            bar: The bar.
            counts: Whether a volume cap that held, or could not, is counted in the notes.
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
        """Return what the next fill of an order costs."""
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
        """Book a fill, and return the report of it.

        Args:
            resting: The order.
            bar: The bar that fills it.
            match: When and at which price before slippage.
            quantity: How much is filled.
            price: Of one share, with slippage.
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
