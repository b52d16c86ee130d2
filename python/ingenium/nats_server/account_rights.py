"""Publish and subscribe permissions of users within their account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingenium.bus.roles import READER, RECORDER, inbox_of
from ingenium.subjects.server_names import (
    ANSWERS_ACROSS_ACCOUNTS,
    direct_get_subject,
    service_subject,
)

__all__ = ["WHO_AM_I", "Subjects", "permissions", "service_subjects"]

WHO_AM_I = "$SYS.REQ.USER.INFO"
"""Subject of the request for one's own user and account."""

_INFO = "$JS.API.INFO"
_STREAM_CALLS = ("$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>")
# An operator's requests are in the account of portfolio and executor, whatever client sends them.
_ANSWERS = "_INBOX.>"
_DESTRUCTIVE = ("UPDATE", "DELETE", "PURGE", "RESTORE", "MSG.DELETE")


@dataclass(frozen=True, slots=True)
class Subjects:
    """Subjects and stream names of an app on the server.

    Attributes:
        data: Market data, and what ingestors publish besides.
        signal: Signals.
        portfolio: All messages of portfolios.
        execution: Execution reports.
        denial: Denials.
        control: Control events of operators.
        shown: Subjects visible to readers.
        recorded: Subjects visible to the recorder.
        money_stream: The stream of signals, orders and executions.
        data_stream: The stream of market data.
    """

    data: Sequence[str]
    signal: str
    portfolio: str
    execution: str
    denial: str
    control: str
    shown: Sequence[str]
    recorded: Sequence[str]
    money_stream: str
    data_stream: str


def permissions(
    role: str,
    component: str,
    named: Sequence[str],
    asks: Sequence[str],
    subjects: Subjects,
    inboxes: Sequence[str],
) -> dict[str, Any]:
    """Return the permissions of a user.

    Args:
        role: Role of the user.
        component: Component of the user; empty for the user of a role.
        named: Subjects that only this user may publish on: dead letters, reports and status in
            its own name.
        asks: Subjects of requests to the user: for its status, as a service, and commands.
        subjects: Subjects of the app.
        inboxes: Prefixes of the reply subjects of all users.
    """
    data = subjects.data
    common = [*named, WHO_AM_I, ANSWERS_ACROSS_ACCOUNTS]
    refused = [
        f"$JS.API.STREAM.{call}.{stream}"
        for stream in (subjects.money_stream, subjects.data_stream)
        for call in _DESTRUCTIVE
    ]
    publish: list[str]
    subscribe: list[str]
    if role == "ingestor":
        publish, subscribe = [*data, _INFO, *common], [*data, *asks]
    elif role == "strategy":
        calls = _reading(subjects.data_stream, subjects.money_stream)
        publish, subscribe = [subjects.signal, *calls, *common], [*data, *asks]
    elif role == "portfolio":
        publish = [subjects.portfolio, subjects.denial, subjects.control, *_STREAM_CALLS]
        publish += [*common, _ANSWERS]
        subscribe = [*data, subjects.signal, subjects.execution, subjects.control, *asks]
    elif role == "executor":
        publish = [subjects.execution, subjects.control, *_STREAM_CALLS, *common, _ANSWERS]
        subscribe = [*data, subjects.portfolio, subjects.control, *asks]
    elif role in {READER, RECORDER}:
        reads = map(direct_get_subject, (subjects.money_stream, subjects.data_stream))
        publish = [_INFO, WHO_AM_I, *reads]
        subscribe = [*subjects.shown]
        if role == RECORDER:
            # It is a service, which takes commands.
            publish.append(ANSWERS_ACROSS_ACCOUNTS)
            subscribe = [*subjects.recorded, *asks]
    else:
        publish, subscribe = [">"], [">"]
    return {
        "publish": {"allow": publish, "deny": refused},
        "subscribe": {
            "allow": [*subscribe, "_INBOX.>"],
            # A user who receives replies to others learns what they do, and could reply too.
            "deny": [f"{inbox}.>" for inbox in inboxes if inbox != inbox_of(role, component)],
        },
    }


def service_subjects(names: Sequence[str]) -> list[str]:
    """Return what components subscribe to as NATS micro services.

    Args:
        names: Names of the components.
    """
    own = [service_subject("*", name, each) for name in names for each in ("", "*")]
    return [service_subject("*"), *own]


def _reading(stream: str, other: str) -> list[str]:
    """Return the API subjects for reading one stream, and for creating it.

    A stream of another name could capture the signals of others, acknowledge them without effect,
    and reveal them.

    Args:
        stream: Name of the stream.
        other: Stream of signals in the money account, whose messages are requested there.
    """
    consumer = [
        f"$JS.API.CONSUMER.{call}.{stream}.>"
        for call in ("CREATE", "DURABLE.CREATE", "MSG.NEXT", "INFO", "DELETE")
    ]
    return [
        _INFO,
        "$JS.API.STREAM.NAMES",
        f"$JS.API.STREAM.CREATE.{stream}",
        *(
            f"$JS.API.{call}.{name}"
            for name in (stream, other)
            for call in ("STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET")
        ),
        f"{direct_get_subject(stream)}.>",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        *consumer,
        f"$JS.ACK.{stream}.>",
        f"$JS.FC.{stream}.>",
    ]
