"""The orders of a replay that risk limits stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingenium.events import ControlEvent, DenialReason
from ingenium.trading.tally import counted, day_of

__all__ = ["Denials", "DeniedOrders"]

_REASONS = frozenset(DenialReason)


@dataclass(slots=True)
class DeniedOrders:
    """The orders that one risk limit stopped.

    Attributes:
        reason: Which limit, as a `DenialReason`: ``"max_order_notional"``.
        count: Number of orders.
        time: When the first one was stopped, UTC.
        symbol: Symbol of the first one.
        detail: The numbers that were compared for the first one, in words.
    """

    reason: str
    count: int
    time: datetime | None
    symbol: str
    detail: str

    def __str__(self) -> str:
        were, first = ("was", "") if self.count == 1 else ("were", "first ")
        return (
            f"{counted(self.count, 'order')} {were} denied by the risk limit {self.reason}, "
            f"{first}{self.symbol} on {day_of(self.time)}: {self.detail}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "reason": self.reason,
            "count": self.count,
            "time": None if self.time is None else self.time.isoformat(),
            "symbol": self.symbol,
            "detail": self.detail,
        }


class Denials:
    """Counts the orders that risk limits stopped, and records when trading was restricted.

    Attributes:
        is_gated: Whether the app has risk gates, so that a rejection may be the executor's gate's.
    """

    def __init__(self) -> None:
        self.is_gated = False
        self._found: dict[str, DeniedOrders] = {}
        self._restricted: dict[tuple[str, datetime | None], str] = {}

    @property
    def count(self) -> int:
        """The number of stopped orders."""
        return sum(each.count for each in self._found.values())

    def add(self, reason: str, detail: str, symbol: str, time: datetime | None) -> None:
        """Count an order.

        Args:
            reason: Which limit, as a token.
            detail: The numbers that were compared, in words.
            symbol: Name of the instrument.
            time: Time, UTC.
        """
        reason = str(reason)
        found = self._found.get(reason)
        if found is None:
            self._found[reason] = DeniedOrders(reason, 1, time, symbol, detail)
        else:
            found.count += 1

    def add_rejection(self, text: str, symbol: str, time: datetime | None) -> bool:
        """Count a rejection by an executor's risk gate; return False for one with another reason.

        Args:
            text: Reason of the rejection.
            symbol: Name of the instrument.
            time: Time, UTC.
        """
        reason, colon, detail = text.partition(": ")
        if not self.is_gated or not colon or reason not in _REASONS:
            return False
        self.add(reason, detail, symbol, time)
        return True

    def restrict(self, event: ControlEvent, time: datetime | None) -> None:
        """Record that a component restricted trading; of two at the same instant, the first."""
        self._restricted.setdefault(
            (event.state, time),
            f"trading is {event.state} from {day_of(time)} to the end, since no operator resumes "
            f"it in a backtest: {event.reason} ({event.sender})",
        )

    def listed(self) -> tuple[DeniedOrders, ...]:
        """Return the limits that stopped orders, by descending count."""
        return tuple(sorted(self._found.values(), key=lambda each: (-each.count, each.reason)))

    def lines(self) -> list[str]:
        """Describe the stopped orders, a line for each limit, and why trading was restricted."""
        return [*map(str, self.listed()), *self._restricted.values()]
