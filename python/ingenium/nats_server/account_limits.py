"""What each account may use of a server, so that one that is hostile leaves room for the others.

A server of NATS limits for an account: connections, the size of a message, streams, consumers,
memory and files. Subscriptions it limits for each connection of the account, so an account has at
most the product of both. Bytes that wait for a slow reader it limits for each connection of the
server, not of an account. It has no limit for messages a second.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AUTH_SECONDS", "DATA", "MAX_PENDING", "MONEY", "READ", "STRAT", "limits_of"]

DATA, STRAT, MONEY, READ = "DATA", "STRAT", "MONEY", "READ"

AUTH_SECONDS = 1
"""How long a socket may stay open without a login."""
MAX_PENDING = "32MB"
"""What the server keeps for one reader that is slow, before it cuts that off."""

_MIB = 1_048_576
# Two for each component, since the server may still hold the one that was lost, and some more.
_SPARE_CONNECTIONS = 16
_READERS = 64
_STRATEGY_MESSAGE = 131_072
_READER_MESSAGE = 4096


def limits_of(account: str, components: int) -> dict[str, Any]:
    """Return the limits of an account, as a server's configuration has them.

    Args:
        account: `DATA`, `STRAT`, `MONEY` or `READ`.
        components: How many components of the app are in it.
    """
    connections = 2 * components + _SPARE_CONNECTIONS
    if account == DATA:
        return {"limits": {"max_connections": connections, "max_subscriptions": 1024}}
    if account == STRAT:
        return {
            "limits": {
                "max_connections": connections,
                "max_subscriptions": 4096,
                # As much as the stream of signals takes.
                "max_payload": _STRATEGY_MESSAGE,
            },
            # Not so much that the stream of orders would find no room.
            "jetstream": {
                "max_mem": 256 * _MIB,
                "max_file": 0,
                "max_streams": 1,
                "max_consumers": 4 * connections,
                "max_ack_pending": 10_000,
                "max_bytes": True,
            },
        }
    if account == MONEY:
        return {
            "limits": {"max_connections": connections + _READERS, "max_subscriptions": 10_000},
            "jetstream": {"max_streams": 64, "max_consumers": 1024, "max_ack_pending": 100_000},
        }
    return {
        "limits": {
            "max_connections": _READERS,
            "max_subscriptions": 1024,
            "max_payload": _READER_MESSAGE,
        }
    }
