"""What each component of an app may do on the server of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingenium.components import App, External
from ingenium.components.component import role_of
from ingenium.config import Settings
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import Accounts
from ingenium.subjects.space import SubjectSpace

__all__ = ["Access", "accounts_of", "served"]


def accounts_of(app: App, settings: Settings, *, prefix: str = "") -> Accounts:
    """Return the accounts of an app.

    Args:
        app: Its components may send dead letters in their own names.
        settings: Name further subjects of data.
        prefix: See `Accounts`.
    """
    components: dict[str, list[str]] = {}
    for component in app.components:
        components.setdefault(role_of(component), []).append(component.name)
    programs = [each.name for each in app.components if isinstance(each, External)]
    space = SubjectSpace(settings.prefix or app.prefix)
    return Accounts(app.name, components, settings.data_subjects, prefix, space, programs)


@dataclass(frozen=True, slots=True)
class Access:
    """A server, and how each role gets there.

    Attributes:
        monitor_url: Its monitoring address; ``None`` when none is known.
    """

    monitor_url: str | None
    _settings: Settings
    _server: EmbeddedServer | None

    @property
    def server(self) -> EmbeddedServer | None:
        """The embedded server; ``None`` for one that somebody else runs."""
        return self._server

    @property
    def differs(self) -> bool:
        """Whether roles have users of their own, so that they cannot share a connection."""
        return self.settings_for("strategy") != self.settings_for("executor")

    def settings_for(self, role: str, component: str = "") -> Settings:
        """Return the settings with which a role connects, or one component of it."""
        if self._server is None:
            return self._settings.for_role(role, component)
        return self._settings.with_server(self._server.url_for(role, component))


@asynccontextmanager
async def served(app: App, settings: Settings) -> AsyncIterator[Access]:
    """Use the server that the settings name, or one of our own for as long as this lasts.

    On a server of our own, live trading has a user for each role. A replay has one for all: its
    conductor speaks to every component, and no money is at stake.
    """
    if settings.nats_server:
        yield Access(None, settings, None)
        return
    accounts = None if app.historical else accounts_of(app, settings)
    async with EmbeddedServer(
        settings.data_directory / app.name, binary=settings.server_binary, accounts=accounts
    ) as server:
        yield Access(server.monitor_url, settings, server)
