"""Who says what to whom, and on which subject: the channels and operations of the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingenium.events import DeadLetterEvent
from ingenium.subjects.grammar import matches
from ingenium.subjects.names import (
    ALL_DATA,
    ALL_EVENTS,
    CANCEL,
    CONTROL,
    DENIAL,
    EXECUTION,
    ORDER,
    PORTFOLIO,
    REPLACE,
    SIGNAL,
    TRADING,
    data_subject,
    dead_letter_subject,
    grant_subject,
    observed_subject,
    report_subject,
    status_subject,
    subject_for,
)

__all__ = ["CHANNELS", "COMPONENTS", "ROLES", "Channel", "operations", "parameters_of"]

ROLES = {
    "ingestor": "Brings market data onto the bus.",
    "strategy": "Makes signals of market data.",
    "portfolio": "Makes orders of signals, and books executions.",
    "executor": "Takes orders to a venue, and reports what became of them.",
    "operator": "A person, or a program of theirs, that halts and resumes.",
    "conductor": "Keeps a replay of history in step; a part of `ingenium run`.",
    "reader": "Looks on and sends nothing: tap, recorder, dashboard.",
}
COMPONENTS = ("ingestor", "strategy", "portfolio", "executor")


@dataclass(frozen=True, slots=True)
class Channel:
    """A subject, or a family of subjects.

    Attributes:
        name: Of the channel in the document.
        message: The one kind of message on it.
        address: The subject, with its parameters in braces.
        subscription: What to subscribe to, to get all that is sent here.
        title: For people.
        senders: Roles that send.
        receivers: Roles that receive.
    """

    name: str
    message: str
    address: str
    subscription: str
    title: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]


_LOOKING_ON = ("conductor", "reader")
"""They subscribe to everything."""

CHANNELS = (
    Channel(
        "marketData",
        "DataEvent",
        data_subject("{symbol}"),
        ALL_DATA,
        "Market data",
        ("ingestor",),
        ("strategy", "portfolio", "executor", *_LOOKING_ON),
    ),
    Channel(
        "signals",
        "SignalEvent",
        SIGNAL,
        SIGNAL,
        "Signals",
        ("strategy",),
        ("portfolio", *_LOOKING_ON),
    ),
    Channel(
        "orders",
        "OrderEvent",
        ORDER,
        PORTFOLIO,
        "Orders",
        ("portfolio",),
        ("executor", *_LOOKING_ON),
    ),
    Channel(
        "cancellations",
        "CancelEvent",
        CANCEL,
        PORTFOLIO,
        "Requests to cancel",
        ("portfolio",),
        ("executor", *_LOOKING_ON),
    ),
    Channel(
        "replacements",
        "ReplaceEvent",
        REPLACE,
        PORTFOLIO,
        "Requests to replace",
        ("portfolio",),
        ("executor", *_LOOKING_ON),
    ),
    Channel(
        "executions",
        "ExecutionEvent",
        EXECUTION,
        EXECUTION,
        "Executions",
        ("executor",),
        ("portfolio", *_LOOKING_ON),
    ),
    Channel(
        "denials",
        "DenialEvent",
        DENIAL,
        DENIAL,
        "Denied orders",
        ("portfolio",),
        ("operator", *_LOOKING_ON),
    ),
    Channel(
        "control",
        "ControlEvent",
        TRADING,
        f"{CONTROL}.>",
        "Trading state",
        ("operator", "portfolio", "executor"),
        ("portfolio", "executor", "operator", *_LOOKING_ON),
    ),
    Channel(
        "deadLetters",
        "DeadLetterEvent",
        dead_letter_subject("{component}"),
        subject_for(DeadLetterEvent),
        "Dead letters",
        COMPONENTS,
        ("operator", *_LOOKING_ON),
    ),
    Channel(
        "reports",
        "LockstepReport",
        report_subject("{app}"),
        report_subject("{app}"),
        "Reports of a replay",
        COMPONENTS,
        ("conductor",),
    ),
    Channel(
        "grants",
        "LockstepGrant",
        grant_subject("{app}"),
        grant_subject("{app}"),
        "Grants of a replay",
        ("conductor",),
        COMPONENTS,
    ),
    Channel(
        "statuses",
        "ComponentStatus",
        status_subject("{app}", "{component}"),
        status_subject("{app}", "*"),
        "Status of components",
        COMPONENTS,
        ("operator", "reader"),
    ),
    Channel(
        "observations",
        "ComponentStatus",
        observed_subject("{app}", "{component}"),
        observed_subject("{app}", "*"),
        "Status of programs that a run has started",
        ("operator",),
        ("operator", "reader"),
    ),
)

_PARAMETERS: dict[str, dict[str, Any]] = {
    "symbol": {
        "description": (
            "The symbol in lower case, letter by letter. A dot in it makes two parts of the "
            "subject. A space is written as %20, and a % before two hexadecimal digits as %25. No "
            "other whitespace, *, >, and no dot at an end or beside another one."
        ),
        "examples": ["aapl", "brk.b", "eur/usd", "brk%20b"],
    },
    "component": {
        "description": "Name of the component that it is about: that could not take the payload.",
        "examples": ["paper"],
        "location": "$message.payload#/Component",
    },
    "app": {"description": "Name of the app, as INGENIUM_APP says.", "examples": ["demo"]},
}


def parameters_of(channel: Channel) -> dict[str, Any]:
    """Return the parameters of a channel's address."""
    return {
        name: described
        for name, described in _PARAMETERS.items()
        if f"{{{name}}}" in channel.address
    }


def operations() -> dict[str, Any]:
    """Return the operations of all roles."""
    return {
        f"{role}{verb}{_capital(channel.name)}": _operation(channel, role, action)
        for channel in CHANNELS
        for action, verb, roles in (
            ("send", "Sends", channel.senders),
            ("receive", "Receives", channel.receivers),
        )
        for role in roles
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _operation(channel: Channel, role: str, action: str) -> dict[str, Any]:
    subject = channel.address
    if action == "receive":
        sees_all = role in _LOOKING_ON and matches(ALL_EVENTS, channel.address)
        subject = ALL_EVENTS if sees_all else channel.subscription
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": f"{role} {action}s: {channel.title[0].lower()}{channel.title[1:]}",
        "tags": [{"$ref": f"#/components/tags/{role}"}],
        "bindings": {"nats": {"bindingVersion": "0.1.0"}},
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.message}"}],
        "x-nats-subject": subject,
    }
