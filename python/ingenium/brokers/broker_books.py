"""Positions and working orders of an account at a broker, for comparison."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.brokers.answers import CheckedBroker
from ingenium.brokers.broker import Broker, BrokerOrder
from ingenium.brokers.calls import ask

__all__ = ["BrokerBooks", "read_broker"]

_TRIES = 3


class BrokerBooks(msgspec.Struct):
    """Positions and working orders at one moment.

    Attributes:
        account: The account's name.
        positions: Shares or units by symbol, negative when short, without those of zero; ``None``
            for a broker that cannot list them.
        orders: The orders that may still be filled, of any client.
        problems: Unreadable parts of the answers, in words.
    """

    account: str
    positions: dict[str, Decimal] | None
    orders: list[BrokerOrder]
    problems: list[str]


async def read_broker(broker: Broker, timeout_seconds: float = 10.0) -> BrokerBooks:
    """Request positions and working orders from a broker; read-only.

    Args:
        broker: The account.
        timeout_seconds: Time limit of each request.

    Raises:
        BrokerError: The broker cannot be asked, or its adapter broke the contract with its return
            value.
    """
    checked = CheckedBroker(broker)
    listed = await ask(checked.open_orders, "list open orders", timeout_seconds, _TRIES)
    problems = list(listed.bad.values())
    positions = None
    if checked.lists_positions:
        answer = await ask(checked.positions, "list positions", timeout_seconds, _TRIES)
        positions = {symbol: held for symbol, held in answer.held.items() if held}
        problems += [f"position in {symbol}: {fault}" for symbol, fault in answer.bad.items()]
    return BrokerBooks(broker.account, positions, listed.orders, problems)
