"""The apps that the control plane knows, by name: those that have run here, and registered ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ingenium.config import Settings
from ingenium.control.call_guard import not_found, refuse
from ingenium.control.registered_app import RegisteredApp
from ingenium.errors import ConfigError, RecorderError
from ingenium.operations.apps import LocalApp, find_app, find_apps
from ingenium.recorder import open as open_recording
from ingenium.recorder.database import Database
from ingenium.recorder.live_recording import default_url

if TYPE_CHECKING:
    from ingenium.recorder.records import Records

__all__ = ["AppCatalog"]

_ResultT = TypeVar("_ResultT")


class AppCatalog:
    """Finds apps and their recordings.

    Args:
        settings: Settings of the server's process.
        registered: Apps whose definitions are at hand.
        database: Database of the recordings; that of each app when ``None``.
        only: The one app that is shown; all when ``None``.
    """

    def __init__(
        self,
        settings: Settings,
        registered: Sequence[RegisteredApp] = (),
        database: str | None = None,
        only: str | None = None,
    ) -> None:
        self.settings = settings
        self.registered: Mapping[str, RegisteredApp] = {each.name: each for each in registered}
        if len(self.registered) < len(registered):
            raise ConfigError(
                "two definitions have one app name: give App(name=...) to one of "
                f"{', '.join(each.target for each in registered)}"
            )
        self._database = database
        self._only = only
        self._records: dict[str, Records] = {}

    def live_names(self) -> list[str]:
        """Return the names of the apps that have run here."""
        try:
            found = [place.app for place in find_apps(self.settings)]
        except ConfigError:
            found = []
        if self._only is not None and self._only not in self.registered:
            return [self._only]
        return found if self._only is None else [name for name in found if name == self._only]

    def names(self) -> list[str]:
        """Return the names of all apps."""
        return sorted({*self.live_names(), *self.registered})

    def resolve(self, app: str) -> str:
        """Return the name of an app.

        Args:
            app: A name of a request; empty for the only app.

        Raises:
            ConnectError: There is no such app, or there are several.
        """
        names = self.names()
        if app:
            if app not in names:
                raise not_found(f"no app {app!r}: there are {', '.join(names) or 'none'}")
            return app
        if len(names) == 1:
            return names[0]
        if not names:
            raise not_found("no app has run here: start one with ingenium run")
        raise refuse(f"several apps are known: name one of {', '.join(names)}")

    def place(self, app: str) -> LocalApp:
        """Return where a named app runs now; its embedded server may have another port again."""
        return find_app(self.settings, app)

    def roster(self, app: str) -> Mapping[str, str]:
        """Return the roles of the components of a definition by name; empty without one."""
        found = self.registered.get(app)
        return {} if found is None else found.roster

    def is_recorded(self, app: str) -> bool:
        """Return whether there is a recording of an app."""
        return self._database is not None or Path(self._database_url(app)).is_file()

    def needs_server(self, app: str) -> bool:
        """Return whether an app has a server while it works: one of history is only backtested."""
        found = self.registered.get(app)
        return found is None or not found.is_historical

    def why_not_recorded(self, app: str) -> str:
        """Return why there is no recording of an app, with the cure; empty if there is one."""
        try:
            self.recording_url(app)
        except RecorderError as error:
            return str(error)
        return ""

    def recording_url(self, app: str) -> str:
        """Return the database of an app's recording.

        Raises:
            RecorderError: There is no recording.
        """
        url = self._database_url(app)
        if not self.is_recorded(app):
            raise RecorderError(
                f"app {app!r} has no recording at {url}: start it with ingenium run --record, or "
                f"run ingenium record {app}"
            )
        return url

    def recording_place(self, app: str) -> str:
        """Return where an app is recorded, without the password of the database.

        Raises:
            RecorderError: There is no recording.
        """
        return Database(self.recording_url(app)).text

    def _database_url(self, app: str) -> str:
        return self._database or default_url(self.settings, app)

    async def read(self, app: str, query: Callable[[Records], _ResultT]) -> _ResultT:
        """Run a query of the recording of an app, in a thread.

        Raises:
            RecorderError: There is no recording, or it cannot be read.
        """
        url = self.recording_url(app)

        def run() -> _ResultT:
            # Kept open: to open one takes far longer than a query of it.
            records = self._records.get(url)
            if records is None:
                records = self._records[url] = open_recording(url)
            return query(records)

        return await asyncio.to_thread(run)

    def close(self) -> None:
        """Close all recordings."""
        for records in self._records.values():
            records.close()
