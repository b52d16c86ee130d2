"""Detect splits and dividends from an unused adjusted close."""

from __future__ import annotations

from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._prices import PriceRules, Prices, PricesOf

__all__ = ["watch_adjustments"]

_SPLIT = 1.2
"""From this change of the factor on, up or down, the cause is a split; below, a dividend."""
_NOISE = 1e-6
_ALL = 100
"""Number of leading lines that are all checked; after them, every eighth is."""
_BETWEEN = 7


def watch_adjustments(
    prices_of: PricesOf, layout: Layout, rules: PriceRules, source: str, notes: ReadingNotes
) -> PricesOf:
    """Wrap a price reader so that it notes splits and dividends shown by the adjusted close.

    From row to row, the ratio of the adjusted close to the close changes only by splits, dividends
    and rounding.

    Args:
        prices_of: Reads the prices of a row.
        layout: Layout of the file.
        rules: Rules for reading prices.
        source: Name of the file.
        notes: Collects splits and dividends.

    Returns:
        ``prices_of`` itself, if there is no adjusted close or if it is used.
    """
    place = layout.columns.get("adj_close", -1)
    if place < 0 or rules.adjusted:
        return prices_of
    close_place = layout["close"]
    symbol_place = layout.columns.get("symbol", -1)
    # The ratio of the previous row, and the part of it that rounding may have changed.
    factors: dict[str, tuple[float, float]] = {}
    counts = [0, 0]

    def see(symbol: str, text: str, close_text: str, close: float) -> None:
        try:
            adjusted = float(text)
        except ValueError:
            return  # the column is not requested
        if not (adjusted > 0.0 and close > 0.0):
            return
        factor = adjusted / close
        before = factors.get(symbol)
        if before is not None and abs(factor - before[0]) <= _NOISE * factor:
            return
        doubt = _unit(text) / adjusted + _unit(close_text) / close
        factors[symbol] = factor, doubt
        if before is None:
            return
        change = factor / before[0]
        if abs(change - 1.0) > doubt + before[1] + _NOISE:
            counts[not (change >= _SPLIT or change <= 1 / _SPLIT)] += 1
            notes.remark(source, "adjusted close", _said(*counts))

    def prices_of_one(row: list[str], line: int) -> Prices:
        prices = prices_of(row, line)
        # Steps are found a few rows later too, and most rows cost almost nothing.
        if not line & _BETWEEN or line < _ALL:
            see("", row[place], row[close_place], prices[4])
        return prices

    def prices_of_many(row: list[str], line: int) -> Prices:
        prices = prices_of(row, line)
        see(row[symbol_place], row[place], row[close_place], prices[4])
        return prices

    return prices_of_one if symbol_place < 0 else prices_of_many


def _unit(text: str) -> float:
    """Return the unit of the last decimal of a number with a decimal point."""
    _, point, decimals = text.strip().partition(".")
    return 10.0 ** -len(decimals) if point else 1.0


def _said(splits: int, dividends: int) -> str:
    counted = [
        f"{count:,} {noun}{'s' * (count != 1)}"
        for count, noun in ((splits, "split"), (dividends, "dividend"))
        if count
    ]
    return (
        f"the adjusted close is not used, and says of {' and '.join(counted)}, none of which is "
        "booked on what is held; pass adjusted=True for prices without them"
    )
