"""Rules for accepting ready reports in a live app."""

from __future__ import annotations

from ingenium.bus.roles import COMPONENT_ROLES
from ingenium.components import App
from ingenium.components.base import role_of
from ingenium.subjects.names import report_subject, role_report_subject

__all__ = ["may_report", "report_patterns"]


def report_patterns(app: App) -> list[str]:
    """Return the subjects on which reports of an app arrive."""
    shared = report_subject(app.name)
    return [shared, f"{shared}.*", f"{shared}s.*"]


def may_report(app: App, subject: str, component: str) -> bool:
    """Return whether a report of a component is valid on a subject.

    A server with accounts lets a component report on its own subject. The shared subject is limited
    to the money accounts, and reports of other accounts arrive on a subject of their role.

    Args:
        app: What the component is one of.
        subject: Subject of the report.
        component: Component that the report names.
    """
    shared = report_subject(app.name)
    if subject == shared:
        return True
    if subject.startswith(f"{shared}."):
        return subject == f"{shared}.{component}"
    by_role = {role_report_subject(app.name, role): role for role in COMPONENT_ROLES}
    return any(
        each.name == component and role_of(each) == by_role.get(subject) for each in app.components
    )
