"""The secret that the ids of a component take, where others on its server are not trusted."""

from __future__ import annotations

import json
import secrets

from nats.errors import Error as NatsError

from ingenium.bus.account_rights import WHO_AM_I
from ingenium.bus.nats_bus import NatsBus
from ingenium.delivery.store import Store

__all__ = ["id_secret"]

_META = "id_secret"
_NO_ACCOUNTS = "$G"
_CALL_SECONDS = 2.0


async def id_secret(bus: NatsBus, store: Store) -> str:
    """Return the secret of a component; empty on a server without accounts.

    It is made once and kept in the component's file, so that what is sent again after a restart has
    the same id.

    Args:
        bus: The component's connection.
        store: The component's file.
    """
    if not await _has_accounts(bus):
        return ""
    secret = store.meta(_META)
    if not secret:
        secret = secrets.token_hex(16)
        store.set_meta(_META, secret)
    return secret


async def _has_accounts(bus: NatsBus) -> bool:
    try:
        answer = await bus.client.request(WHO_AM_I, b"", timeout=_CALL_SECONDS)
        account = json.loads(answer.data)["data"]["account"]
    except (NatsError, TimeoutError, LookupError, TypeError, ValueError):
        # Rights that forbid even this are those of a server that is shared.
        return True
    return bool(account != _NO_ACCOUNTS)
