"""Comparison of outgoing orders with incoming ones.

Knight Capital lost 460 million dollars in 45 minutes through a router that sent millions of orders
for 212 incoming ones; nothing compared the two numbers.

References:
    SEC, Administrative Proceeding 3-15570, In the Matter of Knight Capital Americas LLC, 2013.
"""

from __future__ import annotations

from ingenium.trading.recent_ids import RecentIds

__all__ = ["OrderBalance"]

_REMEMBERED = 100_000


class OrderBalance:
    """Counts orders received and orders sent to the broker, each id once.

    An order that is sent again under the same id, as a retry, is the same order.

    Args:
        remembered: Number of ids remembered for sure; the oldest are forgotten first.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._entered_ids = RecentIds(remembered)
        self._submitted_ids = RecentIds(remembered)
        self._strangers: list[str] = []
        self._entered = 0
        self._submitted = 0

    @property
    def entered(self) -> int:
        """Number of orders received, each id once."""
        return self._entered

    @property
    def submitted(self) -> int:
        """Number of orders sent, each id once."""
        return self._submitted

    def enter(self, order_id: str) -> None:
        """Count an order received, or one of its protective orders."""
        if self._entered_ids.add(order_id):
            self._entered += 1

    def submit(self, order_id: str) -> str | None:
        """Count an order about to be sent; call this before sending.

        Returns:
            The reason not to send it and to halt trading; ``None`` when the balance holds.
        """
        if self._submitted_ids.add(order_id):
            self._submitted += 1
            if order_id not in self._entered_ids and len(self._strangers) < 3:
                self._strangers.append(order_id)
        return self.problem()

    def problem(self) -> str | None:
        """Describe the imbalance; ``None`` when the balance holds."""
        if self._strangers:
            return (
                f"order {self._strangers[0]!r} was sent to the broker without being received: "
                f"{self._submitted} sent, {self._entered} received"
            )
        if self._submitted > self._entered:
            return (
                f"{self._submitted} orders were sent to the broker, {self._entered} were received"
            )
        return None

    def reset(self) -> None:
        """Restart the count, after a person has investigated the imbalance."""
        self._entered_ids.clear()
        self._submitted_ids.clear()
        self._strangers.clear()
        self._entered = self._submitted = 0
