"""Matching: the price at which a bar fills an order, with one function per order type."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec
from msgspec.structs import replace

from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading.money import EXACT

__all__ = [
    "AUCTIONS",
    "MATCHERS",
    "Match",
    "Matcher",
    "is_earlier",
    "is_through",
    "retrail",
    "trail",
]

_FINEST = 12
"""Maximum decimals of a stop derived from a percentage."""


class Match(msgspec.Struct, frozen=True, gc=False):
    """The price at which a bar fills an order, whatever the quantity.

    Attributes:
        price: Price before slippage; within the bar.
        at_open: Whether the fill is at the bar's start; otherwise at some time within the bar.
        slips: Whether slippage applies: always at the market, never at a limit.
        is_ambiguous: Whether another price path through the bar gives another price, so that this
            is the worse one for the owner.
        high_ahead: Whether the bar's high comes after the fill on every price path.
        low_ahead: Whether the bar's low comes after the fill on every price path.
        at_close: Whether the fill is at the bar's end, after all others.
    """

    price: Decimal
    at_open: bool
    slips: bool
    is_ambiguous: bool = False
    high_ahead: bool = False
    low_ahead: bool = False
    at_close: bool = False

    @classmethod
    def within(cls, price: Decimal, *, slips: bool, is_falling: bool) -> Match:
        """Return a fill at a price that a bar falls or rises to from its open.

        The extreme beyond that price is still ahead.
        """
        return cls(price, False, slips, high_ahead=not is_falling, low_ahead=is_falling)


Matcher = Callable[[RestingOrder, ExactBar, FillPolicy], Match | None]


def match_market(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a market order: at the open."""
    return _at_open(bar.open, slips=True)


def match_limit(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a limit order: if the bar goes through the limit, or opens beyond it.

    Only the open can give a better price than the limit, never the bar's far extreme.
    """
    limit = resting.order.limit_price
    if limit is None:
        return None
    is_buy = resting.order.side is Side.BUY
    if not is_through(limit, bar.low if is_buy else bar.high, resting.order.side, policy):
        return None
    if bar.open < limit if is_buy else bar.open > limit:
        return _at_open(bar.open if policy.price_improvement else limit, slips=False)
    if bar.open == limit and policy.touch_fills:
        return Match(limit, at_open=False, slips=False, high_ahead=True, low_ahead=True)
    return Match.within(limit, slips=False, is_falling=is_buy)


def match_stop(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a stop order: at the worse of open and stop on the bar that triggers it.

    The part that this bar leaves unfilled is a market order from then on.
    """
    if resting.is_triggered:
        return match_market(resting, bar, policy)
    return _trigger(resting, bar)


def match_stop_limit(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a stop-limit order: a limit order from its trigger on.

    On the bar that triggers it, the order fills only if every price path goes through the limit
    after the trigger: at the trigger itself, at the close, or at the extreme beyond the limit if
    the bar opens beyond the stop.
    """
    order, limit = resting.order, resting.order.limit_price
    if limit is None or resting.is_triggered:
        return match_limit(resting, bar, policy)
    trigger = _trigger(resting, bar)
    if trigger is None:
        return None
    if is_through(limit, trigger.price, order.side, policy):
        return replace(trigger, slips=False)
    is_buy = order.side is Side.BUY
    if trigger.at_open and is_through(limit, bar.low if is_buy else bar.high, order.side, policy):
        return Match.within(limit, slips=False, is_falling=is_buy)
    if is_through(limit, bar.close, order.side, policy):
        return Match(limit, at_open=False, slips=False)
    return None


def match_trailing_stop(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a trailing stop: against the stop set by the open, which the bar then moves.

    If the bar ends beyond the stop set by its best price, every price path is stopped somewhere
    between the two stops.
    """
    if resting.is_triggered:
        return match_market(resting, bar, policy)
    is_sell = resting.order.side is Side.SELL
    # The open comes first, so it moves the stop before anything can touch it.
    trail(resting, bar.open)
    match = _trigger(resting, bar)
    extreme, other = (bar.high, bar.low) if is_sell else (bar.low, bar.high)
    if match is not None:
        best = resting.best
        is_moved = best is not None and (extreme > best if is_sell else extreme < best)
        return replace(match, is_ambiguous=is_moved and not match.at_open)
    trail(resting, extreme)
    stop = resting.stop
    if stop is None or (bar.close > stop if is_sell else bar.close < stop):
        return None
    resting.is_triggered = True
    return Match(other, at_open=False, slips=True, is_ambiguous=True)


def match_opening(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match an order for the opening auction: at the open, if its limit allows that."""
    return _match_auction(resting, bar.open, policy, at_open=True)


def match_closing(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match an order for the closing auction: at the close, if its limit allows that."""
    return _match_auction(resting, bar.close, policy, at_open=False)


def _match_auction(
    resting: RestingOrder, price: Decimal, policy: FillPolicy, *, at_open: bool
) -> Match | None:
    limit = resting.order.limit_price
    if limit is not None:
        if not is_through(limit, price, resting.order.side, policy):
            return None
        price = price if policy.price_improvement else limit
    slips = limit is None
    if at_open:
        return _at_open(price, slips=slips)
    return Match(price, at_open=False, slips=slips, at_close=True)


def trail(resting: RestingOrder, price: Decimal) -> None:
    """Move a trailing stop after a price; never backwards."""
    best = resting.best
    is_sell = resting.order.side is Side.SELL
    if best is not None and (price <= best if is_sell else price >= best):
        return
    retrail(resting, price)


def retrail(resting: RestingOrder, price: Decimal) -> None:
    """Set the price that a trailing stop trails, in either direction."""
    order = resting.order
    is_sell = order.side is Side.SELL
    resting.best = price
    if order.trail_price is not None:
        distance = order.trail_price
    elif order.trail_percent is not None:
        distance = EXACT.multiply(price.copy_abs(), order.trail_percent).scaleb(-2)
    else:
        return
    stop = EXACT.subtract(price, distance) if is_sell else EXACT.add(price, distance)
    exponent = stop.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_FINEST:
        # A percentage of a fine price has even more decimals; rounding away from the price is
        # against the owner.
        rounding = ROUND_FLOOR if is_sell else ROUND_CEILING
        stop = stop.quantize(Decimal(1).scaleb(-_FINEST), rounding=rounding, context=EXACT)
    resting.stop = stop


def is_through(limit: Decimal, price: Decimal, side: Side, policy: FillPolicy) -> bool:
    """Return whether a price fills a limit order: beyond the limit, or at it if that fills."""
    if price == limit:
        return policy.touch_fills
    return price < limit if side is Side.BUY else price > limit


def is_earlier(one: Match, other: Match) -> bool | None:
    """Return whether a fill within a bar precedes another; ``None`` where price paths differ."""
    if one.at_close or other.at_close:
        return other.at_close
    directions = one.high_ahead - one.low_ahead, other.high_ahead - other.low_ahead
    if directions[0] != directions[1] or not directions[0] or one.price == other.price:
        return None
    return one.price < other.price if directions[0] > 0 else one.price > other.price


def _trigger(resting: RestingOrder, bar: ExactBar) -> Match | None:
    """Match a stop at its trigger, the worse of open and stop; mark it as triggered."""
    stop = resting.stop
    if stop is None:
        return None
    is_buy = resting.order.side is Side.BUY
    resting.is_triggered = bar.high >= stop if is_buy else bar.low <= stop
    if not resting.is_triggered:
        return None
    if bar.open >= stop if is_buy else bar.open <= stop:
        return _at_open(bar.open, slips=True)
    return Match.within(stop, slips=True, is_falling=not is_buy)


def _at_open(price: Decimal, *, slips: bool) -> Match:
    return Match(price, at_open=True, slips=slips, high_ahead=True, low_ahead=True)


MATCHERS: dict[OrderType, Matcher] = {
    OrderType.MARKET: match_market,
    OrderType.LIMIT: match_limit,
    OrderType.STOP: match_stop,
    OrderType.STOP_LIMIT: match_stop_limit,
    OrderType.TRAILING_STOP: match_trailing_stop,
}
"""The order types that the exchange supports."""

AUCTIONS: dict[TimeInForce, Matcher] = {
    TimeInForce.OPG: match_opening,
    TimeInForce.CLS: match_closing,
}
"""Times in force that are filled in an auction, whatever the order type."""
