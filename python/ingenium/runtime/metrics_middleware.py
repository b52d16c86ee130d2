"""Counts what components handle and send, and measures the way from a bar to a fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from weakref import WeakSet

from ingenium.bus.base import Bus, Incident
from ingenium.components.component import Component
from ingenium.components.handle import Sent
from ingenium.components.middleware import Handling, Middleware, Outcome, RunnerKind
from ingenium.events import (
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
    TradeUpdate,
)
from ingenium.telemetry.metrics import ProcessMetrics, Stage
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["MetricsMiddleware"]

_IN_PLACE_OF: dict[type, str] = {
    Bar: DataEvent.__name__,
    Order: OrderEvent.__name__,
    LazyExecution: ExecutionEvent.__name__,
}
_LIVE = (RunnerKind.LIVE, RunnerKind.DURABLE)
_FILLS = {TradeUpdate.PARTIAL_FILL.value, TradeUpdate.FILLED.value}
_ENDS = {each.value for each in (TradeUpdate.CANCELED, TradeUpdate.REJECTED, TradeUpdate.EXPIRED)}
_MOST_ORDERS = 10_000
"""Orders whose fill is waited for; older ones are not measured."""


class MetricsMiddleware(Middleware):
    """Counts calls of components and the events they send; a warm-up does not count.

    Args:
        metrics: Counted in.
        elapsed: Returns seconds of a monotonic clock.
    """

    def __init__(
        self, metrics: ProcessMetrics, elapsed: Callable[[], float] = perf_counter
    ) -> None:
        self.metrics = metrics
        self._elapsed = elapsed
        self._orders: dict[str, float] = {}
        self._buses: WeakSet[Bus] = WeakSet()

    def watch(self, bus: Bus) -> None:
        """Count the incidents of a bus, once where several components share it."""
        if bus not in self._buses:
            self._buses.add(bus)
            bus.on_incident(self._count_incident)

    def _count_incident(self, incident: Incident) -> None:
        self.metrics.incidents.add(incident.kind.value)

    def record_latency(self, component: str, events: Sequence[Event], seconds: float) -> None:
        """Record the age of the bar that caused signals and orders.

        Args:
            component: Name of the sender.
            events: Sent events; others than signals and orders are ignored.
            seconds: Time since the stream kept the bar.
        """
        for event in events:
            if isinstance(event, SignalEvent):
                self.metrics.latency.record(seconds, component, Stage.BAR_TO_SIGNAL.value)
            elif isinstance(event, OrderEvent):
                self.metrics.latency.record(seconds, component, Stage.BAR_TO_ORDER.value)

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Count one call."""
        if handling.runner is RunnerKind.WARM_UP:
            return
        metrics, name, item = self.metrics, handling.component.name, handling.item
        what = str(handling.kind) if item is None else _type_of(item)
        error = outcome.error
        if error is not None and outcome.is_refused:
            metrics.refused.add(name, what)
            return
        metrics.count_call(name, what, outcome.seconds, is_event=item is not None)
        if type(item) is ExecutionEvent and handling.runner in _LIVE:
            self._end_order(name, item)
        if isinstance(error, Exception):
            metrics.failed.add(name, what, type(error).__name__)
        if handling.runner is RunnerKind.BACKTEST and outcome.sent:
            for event in outcome.events:
                self._count(name, event)

    def on_publish(self, component: Component, event: Event) -> Mapping[str, str]:
        """Count one sent event."""
        self._count(component.name, event)
        if type(event) is OrderEvent:
            if len(self._orders) >= _MOST_ORDERS:
                del self._orders[next(iter(self._orders))]
            self._orders[event.id or ""] = self._elapsed()
        return {}

    def _end_order(self, name: str, event: ExecutionEvent) -> None:
        if event.update in _FILLS:
            if (sent := self._orders.pop(event.order_id, None)) is not None:
                seconds = self._elapsed() - sent
                self.metrics.latency.record(seconds, name, Stage.ORDER_TO_FILL.value)
        elif event.update in _ENDS:
            self._orders.pop(event.order_id, None)

    def _count(self, name: str, event: Event) -> None:
        # Comparing types is faster than asking their abstract base class.
        self.metrics.sent.add(name, type(event).__name__)
        if type(event) is ExecutionEvent:
            self.metrics.reports.add(name, event.update or "")
        elif type(event) is DenialEvent:
            self.metrics.denied.add(name, event.reason)
        elif type(event) is DeadLetterEvent:
            self.metrics.dead_letters.add(name)


def _type_of(item: Sent | Bar) -> str:
    kind = type(item)
    return _IN_PLACE_OF.get(kind, kind.__name__)
