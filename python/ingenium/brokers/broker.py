"""What a broker is to an executor: the few questions and orders that every venue knows.

An adapter for a broker's API implements `Broker`, and `BrokerExecutor` does all the rest: the
journal, unknown outcomes, reconciliation, limits, executions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.events import Side, TradeUpdate
from ingenium.trading import Order
from ingenium.trading.money import ZERO

__all__ = ["Broker", "BrokerFill", "BrokerOrder"]


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker knows it.

    Attributes:
        client_order_id: The id that we gave it: that of the `Order`.
        venue_order_id: The broker's own id.
        symbol: Name of the instrument.
        side: Buy or sell.
        quantity: In all.
        filled: How much of it is filled, in fills that name this client id.
        update: How it stands: ``NEW``, ``ACCEPTED``, ``PARTIAL_FILL``, ``FILLED``, ``CANCELED``,
            ``REJECTED``, ``EXPIRED``, ``REPLACED`` or ``HELD``.
        reason: Why it was rejected, canceled or expired; empty when not told.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal = ZERO
    update: TradeUpdate = TradeUpdate.NEW
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it may still be filled."""
        return self.update in {
            TradeUpdate.NEW,
            TradeUpdate.ACCEPTED,
            TradeUpdate.PARTIAL_FILL,
            TradeUpdate.HELD,
        }


class BrokerFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill as the broker tells it.

    Attributes:
        id: The broker's id of the execution, unique among the fills of its order; the same whenever
            it is told.
        client_order_id: The id that we gave the order; empty when somebody else placed it.
        symbol: Name of the instrument.
        side: Buy or sell.
        quantity: How much, positive.
        price: Of one share or unit.
        commission: Fee, in the account's currency.
        time: When it was executed, UTC.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal = ZERO
    time: datetime


class Broker(ABC):
    """One account at a broker.

    Every method may raise:

    * `BrokerTimeoutError` when the outcome is unknown: no answer, a connection that broke after the
      request was sent, or an answer that says that something went wrong in there (HTTP 5xx).
    * `BrokerRefusedError` when the broker says no, for good.
    * `BrokerError` when it has certainly done nothing, and may be asked again: it cannot be
      reached, or is busy (HTTP 429).

    Any other error counts as an unknown outcome. Nothing is to be tried again in here: that is for
    the executor, which writes down what it does.

    Attributes:
        account: Its name or number; one account has one executor at a time.
        idempotent: Whether the broker takes a client id only once, so that an order whose fate is
            unknown can be sent again without ever being there twice.
        lists_positions: Whether `positions` can be asked. Without it nothing shows a position that
            changes without a fill.
    """

    account: str
    idempotent: bool
    lists_positions: bool = True

    @abstractmethod
    async def submit(self, order: Order) -> BrokerOrder:
        """Place an order under its own id as the client id.

        Returns:
            How it stands.

        Raises:
            DuplicateOrderError: The client id is known already; the executor then finds it.
        """

    @abstractmethod
    async def cancel(self, client_order_id: str) -> None:
        """Ask to cancel an order; an update tells whether it was."""

    @abstractmethod
    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Put another order in the place of one that works.

        Args:
            client_order_id: Of the one that works.
            order: Takes its place; its id is the new client id, and its quantity includes what has
                been filled already.

        Returns:
            How the new one stands. An update of the old one says ``REPLACED``.

        Raises:
            DuplicateOrderError: The new client id is known already.
        """

    @abstractmethod
    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order of a client id, open or ended; ``None`` when there is none."""

    @abstractmethod
    async def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders of the account that may still be filled, ours or not."""

    @abstractmethod
    async def fills(self, after: str) -> Sequence[BrokerFill]:
        """Return the fills of the account, oldest first.

        Args:
            after: Id of the last fill that was read; empty for all, from the beginning of the
                account or as far back as the broker has them. Where ids repeat, begin behind the
                first one of that id.

        Returns:
            Those behind it. One that is told again does no harm; one that is left out does. All of
                them when the broker does not know the id.
        """

    @abstractmethod
    async def positions(self) -> Mapping[str, Decimal]:
        """Return what the account holds: shares or units by symbol, negative when short."""

    @abstractmethod
    def updates(self) -> AsyncIterator[BrokerOrder]:
        """Yield orders as they change, until canceled.

        A lost connection ends it with a `BrokerError`; the executor asks for what it has missed and
        begins again.
        """
