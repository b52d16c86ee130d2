"""Query the connections of an account from the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nats.errors import Error as NatsError

from ingenium.bus.nats.bus import NatsBus

__all__ = ["CONNECTION_LIMIT", "account_connections"]

CONNECTION_LIMIT = 1024
_TIMEOUT_SECONDS = 2.0
# Allowed for every account about itself, on servers since 2.8.
_SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"


async def account_connections(bus: NatsBus) -> list[Mapping[str, Any]] | None:
    """Return the connections of an account, in the format of the server's ``/connz``.

    Returns:
        The answer of the first server, with subscriptions; ``None`` without an answer.
    """
    options = {"subscriptions": True, "auth": True, "limit": CONNECTION_LIMIT}
    try:
        answer = await bus.client.request(
            _SUBJECT, json.dumps(options).encode(), timeout=_TIMEOUT_SECONDS
        )
        return list(json.loads(answer.data)["data"]["connections"] or ())
    except (NatsError, TimeoutError, ValueError, KeyError, TypeError):
        # Clear the refusal, so that the next flush does not raise for it.
        bus.refused(_SUBJECT)
        return None
