"""Bracket exits: which protective order a bar fills, over all price paths through the bar.

A price path begins at the open, touches high and low, and ends at the close. An outcome shared by
all paths is the result; where paths differ, the outcome worse for the owner is the result, marked
as ambiguous.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.events import OrderType, Side
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.matching import Match, is_through
from ingenium.exchange.resting_order import RestingOrder

__all__ = ["BracketExit", "Rest", "find_exit"]


class Rest(msgspec.Struct, frozen=True, gc=False):
    """The price path from a point within a bar to its close, as far as known.

    Attributes:
        price: Price at that point.
        at_open: Whether that point is the open of the bar.
        high_ahead: Whether the path certainly touches the bar's high.
        low_ahead: Whether the path certainly touches the bar's low.
        is_entry: Whether the path begins with the fill of the entry, which activates the orders.
    """

    price: Decimal
    at_open: bool
    high_ahead: bool
    low_ahead: bool
    is_entry: bool

    @classmethod
    def after(cls, entry: Match, bar: ExactBar) -> Rest:
        """Return the rest of a bar after a fill."""
        # Without price improvement, the entry price at the open may lie outside the bar.
        price = bar.open if entry.at_open else entry.price
        return cls(price, entry.at_open, entry.high_ahead, entry.low_ahead, is_entry=True)

    @classmethod
    def whole(cls, bar: ExactBar) -> Rest:
        """Return the whole bar as a rest."""
        return cls(bar.open, at_open=True, high_ahead=True, low_ahead=True, is_entry=False)


class BracketExit(msgspec.Struct, frozen=True, gc=False):
    """The exit that a bar causes.

    Attributes:
        leg: The protective order that is filled.
        match: Price of the fill, and whether other price paths have another outcome.
        instead: The match of the target, if other paths fill that first.
    """

    leg: RestingOrder
    match: Match
    instead: Match | None = None


def find_exit(
    profit: RestingOrder | None,
    loss: RestingOrder | None,
    bar: ExactBar,
    rest: Rest,
    policy: FillPolicy,
) -> tuple[BracketExit | None, bool]:
    """Find which of two protective orders is filled.

    Marks the stop-loss as triggered if it is.

    Args:
        profit: The take-profit, if it works.
        loss: The stop-loss, if it works.
        bar: The bar.
        rest: The part of the bar in which they work.
        policy: The fill policy.

    Returns:
        The exit, and whether the target was not filled although some price paths reach it.
    """
    target = None if profit is None else _target(profit, bar, rest, policy)
    if loss is None:
        return _sure_target(profit, target)
    if loss.is_triggered:
        return _triggered(profit, target, loss, bar, rest, policy)
    stop = loss.stop
    is_sell = loss.order.side is Side.SELL
    touched = stop is not None and (bar.low <= stop if is_sell else bar.high >= stop)
    if stop is None or not touched:
        return _sure_target(profit, target)
    is_certain = (rest.low_ahead if is_sell else rest.high_ahead) or (
        bar.close <= stop if is_sell else bar.close >= stop
    )
    begins_beyond = rest.price <= stop if is_sell else rest.price >= stop
    # An entry beyond its own target was meant for a price that is gone, so no target fill is
    # certain.
    if profit is not None and target is not None and target.is_first and not rest.is_entry:
        return BracketExit(profit, target.match), False
    loss.is_triggered = True
    is_certain = is_certain or begins_beyond
    price = rest.price if begins_beyond else stop
    slips = loss.order.type is OrderType.STOP
    match = (
        Match(price, at_open=rest.at_open, slips=slips)
        if begins_beyond
        else Match.within(price, slips=slips, is_falling=is_sell)
    )
    limit = loss.order.limit_price
    if limit is not None and not is_through(limit, price, loss.order.side, policy):
        # The price has to return to the limit; it does on the way to an extreme that is ahead,
        # unless that extreme came before the stop and so filled the target.
        extreme, is_ahead = (bar.high, rest.high_ahead) if is_sell else (bar.low, rest.low_ahead)
        comes_back = is_through(limit, bar.close, loss.order.side, policy) or (
            is_ahead
            and is_through(limit, extreme, loss.order.side, policy)
            and (begins_beyond or target is not None)
        )
        if not comes_back:
            return None, target is not None
        match = Match(limit, at_open=False, slips=False)
    instead = None if target is None or begins_beyond else target.match
    is_ambiguous = not is_certain or instead is not None
    return BracketExit(
        loss, msgspec.structs.replace(match, is_ambiguous=is_ambiguous), instead
    ), False


class _Target(msgspec.Struct, frozen=True, gc=False):
    """A reachable target: whether every path reaches it, and whether before anything else."""

    match: Match
    is_certain: bool
    is_first: bool


def _target(leg: RestingOrder, bar: ExactBar, rest: Rest, policy: FillPolicy) -> _Target | None:
    limit, side = leg.order.limit_price, leg.order.side
    is_sell = side is Side.SELL
    extreme = bar.high if is_sell else bar.low
    if limit is None or not is_through(limit, extreme, side, policy):
        return None
    if is_through(limit, rest.price, side, policy):
        price = rest.price if policy.price_improvement else limit
        match = Match(price, at_open=rest.at_open, slips=False)
        return _Target(match, is_certain=True, is_first=True)
    is_ahead = rest.high_ahead if is_sell else rest.low_ahead
    is_certain = is_ahead or is_through(limit, bar.close, side, policy)
    match = Match.within(limit, slips=False, is_falling=not is_sell)
    return _Target(match, is_certain, is_first=False)


def _sure_target(
    profit: RestingOrder | None, target: _Target | None
) -> tuple[BracketExit | None, bool]:
    if profit is None or target is None:
        return None, False
    return (BracketExit(profit, target.match), False) if target.is_certain else (None, True)


def _triggered(
    profit: RestingOrder | None,
    target: _Target | None,
    loss: RestingOrder,
    bar: ExactBar,
    rest: Rest,
    policy: FillPolicy,
) -> tuple[BracketExit | None, bool]:
    """Match a stop-loss that was triggered earlier: at the market, or at its limit."""
    if loss.order.type is OrderType.STOP:
        match = Match(rest.price, at_open=rest.at_open, slips=True)
        return BracketExit(loss, match), False
    limited = _target(loss, bar, rest, policy)
    if limited is None:
        return _sure_target(profit, target)
    if not limited.is_certain:
        return None, target is not None
    return BracketExit(loss, limited.match), False
