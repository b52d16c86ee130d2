"""External components: another program, in any language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ingenium.components.component import Component
from ingenium.components.handle import ComponentHandle
from ingenium.errors import ConfigError
from ingenium.subjects.names import check_symbol

__all__ = ["External", "command_files"]

_ROLES = ("ingestor", "strategy", "portfolio", "executor")


class External(Component):
    """A component that runs as another program.

    The app starts the program with ``NATS_SERVER``, ``INGENIUM_APP``, ``INGENIUM_COMPONENT`` and
    ``INGENIUM_PREFIX`` in its environment and ends it with the run; without a command, the program
    is started separately.

    In a replay, a program that publishes a ``LockstepReport`` takes part fully: the replay waits
    for it exactly. One that reports nothing, such as a component of the original Go library, is
    given time instead: the replay continues when it has sent nothing for ``settle_seconds``. An
    ingestor that reports nothing cannot be replayed, since the end of its data of an instant is
    unknown: an app with one runs on live data.

    In a live app a program is ready when its status reports it, or, if it reports nothing, when the
    server shows its subscriptions. Its output is thinned; all of it is in ``<name>.out`` in the
    app's data folder.

    Args:
        role: ``"strategy"``, ``"portfolio"``, ``"executor"`` or ``"ingestor"``.
        command: Program and arguments; ``None`` when it is started separately.
        name: See `Component`.
        symbols: The symbols that it subscribes to, or that an ingestor sends; ``None`` for all.
            The replay starts when the server knows its subscriptions.
        reports: Whether it publishes reports in a replay, and its status on live data.
        settle_seconds: How long to wait for a program that does not report. If too short, events
            that it sends late are counted to a later instant.
        follows_prefix: Whether it reads ``INGENIUM_PREFIX`` and puts it, and a dot, before every
            subject. One that does not can only be in an app without a prefix, unless the server
            maps its subjects.
        directory: Where to run the command; that of the caller when left out.
        environment: Further variables for it.

    Raises:
        ConfigError: An unknown role, an empty command, or a settle time that is not positive.
    """

    def __init__(
        self,
        role: str,
        command: Sequence[str] | None = None,
        *,
        name: str | None = None,
        symbols: Sequence[str] | None = None,
        reports: bool = False,
        settle_seconds: float = 0.02,
        follows_prefix: bool = False,
        directory: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.role = role
        super().__init__(name or role)
        if role not in _ROLES:
            raise ConfigError(f"role {role!r} is unknown: use one of {', '.join(_ROLES)}")
        if isinstance(command, str):
            raise ConfigError(
                f"command {command!r} is a string: pass a list of program and arguments"
            )
        if command is not None and not command:
            raise ConfigError("command is empty: pass program and arguments, or None")
        if not settle_seconds > 0:
            raise ConfigError(
                f"settle_seconds {settle_seconds} is not positive: use a positive number such as "
                "0.02"
            )
        self.command = None if command is None else tuple(command)
        self.symbols = None if symbols is None else tuple(symbols)
        for symbol in self.symbols or ():
            check_symbol(symbol)
        self.reports = reports
        self.settle_seconds = settle_seconds
        self.follows_prefix = follows_prefix
        self.directory = None if directory is None else Path(directory)
        self.environment = dict(environment or {})

    def _make_handle(self) -> ComponentHandle:
        return ComponentHandle(self.name, self.role)


def command_files(component: External) -> Iterator[Path]:
    """Yield the files that a component's command names, such as its program."""
    folder = component.directory or Path()
    for part in component.command or ():
        path = folder / part
        if path.is_file():
            yield path.resolve()
