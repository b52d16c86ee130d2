"""Logs of a process: one line a record, for people or as JSON, without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from ingenium.errors import ConfigError

__all__ = [
    "FORMATS",
    "LEVELS",
    "JsonLogFormatter",
    "LogContext",
    "TextLogFormatter",
    "configure_logs",
    "current_context",
    "log_context",
    "redact",
    "set_log_level",
]

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
_ROOT = "ingenium"
_HIDDEN = "***"
_SECRETS = (
    # The whole content of a .creds file, or of a key.
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----+|\Z)", re.DOTALL), _HIDDEN),
    # User and password, or a token, in a URL.
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@]+@"), rf"\1{_HIDDEN}@"),
    # The seed of an nkey.
    (re.compile(r"\bS[ACNOUXP][A-Z2-7]{40,}\b"), _HIDDEN),
    # A JWT.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"""(?ix) \b ( [\w-]* (?: password | passwd | secret | token | api[_-]?key | seed ) )
            ( ["']? \s* [:=] \s* ) ( "[^"]*" | '[^']*' | [^\s,;&"'}]+ )"""
        ),
        rf"\1\2{_HIDDEN}",
    ),
)


@dataclass(frozen=True, slots=True)
class LogContext:
    """What is handled while a record is logged.

    Attributes:
        component: Name of the component.
        trace_id: 32 hexadecimal digits; empty when unknown.
        span_id: Id of the span of the handling, 16 hexadecimal digits; empty without an event.
    """

    component: str
    trace_id: str = ""
    span_id: str = ""


log_context: ContextVar[Callable[[], LogContext] | None] = ContextVar(
    "ingenium_log_context", default=None
)
"""Set while a handler runs; called only for a record, since most calls log nothing."""


def current_context() -> LogContext | None:
    """Return what is handled now; ``None`` outside of a handler."""
    made = log_context.get()
    return None if made is None else made()


def redact(text: str) -> str:
    """Replace secrets by ``***``: passwords in URLs, seeds of nkeys, tokens, content of .creds."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class TextLogFormatter(logging.Formatter):
    """One line for people: time, level, component and message; an exception in further lines.

    Args:
        component: Name for records that are logged outside of a handler; may be empty.
    """

    def __init__(self, component: str = "") -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, without secrets."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        context = current_context()
        name = self._component if context is None else context.component
        text = f"{time.replace('+00:00', 'Z')} {record.levelname} {name or record.name}: "
        text += _message_of(record)
        if context is not None and context.trace_id:
            text += f" trace={context.trace_id}"
        error = _exception_of(record, self)
        return redact(f"{text}\n{error}" if error else text)


class JsonLogFormatter(logging.Formatter):
    """One JSON object a line, with the ids of trace and span while an event is handled.

    Args:
        component: As for `TextLogFormatter`.
    """

    def __init__(self, component: str = "") -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        """Return the JSON of a record, without secrets."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        context = current_context()
        found = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "component": self._component if context is None else context.component,
            "logger": record.name,
            "message": redact(_message_of(record)),
            "trace_id": "" if context is None else context.trace_id,
            "span_id": "" if context is None else context.span_id,
            "exception": redact(_exception_of(record, self)),
        }
        return json.dumps({name: value for name, value in found.items() if value})


def configure_logs(
    format_name: str, level: str, component: str = "", stream: TextIO | None = None
) -> logging.Handler:
    """Write the records of this process to a stream, instead of Python's bare messages.

    Args:
        format_name: One of `FORMATS`.
        level: One of `LEVELS`, of Ingenium's own loggers; others stay at warnings.
        component: Name for records that are logged outside of a handler.
        stream: Standard error if left out.

    Returns:
        The handler, so that a caller can remove it from the root logger.

    Raises:
        ConfigError: Format or level is unknown.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"log format {format_name!r} is unknown: use {' or '.join(FORMATS)}")
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    kind = JsonLogFormatter if format_name == "json" else TextLogFormatter
    handler.setFormatter(kind(component))
    set_log_level(level)
    logging.getLogger().addHandler(handler)
    return handler


def set_log_level(level: str, logger: str = _ROOT) -> str:
    """Change the level of a logger, at any time.

    Args:
        level: One of `LEVELS`, in any case.
        logger: Name of a logger, such as ``"ingenium.bus"``; all of Ingenium's if left out.

    Returns:
        The level before.

    Raises:
        ConfigError: The level is unknown.
    """
    if level.lower() not in LEVELS:
        raise ConfigError(f"log level {level!r} is unknown: use {', '.join(LEVELS)}")
    log = logging.getLogger(logger)
    before = logging.getLevelName(log.getEffectiveLevel()).lower()
    log.setLevel(level.upper())
    if not log.hasHandlers() and logging.lastResort is not None:
        # Without a handler Python prints what reaches the level of this one.
        logging.lastResort.setLevel(level.upper())
    return str(before)


def _message_of(record: logging.LogRecord) -> str:
    # A line break within a message would look like a record of its own.
    return record.getMessage().replace("\r", "\\r").replace("\n", "\\n")


def _exception_of(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    return "" if record.exc_info is None else formatter.formatException(record.exc_info)
