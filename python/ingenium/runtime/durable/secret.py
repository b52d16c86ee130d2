"""The secret in the ids of a component, where others on its server are not trusted."""

from __future__ import annotations

import secrets

from ingenium.bus.nats.bus import NatsBus
from ingenium.nats_server.identity import has_accounts
from ingenium.runtime.durable.store import Store

__all__ = ["META_KEY", "id_secret"]

META_KEY = "id_secret"
"""Key of the secret among the facts of a store."""


async def id_secret(bus: NatsBus, store: Store) -> str:
    """Return the secret of a component; empty on a server without accounts.

    The secret is made once and kept in the component's file, so that a message sent again after a
    restart has the same id.

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
