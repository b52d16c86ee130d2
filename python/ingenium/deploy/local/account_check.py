"""Finds out whether the accounts of a server are for this app."""

from __future__ import annotations

from ingenium.bus.base import Bus
from ingenium.components import App, Component
from ingenium.components.base import role_of
from ingenium.errors import BusPermissionError, ConfigError
from ingenium.subjects.names import ask_subject

__all__ = ["check_accounts"]


async def check_accounts(bus: Bus, app: App, component: Component) -> None:
    """Refuse a server on which a component cannot take part in the live app.

    Args:
        bus: The component's own connection.
        app: What it is one of.
        component: Which.

    Raises:
        ConfigError: The server has accounts, and they are for another app or older than its status.
        BusError: The server does not answer.
    """
    try:
        # Its status is asked for there, and each account holds the name of its app.
        subscription = await bus.subscribe(
            ask_subject(app.name, component.name), lambda _message: None
        )
        await bus.flush()
        await subscription.stop()
    except BusPermissionError as error:
        raise ConfigError(
            f"the server at {bus.url} is set up for another app: its accounts do not let "
            f"{role_of(component)} {component.name!r} subscribe to {error.subject!r}, and accounts "
            f"hold the app's name, here {app.name!r}: print them for this app with ingenium "
            "accounts and include them in the server's configuration, or give the app the name "
            "that the accounts are for"
        ) from error
