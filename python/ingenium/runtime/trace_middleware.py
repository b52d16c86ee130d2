"""Makes the spans of handled and sent events, after the fact."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from ingenium.clock import Clock, SystemClock, format_time
from ingenium.components.component import Component, role_of
from ingenium.components.handle_of import handle_of
from ingenium.components.middleware import Handling, Middleware, Outcome, RunnerKind
from ingenium.events import (
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    encode,
)
from ingenium.subjects.names import DATA, DEAD_LETTER, subject_for, subject_of
from ingenium.telemetry import conventions as names
from ingenium.telemetry.spans import FinishedSpan, SpanExport, SpanKind
from ingenium.telemetry.trace_context import (
    TRACEPARENT,
    TraceContext,
    parse_traceparent,
    process_span_id,
    send_span_id,
    trace_id_of,
)
from ingenium.trading.bar import Bar

__all__ = ["SLOW_SECONDS", "TraceMiddleware"]

SLOW_SECONDS = 0.1
"""Duration from which a handling has a span, even if it sent nothing."""
_KEPT = 65_536
_KEPT_CONSTANTS = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
    """

    def __init__(
        self,
        export: SpanExport,
        clock: Clock | None = None,
        *,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self._export = export
        self._clock = clock or SystemClock()
        self._slow_seconds = slow_seconds
        # Contexts of events that were sent or received here. The oldest are dropped; an execution
        # whose order is gone begins a trace of its own.
        self._contexts: OrderedDict[str, TraceContext] = OrderedDict()

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Make the spans of one call."""
        if handling.runner is RunnerKind.WARM_UP:
            return
        error = outcome.error if isinstance(outcome.error, Exception) else None
        is_quiet = not outcome.sent and error is None and outcome.seconds < self._slow_seconds
        if is_quiet and (handling.item is None or isinstance(handling.item, Bar | DataEvent)):
            return
        self._trace(handling, outcome, error)

    def on_publish(self, component: Component, event: Event) -> Mapping[str, str]:
        """Return the trace context of an event; one sent outside of a handler begins a trace."""
        if isinstance(event, DeadLetterEvent):
            return {}
        context = self._contexts.get(_id_of(event))
        if context is None:
            context = self._begin(event, component.name, role_of(component), is_on_bus=True)
        return {TRACEPARENT: context.traceparent}

    def _trace(self, handling: Handling, outcome: Outcome, error: Exception | None) -> None:
        component, event, events = handling.component, handling.event, outcome.events
        is_on_bus = handling.runner is not RunnerKind.BACKTEST
        end = self._now()
        start = end - int(outcome.seconds * 1e9)
        cause = _cause_of(handling)
        context, parent_id = self._context_of(handling, event, cause, events)
        span_id = process_span_id(cause, component.name)
        if context.is_sampled:
            self._export.export(
                FinishedSpan(
                    _name_of(handling, event),
                    SpanKind.INTERNAL if event is None else SpanKind.CONSUMER,
                    context.trace_id,
                    span_id,
                    parent_id,
                    start,
                    end,
                    _handling_attributes(handling, event, is_on_bus=is_on_bus),
                    error,
                )
            )
        for each in events:
            self._send(each, component, TraceContext(context.trace_id, span_id, context.is_sampled),
                       end, is_on_bus=is_on_bus)  # fmt: skip

    def _context_of(
        self, handling: Handling, event: Event | None, cause: str, sent: list[Event]
    ) -> tuple[TraceContext, str]:
        """Return the context of a handled event, and the parent of the span of its handling."""
        if event is None:
            for each in sent:
                if isinstance(each, ExecutionEvent) and (order := self._order_of(each)) is not None:
                    return order, process_span_id(each.order_id, handling.component.name)
            return self._root(cause), ""
        received = parse_traceparent(handling.headers.get(TRACEPARENT, ""))
        if received is not None:
            if isinstance(event, OrderEvent):
                self._keep(cause, received)
            return received, received.span_id
        if (known := self._contexts.get(cause)) is not None:
            return known, known.span_id
        if handling.runner is RunnerKind.BACKTEST and isinstance(event, DataEvent):
            # No message is published there, so the first handler that acts upon a bar begins.
            begun = self._begin(event, "", "ingestor", is_on_bus=False)
            return begun, begun.span_id
        return self._root(cause), ""

    def _send(
        self,
        event: Event,
        component: Component,
        cause: TraceContext,
        time: int,
        *,
        is_on_bus: bool,
    ) -> None:
        """Make the span of a sent event, and keep its context."""
        identifier = _id_of(event)
        span_id = send_span_id(identifier)
        context, link = cause, None
        if isinstance(event, ExecutionEvent) and (order := self._order_of(event)) is not None:
            parent_id = process_span_id(event.order_id, component.name)
            context = TraceContext(order.trace_id, parent_id, order.is_sampled)
            if context.span_id != cause.span_id and cause.is_sampled:
                link = (cause.trace_id, cause.span_id)
        self._keep(identifier, TraceContext(context.trace_id, span_id, context.is_sampled))
        if context.is_sampled:
            self._export.export(
                FinishedSpan(
                    _name_and_template(type(event), names.SEND)[0],
                    SpanKind.PRODUCER,
                    context.trace_id,
                    span_id,
                    context.span_id,
                    time,
                    time,
                    _event_attributes(
                        event, names.SEND, component.name, role_of(component), is_on_bus=is_on_bus
                    ),
                    link=link,
                )
            )

    def _begin(self, event: Event, component: str, role: str, *, is_on_bus: bool) -> TraceContext:
        """Begin a trace with an event that nothing on the bus caused."""
        identifier = _id_of(event)
        context = self._root(identifier)
        if context.is_sampled:
            now = self._now()
            self._export.export(
                FinishedSpan(
                    _name_and_template(type(event), names.SEND)[0],
                    SpanKind.PRODUCER,
                    context.trace_id,
                    context.span_id,
                    "",
                    now,
                    now,
                    _event_attributes(event, names.SEND, component, role, is_on_bus=is_on_bus),
                )
            )
        if not is_on_bus or not isinstance(event, DataEvent):
            self._keep(identifier, context)
        return context

    def _root(self, identifier: str) -> TraceContext:
        trace_id = trace_id_of(identifier)
        return TraceContext(trace_id, send_span_id(identifier), self._export.is_sampled(trace_id))

    def _order_of(self, event: ExecutionEvent) -> TraceContext | None:
        """Return the context of the order that an execution reports on, if it is known."""
        return self._contexts.get(event.order_id)

    def _keep(self, identifier: str, context: TraceContext) -> None:
        self._contexts[identifier] = context
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND * 1000


def _id_of(event: Event) -> str:
    """Return the id of an event; one without an id is named by its content."""
    return event.id or encode(event).decode("utf-8", "backslashreplace")


def _cause_of(handling: Handling) -> str:
    """Return the id of the handled event, or a name of the call."""
    if (event := handling.event) is not None:
        return _id_of(event)
    cause = handling.cause
    if not cause:
        running = handle_of(handling.component).cause
        cause = running if isinstance(running, str) else running.event.id or ""
    return f"{handling.kind}/{cause}"


@cache
def _name_and_template(event: type[Event], operation: str) -> tuple[str, str]:
    """Return the name of a span of an operation, and the template of the subject."""
    if event is DataEvent:
        template = f"{DATA}.{{symbol}}"
    elif event is DeadLetterEvent:
        template = f"{DEAD_LETTER}.{{component}}"
    else:
        template = subject_for(event)
    return names.span_name(operation, template), template


@lru_cache(_KEPT_CONSTANTS)
def _constants(
    event: type[Event], operation: str, component: str, role: str, is_on_bus: bool
) -> dict[str, str]:
    """Return the attributes that all spans of a kind share; not to be changed."""
    found = {
        names.OPERATION_NAME: operation,
        names.OPERATION_TYPE: operation,
        names.DESTINATION_TEMPLATE: _name_and_template(event, operation)[1],
        names.COMPONENT: component,
        names.CLIENT_ID: component,
        names.ROLE: role,
        names.MESSAGING_SYSTEM: names.NATS if is_on_bus else "",
    }
    return {name: value for name, value in found.items() if value}


def _name_of(handling: Handling, event: Event | None) -> str:
    if event is None:
        return f"{handling.kind} {role_of(handling.component)}"
    return _name_and_template(type(event), names.PROCESS)[0]


def _handling_attributes(
    handling: Handling, event: Event | None, *, is_on_bus: bool
) -> dict[str, str]:
    component = handling.component
    role = role_of(component)
    if event is None:
        found = {names.COMPONENT: component.name, names.ROLE: role}
    else:
        found = _event_attributes(event, names.PROCESS, component.name, role, is_on_bus=is_on_bus)
    found[names.RUNNER] = handling.runner.value
    found[names.HANDLING] = handling.kind.value
    found[names.TIME] = format_time(handling.time)
    return found


def _event_attributes(
    event: Event, operation: str, component: str, role: str, *, is_on_bus: bool
) -> dict[str, str]:
    kind = type(event)
    found = _constants(kind, operation, component, role, is_on_bus).copy()
    found[names.DESTINATION_NAME] = subject_of(event)
    order_id = event.id if kind is OrderEvent else getattr(event, "order_id", None)
    for name, value in (
        (names.MESSAGE_ID, event.id),
        (names.SYMBOL, getattr(event, "symbol", None)),
        (names.ORDER_ID, order_id),
    ):
        if value:
            found[name] = value
    if isinstance(event, ExecutionEvent):
        if event.update:
            found[names.ORDER_STATE] = event.update
    elif isinstance(event, DenialEvent) and event.reason:
        found[names.DENIAL_REASON] = event.reason
    return found
