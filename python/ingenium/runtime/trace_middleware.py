"""Connects the events of an app to traces."""

from __future__ import annotations

from collections.abc import Mapping

from ingenium.clock import Clock, SystemClock
from ingenium.components.component import Component
from ingenium.components.middleware import Handling, Middleware, Outcome, RunnerKind
from ingenium.events import DataEvent, DeadLetterEvent, Event
from ingenium.runtime.tracer import Tracer
from ingenium.telemetry.spans import SpanExport
from ingenium.telemetry.trace_context import TRACEPARENT
from ingenium.trading.bar import Bar

__all__ = ["SLOW_SECONDS", "TraceMiddleware"]

SLOW_SECONDS = 0.1
"""Duration from which a handling has a span, even if it sent nothing."""
_MARKET_DATA = (Bar, DataEvent)


class TraceMiddleware(Middleware):
    """Connects the events of an app to traces, one for each event that nothing on the bus caused.

    A sent event has a span, and so has a handled one; of market data only when it sent something,
    failed or was slow, since most bars change nothing. Ids follow from those of events: see
    `ingenium.telemetry.trace_context`. An execution belongs to the trace of its order, with a link
    to the handling that sent it, such as that of the bar that filled the order.

    Args:
        export: Receives the spans of sampled traces, and decides which are.
        clock: Tells the time of the ends of spans; the machine's by default.
        slow_seconds: Duration from which a handling has a span in any case.
        keeps_failures: Whether failed and slow handlings also have one in traces that are not
            sampled.
    """

    def __init__(
        self,
        export: SpanExport,
        clock: Clock | None = None,
        *,
        slow_seconds: float = SLOW_SECONDS,
        keeps_failures: bool = False,
    ) -> None:
        self._tracer = Tracer(export, clock or SystemClock())
        self._slow_seconds = slow_seconds
        self._keeps_failures = keeps_failures

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Make the spans of one call."""
        if handling.runner is RunnerKind.WARM_UP:
            return
        error = outcome.error if isinstance(outcome.error, Exception) else None
        if not outcome.sent and error is None and outcome.seconds < self._slow_seconds:
            item = handling.item
            if item is None or isinstance(item, _MARKET_DATA):
                return
        is_kept = self._keeps_failures and (
            error is not None or outcome.seconds >= self._slow_seconds
        )
        self._tracer.trace(handling, outcome, error, is_kept)

    def on_publish(self, component: Component, event: Event) -> Mapping[str, str]:
        """Return the trace context of an event; one sent outside of a handler begins a trace."""
        if type(event) is DeadLetterEvent:
            return {}
        return {TRACEPARENT: self._tracer.traceparent(component, event)}
