"""The protective orders of a bracket: they live off its fills, and off each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ingenium.events import OrderType, Side
from ingenium.exchange.bracket_exits import BracketExit, Rest, find_exit
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.matching import Match
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["Bracket"]


@dataclass(slots=True)
class _BarState:
    """What a bracket has found in one bar.

    Attributes:
        bar: The bar; ``None`` before there is one.
        exit: What happens after its open to the shares that were there before it.
        untaken: Whether those may have reached their target.
        acted: The leg that its open filled.
        is_stop_ahead: Whether that was the target, so that what it left may be stopped later.
        fresh: The shares that it brings.
        rest: What of it comes after them; ``None`` where they come at its end.
        found: What it does after its open, once that has been worked out.
    """

    bar: ExactBar | None
    exit: BracketExit | None = None
    untaken: bool = False
    acted: RestingOrder | None = None
    is_stop_ahead: bool = False
    fresh: Decimal = ZERO
    rest: Rest | None = None
    found: list[tuple[BracketExit, Decimal]] | None = None


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
        self._now = _BarState(None)

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

    def enter(self, quantity: Decimal, bar: ExactBar, match: Match) -> bool:
        """Take in shares that the entry has filled; return whether they are the first.

        Args:
            quantity: How many.
            bar: The bar that filled them.
            match: When and at which price.
        """
        is_first = self._entered_at is None
        self._entered_at = bar.start
        self._is_sure, self._is_over = match.at_open, match.at_close
        state = self._state(bar)
        state.fresh, state.found = quantity, None
        state.rest = None if match.at_close else Rest.after(match, bar)
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

    def exit_at_open(self, bar: ExactBar, policy: FillPolicy) -> tuple[BracketExit, Decimal] | None:
        """Match the legs against a bar for the shares that were there before it.

        Returns:
            The leg that is filled at the open, and for how many shares at the most; what comes
            later is for `exits_after_open`.
        """
        exposure = self.exposure
        if not exposure or not any(_may_fill(leg, bar) for leg in self.legs):
            return None
        state = self._state(bar)
        old = EXACT.subtract(exposure, min(state.fresh, exposure))
        if not old:
            return None
        profit, loss = self._live_legs(bar)
        found, state.untaken = find_exit(profit, loss, bar, Rest.whole(bar), policy)
        if found is None or not found.match.at_open:
            state.exit = found
            return None
        state.acted = found.leg
        # What the volume cap leaves of a target at the open may still be stopped.
        state.is_stop_ahead = found.leg is profit
        if found.leg is loss and state.rest is not None and state.rest.at_open:
            # What came at the open is stopped there too.
            state.fresh, old = ZERO, self.exposure
        return found, old

    def exits_after_open(
        self, bar: ExactBar, policy: FillPolicy
    ) -> list[tuple[BracketExit, Decimal]]:
        """Return what the bar does after its open, and to the shares that it brought.

        Returns:
            Each leg that is filled and for how many shares at the most.
        """
        state = self._state(bar)
        if state.found is None:
            state.found, state.untaken = self._find_after_open(state, bar, policy)
        return state.found

    def take_exits(
        self, bar: ExactBar, policy: FillPolicy
    ) -> tuple[list[tuple[BracketExit, Decimal]], bool]:
        """Return the same once: a bar does it once.

        Returns:
            The exits, and whether the target was not taken although some ways of the price through
            the bar reach it.
        """
        exits = self.exits_after_open(bar, policy)
        state = self._now
        untaken = state.untaken
        state.exit, state.untaken, state.fresh, state.found = None, False, ZERO, []
        state.is_stop_ahead = False
        return exits, untaken

    def _find_after_open(
        self, state: _BarState, bar: ExactBar, policy: FillPolicy
    ) -> tuple[list[tuple[BracketExit, Decimal]], bool]:
        found, untaken = state.exit, state.untaken
        fresh, rest = min(state.fresh, self.exposure), state.rest
        old = EXACT.subtract(self.exposure, fresh)
        profit, loss = self._live_legs(bar)
        if old and state.is_stop_ahead:
            found, _ = find_exit(None, loss, bar, Rest.whole(bar), policy)
        exits = [(found, old)] if found is not None and old else []
        if not fresh or rest is None:
            return exits, untaken
        if exits and exits[0][0].leg is loss:
            # What came within the bar came at a limit, on the way to the stop.
            return [(exits[0][0], self.exposure)], untaken
        later, is_untaken = find_exit(profit, loss, bar, rest, policy)
        if later is None:
            return exits, untaken or is_untaken
        if exits and exits[0][0].leg is later.leg:
            return [(later, self.exposure)], untaken
        # Where there is a cap, that leg has had its part of the bar's volume.
        if later.leg is not state.acted or policy.volume_cap is None:
            exits.append((later, fresh))
        return exits, untaken

    def is_concerned(self, bar: ExactBar) -> bool:
        """Whether `take_exits` has anything to say of a bar."""
        return self._now.bar is bar

    def _state(self, bar: ExactBar) -> _BarState:
        """Return what is known of a bar; a new one has not done anything yet."""
        if self._now.bar is not bar:
            self._now = _BarState(bar)
        return self._now

    def _live_legs(self, bar: ExactBar) -> tuple[RestingOrder | None, RestingOrder | None]:
        """Return take-profit and stop-loss, as far as they were there when the bar began."""
        profit: RestingOrder | None = None
        loss: RestingOrder | None = None
        for leg in self.legs:
            if bar.start < leg.submitted:
                continue  # it took the place of another while the bar went on
            if leg.order.type is OrderType.LIMIT:
                profit = leg
            else:
                loss = leg
        return profit, loss


def _may_fill(leg: RestingOrder, bar: ExactBar) -> bool:
    """Whether the range of a bar touches a leg at all, as most do not."""
    if leg.is_triggered:
        return True
    is_profit = leg.order.type is OrderType.LIMIT
    level = leg.order.limit_price if is_profit else leg.stop
    is_above = is_profit is (leg.order.side is Side.SELL)
    return level is not None and (bar.high >= level if is_above else bar.low <= level)
