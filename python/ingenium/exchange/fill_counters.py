"""What happened on the exchange that a reader of its results should know of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FillCounters"]


@dataclass(slots=True)
class FillCounters:
    """Counts of what flatters a result, or casts doubt on it.

    Attributes:
        fills: Fills, for comparison.
        uncapped_fills: Fills on bars whose volume is unknown or zero, so that no cap held.
        capped_fills: Fills that the volume cap made smaller.
        skipped_fills: Fills that did not happen since the cap allowed less than the order's
            smallest step, which is one share for an order of whole shares.
        ambiguous_fills: Fills where the bar left a doubt, decided against the owner.
        inconsistent_bars: Bars matched against whose open or close is outside of low and high.
        repeated_orders: Orders that came again with an id that was known, and were passed over.
        rejected_orders: Orders that were rejected, when they came or by the bar that would have
            filled them.
        reduced_orders: Orders that were filled as far as the account allowed, and the rest of
            which was canceled.
        untaken_targets: Targets that the bar of the entry may have reached after the entry, and
            that were not filled since not every way of the price reaches them.
        bars_without_volume: Bars without volume on which an order waited, where the policy has
            them fill nothing.
        overlapping_bars: Bars that filled nothing since bars of another length had covered their
            time.
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
