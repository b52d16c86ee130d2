"""Orders to look up at the broker, and orders to send again."""

from __future__ import annotations

from datetime import datetime

__all__ = ["OpenQuestions"]


class OpenQuestions:
    """Ids of orders by open question; not saved, as a restart looks up all orders anyway.

    Attributes:
        to_check: Orders to look up, since an update may have been lost.
        to_resend: Orders to send again.
        not_canceled: Orders that the broker did not cancel: looked up before the next request.
        uncounted: Replaced orders whose filled quantity at that time is not reported; since when
            the broker does not know them.
        missed: Orders that the broker had, and does not know now: how often, and since when.
        forgotten: Orders unknown for so long that the broker must have forgotten them.
    """

    def __init__(self) -> None:
        self.to_check: set[str] = set()
        self.to_resend: set[str] = set()
        self.not_canceled: set[str] = set()
        self.uncounted: dict[str, datetime | None] = {}
        self.missed: dict[str, tuple[int, datetime]] = {}
        self.forgotten: set[str] = set()

    def answered(self, order_id: str) -> None:
        """Close the questions about an order that the broker has reported on."""
        self.to_check.discard(order_id)
        self.missed.pop(order_id, None)
        self.forgotten.discard(order_id)
        self.uncounted.pop(order_id, None)

    def ended(self, order_id: str) -> None:
        """Drop an order that has ended: it need not be looked up."""
        self.to_check.discard(order_id)
        self.not_canceled.discard(order_id)
