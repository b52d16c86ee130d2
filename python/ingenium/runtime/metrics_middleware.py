"""Counts what components handle and send."""

from __future__ import annotations

from collections.abc import Mapping

from ingenium.components.component import Component
from ingenium.components.handle import Sent
from ingenium.components.middleware import Handling, Middleware, Outcome, RunnerKind
from ingenium.events import DataEvent, DenialEvent, Event, ExecutionEvent, OrderEvent
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["MetricsMiddleware"]

_IN_PLACE_OF: dict[type, str] = {
    Bar: DataEvent.__name__,
    Order: OrderEvent.__name__,
    LazyExecution: ExecutionEvent.__name__,
}


class MetricsMiddleware(Middleware):
    """Counts calls of components and the events they send; a warm-up does not count.

    Args:
        metrics: Counted in.
    """

    def __init__(self, metrics: ProcessMetrics) -> None:
        self._metrics = metrics

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Count one call."""
        if handling.runner is RunnerKind.WARM_UP:
            return
        metrics, name, item = self._metrics, handling.component.name, handling.item
        what = str(handling.kind) if item is None else _type_of(item)
        if outcome.is_refused:
            metrics.refused.add(name, what)
            return
        if item is not None:
            metrics.handled.add(name, what)
        metrics.duration.record(outcome.seconds, name, what)
        if isinstance(outcome.error, Exception):
            metrics.failed.add(name, what, type(outcome.error).__name__)
        if handling.runner is RunnerKind.BACKTEST and outcome.sent:
            for event in outcome.events:
                self._count(name, event)

    def on_publish(self, component: Component, event: Event) -> Mapping[str, str]:
        """Count one sent event."""
        self._count(component.name, event)
        return {}

    def _count(self, name: str, event: Event) -> None:
        self._metrics.sent.add(name, type(event).__name__)
        if isinstance(event, ExecutionEvent):
            self._metrics.reports.add(name, event.update or "")
        elif isinstance(event, DenialEvent):
            self._metrics.denied.add(name, event.reason)


def _type_of(item: Sent | Bar) -> str:
    kind = type(item)
    return _IN_PLACE_OF.get(kind, kind.__name__)
