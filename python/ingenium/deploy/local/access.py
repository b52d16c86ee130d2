"""Rights of each component of an app on the server of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingenium.components import App, External
from ingenium.components.base import role_of
from ingenium.config import Settings
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import Accounts
from ingenium.subjects.space import SubjectSpace

__all__ = ["Access", "accounts_of", "served"]


def accounts_of(app: App, settings: Settings, *, prefix: str = "") -> Accounts:
    """Return the accounts of an app.

    Args:
        app: App whose components may send dead letters in their own names.
        settings: Settings with additional data subjects.
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
    """A server, and the connection settings of each role.

    Attributes:
        monitor_url: Monitoring URL; ``None`` if unknown.
    """

    monitor_url: str | None
    _settings: Settings
    _server: EmbeddedServer | None

    @property
    def server(self) -> EmbeddedServer | None:
        """The embedded server; ``None`` for an external one."""
        return self._server

    @property
    def differs(self) -> bool:
        """Whether each role has its own user, so that roles cannot share a connection."""
        return self.settings_for("strategy") != self.settings_for("executor")

    def settings_for(self, role: str, component: str = "") -> Settings:
        """Return the connection settings of a role, or of one component."""
        if self._server is None:
            return self._settings.for_role(role, component)
        return self._settings.with_server(self._server.url_for(role, component))


@asynccontextmanager
async def served(app: App, settings: Settings) -> AsyncIterator[Access]:
    """Use the configured server, or an embedded one for the duration of the context.

    On an embedded server, live trading has one user per role. A replay has a single user: its
    conductor communicates with every component, and no money is at stake.
    """
    if settings.nats_server:
        yield Access(None, settings, None)
        return
    accounts = None if app.historical else accounts_of(app, settings)
    async with EmbeddedServer(
        settings.data_directory / app.name, binary=settings.server_binary, accounts=accounts
    ) as server:
        yield Access(server.monitor_url, settings, server)
