"""Names and attributes of the spans of sent and handled events."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ingenium.components.middleware import HandlingKind, RunnerKind
from ingenium.events import (
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
)
from ingenium.subjects.names import DATA, DEAD_LETTER, subject_for, subject_of
from ingenium.telemetry import conventions as names
from ingenium.telemetry.spans import SpanKind, SpanPattern

__all__ = ["handled_pattern", "own_attributes", "sent_pattern"]

_KEPT: Final = 1024
"""Patterns that are remembered: there are a few for each component and type of event."""


@lru_cache(_KEPT)
def sent_pattern(event: type[Event], component: str, role: str, is_on_bus: bool) -> SpanPattern:
    """Return what spans of sending events of a type have in common.

    Args:
        event: Type of the events.
        component: Name of the sender; empty if unknown.
        role: Its role.
        is_on_bus: Whether the events become messages.
    """
    name, attributes = _of_messages(event, names.SEND, component, role, is_on_bus)
    return SpanPattern(name, SpanKind.PRODUCER, attributes)


@lru_cache(_KEPT)
def handled_pattern(
    event: type[Event] | None, component: str, role: str, runner: RunnerKind, kind: HandlingKind
) -> SpanPattern:
    """Return what spans of calls of a kind have in common.

    Args:
        event: Type of the handled events; ``None`` for other calls.
        component: Name of the component.
        role: Its role.
        runner: The kind of its runner.
        kind: The reason of the calls.
    """
    if event is None:
        name, span_kind = f"{kind} {role}", SpanKind.INTERNAL
        attributes = {names.COMPONENT: component, names.ROLE: role}
    else:
        is_on_bus = runner is not RunnerKind.BACKTEST
        name, attributes = _of_messages(event, names.PROCESS, component, role, is_on_bus)
        span_kind = SpanKind.CONSUMER
    attributes[names.RUNNER] = runner.value
    attributes[names.HANDLING] = kind.value
    return SpanPattern(name, span_kind, attributes)


def own_attributes(event: Event) -> dict[str, str]:
    """Return the attributes of the spans of one event that are not in their pattern."""
    kind = type(event)
    found: dict[str, str] = {}
    identifier: str | None = event.id
    if identifier:
        found[names.MESSAGE_ID] = identifier
    symbol: str | None = getattr(event, "symbol", None)
    if symbol:
        found[names.SYMBOL] = symbol
    order_id: str | None = identifier if kind is OrderEvent else getattr(event, "order_id", None)
    if order_id:
        found[names.ORDER_ID] = order_id
    # Comparing types is faster than asking their abstract base class.
    if kind is ExecutionEvent:
        if state := getattr(event, "update", None):
            found[names.ORDER_STATE] = state
    elif kind is DenialEvent:
        if reason := getattr(event, "reason", None):
            found[names.DENIAL_REASON] = reason
    elif _is_named(kind):
        found[names.DESTINATION_NAME] = subject_of(event)
    return found


def _is_named(event: type[Event]) -> bool:
    """Return whether the subject of events of a type contains a name."""
    return event is DataEvent or event is DeadLetterEvent


def _of_messages(
    event: type[Event], operation: str, component: str, role: str, is_on_bus: bool
) -> tuple[str, dict[str, str]]:
    if event is DataEvent:
        template = f"{DATA}.{{symbol}}"
    elif event is DeadLetterEvent:
        template = f"{DEAD_LETTER}.{{component}}"
    else:
        template = subject_for(event)
    found = {
        names.OPERATION_NAME: operation,
        names.OPERATION_TYPE: operation,
        names.DESTINATION_TEMPLATE: template,
        names.DESTINATION_NAME: "" if _is_named(event) else template,
        names.COMPONENT: component,
        names.CLIENT_ID: component,
        names.ROLE: role,
        names.MESSAGING_SYSTEM: names.NATS if is_on_bus else "",
    }
    name = names.span_name(operation, template)
    return name, {name: value for name, value in found.items() if value}
