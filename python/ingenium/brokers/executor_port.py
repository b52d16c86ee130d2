"""What the work at a broker needs of the executor that it is done for.

`BrokerExecutor` implements it, and starts the worker and the reconciler, which know this port only.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Protocol

from ingenium.brokers.broker import Broker
from ingenium.brokers.journal_entry import JournalEntry
from ingenium.brokers.order_journal import OrderJournal

__all__ = ["ExecutorPort"]


class ExecutorPort(Protocol):
    """An executor at one account.

    Attributes:
        broker: The account.
        journal: Its orders.
        adopt: Whether what the broker says is taken as the truth at the start.
        timeout_seconds: How long a call of the broker may take.
        poll_seconds: How often fills are asked for while orders work.
        grace_seconds: How long the broker's fills, counts and orders may contradict each other.
        compare_seconds: How often positions are compared when nothing happens.
        woken: Set when a call may be due.
    """

    broker: Broker
    journal: OrderJournal
    adopt: bool
    timeout_seconds: float
    poll_seconds: float
    grace_seconds: float
    compare_seconds: float
    woken: asyncio.Event

    # What may be sent, and when.

    def check_lease(self) -> None:
        """Make sure that this is the account's only executor.

        Raises:
            LeaseLostError: Another one may have taken its place.
        """

    @property
    def is_halted(self) -> bool:
        """Whether no order may leave, and the working ones are to be canceled."""
        ...

    def why_not_now(self, symbol: str) -> str:
        """Return why nothing may leave at this moment; empty when it may.

        Raises:
            LeaseLostError: Another executor may have taken the place of this one.
        """
        ...

    def withhold(self, entry: JournalEntry, now: datetime) -> bool:
        """End a new order that may not leave, and return whether it was ended."""
        ...

    def may_send_again(self, entry: JournalEntry, now: datetime) -> bool:
        """Return whether an order that may not have arrived is still wanted."""
        ...

    def late_ones(self, now: datetime) -> list[JournalEntry]:
        """Return the orders that have not left and are too old to."""
        ...

    def withhold_late(self, now: datetime) -> None:
        """End new orders that have waited too long."""

    def needs_cancel_all(self) -> bool:
        """Return whether something works that a halt has not reached yet."""
        ...

    def cancel_all(self) -> None:
        """Ask to cancel what works, and end what has not left."""

    # What is reported.

    def send_reports(self) -> None:
        """Send the reports that follow from what the journal has heard."""

    def reject_cancel(self, entry: JournalEntry, request: str, reason: str) -> None:
        """Report that an order was not canceled."""

    def report_problem(self, text: str) -> None:
        """Log what a person should know."""

    def halt_all(self, reason: str) -> None:
        """Halt all trading: what is true at the broker is not what the journal has."""

    def adopt_book(self) -> None:
        """Show the risk gate what the journal knows of positions."""
