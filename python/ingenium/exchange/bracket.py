"""Brackets: the protective orders of an entry, which share its filled quantity."""

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
    """The state of a bracket within one bar.

    Attributes:
        bar: The bar; ``None`` before there is one.
        exit: The exit after the open, of the shares held before the bar.
        untaken: Whether those shares may have reached their target.
        acted: The leg filled at the open.
        is_stop_ahead: Whether that was the target, so that the remaining shares may be stopped
            later.
        fresh: The shares that the entry fills in this bar.
        rest: The part of the bar after that fill; ``None`` for a fill at its end.
        found: The exits after the open, once computed.
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

    Both cover the shares that the order has filled and neither has closed yet, so a fill of one
    reduces the other. They only ever reduce a position.

    Args:
        entry: The order that they protect.
        now: When that order arrived, UTC.
    """

    def __init__(self, entry: Order, now: datetime) -> None:
        self.entry = entry
        self.is_entry_working = True
        self.number = 0
        """Sequence number among all orders and brackets."""
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
        """Last entry fill: start of its bar, whether it was at the open, whether at the close."""
        return self._entered_at, self._is_sure, self._is_over

    def restore(
        self,
        legs: list[RestingOrder],
        entered: tuple[datetime | None, bool, bool],
        *,
        is_entry_working: bool,
        number: int,
    ) -> None:
        """Restore saved state."""
        self.legs, self.number = legs, number
        self.is_entry_working = is_entry_working
        self._entered_at, self._is_sure, self._is_over = entered

    @property
    def exposure(self) -> Decimal:
        """Number of shares filled and not closed."""
        return self.legs[0].leaves if self.legs else ZERO

    @property
    def is_entered(self) -> bool:
        """Whether any part of the entry has been filled."""
        return self._entered_at is not None

    def enter(self, quantity: Decimal, bar: ExactBar, match: Match) -> bool:
        """Add shares that the entry has filled; return whether they are the first.

        Args:
            quantity: Number of shares.
            bar: The bar that filled them.
            match: Time and price of the fill.
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
        """Remove closed shares; the leg that closed them has counted them already."""
        for leg in self.legs:
            if leg is not by:
                leg.leaves = max(EXACT.subtract(leg.leaves, quantity), ZERO)

    def limit_to(self, position: Decimal) -> Decimal:
        """Limit the protected shares to a position; return what is left for other brackets.

        Args:
            position: The position not protected by other brackets, negative when short.
        """
        held = position if self.side is Side.SELL else position.copy_negate()
        excess = EXACT.subtract(self.exposure, max(held, ZERO))
        if excess > 0:
            self.reduce(excess)
        kept = self.exposure
        return EXACT.subtract(position, kept if self.side is Side.SELL else kept.copy_negate())

    def exit_at_open(self, bar: ExactBar, policy: FillPolicy) -> tuple[BracketExit, Decimal] | None:
        """Match the legs against a bar, for the shares held before the bar.

        Returns:
            The leg filled at the open, and the maximum number of shares; `exits_after_open` has the
            later exits.
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
        # Shares that the volume cap leaves of a target at the open may still be stopped.
        state.is_stop_ahead = found.leg is profit
        if found.leg is loss and state.rest is not None and state.rest.at_open:
            # Shares filled at the open are stopped there too.
            state.fresh, old = ZERO, self.exposure
        return found, old

    def exits_after_open(
        self, bar: ExactBar, policy: FillPolicy
    ) -> list[tuple[BracketExit, Decimal]]:
        """Return the exits after the open of a bar, and those of the shares filled in it.

        Returns:
            Each leg that is filled, and the maximum number of shares.
        """
        state = self._state(bar)
        if state.found is None:
            state.found, state.untaken = self._find_after_open(state, bar, policy)
        return state.found

    def take_exits(
        self, bar: ExactBar, policy: FillPolicy
    ) -> tuple[list[tuple[BracketExit, Decimal]], bool]:
        """Return the result of `exits_after_open` and clear it, since it applies once per bar.

        Returns:
            The exits, and whether the target was not filled although some price paths through the
            bar reach it.
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
            # Shares filled within the bar were filled at a limit, on the way to the stop.
            return [(exits[0][0], self.exposure)], untaken
        later, is_untaken = find_exit(profit, loss, bar, rest, policy)
        if later is None:
            return exits, untaken or is_untaken
        if exits and exits[0][0].leg is later.leg:
            return [(later, self.exposure)], untaken
        # With a cap, that leg has already used its part of the bar's volume.
        if later.leg is not state.acted or policy.volume_cap is None:
            exits.append((later, fresh))
        return exits, untaken

    def is_concerned(self, bar: ExactBar) -> bool:
        """Return whether `take_exits` may have a result for a bar."""
        return self._now.bar is bar

    def _state(self, bar: ExactBar) -> _BarState:
        """Return the state of a bar, empty for a new bar."""
        if self._now.bar is not bar:
            self._now = _BarState(bar)
        return self._now

    def _live_legs(self, bar: ExactBar) -> tuple[RestingOrder | None, RestingOrder | None]:
        """Return take-profit and stop-loss, if they worked when the bar began."""
        profit: RestingOrder | None = None
        loss: RestingOrder | None = None
        for leg in self.legs:
            if bar.start < leg.submitted:
                continue  # it replaced another leg during the bar
            if leg.order.type is OrderType.LIMIT:
                profit = leg
            else:
                loss = leg
        return profit, loss


def _may_fill(leg: RestingOrder, bar: ExactBar) -> bool:
    """Return whether the range of a bar touches a leg at all, which most bars do not."""
    if leg.is_triggered:
        return True
    is_profit = leg.order.type is OrderType.LIMIT
    level = leg.order.limit_price if is_profit else leg.stop
    is_above = is_profit is (leg.order.side is Side.SELL)
    return level is not None and (bar.high >= level if is_above else bar.low <= level)
