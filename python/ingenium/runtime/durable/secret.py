"""The secret that the ids of a component take, where others on its server are not trusted."""

from __future__ import annotations

import secrets

from ingenium.bus.nats.bus import NatsBus
from ingenium.nats_server.identity import has_accounts
from ingenium.runtime.durable.store import Store

__all__ = ["META_KEY", "id_secret"]

META_KEY = "id_secret"
"""Where a store keeps the secret among its facts."""


async def id_secret(bus: NatsBus, store: Store) -> str:
    """Return the secret of a component; empty on a server without accounts.

    It is made once and kept in the component's file, so that what is sent again after a restart has
    the same id.

    Args:
        bus: The component's connection.
        store: The component's file.
    """
    if not await has_accounts(bus):
        return ""
    secret = store.meta(META_KEY)
    if not secret:
        secret = secrets.token_hex(16)
        store.set_meta(META_KEY, secret)
    return secret
