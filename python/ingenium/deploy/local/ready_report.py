"""Reports a live component as ready, and checks that the server is set up for this app."""

from __future__ import annotations

from ingenium._gen.ingenium.v1 import LockstepReport
from ingenium.bus.base import Bus
from ingenium.components import App, Component
from ingenium.components.base import role_of
from ingenium.errors import BusPermissionError, ConfigError
from ingenium.events import encode
from ingenium.subjects.names import own_report_subject

__all__ = ["report_ready"]


async def report_ready(bus: Bus, app: App, component: Component) -> None:
    """Publish that a component is ready, on a subject that only this app may use.

    Args:
        bus: The component's own connection.
        app: What it is one of.
        component: Which.

    Raises:
        ConfigError: The server has accounts, and they are for another app.
        BusError: The server does not answer.
    """
    subject = own_report_subject(app.name, component.name)
    report = LockstepReport(component=component.name, role=role_of(component))
    try:
        await bus.publish(subject, encode(report))
        await bus.flush()
    except BusPermissionError as error:
        raise ConfigError(
            f"the server at {bus.url} is set up for another app: its accounts do not let "
            f"{component} publish {error.subject!r}, and accounts hold "
            f"the app's name, here {app.name!r}: print them for this app with ingenium accounts "
            "and include them in the server's configuration, or give the app the name that the "
            "accounts are for"
        ) from error
