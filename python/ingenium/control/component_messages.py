"""Components of an app as messages, from its statuses and its services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingenium.clock import SystemClock
from ingenium.control._gen.ingenium.control.v1 import components_pb as pb
from ingenium.operations.component_services import RunningComponent
from ingenium.operations.component_state import ComponentState, Liveness
from ingenium.operations.live_rates import AppView, ComponentRates
from ingenium.recorder.instants import nanoseconds
from ingenium.subjects.names import ALL_DATA, DENIAL, EXECUTION, PORTFOLIO, SIGNAL

__all__ = ["component_messages", "instant"]

_LIVENESS = {
    Liveness.ALIVE: pb.Liveness.ALIVE,
    Liveness.SILENT: pb.Liveness.SILENT,
    Liveness.DEAD: pb.Liveness.DEAD,
    Liveness.STOPPED: pb.Liveness.STOPPED,
    Liveness.NOT_RUNNING: pb.Liveness.NOT_RUNNING,
    Liveness.UNKNOWN: pb.Liveness.UNKNOWN,
}
_READS = {
    "strategy": [ALL_DATA],
    "portfolio": [ALL_DATA, SIGNAL, EXECUTION],
    "executor": [ALL_DATA, PORTFOLIO],
}
_WRITES = {
    "ingestor": [ALL_DATA],
    "strategy": [SIGNAL],
    "portfolio": [PORTFOLIO, DENIAL],
    "executor": [EXECUTION, DENIAL],
}


def instant(time: datetime | None) -> int | None:
    """Return a time as nanoseconds since 1970; ``None`` if there is none."""
    return None if time is None else nanoseconds(time)


def component_messages(view: AppView) -> list[pb.Component]:
    """Return the components of an app, a service by its own and any other one by its status."""
    services: dict[str, list[RunningComponent]] = {}
    for row in view.components:
        services.setdefault(row.name, []).append(row)
    found = []
    for state in view.status.components:
        rows: Sequence[RunningComponent | None] = services.pop(state.name, [None])
        found += [_message(state, row, _rates(view, row)) for row in rows]
    for rest in services.values():
        # Recorders are no components of the app, and have no status.
        found += [_message(None, row, _rates(view, row)) for row in rest]
    return found


def _rates(view: AppView, row: RunningComponent | None) -> ComponentRates:
    return (view.rates.get(row.instance) if row is not None else None) or ComponentRates()


def _message(
    state: ComponentState | None, row: RunningComponent | None, rates: ComponentRates
) -> pb.Component:
    message = pb.Component(
        handled_per_second=rates.handled, sent_per_second=rates.sent, liveness=pb.Liveness.ALIVE
    )
    if state is not None:
        _add_state(message, state)
    if row is not None:
        _add_service(message, row)
    message.reads = message.reads or _READS.get(message.role, [])
    message.writes = _WRITES.get(message.role, [])
    return message


def _add_state(message: pb.Component, state: ComponentState) -> None:
    message.name, message.role = state.name, state.role
    message.liveness, message.why = _LIVENESS[state.liveness], state.why
    message.language, message.sdk_version = state.language, state.version
    message.host, message.process = state.host, state.process
    message.problem = state.problem or state.error
    if state.trading is not None:
        message.trading = state.trading.state
    message.last_event, message.last_symbol = state.last_event, state.last_symbol
    for name, value in (
        ("started_time", instant(state.started)),
        ("restarts", state.restarts),
        ("handled", state.handled),
        ("sent", state.sent),
        ("waiting", state.waiting),
        ("lag_seconds", state.lag_seconds),
        ("heard_seconds", state.heard_seconds),
    ):
        if value is not None:
            setattr(message, name, value)
    if state.last_seconds is not None:
        age = timedelta(seconds=state.last_seconds)
        message.last_time = nanoseconds(SystemClock().now() - age)


def _add_service(message: pb.Component, row: RunningComponent) -> None:
    message.name, message.role, message.instance = row.name, row.role, row.instance
    message.state, message.paused, message.language = row.state, row.paused, row.language
    message.version, message.sdk_version = row.version, row.sdk_version or message.sdk_version
    message.revision, message.host, message.process = row.revision, row.host, row.process
    message.handled, message.sent, message.failed = row.handled, row.sent, row.failed
    message.waiting, message.last_error = row.waiting, row.last_error
    message.problem = row.problem or message.problem
    message.trading = row.trading or message.trading
    message.reads = list(row.subjects)
    message.takes_commands = True
    if row.started is not None:
        message.started_time = nanoseconds(row.started)
    if row.lag_seconds is not None:
        message.lag_seconds = row.lag_seconds
    if row.handled:
        message.handler_seconds = row.handler_seconds / row.handled
    if row.last_time is not None:
        message.last_time = nanoseconds(row.last_time)
        message.last_event, _, message.last_symbol = row.last_event.partition(" ")
