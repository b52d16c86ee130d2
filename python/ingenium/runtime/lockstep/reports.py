"""The last report of each component of a replay, and their totals."""

from __future__ import annotations

from datetime import datetime

from ingenium._gen.ingenium.v1 import LockstepReport
from ingenium.components import App
from ingenium.runtime.replay.feed import Head

__all__ = ["Reports"]


class Reports(dict[str, LockstepReport]):
    """Reports by the name of the component.

    Args:
        app: The components that take part.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self._ingestors = [ingestor.name for ingestor in app.ingestors]

    def heads(self) -> list[Head | None]:
        """Return the next event of each ingestor; ``None`` for one that has ended."""
        reports = [self[name] for name in self._ingestors]
        return [
            None if report.next_time is None else Head(report.next_time, report.next_symbol)
            for report in reports
        ]

    def next_time(self) -> datetime | None:
        """Return the next instant; ``None`` at the end of history."""
        return min((head.time for head in self.heads() if head is not None), default=None)

    def total(self) -> int | None:
        """Return how many events all ingestors send; ``None`` if one count is unknown."""
        totals = [self[name].total for name in self._ingestors]
        return None if None in totals else sum(total or 0 for total in totals)

    def sent(self, what: str) -> int:
        """Return how many messages of a kind all components have sent.

        Args:
            what: Kind: ``data``, ``signals``, ``orders`` or ``executions``.
        """
        return sum(int(getattr(report, f"{what}_sent")) for report in self.values())
