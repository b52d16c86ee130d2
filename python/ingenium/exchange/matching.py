"""At which price a bar fills an order: one function for each type of order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ingenium.events import OrderType, Side
from ingenium.exchange.bar import ExactBar
from ingenium.exchange.policy import FillPolicy
from ingenium.trading import Order

__all__ = ["MATCHERS", "Match", "Matcher"]


@dataclass(frozen=True, slots=True)
class Match:
    """A price at which a bar fills an order, whatever the quantity.

    Attributes:
        price: Before slippage; within the bar.
        at_open: Whether it happens at the bar's start; else at some time within the bar.
        slips: Whether slippage applies: at the market it does, at a limit never.
    """

    price: Decimal
    at_open: bool
    slips: bool


Matcher = Callable[[Order, ExactBar, FillPolicy], Match | None]


def match_market(order: Order, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a market order: at the open."""
    return Match(bar.open, at_open=True, slips=True)


def match_limit(order: Order, bar: ExactBar, policy: FillPolicy) -> Match | None:
    """Match a limit order: where the bar goes through the limit, or opens beyond it.

    The open decides about a better price than the limit, never the bar's far extreme.
    """
    limit = order.limit_price
    if limit is None:
        return None
    if order.side is Side.BUY:
        reached = bar.low < limit or (policy.touch_fills and bar.low == limit)
        opens_better = bar.open < limit
    else:
        reached = bar.high > limit or (policy.touch_fills and bar.high == limit)
        opens_better = bar.open > limit
    if not reached:
        return None
    price = bar.open if opens_better and policy.price_improvement else limit
    return Match(price, at_open=opens_better, slips=False)


MATCHERS: dict[OrderType, Matcher] = {
    OrderType.MARKET: match_market,
    OrderType.LIMIT: match_limit,
}
"""The types of orders that the exchange works."""
