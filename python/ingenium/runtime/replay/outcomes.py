"""Outcomes of the orders of a replay."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from ingenium.events import CancelEvent, Event, OrderEvent, ReplaceEvent, TradeUpdate
from ingenium.runtime.replay.denials import Denials
from ingenium.trading import Order
from ingenium.trading.tally import Tally, day_of

__all__ = ["OrderOutcomes"]

_MOST_LINES = 8
_HINTS = (
    (
        "may not sell short",
        "; pass allow_short=False to the portfolio, or allow_short=True to the executor",
    ),
    (
        "not enough cash",
        "; set cash_buffer of the portfolio to leave room for gaps, slippage and fees",
    ),
)
"""Advice for common reasons, by a part of their text."""
_REJECTED = TradeUpdate.REJECTED.value
_UNFILLED = (TradeUpdate.EXPIRED.value, TradeUpdate.CANCELED.value)


class OrderOutcomes:
    """Counts orders, and those that were rejected, ended without a fill or never went out.

    Attributes:
        sent: Orders; requests to cancel or replace one are no orders.
        rejected: Orders that the executor rejected.
        denied: Orders that a risk limit stopped, by limit.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.rejected = Tally()
        self.denied = Denials()
        self._rejected_replacements = Tally()
        self._unfilled: dict[str, tuple[str, str]] = {}
        self._times: dict[str, datetime] = {}
        self._filled: set[str] = set()
        self._replacements: set[str] = set()
        self._cancels: set[str] = set()

    def send(self, sent: Order | Event) -> None:
        """Count an event that a portfolio sends."""
        if isinstance(sent, Order | OrderEvent):
            self.sent += 1
        elif isinstance(sent, ReplaceEvent):
            self._replacements.add(sent.id)
        elif isinstance(sent, CancelEvent):
            self._cancels.add(sent.id)

    def fill(self, order_id: str) -> None:
        """Count a fill of an order."""
        self._filled.add(order_id)

    def report(
        self, order_id: str, symbol: str, update: str, reason: str, time: datetime | None
    ) -> None:
        """Count a report without a fill.

        Args:
            order_id: Id of the order.
            symbol: Symbol of the order; may be empty.
            update: The trade update.
            reason: The reason, in words.
            time: Time of the report.
        """
        if update in _UNFILLED:
            self._unfilled.setdefault(order_id, (update, reason))
            if time is not None:
                self._times[order_id] = time
        elif update == _REJECTED and order_id not in self._cancels:
            # A request to cancel that comes too late is not worth reporting.
            if self.denied.add_rejection(reason, symbol, time):
                return
            tally = self._rejected_replacements if order_id in self._replacements else self.rejected
            tally.add(reason or "no reason was given", time, symbol)

    def lines(self, *, complete: bool) -> list[str]:
        """Describe the outcomes of orders that were not filled.

        Args:
            complete: Whether the end of history was reached.
        """
        lines = [
            *_told(self.rejected, "order", "rejected"),
            *_told(
                self._rejected_replacements,
                "replacing order",
                "rejected, so the old order kept working",
            ),
            *self.denied.lines(),
        ]
        if complete and self.sent and not self._filled:
            lines.append(self._nothing_filled())
        return lines

    def _nothing_filled(self) -> str:
        ended = Counter(update for update, _ in self._unfilled.values())
        counts = {"rejected": self.rejected.count, **ended}
        counts["still working at the end"] = max(self.sent - sum(counts.values()), 0)
        said = [f"{count:,} {word}" for word, count in counts.items() if count]
        whole = f"none of {self.sent:,} orders was filled"
        if self.sent == 1:
            whole = "the only order was not filled"
        text = f"{whole}: {', '.join(said)}"
        for order_id, (update, reason) in self._unfilled.items():
            return f"{text}; the first {update} on {day_of(self._times.get(order_id))}: {reason}"
        return text


def _told(tally: Tally, what: str, how: str) -> list[str]:
    lines: list[str] = []
    for found in tally.most(_MOST_LINES):
        of_symbol = f" of {found.kind}" if found.kind else ""
        text = found.text + next((hint for sign, hint in _HINTS if sign in found.text), "")
        first = "" if found.time is None else f" on {day_of(found.time)}"
        if found.count == 1:
            lines.append(f"1 {what}{of_symbol} was {how}{first}: {text}")
        else:
            first = f", first{first}" if first else ", the first"
            lines.append(f"{found.count:,} {what}s{of_symbol} were {how}{first}: {text}")
    if len(tally) > _MOST_LINES:
        lines.append(f"{what}s were {how} for {len(tally) - _MOST_LINES:,} more reasons")
    return lines
