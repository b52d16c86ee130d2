"""What a broker says of an account, for those who compare it with something."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.brokers.answers import CheckedBroker
from ingenium.brokers.broker import Broker, BrokerOrder
from ingenium.brokers.calls import ask

__all__ = ["BrokerBooks", "read_broker"]

_TRIES = 3


class BrokerBooks(msgspec.Struct):
    """What was there at one moment.

    Attributes:
        account: The account's name.
        positions: Shares or units by symbol, negative when short, without those of zero; ``None``
            for a broker that cannot list them.
        orders: The orders that may still be filled, ours or not.
        problems: What could not be read, in words.
    """

    account: str
    positions: dict[str, Decimal] | None
    orders: list[BrokerOrder]
    problems: list[str]


async def read_broker(broker: Broker, timeout_seconds: float = 10.0) -> BrokerBooks:
    """Ask a broker for positions and working orders; nothing is changed there.

    Args:
        broker: The account.
        timeout_seconds: How long each question may take.

    Raises:
        BrokerError: The broker cannot be asked, or its adapter returned something else than the
            contract says.
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
