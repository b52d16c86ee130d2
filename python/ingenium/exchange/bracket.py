"""The protective orders of a bracket: they live off its fills, and off each other."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange.bar import ExactBar
from ingenium.exchange.matching import MATCHERS, Match
from ingenium.exchange.policy import FillPolicy
from ingenium.exchange.resting import RestingOrder
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["Bracket"]


class Bracket:
    """The take-profit and the stop-loss of one order.

    Both are for the shares that the order has filled and that neither has closed yet, so a fill
    of one takes away from the other. They only ever reduce a position.

    Args:
        entry: The order that they belong to.
        now: When it came, UTC.
    """

    def __init__(self, entry: Order, now: datetime) -> None:
        self.entry = entry
        self.is_entry_working = True
        self.number = 0
        """Place among all orders and brackets that came."""
        self.legs = [RestingOrder(leg, now) for leg in entry.protective_orders()]
        self.side = self.legs[0].order.side
        for leg in self.legs:
            leg.leaves = ZERO
        self._entered_at: datetime | None = None
        self._is_sure = False
        self._is_over = False

    @property
    def entered(self) -> tuple[datetime | None, bool, bool]:
        """Return the bar that filled the entry last: its start, and what is known of the rest.

        Whether what came after the fill is sure, and whether nothing came after it.
        """
        return self._entered_at, self._is_sure, self._is_over

    def restore(
        self,
        legs: list[RestingOrder],
        entered: tuple[datetime | None, bool, bool],
        *,
        is_entry_working: bool,
        number: int,
    ) -> None:
        """Let it be as it was when it was saved."""
        self.legs, self.number = legs, number
        self.is_entry_working = is_entry_working
        self._entered_at, self._is_sure, self._is_over = entered

    @property
    def exposure(self) -> Decimal:
        """How many shares are filled and not closed."""
        return self.legs[0].leaves if self.legs else ZERO

    @property
    def is_entered(self) -> bool:
        """Whether anything of the entry has been filled."""
        return self._entered_at is not None

    def enter(self, quantity: Decimal, bar: ExactBar) -> bool:
        """Take in shares that the entry has filled; return whether they are the first."""
        is_first = self._entered_at is None
        self._entered_at = bar.start
        # After a fill at the open the whole bar lies ahead, and after one at the close nothing of
        # it. Of a limit or stop within the bar nobody knows what came before it.
        self._is_sure = self.entry.type is OrderType.MARKET
        self._is_over = self.entry.time_in_force is TimeInForce.CLS
        for leg in self.legs:
            leg.leaves = EXACT.add(leg.leaves, quantity)
        return is_first

    def reduce(self, quantity: Decimal, by: RestingOrder | None = None) -> None:
        """Take out shares that are closed; the leg that closed them has counted them already."""
        for leg in self.legs:
            if leg is not by:
                leg.leaves = max(EXACT.subtract(leg.leaves, quantity), ZERO)

    def limit_to(self, position: Decimal) -> Decimal:
        """Protect no more than there is left of a position; return what is left for others.

        Args:
            position: The position that other brackets do not protect, negative when short.
        """
        held = position if self.side is Side.SELL else position.copy_negate()
        excess = EXACT.subtract(self.exposure, max(held, ZERO))
        if excess > 0:
            self.reduce(excess)
        kept = self.exposure
        return EXACT.subtract(position, kept if self.side is Side.SELL else kept.copy_negate())

    def match(self, bar: ExactBar, policy: FillPolicy) -> tuple[RestingOrder, Match, bool] | None:
        """Match both legs against a bar.

        Returns:
            The leg that is filled, at which price, and whether the bar leaves a doubt. Where it
            does, the loss wins: when both legs could be filled, and when the bar that filled the
            entry also touches the stop.
        """
        is_entry_bar = self._entered_at == bar.start
        if not self.exposure or (is_entry_bar and self._is_over):
            return None
        found: list[tuple[RestingOrder, Match]] = []
        for leg in self.legs:
            if bar.start < leg.submitted:
                continue  # it took the place of another while the bar went on
            is_profit = leg.order.type is OrderType.LIMIT
            if is_profit and is_entry_bar and not self._is_sure:
                continue
            match = MATCHERS[leg.order.type](leg, bar, policy)
            if match is not None:
                found.append((leg, match))
        if not found:
            return None
        # The stop-loss stands last among the legs.
        leg, match = found[-1]
        is_stop = leg.order.type is not OrderType.LIMIT
        is_doubtful = len(found) > 1 or (is_stop and is_entry_bar and not self._is_sure)
        return leg, match, is_doubtful
