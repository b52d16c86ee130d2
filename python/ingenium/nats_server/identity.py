"""Query one's own user and account from a server, with the server's version and clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from nats.errors import Error as NatsError

from ingenium.bus.nats.bus import NatsBus
from ingenium.nats_server.account_rights import WHO_AM_I

__all__ = [
    "AccountRoom",
    "ServerIdentity",
    "account_room",
    "has_accounts",
    "identify",
    "stream_usage",
]

_NO_ACCOUNTS = "$G"
_CALL_SECONDS = 2.0


class _Rights(msgspec.Struct):
    allow: list[str] | None = None
    deny: list[str] | None = None


class _UserRights(msgspec.Struct):
    publish: _Rights = msgspec.field(default_factory=_Rights)
    subscribe: _Rights = msgspec.field(default_factory=_Rights)


class _OwnUser(msgspec.Struct):
    user: str = ""
    account: str = _NO_ACCOUNTS
    permissions: _UserRights = msgspec.field(default_factory=_UserRights)


class _ServerFacts(msgspec.Struct):
    ver: str = ""
    time: datetime | None = None


class ServerIdentity(msgspec.Struct):
    """A server's description of itself and of the user of a connection.

    Attributes:
        server: Its version, and the time of its clock.
        data: User, account and permissions. A list of ``None`` allows everything.
    """

    server: _ServerFacts = msgspec.field(default_factory=_ServerFacts)
    data: _OwnUser = msgspec.field(default_factory=_OwnUser)

    @property
    def has_accounts(self) -> bool:
        """Whether the user is in an account of its own."""
        return self.data.account != _NO_ACCOUNTS


async def has_accounts(bus: NatsBus) -> bool:
    """Return whether a server has accounts, with users of different trust."""
    try:
        answer = await bus.client.request(WHO_AM_I, b"", timeout=_CALL_SECONDS)
        account = json.loads(answer.data)["data"]["account"]
    except (NatsError, TimeoutError, LookupError, TypeError, ValueError):
        # A server that forbids even this request is shared.
        return True
    return bool(account != _NO_ACCOUNTS)


async def identify(bus: NatsBus) -> ServerIdentity | None:
    """Return a server's description of itself and this user; ``None`` if it does not answer."""
    try:
        answer = await bus.client.request(WHO_AM_I, b"", timeout=_CALL_SECONDS)
        return msgspec.json.decode(answer.data, type=ServerIdentity)
    except (NatsError, TimeoutError, msgspec.MsgspecError):
        bus.refused(WHO_AM_I)
        return None


class AccountRoom(msgspec.Struct):
    """Space that an account has left for streams.

    Attributes:
        files: Bytes on disk; ``None`` without a limit.
        memory: Bytes in memory; ``None`` without a limit.
    """

    files: int | None = None
    memory: int | None = None


async def account_room(bus: NatsBus) -> AccountRoom | None:
    """Return the space that the account of a connection has left; ``None`` if unknown."""
    subject = "$JS.API.INFO"
    try:
        answer = await bus.client.request(subject, b"", timeout=_CALL_SECONDS)
        info: dict[str, Any] = json.loads(answer.data)
        limits = info["limits"]
        room = AccountRoom()
        if (most := int(limits["max_storage"])) >= 0:
            room.files = most - int(info.get("reserved_storage", info["storage"]))
        if (most := int(limits["max_memory"])) >= 0:
            room.memory = most - int(info.get("reserved_memory", info["memory"]))
    except (NatsError, TimeoutError, ValueError, LookupError):
        bus.refused(subject)
        return None
    return room


async def stream_usage(bus: NatsBus, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return bytes and size limit of streams, by name; those that cannot be read are left out.

    Args:
        bus: Connection to the server.
        names: Names of streams, as in a space without a prefix.
    """
    found: dict[str, tuple[int, int]] = {}
    for name in names:
        subject = f"$JS.API.STREAM.INFO.{bus.space.stream(name)}"
        try:
            answer = await bus.client.request(subject, b"", timeout=_CALL_SECONDS)
            info: dict[str, Any] = json.loads(answer.data)
            found[name] = int(info["state"]["bytes"]), int(info["config"]["max_bytes"])
        except (NatsError, TimeoutError, ValueError, LookupError):
            bus.refused(subject)
    return found
