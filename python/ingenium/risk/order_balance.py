"""Compares the orders that leave with the orders that came in.

What lost Knight Capital 460 million dollars in 45 minutes was a router that sent millions of orders
for 212 that had come in; nothing compared the two numbers.

References:
    SEC, Administrative Proceeding 3-15570, In the Matter of Knight Capital Americas LLC, 2013.
"""

from __future__ import annotations

from ingenium.trading.recent_ids import RecentIds

__all__ = ["OrderBalance"]

_REMEMBERED = 100_000


class OrderBalance:
    """Counts orders that came in and orders that left for the broker, each id once.

    An order that is sent again under the same id, to be sure that it arrived, is the same order.

    Args:
        remembered: How many ids are known for sure; the oldest are forgotten first.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._entered_ids = RecentIds(remembered)
        self._submitted_ids = RecentIds(remembered)
        self._strangers: list[str] = []
        self._entered = 0
        self._submitted = 0

    @property
    def entered(self) -> int:
        """Orders that came in, each id once."""
        return self._entered

    @property
    def submitted(self) -> int:
        """Orders that left, each id once."""
        return self._submitted

    def enter(self, order_id: str) -> None:
        """Count an order that came in, or a protective one that comes with it."""
        if self._entered_ids.add(order_id):
            self._entered += 1

    def submit(self, order_id: str) -> str | None:
        """Count an order that leaves; call it before it does.

        Returns:
            Why it must not leave and trading must halt; ``None`` when all is in order.
        """
        if self._submitted_ids.add(order_id):
            self._submitted += 1
            if order_id not in self._entered_ids and len(self._strangers) < 3:
                self._strangers.append(order_id)
        return self.problem()

    def problem(self) -> str | None:
        """Say what does not add up; ``None`` when all is in order."""
        if self._strangers:
            return (
                f"order {self._strangers[0]!r} went to the broker and never came in: "
                f"{self._submitted} left, {self._entered} came in"
            )
        if self._submitted > self._entered:
            return f"{self._submitted} orders went to the broker, but {self._entered} came in"
        return None

    def reset(self) -> None:
        """Begin to count anew, once a person has found out what did not add up."""
        self._entered_ids.clear()
        self._submitted_ids.clear()
        self._strangers.clear()
        self._entered = self._submitted = 0
