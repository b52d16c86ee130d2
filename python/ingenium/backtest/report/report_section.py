"""A further section of a report, such as a comparison with live trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ReportSection"]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section behind the figures at the top of a report; its texts are escaped.

    Attributes:
        title: Heading.
        lines: Points of a list.
        tables: Headings and rows of each table, with as many cells as headings.
    """

    title: str
    lines: Sequence[str] = ()
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]] = ()
