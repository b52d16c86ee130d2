"""Query one's own user and account from a server."""

from __future__ import annotations

import json

from nats.errors import Error as NatsError

from ingenium.bus.nats.bus import NatsBus
from ingenium.nats_server.account_rights import WHO_AM_I

__all__ = ["has_accounts"]

_NO_ACCOUNTS = "$G"
_CALL_SECONDS = 2.0


async def has_accounts(bus: NatsBus) -> bool:
    """Return whether a server has accounts, with users of different trust."""
    try:
        answer = await bus.client.request(WHO_AM_I, b"", timeout=_CALL_SECONDS)
        account = json.loads(answer.data)["data"]["account"]
    except (NatsError, TimeoutError, LookupError, TypeError, ValueError):
        # A server that forbids even this request is shared.
        return True
    return bool(account != _NO_ACCOUNTS)
