"""The broker port: the few requests that every venue supports.

An adapter for a broker's API implements `Broker`; `BrokerExecutor` does all the rest: the journal,
unknown outcomes, reconciliation, limits, executions.
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
    """An order as the broker reports it.

    Attributes:
        client_order_id: The id that the app gave it: that of the `Order`.
        venue_order_id: The broker's own id.
        symbol: Name of the instrument.
        side: Buy or sell.
        quantity: Total quantity.
        filled: The filled quantity, in fills that name this client id.
        update: Its status: ``NEW``, ``ACCEPTED``, ``PARTIAL_FILL``, ``FILLED``, ``CANCELED``,
            ``REJECTED``, ``EXPIRED``, ``REPLACED`` or ``HELD``.
        reason: Why it was rejected, canceled or expired; empty when not given.
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
    """A fill as the broker reports it.

    Attributes:
        id: The broker's id of the execution, unique among the fills of its order; the same in every
            report of it.
        client_order_id: The id that the app gave the order; empty for an order of another client.
        symbol: Name of the instrument.
        side: Buy or sell.
        quantity: Quantity, positive.
        price: Price of one share or unit.
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
      request was sent, or an answer that reports an internal error (HTTP 5xx).
    * `BrokerRefusedError` when the broker refuses permanently.
    * `BrokerError` when the request certainly had no effect and may be repeated: the broker
      cannot be reached, or is busy (HTTP 429).

    Any other error counts as an unknown outcome. An adapter must not retry: that is the task of the
    executor, which records each attempt.

    Attributes:
        account: Its name or number; one account has one executor at a time.
        idempotent: Whether the broker accepts a client id only once, so that an order whose outcome
            is unknown can be sent again without ever being placed twice.
        lists_positions: Whether `positions` is supported. Without it a position that changes
            without a fill goes unnoticed.
    """

    account: str
    idempotent: bool
    lists_positions: bool = True

    @abstractmethod
    async def submit(self, order: Order) -> BrokerOrder:
        """Place an order under its own id as the client id.

        Returns:
            The order as the broker reports it.

        Raises:
            DuplicateOrderError: The client id is known already; the executor then finds it.
        """

    @abstractmethod
    async def cancel(self, client_order_id: str) -> None:
        """Request to cancel an order; an update reports whether it was."""

    @abstractmethod
    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Replace a working order.

        Args:
            client_order_id: Client id of the working order.
            order: The replacement; its id is the new client id, and its quantity includes the
                already filled quantity.

        Returns:
            The new order as the broker reports it. An update of the old one has ``REPLACED``.

        Raises:
            DuplicateOrderError: The new client id is known already.
        """

    @abstractmethod
    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order of a client id, open or ended; ``None`` when there is none."""

    @abstractmethod
    async def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders of the account that may still be filled, of any client."""

    @abstractmethod
    async def fills(self, after: str) -> Sequence[BrokerFill]:
        """Return the fills of the account, oldest first.

        Args:
            after: Id of the last fill that was read; empty for all, from the beginning of the
                account or as far back as the broker has them. Where ids repeat, begin after the
                first one of that id.

        Returns:
            The fills after it. A repeated fill is harmless; a missing one is not. All fills when
            the broker does not know the id.
        """

    @abstractmethod
    async def positions(self) -> Mapping[str, Decimal]:
        """Return the account's positions: shares or units by symbol, negative when short."""

    @abstractmethod
    def updates(self) -> AsyncIterator[BrokerOrder]:
        """Yield orders as they change, until canceled.

        A lost connection ends the iteration with a `BrokerError`; the executor requests the missed
        updates and begins again.
        """
