"""At which price a bar fills an order: one function for each type of order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange.bar import ExactBar
from ingenium.exchange.policy import FillPolicy
from ingenium.exchange.resting import RestingOrder
from ingenium.trading.money import EXACT

__all__ = ["AUCTIONS", "MATCHERS", "Match", "Matcher", "retrail", "trail"]

_FINEST = 12
"""Decimals of a stop that a percentage made."""


class Match(msgspec.Struct, frozen=True, gc=False):
    """A price at which a bar fills an order, whatever the quantity.

    Attributes:
        price: Before slippage; within the bar.
        at_open: Whether it happens at the bar's start; else at some time within the bar.
        slips: Whether slippage applies: at the market it does, at a limit never.
    """

    price: Decimal
    at_open: bool
    slips: bool


Matcher = Callable[[RestingOrder, ExactBar, FillPolicy], Match | None]


def match_market(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a market order: at the open."""
    return Match(bar.open, at_open=True, slips=True)


def match_limit(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a limit order: where the bar goes through the limit, or opens beyond it.

    The open decides about a better price than the limit, never the bar's far extreme.
    """
    limit = resting.order.limit_price
    if limit is None:
        return None
    if resting.order.side is Side.BUY:
        reached = bar.low < limit or (policy.touch_fills and bar.low == limit)
        opens_better = bar.open < limit
    else:
        reached = bar.high > limit or (policy.touch_fills and bar.high == limit)
        opens_better = bar.open > limit
    if not reached:
        return None
    price = bar.open if opens_better and policy.price_improvement else limit
    return Match(price, at_open=opens_better, slips=False)


def match_stop(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a stop order: at the worse of open and stop on the bar that triggers it.

    What that bar does not fill is a market order from then on.
    """
    if resting.is_triggered:
        return match_market(resting, bar, policy)
    trigger = _trigger(resting, bar)
    if trigger is None:
        return None
    return Match(trigger, at_open=trigger == bar.open, slips=True)


def match_stop_limit(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a stop-limit order: a limit order from the bar behind the one that triggers it.

    What comes after the trigger within its own bar is known of the close only, so the limit
    counts there only if the close is through it.
    """
    limit = resting.order.limit_price
    if limit is None or resting.is_triggered:
        return match_limit(resting, bar, policy)
    trigger = _trigger(resting, bar)
    if trigger is None:
        return None
    if resting.order.side is Side.BUY:
        is_through = bar.close < limit or (policy.touch_fills and bar.close == limit)
        price = min(limit, trigger)
    else:
        is_through = bar.close > limit or (policy.touch_fills and bar.close == limit)
        price = max(limit, trigger)
    return Match(price, at_open=False, slips=False) if is_through else None


def match_trailing_stop(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a trailing stop: against the stop as it was, which the bar's extreme then moves."""
    if resting.best is None:
        trail(resting, bar.open)
    match = match_stop(resting, bar, policy)
    if not resting.is_triggered:
        trail(resting, bar.high if resting.order.side is Side.SELL else bar.low)
    return match


def match_opening(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match an order for the opening auction: at the open, where its limit allows that."""
    return _match_auction(resting, bar.open, policy, at_open=True)


def match_closing(resting: RestingOrder, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match an order for the closing auction: at the close, where its limit allows that."""
    return _match_auction(resting, bar.close, policy, at_open=False)


def _match_auction(
    resting: RestingOrder, price: Decimal, policy: FillPolicy, *, at_open: bool
) -> Match | None:
    limit = resting.order.limit_price
    if limit is None:
        return Match(price, at_open=at_open, slips=True)
    is_better = price < limit if resting.order.side is Side.BUY else price > limit
    if not is_better and not (policy.touch_fills and price == limit):
        return None
    return Match(price if policy.price_improvement else limit, at_open=at_open, slips=False)


def trail(resting: RestingOrder, price: Decimal) -> None:
    """Let a trailing stop follow a price, which never moves it back."""
    best = resting.best
    is_sell = resting.order.side is Side.SELL
    if best is not None and (price <= best if is_sell else price >= best):
        return
    retrail(resting, price)


def retrail(resting: RestingOrder, price: Decimal) -> None:
    """Let a trailing stop trail a price from now on."""
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
        # A percentage of a fine price is finer still; away from the price is against the owner.
        rounding = ROUND_FLOOR if is_sell else ROUND_CEILING
        stop = stop.quantize(Decimal(1).scaleb(-_FINEST), rounding=rounding, context=EXACT)
    resting.stop = stop


def _trigger(resting: RestingOrder, bar: ExactBar) -> Decimal | None:
    """Say at which price a bar triggers a stop, the worse of open and stop; note that it does."""
    stop = resting.stop
    if stop is None:
        return None
    if resting.order.side is Side.BUY:
        price = max(bar.open, stop) if bar.high >= stop else None
    else:
        price = min(bar.open, stop) if bar.low <= stop else None
    resting.is_triggered = price is not None
    return price


MATCHERS: dict[OrderType, Matcher] = {
    OrderType.MARKET: match_market,
    OrderType.LIMIT: match_limit,
    OrderType.STOP: match_stop,
    OrderType.STOP_LIMIT: match_stop_limit,
    OrderType.TRAILING_STOP: match_trailing_stop,
}
"""The types of orders that the exchange works."""

AUCTIONS: dict[TimeInForce, Matcher] = {
    TimeInForce.OPG: match_opening,
    TimeInForce.CLS: match_closing,
}
"""Times in force that are filled in an auction, whatever the type of the order."""
