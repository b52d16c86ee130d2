"""Counters and histograms of a process; reading them is up to an exporter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ingenium.telemetry import conventions as names

__all__ = ["BOUNDS", "CounterMetric", "HistogramMetric", "ProcessMetrics"]

BOUNDS = (1e-5, 1e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Inclusive upper bounds of the buckets of durations, in seconds."""


class CounterMetric:
    """A sum that only grows, for each set of attributes.

    Attributes:
        name: Its name.
        unit: Its unit, UCUM.
        description: What it counts.
        attributes: Names of its attributes. Their values are few: never an id or a symbol.
        values: Sums by the values of the attributes.
    """

    __slots__ = ("attributes", "description", "name", "unit", "values")

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.attributes = tuple(attributes)
        self.values: dict[tuple[str, ...], int] = {}

    def add(self, *attributes: str) -> None:
        """Count one, under values of the attributes in their order."""
        self.values[attributes] = self.values.get(attributes, 0) + 1


class HistogramMetric:
    """Durations in buckets, for each set of attributes.

    Attributes:
        name: Its name.
        unit: Its unit, UCUM.
        description: What it measures.
        attributes: Names of its attributes, as those of a `CounterMetric`.
        values: By the values of the attributes: the count of each bucket of `BOUNDS`, the count
            above the last bound, and the sum.
    """

    __slots__ = ("attributes", "description", "name", "unit", "values")

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.attributes = tuple(attributes)
        self.values: dict[tuple[str, ...], list[float]] = {}

    def record(self, value: float, *attributes: str) -> None:
        """Add a value, in seconds."""
        row = self.values.get(attributes)
        if row is None:
            row = self.values[attributes] = [0] * (len(BOUNDS) + 1) + [0.0]
        row[bisect_left(BOUNDS, value)] += 1
        row[-1] += value


class ProcessMetrics:
    """The metrics of the components of one process.

    Written by the event loop and read by the thread of an exporter, which sees each number as it is
    at that moment.
    """

    def __init__(self) -> None:
        by_event = (names.COMPONENT, names.EVENT)
        self.sent = CounterMetric(
            names.SENT_MESSAGES, "{message}", "Events that components have sent.", by_event
        )
        self.handled = CounterMetric(
            names.CONSUMED_MESSAGES, "{message}", "Events that components have handled.", by_event
        )
        self.duration = HistogramMetric(
            names.PROCESS_DURATION, "s", "Duration of handlers.", by_event
        )
        self.failed = CounterMetric(
            names.HANDLER_FAILURES,
            "{failure}",
            "Calls of components that raised.",
            (*by_event, names.ERROR_TYPE),
        )
        self.refused = CounterMetric(
            names.REFUSALS, "{refusal}", "Calls that a middleware refused.", by_event
        )
        self.reports = CounterMetric(
            names.ORDER_REPORTS,
            "{report}",
            "Execution reports that executors have sent, by the state of the order.",
            (names.COMPONENT, names.ORDER_STATE),
        )
        self.denied = CounterMetric(
            names.DENIALS,
            "{order}",
            "Orders that the risk gate has stopped, by reason.",
            (names.COMPONENT, names.DENIAL_REASON),
        )

    @property
    def all(self) -> tuple[CounterMetric | HistogramMetric, ...]:
        """All metrics."""
        return (
            self.sent,
            self.handled,
            self.duration,
            self.failed,
            self.refused,
            self.reports,
            self.denied,
        )
