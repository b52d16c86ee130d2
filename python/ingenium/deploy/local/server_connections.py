"""Connections and subscriptions of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ingenium.bus import NatsBus
from ingenium.bus.base import Bus
from ingenium.bus.nats.connections import account_connections
from ingenium.bus.roles import OPERATOR, READER, RECORDER, owner_of
from ingenium.deploy.local.monitoring import ask_page
from ingenium.subjects.grammar import matches

__all__ = ["Connection", "ServerConnections", "foreign_readers", "read_connections"]

_PAGE_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Connection:
    """Connection of one client.

    Attributes:
        number: Id assigned by the server, increasing.
        name: Name stated by the client; empty if not stated.
        user: User of the connection; empty on a server without users.
        where: Address of the client.
        subjects: Subscribed subjects, without inboxes.
        received: Number of messages delivered to the client.
        language: Language of the client's library; empty if not stated.
    """

    number: int
    name: str
    user: str
    where: str
    subjects: tuple[str, ...]
    received: int
    language: str = ""


class ServerConnections:
    """Queries the connections of a server.

    Args:
        bus: Connection to the server; queried if there is no monitoring URL.
        monitor_url: Monitoring URL; ``None`` if unknown.
        sees_all: Whether all components are in the account of ``bus``.
    """

    def __init__(self, bus: Bus, monitor_url: str | None, *, sees_all: bool = True) -> None:
        self._bus = bus
        self._monitor_url = monitor_url
        self.sees_all = sees_all or monitor_url is not None
        self._answers = True

    async def ask(self) -> list[Connection] | None:
        """Return the connections; ``None`` if the server does not answer."""
        if self._monitor_url is not None:
            return await asyncio.to_thread(read_connections, self._monitor_url)
        if isinstance(self._bus, NatsBus) and self._answers:
            found = await account_connections(self._bus)
            # A server that does not support the request is not asked again.
            self._answers = found is not None
            return None if found is None else [_read(each) for each in found]
        return None


def read_connections(monitor_url: str) -> list[Connection] | None:
    """Return the connections on a monitoring page; ``None`` if the server does not answer."""
    url = f"{monitor_url}/connz?subs=1&auth=1&limit={_PAGE_LIMIT}"
    try:
        return [_read(each) for each in ask_page(url)["connections"] or ()]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def foreign_readers(
    connections: Iterable[Connection], own: Collection[str], order: str
) -> list[Connection]:
    """Return foreign subscribers to orders, without readers and operators.

    Args:
        connections: Connections of a server.
        own: Names of the connections of the app's components.
        order: Subject of orders on the server.
    """
    return [
        each
        for each in connections
        if any(matches(subject, order) for subject in each.subjects)
        and each.name not in own
        and owner_of(each.user)[0] not in {READER, RECORDER, OPERATOR}
    ]


def _read(found: Mapping[str, Any]) -> Connection:
    subjects = (str(each) for each in found.get("subscriptions_list") or ())
    return Connection(
        number=int(found.get("cid", 0)),
        name=str(found.get("name", "")),
        user=str(found.get("authorized_user", "")),
        where=f"{found.get('ip', '?')}:{found.get('port', '?')}",
        subjects=tuple(each for each in subjects if not each.startswith(("_INBOX", "$", "_R_"))),
        received=int(found.get("out_msgs", 0)),
        language=str(found.get("lang", "")),
    )
