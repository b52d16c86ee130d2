"""What the broker is to be asked about orders, and what is to be sent again."""

from __future__ import annotations

from datetime import datetime

__all__ = ["OpenQuestions"]


class OpenQuestions:
    """Ids of orders by what is not known of them; after a restart everything is asked anyway.

    Attributes:
        to_check: To be looked up, since an update may have been lost.
        to_resend: To be sent again.
        not_canceled: The broker would not cancel them: to be looked up before it is asked again.
        uncounted: Replaced, and the broker has not said how much of them it had filled by then;
            since when it does not know them.
        missed: The broker had them, and does not know them now: how often, and since when.
        forgotten: It has not known them for so long that it has forgotten them.
    """

    def __init__(self) -> None:
        self.to_check: set[str] = set()
        self.to_resend: set[str] = set()
        self.not_canceled: set[str] = set()
        self.uncounted: dict[str, datetime | None] = {}
        self.missed: dict[str, tuple[int, datetime]] = {}
        self.forgotten: set[str] = set()

    def answered(self, order_id: str) -> None:
        """The broker has said how an order stands."""
        self.to_check.discard(order_id)
        self.missed.pop(order_id, None)
        self.forgotten.discard(order_id)
        self.uncounted.pop(order_id, None)

    def ended(self, order_id: str) -> None:
        """An order has ended: it need not be looked up."""
        self.to_check.discard(order_id)
        self.not_canceled.discard(order_id)
