"""The interface of an executor to its broker worker and reconciler.

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
        adopt: Whether the broker's state is adopted at the start.
        timeout_seconds: Time limit of a call of the broker.
        poll_seconds: Interval at which fills are requested while orders work.
        grace_seconds: How long the broker's fills, counts and orders may contradict each other.
        compare_seconds: Interval at which positions are compared when nothing happens.
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

    # Whether orders may be sent.

    def check_lease(self) -> None:
        """Check that this is the account's only executor.

        Raises:
            LeaseLostError: Another one may have taken its place.
        """

    @property
    def is_halted(self) -> bool:
        """Whether no order may be sent, and the working ones are to be canceled."""
        ...

    def why_not_now(self, symbol: str) -> str:
        """Return why no order may be sent at this moment; empty when one may.

        Raises:
            LeaseLostError: Another executor may have taken the place of this one.
        """
        ...

    def withhold(self, entry: JournalEntry, now: datetime) -> bool:
        """End a new order that may not be sent, and return whether it was ended."""
        ...

    def may_send_again(self, entry: JournalEntry, now: datetime) -> bool:
        """Return whether an order that may not have arrived is still wanted."""
        ...

    def late_ones(self, now: datetime) -> list[JournalEntry]:
        """Return the orders that have not been sent and are too old to be."""
        ...

    def withhold_late(self, now: datetime) -> None:
        """End new orders that have waited too long."""

    def needs_cancel_all(self) -> bool:
        """Return whether there is a working order that a halt has not reached yet."""
        ...

    def cancel_all(self) -> None:
        """Request to cancel working orders, and end unsent ones."""

    # Reports.

    def send_reports(self) -> None:
        """Send the reports that follow from the journal's changes."""

    def reject_cancel(self, entry: JournalEntry, request: str, reason: str) -> None:
        """Report that an order was not canceled."""

    def report_problem(self, text: str) -> None:
        """Log a problem for an operator."""

    def halt_all(self, reason: str) -> None:
        """Halt all trading: the state at the broker differs from the journal."""

    def adopt_book(self) -> None:
        """Give the journal's positions to the risk gate."""
