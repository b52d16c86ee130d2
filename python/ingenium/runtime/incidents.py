"""Incidents of events that a component cannot handle, and of alarms for an operator."""

from __future__ import annotations

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.components.blame import text_of, where
from ingenium.components.component import Component
from ingenium.components.handle_of import handle_of, risk_of
from ingenium.errors import ComponentError, DecodeError
from ingenium.events import ControlEvent, DeadLetterEvent, Event

__all__ = ["describe", "failed_on", "incident_of", "report_alarms"]


def failed_on(component: Component, event: Event | None, error: Exception) -> ComponentError:
    """Make the error of a handler that raised; events it had sent are dropped."""
    handle_of(component).withdraw()
    return ComponentError(
        f"{component} failed on {describe(event)}: {text_of(error)}{where(error)}"
    )


def incident_of(error: DecodeError | ComponentError, subject: str) -> Incident:
    """Make the incident of an event that could not be read or handled."""
    undecodable = isinstance(error, DecodeError)
    kind = IncidentKind.UNDECODABLE if undecodable else IncidentKind.HANDLER_ERROR
    return Incident(kind, str(error), subject, error)


def report_alarms(bus: Bus, component: Component) -> None:
    """Report the alarms of a component as incidents on a bus."""
    if (risk := risk_of(component)) is not None:
        risk.on_alarm = lambda text: bus.report(Incident(IncidentKind.EXIT_DENIED, text))


def describe(event: Event | None) -> str:
    """Describe an event in a few words."""
    if event is None:
        return "no event"
    if isinstance(event, DeadLetterEvent):
        return f"DeadLetterEvent of {event.component}"
    parts = [type(event).__name__]
    if not isinstance(event, ControlEvent):
        parts += ["of", event.symbol or "no symbol"]
    if event.timestamp:
        parts += ["at", str(event.timestamp)]
    return " ".join(parts)
