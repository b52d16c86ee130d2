"""Names of spans, metrics and their attributes; no other module contains them.

Messaging names are those of OpenTelemetry's semantic conventions, which are still in development
for messaging. ``ingenium.*`` is used for what the conventions have no name for.

References:
    https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from typing import Final

__all__ = ["SCHEMA_URL", "SCOPE", "SEMCONV_VERSION", "span_name"]

SEMCONV_VERSION: Final = "1.44.0"
"""Version of the semantic conventions that the names are taken from."""
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{SEMCONV_VERSION}"
SCOPE: Final = "ingenium"
"""Name of the instrumentation scope."""

# Operations of spans.
SEND: Final = "send"
PROCESS: Final = "process"

# Attributes of the semantic conventions.
MESSAGING_SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION_NAME: Final = "messaging.destination.name"
DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGE_ID: Final = "messaging.message.id"
CLIENT_ID: Final = "messaging.client.id"
ERROR_TYPE: Final = "error.type"
EXCEPTION: Final = "exception"
"""Name of the span event that describes an exception."""
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
NATS: Final = "nats"
"""Value of `MESSAGING_SYSTEM`; the conventions list none for NATS yet."""

# Attributes of Ingenium.
COMPONENT: Final = "ingenium.component"
ROLE: Final = "ingenium.role"
RUNNER: Final = "ingenium.runner"
HANDLING: Final = "ingenium.handling"
"""Reason of a call: the value of a `HandlingKind`."""
TIME: Final = "ingenium.time"
"""Time of the component, RFC 3339: simulated in a backtest or replay."""
SYMBOL: Final = "ingenium.symbol"
ORDER_ID: Final = "ingenium.order.id"
ORDER_STATE: Final = "ingenium.order.state"
DENIAL_REASON: Final = "ingenium.denial.reason"
EVENT: Final = "ingenium.event"
"""Type of an event, such as ``OrderEvent``; the reason of a call that handles none."""

STAGE: Final = "ingenium.stage"
"""Part of the way from a bar to a fill: a value of `ingenium.telemetry.metrics.Stage`."""
INCIDENT: Final = "ingenium.incident.kind"
"""Value of an `IncidentKind`."""
SIDE: Final = "ingenium.position.side"
"""``long`` or ``short``."""
STREAM: Final = "ingenium.stream"
"""Name of a stream without the prefix of its app."""
LOGGER: Final = "logger.name"
"""Name of the logger of a record; the conventions have none yet."""

# Metrics of the semantic conventions.
SENT_MESSAGES: Final = "messaging.client.sent.messages"
CONSUMED_MESSAGES: Final = "messaging.client.consumed.messages"
PROCESS_DURATION: Final = "messaging.process.duration"

# Metrics of Ingenium.
HANDLER_FAILURES: Final = "ingenium.handler.failures"
REFUSALS: Final = "ingenium.middleware.refusals"
ORDER_REPORTS: Final = "ingenium.order.reports"
DENIALS: Final = "ingenium.order.denials"
WORKING: Final = "ingenium.order.working"
DEAD_LETTERS: Final = "ingenium.dead_letters"
LATENCY: Final = "ingenium.event.latency"
INCIDENTS: Final = "ingenium.bus.incidents"
LAG: Final = "ingenium.component.lag"
WAITING: Final = "ingenium.component.waiting"
OUTBOX: Final = "ingenium.component.outbox"
TRADING: Final = "ingenium.trading.state"
EQUITY: Final = "ingenium.account.equity"
CASH: Final = "ingenium.account.cash"
EXPOSURE: Final = "ingenium.account.exposure"
POSITIONS: Final = "ingenium.account.positions"
RECORDED: Final = "ingenium.recorder.events"
RECORDER_GAPS: Final = "ingenium.recorder.gaps"
RECORDER_LAG: Final = "ingenium.recorder.lag"


def span_name(operation: str, template: str) -> str:
    """Return the name of a span.

    Args:
        operation: `SEND` or `PROCESS`.
        template: Subject with placeholders, so that the number of names is bounded.
    """
    return f"{operation} {template}"
