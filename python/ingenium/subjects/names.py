"""Build, parse and check the subjects of the bus; no other module contains them.

Market data goes to ``ingenium.ingestor.data.<symbol>``, the symbol in lower case as the Go clients
write it; signals, orders, executions, requests to cancel or replace an order, denials, and the
state of trading have one subject each. A space is written as ``%20``, since no subject can contain
one. No input can reach another subject: a symbol that could is refused before anything is sent.
"""

from __future__ import annotations

import re

from ingenium.errors import SubjectError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)

__all__ = [
    "ALL_DATA",
    "ALL_EVENTS",
    "CANCEL",
    "COMPONENT_COMMANDS",
    "CONTROL",
    "DATA",
    "DEAD_LETTER",
    "DENIAL",
    "EXECUTION",
    "MAX_SYMBOL_LENGTH",
    "ORDER",
    "PORTFOLIO",
    "PORTFOLIO_TREE",
    "REPLACE",
    "ROOTS",
    "SIGNAL",
    "TRADING",
    "ask_subject",
    "check_symbol",
    "command_subject",
    "data_subject",
    "dead_letter_subject",
    "event_type_of",
    "grant_subject",
    "is_ask",
    "observed_subject",
    "own_report_subject",
    "report_subject",
    "role_report_subject",
    "share_subject",
    "space_subject",
    "status_subject",
    "subject_for",
    "subject_of",
]

ALL_EVENTS = "ingenium.>"
ROOTS = frozenset({"ingenium", "_ingenium"})
"""First tokens of all subjects of the bus: those of events, and those used to run an app."""
DATA = "ingenium.ingestor.data"
ALL_DATA = f"{DATA}.>"
"""Market data of all symbols, with dots in them or not."""
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
CANCEL = "ingenium.portfolio.cancel"
REPLACE = "ingenium.portfolio.replace"
PORTFOLIO = "ingenium.portfolio.*"
"""All messages of portfolios: orders, and requests to cancel or replace one, in one order."""
PORTFOLIO_TREE = "ingenium.portfolio.>"
"""All subjects of portfolios, for streams and permissions."""
EXECUTION = "ingenium.executor.execution"
DEAD_LETTER = "ingenium.deadletter"
DENIAL = "ingenium.risk.denial"
CONTROL = "ingenium.control"
"""Prefix of control subjects."""
TRADING = "ingenium.control.trading"
"""State of trading; the last message applies."""
COMPONENT_COMMANDS = "ingenium.control.component"
"""What operators had single components do, for those who look on: it commands nothing."""

MAX_SYMBOL_LENGTH = 64
"""In characters; longer symbols are refused, far below a server's limit for subjects."""

# Percent-encoded in a subject: a space, and a % that would be read as an escape.
_ESCAPED = re.compile(r" |%(?=[0-9a-f]{2})", re.ASCII)

_FIXED: dict[type[Event], str] = {
    SignalEvent: SIGNAL,
    OrderEvent: ORDER,
    CancelEvent: CANCEL,
    ReplaceEvent: REPLACE,
    ExecutionEvent: EXECUTION,
    DenialEvent: DENIAL,
    ControlEvent: TRADING,
}
_TYPES: dict[str, type[Event]] = {subject: event_type for event_type, subject in _FIXED.items()}
_checked: dict[str, str] = {}
_WITHOUT_SYMBOL = frozenset({EXECUTION, TRADING})
_CACHE_LIMIT = 65_536


def _go_lower(text: str) -> str:
    """Lower-case ``text`` character by character, as Go's ``strings.ToLower`` does.

    Python's own ``lower`` writes two characters for "İ" and depends on the neighbors of "Σ", so
    the subject would differ from that of the Go clients.
    """
    if text.isascii():
        return text.lower()
    return "".join([low if len(low := letter.lower()) == 1 else low[0] for letter in text])


def _refuse(what: str, name: str, problem: str) -> SubjectError:
    return SubjectError(
        f"{what} {name!r} {problem}: use letters, digits and signs like . / ^ = _ : -"
    )


def _check(what: str, name: str, spaces: str) -> None:
    """Refuse a name that cannot be a token of a subject; characters in ``spaces`` are allowed."""
    if name.__class__ is not str and not isinstance(name, str):
        raise SubjectError(f"{what} {name!r} is not a string: pass one like 'AAPL'")
    if not name:
        raise _refuse(what, name, "is empty")
    if len(name) > MAX_SYMBOL_LENGTH:
        raise SubjectError(
            f"{what} {name[:MAX_SYMBOL_LENGTH]!r}... has {len(name)} characters: "
            f"the longest allowed is {MAX_SYMBOL_LENGTH}"
        )
    for letter in name:
        if letter in "*>":
            raise _refuse(what, name, f"holds {letter!r}, which means other subjects to NATS")
        # isprintable covers controls, surrogates, separators and unassigned characters.
        if letter not in spaces and (letter.isspace() or not letter.isprintable()):
            raise _refuse(what, name, f"holds {letter!r}, which no subject can hold")
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise _refuse(what, name, "has a leading, trailing or doubled dot")


def check_symbol(symbol: str) -> None:
    """Refuse a symbol that is invalid in a subject.

    Raises:
        SubjectError: The symbol is empty or too long, begins or ends with a space, holds other
            white space, control characters, ``*`` or ``>``, or has a leading, trailing or doubled
            dot.
    """
    _check("symbol", symbol, " ")
    if symbol[0] == " " or symbol[-1] == " ":
        raise _refuse("symbol", symbol, "begins or ends with a space")


def _part_of(symbol: str) -> str:
    """Return a symbol as written in a subject; symbols that differ in more than case stay distinct.

    ``%`` and two hexadecimal digits are read back as the character with that code.
    """
    return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02x}", _go_lower(symbol))


def data_subject(symbol: str) -> str:
    """Return the subject of a symbol's market data; `ALL_DATA` is the one of all symbols.

    Args:
        symbol: The symbol in any case. A space is written as ``%20``, and a ``%`` before two
            hexadecimal digits as ``%25``.

    Raises:
        SubjectError: See `check_symbol`.
    """
    try:
        return _checked[symbol]
    except (KeyError, TypeError):
        pass
    check_symbol(symbol)
    subject = f"{DATA}.{_part_of(symbol)}"
    if len(_checked) < _CACHE_LIMIT:
        _checked[symbol] = subject
    return subject


def share_subject(symbol: str, other: str) -> bool:
    """Return whether two symbols share a market data subject: they differ at most in case."""
    return symbol == other or _go_lower(symbol) == _go_lower(other)


def dead_letter_subject(component: str) -> str:
    """Return the subject of the dead letters of ``component``.

    Raises:
        SubjectError: The name cannot be part of a subject.
    """
    _check("name", component, "")
    return f"{DEAD_LETTER}.{component}"


def report_subject(app: str) -> str:
    """Return the subject on which the components of ``app`` report in a replay.

    Outside of ``ingenium.>``, so that a reader of all events never sees it.

    Raises:
        SubjectError: The name cannot be part of a subject.
    """
    _check("name", app, "")
    return f"_ingenium.{app}.report"


def own_report_subject(app: str, component: str) -> str:
    """Return the subject on which only one component of ``app`` may report.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    _check("name", component, "")
    return f"{report_subject(app)}.{component}"


def role_report_subject(app: str, role: str) -> str:
    """Return the subject of reports from another account, which contains the sender's role.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    return f"{report_subject(app)}s.{role}"


def grant_subject(app: str) -> str:
    """Return the subject on which the conductor of a replay tells components to proceed.

    Raises:
        SubjectError: The name cannot be part of a subject.
    """
    _check("name", app, "")
    return f"_ingenium.{app}.grant"


def status_subject(app: str, component: str) -> str:
    """Return the subject on which a component of a live app publishes its `ComponentStatus`.

    Outside of ``ingenium.>``, so that a reader of all events never sees it.

    Args:
        app: Name of the app, or ``"*"`` for all.
        component: Name of the component, or ``"*"`` for all.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    return f"{_own_subject(app)}.status.{_part('name', component)}"


def observed_subject(app: str, component: str) -> str:
    """Return the subject of a starting program's observations of a component.

    Args:
        app: As for `status_subject`.
        component: As for `status_subject`.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    return f"{_own_subject(app)}.observed.{_part('name', component)}"


def ask_subject(app: str, component: str = "") -> str:
    """Return the subject on which components are asked to publish their status now.

    Args:
        app: Name of the app.
        component: Name of one component; all of the app when left out.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    ask = f"{_own_subject(app)}.ask"
    return f"{ask}.{_part('name', component)}" if component else ask


def command_subject(app: str, component: str, instance: str = "*", command: str = "*") -> str:
    """Return the subject of an operator's command to one start of a component.

    Args:
        app: Name of the app.
        component: Name of the component, or ``"*"`` for all.
        instance: The `ComponentStatus.life` of the start, or ``"*"`` for all.
        command: ``"pause"``, ``"resume"``, ``"stop"``, ``"log-level"``, or ``"*"`` for all.

    Raises:
        SubjectError: A name cannot be part of a subject.
    """
    parts = (_part("name", each) for each in (component, instance, command))
    return ".".join((f"{_own_subject(app)}.command", *parts))


def is_ask(subject: str) -> bool:
    """Return whether a subject is one of `ask_subject`; a lost request is repeated."""
    parts = subject.split(".")
    return len(parts) in (3, 4) and parts[0] == "_ingenium" and parts[2] == "ask"


def _own_subject(app: str) -> str:
    return f"_ingenium.{_part('name', app)}"


def _part(what: str, name: str) -> str:
    if name != "*":
        _check(what, name, "")
    return name


def space_subject(role: str) -> str:
    """Return the subject for lease requests of a role in a subject space.

    Args:
        role: ``"portfolio"`` or ``"executor"``.
    """
    return f"_ingenium.space.{role}"


def subject_of(event: Event) -> str:
    """Return the subject on which ``event`` is published.

    Raises:
        SubjectError: Its symbol cannot be part of a subject.
    """
    fixed = _FIXED.get(type(event))
    if fixed is None:
        if isinstance(event, DataEvent):
            return data_subject(event.symbol)
        if isinstance(event, DeadLetterEvent):
            return dead_letter_subject(event.component)
        raise SubjectError(
            f"{type(event).__name__} has no subject: pass one of DataEvent, SignalEvent, "
            "OrderEvent, CancelEvent, ReplaceEvent, ExecutionEvent, DenialEvent, ControlEvent"
        )
    # The original Go executor sends executions without a symbol; the order id identifies it.
    # Control events of an operator concern no symbol.
    symbol = getattr(event, "symbol", "")
    if symbol or fixed not in _WITHOUT_SYMBOL:
        data_subject(symbol)  # checks the symbol, and caches the result
    return fixed


def subject_for(event_type: type[Event], symbol: str | None = None) -> str:
    """Return the subject to subscribe to for events of one type.

    Args:
        event_type: ``DataEvent``, ``SignalEvent``, ``OrderEvent``, ``CancelEvent``,
            ``ReplaceEvent``, ``ExecutionEvent``, ``DenialEvent``, ``ControlEvent`` or
            ``DeadLetterEvent``.
        symbol: Only that symbol's market data; ``None`` for all. The other types travel on one
            subject each, whatever the symbol.

    Raises:
        SubjectError: The type has no subject, or the symbol cannot be part of one.
    """
    if event_type is DataEvent:
        return ALL_DATA if symbol is None else data_subject(symbol)
    if event_type is DeadLetterEvent:
        return f"{DEAD_LETTER}.>"
    fixed = _FIXED.get(event_type)
    if fixed is None:
        raise SubjectError(
            f"{event_type!r} has no subject: pass one of DataEvent, SignalEvent, OrderEvent, "
            "CancelEvent, ReplaceEvent, ExecutionEvent, DenialEvent, ControlEvent"
        )
    return fixed


def event_type_of(subject: str) -> type[Event] | None:
    """Return the type of the events on ``subject``; ``None`` for a foreign subject."""
    found = _TYPES.get(subject)
    if found is None:
        if subject.startswith(f"{DATA}."):
            return DataEvent
        if subject.startswith(f"{DEAD_LETTER}."):
            return DeadLetterEvent
    return found
