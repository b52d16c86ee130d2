"""The session of a fill, for prices of daily bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from ingenium.trading import Fill

__all__ = ["FillDays"]


class FillDays:
    """Distinguishes fills at the open of a day from those at the end of the day before.

    Both have the time of midnight: a bar's open is its start, and a fill within a daily bar is
    known at its end.

    Args:
        fills: The fills.
        steps: The instant at which each was booked, which is the end of its bar.
    """

    def __init__(self, fills: Sequence[Fill], steps: Sequence[datetime]) -> None:
        self._closes: dict[tuple[str, datetime], set[Decimal]] = {}
        self._opens: set[tuple[str, datetime, Decimal]] = set()
        for fill, step in zip(fills, steps, strict=False):
            if fill.time == step:
                self._closes.setdefault((fill.symbol, fill.time), set()).add(fill.price)
            else:
                self._opens.add((fill.symbol, fill.time, fill.price))

    def session(self, symbol: str, time: datetime, price: Decimal, zone: tzinfo) -> datetime:
        """Return a time within the session of a fill, in a zone.

        Args:
            symbol: Symbol of the fill.
            time: Time of the fill.
            price: Price of the fill, which decides where a symbol was filled at both.
            zone: Zone of the market's days.
        """
        local = time.astimezone(zone)
        prices = self._closes.get((symbol, time))
        if prices is None or local.time() != datetime.min.time():
            return local
        if price not in prices and (symbol, time, price) in self._opens:
            return local
        return local.replace(hour=0, minute=0) - timedelta(days=1)
