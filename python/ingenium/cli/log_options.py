"""Options of the log, and a console that writes to it."""

from __future__ import annotations

import io
import logging
from typing import Annotated

import typer
from rich.console import Console

from ingenium.cli.console import make_console
from ingenium.telemetry.logs import configure_logs

__all__ = ["LogFormatOption", "LogLevelOption", "start_logs"]

_FORMAT, _LEVEL = "INGENIUM_LOG_FORMAT", "INGENIUM_LOG_LEVEL"
_JSON = "json"

LogFormatOption = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="text|json",
        envvar=_FORMAT,
        help="Write log records and notices with time, level and component, or as JSON lines.",
    ),
]
LogLevelOption = Annotated[
    str | None,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        envvar=_LEVEL,
        help="debug, info, warning or error; info with --log-format.",
    ),
]


class _LogLines(io.TextIOBase):
    """Logs each line that is written."""

    def __init__(self) -> None:
        self._rest = ""
        self._log = logging.getLogger("ingenium.cli")

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._log.info("%s", line)
        return len(text)


def start_logs(
    log_format: str | None, log_level: str | None, component: str = ""
) -> tuple[Console, dict[str, str]]:
    """Configure the log of this process, if an option asks for it.

    Args:
        log_format: Value of the option.
        log_level: Value of the option.
        component: Name for records outside of handlers, in a process of one component.

    Returns:
        The console for messages, which logs them as well where lines are JSON, and variables for
        child processes.

    Raises:
        ConfigError: A value is unknown.
    """
    if log_format is None and log_level is None:
        return make_console(stderr=True), {}
    chosen, level = log_format or "text", log_level or "info"
    configure_logs(chosen, level, component)
    if chosen != _JSON:
        return make_console(stderr=True), {_FORMAT: chosen, _LEVEL: level}
    console = Console(file=_LogLines(), emoji=False, color_system=None, width=10_000)  # type: ignore[arg-type]
    return console, {_FORMAT: chosen, _LEVEL: level}
