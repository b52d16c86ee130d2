"""Counters of exchange events that matter for judging a result."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FillCounters"]


@dataclass(slots=True)
class FillCounters:
    """Counts of events that flatter a result or make it doubtful.

    Attributes:
        fills: Fills, for comparison.
        uncapped_fills: Fills on bars with unknown or zero volume, to which no cap applied.
        capped_fills: Fills reduced by the volume cap.
        skipped_fills: Fills skipped because the cap allowed less than the order's smallest step,
            which is one share for an order of whole shares.
        ambiguous_fills: Fills where the bar allowed several outcomes and the worst one was taken.
        inconsistent_bars: Matched bars whose open or close is outside low and high.
        repeated_orders: Orders that arrived again with a known id, and were ignored.
        rejected_orders: Orders rejected on arrival or by the bar that would have filled them.
        reduced_orders: Orders filled as far as the account allowed, with the rest canceled.
        untaken_targets: Targets that the bar of the entry may have reached after the entry, not
            filled since not every price path reaches them.
        bars_without_volume: Bars without volume on which an order waited because of the policy.
        overlapping_bars: Bars that filled nothing since other bars had already covered their time.
    """

    fills: int = 0
    uncapped_fills: int = 0
    capped_fills: int = 0
    skipped_fills: int = 0
    ambiguous_fills: int = 0
    inconsistent_bars: int = 0
    repeated_orders: int = 0
    rejected_orders: int = 0
    reduced_orders: int = 0
    untaken_targets: int = 0
    bars_without_volume: int = 0
    overlapping_bars: int = 0
