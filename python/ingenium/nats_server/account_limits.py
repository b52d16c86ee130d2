"""Resource limits of accounts, so that a hostile account cannot starve the others.

NATS limits per account: connections, message size, streams, consumers, memory and files.
Subscriptions are limited per connection, so an account has at most the product of both. Bytes
waiting for a slow reader are limited per connection of the server, not per account. There is no
limit on message rate.
"""

from __future__ import annotations

from typing import Any

__all__ = ["AUTH_SECONDS", "DATA", "MAX_PENDING", "MONEY", "READ", "STRAT", "limits_of"]

DATA, STRAT, MONEY, READ = "DATA", "STRAT", "MONEY", "READ"

AUTH_SECONDS = 1
"""Seconds that a socket may stay open without a login."""
MAX_PENDING = "32MB"
"""Bytes that the server buffers for a slow reader before disconnecting it."""

_MIB = 1_048_576
# Two per component, since the server may still hold a lost one, plus a reserve.
_SPARE_CONNECTIONS = 16
_READERS = 64
_STRATEGY_MESSAGE = 131_072
_READER_MESSAGE = 4096


def limits_of(account: str, components: int) -> dict[str, Any]:
    """Return the limits of an account in the format of the server's configuration.

    Args:
        account: `DATA`, `STRAT`, `MONEY` or `READ`.
        components: Number of components in the account.
    """
    connections = 2 * components + _SPARE_CONNECTIONS
    if account == DATA:
        return {"limits": {"max_connections": connections, "max_subscriptions": 1024}}
    if account == STRAT:
        return {
            "limits": {
                "max_connections": connections,
                "max_subscriptions": 4096,
                # As much as the stream of signals allows.
                "max_payload": _STRATEGY_MESSAGE,
            },
            # Low enough to leave space for the stream of orders.
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
