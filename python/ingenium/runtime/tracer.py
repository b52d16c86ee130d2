"""Makes the spans of handled and sent events, after the fact.

It is compiled where there is a compiler, since it runs for each message of a process under load.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, cast

from ingenium.clock import Clock, format_time
from ingenium.components.component import Component, role_of
from ingenium.components.handle_of import handle_of
from ingenium.components.middleware import Handling, Outcome, RunnerKind
from ingenium.events import DataEvent, Event, ExecutionEvent, OrderEvent, encode
from ingenium.runtime.span_attributes import handled_pattern, own_attributes, sent_pattern
from ingenium.telemetry.conventions import TIME
from ingenium.telemetry.spans import FinishedSpan, SpanExport
from ingenium.telemetry.trace_context import (
    TRACEPARENT,
    known_traceparent,
    process_span_id,
    send_span_id,
    trace_id_of,
)

__all__ = ["Tracer"]

_KEPT: Final = 65_536


class Tracer:
    """Makes the spans of one process, and remembers the traces of its events.

    Trace contexts are kept as the W3C headers that carry them: text, which the garbage collector
    need not look at.

    Args:
        export: Receives the spans of sampled traces, and decides which are.
        clock: Tells the time of the ends of spans.
    """

    def __init__(self, export: SpanExport, clock: Clock) -> None:
        self._export = export
        self._clock = clock
        # Contexts of events that were sent or received here. The oldest are dropped; an execution
        # whose order is gone begins a trace of its own.
        self._contexts: OrderedDict[str, str] = OrderedDict()

    def trace(
        self, handling: Handling, outcome: Outcome, error: Exception | None, is_kept: bool
    ) -> None:
        """Make the spans of one call and of what it sent.

        Args:
            handling: The call.
            outcome: Its outcome.
            error: Its error; ``None`` on success.
            is_kept: Whether the call has a span also if its trace is not sampled.
        """
        component, runner = handling.component, handling.runner
        if runner is RunnerKind.DURABLE or runner is RunnerKind.LIVE:
            # Which have no values in place of events.
            event = cast("Event | None", handling.item)
            events = cast("Sequence[Event]", outcome.sent)
        else:
            event, events = handling.event, outcome.events
        name, role = component.name, role_of(component)
        cause = _cause_of(handling, event)
        context, parent_id = self._context_of(handling, event, cause, events)
        is_sampled = _is_sampled(context)
        if not is_sampled and not is_kept:
            # Without a span of its own, the call hands on the context that it was given.
            for each in events:
                self._send(each, name, role, context, 0, runner)
            return
        end = self._now()
        span_id = process_span_id(cause, name)
        own = {} if event is None else own_attributes(event)
        own[TIME] = format_time(handling.time)
        self._export.export(
            FinishedSpan(
                handled_pattern(
                    None if event is None else type(event), name, role, runner, handling.kind
                ),
                context[3:35],
                span_id,
                parent_id,
                end - int(outcome.seconds * 1e9),
                end,
                own,
                error,
            )
        )
        around = f"{context[:36]}{span_id}{context[52:]}" if is_sampled else context
        for each in events:
            self._send(each, name, role, around, end, runner)

    def traceparent(self, component: Component, event: Event) -> str:
        """Return the header of an event that is published; one without a trace begins one."""
        known = self._contexts.get(_id_of(event))
        if known is None:
            known = self._begin(event, component.name, role_of(component), is_on_bus=True)
        return known

    def _context_of(
        self, handling: Handling, event: Event | None, cause: str, sent: Sequence[Event]
    ) -> tuple[str, str]:
        """Return the context of a handled event, and the parent of the span of its handling."""
        if event is None:
            for each in sent:
                if type(each) is ExecutionEvent:
                    order = self._order_of(each)
                    if order is not None:
                        return order, process_span_id(each.order_id, handling.component.name)
            return self._root(cause), ""
        received = known_traceparent(handling.headers.get(TRACEPARENT, ""))
        if received:
            if type(event) is OrderEvent:
                self._keep(cause, received)
            return received, received[36:52]
        known = self._contexts.get(cause)
        if known is not None:
            return known, known[36:52]
        if handling.runner is RunnerKind.BACKTEST and type(event) is DataEvent:
            # No message is published there, so the first handler that acts upon a bar begins.
            begun = self._begin(event, "", "ingestor", is_on_bus=False)
            return begun, begun[36:52]
        return self._root(cause), ""

    def _send(
        self, event: Event, component: str, role: str, cause: str, time: int, runner: RunnerKind
    ) -> None:
        """Make the span of a sent event, and keep its context; a time of 0 is now."""
        identifier = _id_of(event)
        order = self._order_of(event) if type(event) is ExecutionEvent else None
        context = cause if order is None else order
        if not _is_sampled(context):
            self._keep(identifier, context)
            return
        span_id = send_span_id(identifier)
        trace_id, parent_id = context[3:35], context[36:52]
        link: tuple[str, str] | None = None
        if order is not None and type(event) is ExecutionEvent:
            parent_id = process_span_id(event.order_id, component)
            if parent_id != cause[36:52] and _is_sampled(cause):
                link = cause[3:35], cause[36:52]
        self._keep(identifier, f"{context[:36]}{span_id}{context[52:]}")
        time = time or self._now()
        is_on_bus = runner is not RunnerKind.BACKTEST
        self._export.export(
            FinishedSpan(
                sent_pattern(type(event), component, role, is_on_bus),
                trace_id,
                span_id,
                parent_id,
                time,
                time,
                own_attributes(event),
                None,
                link,
            )
        )

    def _begin(self, event: Event, component: str, role: str, *, is_on_bus: bool) -> str:
        """Begin a trace with an event that nothing on the bus caused."""
        identifier = _id_of(event)
        context = self._root(identifier)
        if _is_sampled(context):
            now = self._now()
            self._export.export(
                FinishedSpan(
                    sent_pattern(type(event), component, role, is_on_bus),
                    context[3:35],
                    context[36:52],
                    "",
                    now,
                    now,
                    own_attributes(event),
                )
            )
        if not is_on_bus or type(event) is not DataEvent:
            self._keep(identifier, context)
        return context

    def _root(self, identifier: str) -> str:
        trace_id = trace_id_of(identifier)
        flags = "01" if self._export.is_sampled(trace_id) else "00"
        return f"00-{trace_id}-{send_span_id(identifier)}-{flags}"

    def _order_of(self, event: ExecutionEvent) -> str | None:
        """Return the context of the order that an execution reports on, if it is known."""
        return self._contexts.get(event.order_id)

    def _keep(self, identifier: str, context: str) -> None:
        self._contexts[identifier] = context
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)

    def _now(self) -> int:
        # A float has the microseconds of a time to an eighth.
        return round(self._clock.now().timestamp() * 1e6) * 1000


def _is_sampled(context: str) -> bool:
    return context[54] == "1"


def _id_of(event: Event) -> str:
    """Return the id of an event; one without an id is named by its content."""
    return event.id or encode(event).decode("utf-8", "backslashreplace")


def _cause_of(handling: Handling, event: Event | None) -> str:
    """Return the id of the handled event, or a name of the call."""
    if event is not None:
        return _id_of(event)
    cause = handling.cause
    if not cause:
        running = handle_of(handling.component).cause
        cause = running if isinstance(running, str) else running.event.id or ""
    return f"{handling.kind}/{cause}"
