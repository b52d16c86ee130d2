"""Asks a server who is connected to the account of a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nats.errors import Error as NatsError

from ingenium.bus.nats.bus import NatsBus

__all__ = ["CONNECTION_LIMIT", "account_connections"]

CONNECTION_LIMIT = 1024
_TIMEOUT_SECONDS = 2.0
# Every account may ask this about itself, on every server since 2.8.
_SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"


async def account_connections(bus: NatsBus) -> list[Mapping[str, Any]] | None:
    """Return the connections of an account, as the server's ``/connz`` describes them.

    Returns:
        Of the server that answers first, with subscriptions; ``None`` when none answers.
    """
    options = {"subscriptions": True, "auth": True, "limit": CONNECTION_LIMIT}
    try:
        answer = await bus.client.request(
            _SUBJECT, json.dumps(options).encode(), timeout=_TIMEOUT_SECONDS
        )
        return list(json.loads(answer.data)["data"]["connections"] or ())
    except (NatsError, TimeoutError, ValueError, KeyError, TypeError):
        # A user that may not ask is no reason for the next flush to fail.
        bus.refused(_SUBJECT)
        return None
