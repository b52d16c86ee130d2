"""The volume cap on fills."""

from __future__ import annotations

from decimal import Decimal

from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading.money import EXACT

__all__ = ["fillable"]


def fillable(
    resting: RestingOrder, bar: ExactBar, policy: FillPolicy, notes: FillCounters
) -> Decimal:
    """Return the quantity of an order that a bar can fill, limited by the volume cap.

    Args:
        resting: The order.
        bar: The bar.
        policy: The fill policy with the cap.
        notes: Counts caps that limited a fill, or could not be applied.
    """
    if policy.volume_cap is None:
        return resting.leaves
    if bar.volume <= 0:
        notes.uncapped_fills += 1
        return resting.leaves
    allowed = EXACT.multiply(policy.volume_cap, bar.volume)
    if allowed >= resting.leaves:
        return resting.leaves
    allowed = resting.rounded(allowed)
    if allowed:
        notes.capped_fills += 1
    else:
        notes.skipped_fills += 1
    return allowed
