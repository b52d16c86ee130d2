"""Counters and histograms of a process; reading them is up to an exporter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum

from ingenium.telemetry import conventions as names

__all__ = ["BOUNDS", "CounterMetric", "GaugeMetric", "HistogramMetric", "ProcessMetrics", "Stage"]

BOUNDS = (1e-5, 1e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Inclusive upper bounds of the buckets of durations, in seconds."""


class Stage(StrEnum):
    """Parts of the way from a bar to a fill, whose durations are measured."""

    BAR_TO_SIGNAL = "bar_to_signal"
    """From when the stream kept the bar until its signal is sent, by the server's clock."""
    BAR_TO_ORDER = "bar_to_order"
    """From when the stream kept the bar until its order is sent, by the server's clock."""
    ORDER_TO_FILL = "order_to_fill"
    """From when the portfolio sends an order until it has handled the first fill."""


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

    def add(self, *attributes: str, count: int = 1) -> None:
        """Count, under values of the attributes in their order."""
        self.values[attributes] = self.values.get(attributes, 0) + count


class GaugeMetric:
    """A value of now, for each set of attributes.

    Attributes:
        name: Its name.
        unit: Its unit, UCUM.
        description: What it is.
        attributes: Names of its attributes, as those of a `CounterMetric`.
        values: Values by the values of the attributes; unknown ones are left out.
    """

    __slots__ = ("attributes", "description", "name", "unit", "values")

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.attributes = tuple(attributes)
        self.values: dict[tuple[str, ...], float] = {}

    def set(self, value: float | None, *attributes: str) -> None:
        """Set a value; ``None`` if it is unknown."""
        if value is None:
            self.values.pop(attributes, None)
        else:
            self.values[attributes] = value


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
            row = self.values[attributes] = _empty_row()
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
        self.dead_letters = CounterMetric(
            names.DEAD_LETTERS,
            "{message}",
            "Messages that components could not read or handle.",
            (names.COMPONENT,),
        )
        self.latency = HistogramMetric(
            names.LATENCY,
            "s",
            "Time from a bar to its signal and order, and from an order to its fill.",
            (names.COMPONENT, names.STAGE),
        )
        self.incidents = CounterMetric(
            names.INCIDENTS,
            "{incident}",
            "Failures on the connections of a process, such as gaps and reconnects.",
            (names.INCIDENT,),
        )
        of_component = (names.COMPONENT,)
        self.lag = GaugeMetric(
            names.LAG, "s", "Age of the oldest message that waits for a component.", of_component
        )
        self.waiting = GaugeMetric(
            names.WAITING, "{message}", "Messages that wait for a component.", of_component
        )
        self.outbox = GaugeMetric(
            names.OUTBOX,
            "{message}",
            "Messages of a component that the server has not acknowledged.",
            of_component,
        )
        self.trading = GaugeMetric(
            names.TRADING, "1", "0 for active, 1 for reducing, 2 for halted.", of_component
        )
        self.working = GaugeMetric(
            names.WORKING,
            "{order}",
            "Orders that are sent and have not ended, by state.",
            (names.COMPONENT, names.ORDER_STATE),
        )
        self.equity = GaugeMetric(
            names.EQUITY, "{currency}", "Cash and the market value of positions.", of_component
        )
        self.cash = GaugeMetric(names.CASH, "{currency}", "Cash of the account.", of_component)
        self.exposure = GaugeMetric(
            names.EXPOSURE,
            "{currency}",
            "Market value of positions, as a positive number.",
            (names.COMPONENT, names.SIDE),
        )
        self.positions = GaugeMetric(
            names.POSITIONS, "{position}", "Open positions.", (names.COMPONENT, names.SIDE)
        )
        of_stream = (names.STREAM,)
        self.recorded = CounterMetric(
            names.RECORDED, "{event}", "Events that the recorder has written.", of_stream
        )
        self.recorder_gaps = CounterMetric(
            names.RECORDER_GAPS, "{gap}", "Gaps that the recorder has found.", of_stream
        )
        self.recorder_lag = GaugeMetric(
            names.RECORDER_LAG,
            "s",
            "Age of the oldest message that the recorder has not written.",
            of_stream,
        )

    def count_call(self, component: str, event: str, seconds: float, *, is_event: bool) -> None:
        """Count one call of a component: `handled` and `duration`.

        Args:
            component: Its name.
            event: Type of the event, or the reason of a call without one.
            seconds: Duration of the call.
            is_event: Whether the call handled an event.
        """
        attributes = component, event
        if is_event:
            counts = self.handled.values
            counts[attributes] = counts.get(attributes, 0) + 1
        rows = self.duration.values
        row = rows.get(attributes)
        if row is None:
            row = rows[attributes] = _empty_row()
        row[bisect_left(BOUNDS, seconds)] += 1
        row[-1] += seconds

    @property
    def all(self) -> tuple[CounterMetric | GaugeMetric | HistogramMetric, ...]:
        """All metrics."""
        return (
            self.sent,
            self.handled,
            self.duration,
            self.failed,
            self.refused,
            self.reports,
            self.denied,
            self.dead_letters,
            self.latency,
            self.incidents,
            self.lag,
            self.waiting,
            self.outbox,
            self.trading,
            self.working,
            self.equity,
            self.cash,
            self.exposure,
            self.positions,
            self.recorded,
            self.recorder_gaps,
            self.recorder_lag,
        )


def _empty_row() -> list[float]:
    return [0] * (len(BOUNDS) + 1) + [0.0]
