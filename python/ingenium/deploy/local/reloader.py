"""Restarts the components of a live app whose code has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ingenium.components import External
from ingenium.deploy.local.app_description import AppDescription, describe_app
from ingenium.deploy.local.supervisor import Supervised
from ingenium.errors import ConfigError

__all__ = ["Reloader"]

_POLL_SECONDS = 0.25
_READY_SECONDS = 30.0

_Files = dict[str, tuple[int, int] | None]


class Reloader:
    """Watches the source files of an app, and restarts what they change.

    A component is restarted when its code or its parameters have changed. The whole run is, when
    the app's settings, its components or their subscriptions have: `wants_restart`. Code that
    cannot be loaded changes nothing.

    Args:
        target: The app, as on the command line.
        on_text: Receives what was done, and why not.
        poll_seconds: Interval in which the files are looked at.
    """

    def __init__(
        self,
        target: str,
        on_text: Callable[[str], None],
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self.wants_restart = False
        """Whether the run is to end and be started again."""
        self._target = target
        self._on_text = on_text
        self._poll_seconds = poll_seconds
        self._now: AppDescription | None = None
        self._files: _Files = {}

    async def prepare(self) -> None:
        """Describe the app as it is started; call it before its components are.

        Raises:
            ConfigError: The app cannot be loaded.
        """
        self._now = await describe_app(self._target)
        self._files = _observe(self._now.files)

    async def run(self, programs: Sequence[Supervised]) -> None:
        """Restart components until the whole run is to be started again.

        Args:
            programs: Components, in the order in which they start.
        """
        by_name = {program.component.name: program for program in programs}
        while not self.wants_restart:
            changed = await self._until_changed()
            try:
                found = await describe_app(self._target)
            except ConfigError as error:
                self._on_text(
                    f"{changed} changed, and cannot be loaded, so what runs goes on: {error}"
                )
                continue
            before, self._now = self._now, found
            self._files = _observe(found.files) | {
                # As it was before it was read, in case it has changed once more since.
                file: state
                for file, state in self._files.items()
                if file in found.files
            }
            if before is None or (why := _whole(before, found)):
                self._on_text(f"{changed} changed {why}: the app is started again")
                self.wants_restart = True
                return
            names = [
                name
                for name, program in by_name.items()
                if not program.is_stopped
                and (
                    before.components[name].code != found.components[name].code
                    or program.awaits_change
                )
            ]
            await self._restart([by_name[name] for name in names], changed)

    async def _until_changed(self) -> str:
        """Wait for a change of a file that has come to rest, and name the files."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            now = _observe(self._files)
            if now == self._files:
                continue
            while True:
                # An editor may write a file in several steps.
                await asyncio.sleep(self._poll_seconds)
                again = _observe(self._files)
                if again == now:
                    break
                now = again
            names = [Path(file).name for file, state in now.items() if state != self._files[file]]
            self._files = now
            return ", ".join(names)

    async def _restart(self, programs: Sequence[Supervised], changed: str) -> None:
        if not programs:
            self._on_text(f"{changed} changed; no component uses what has changed in it")
            return
        names = ", ".join(program.component.name for program in programs)
        self._on_text(f"{changed} changed: {names} restarted with it")
        # Senders stop before their readers, and start after them.
        for program in reversed(programs):
            await program.stop_for_change()
        for program in programs:
            component = program.component
            # A program that reports nothing says nothing of being ready.
            is_silent = isinstance(component, External) and not component.reports
            await program.start_changed(0 if is_silent else _READY_SECONDS)


def _whole(before: AppDescription, now: AppDescription) -> str:
    """Return what changed that a restart of components does not follow; empty for nothing."""
    if before.app != now.app:
        return "settings of the app"
    gone = [name for name in before.components if name not in now.components]
    new = [name for name in now.components if name not in before.components]
    if gone or new:
        changes = [f"component {name} is gone" for name in gone]
        return f"the components ({'; '.join(changes + [f'{name} is new' for name in new])})"
    for name, component in now.components.items():
        if before.components[name].interface != component.interface:
            return f"what {name} reads or how it is started"
    return ""


def _observe(files: Iterable[str]) -> _Files:
    found: _Files = {}
    for file in files:
        try:
            state = Path(file).stat()
        except OSError:
            found[file] = None
        else:
            found[file] = state.st_mtime_ns, state.st_size
    return found
