"""Cross-checks the counts, fills and positions of a broker while an executor works."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial

import msgspec

from ingenium.brokers.answers import CheckedBroker
from ingenium.brokers.broker import BrokerOrder
from ingenium.brokers.calls import Delays, ask
from ingenium.brokers.executor_port import ExecutorPort
from ingenium.brokers.reconciler import Reconciler
from ingenium.errors import BrokerError

__all__ = ["Audit"]

_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 2.0
_AUDIT = "audit"


class _Suspect(msgspec.Struct):
    """An order whose filled count differs from the sum of its fills.

    Attributes:
        since: When that was first seen, by the event loop's clock.
        told: The broker's count then.
    """

    since: float
    told: Decimal


class _Finding(msgspec.Struct):
    """An order that was looked up.

    Attributes:
        told: The broker's count when the order was first suspected.
        counted: The booked quantity when the order was looked up.
        order: The answer; ``None`` when the broker does not know it.
    """

    told: Decimal
    counted: Decimal
    order: BrokerOrder | None


class Audit:
    """Investigates contradictions, and compares positions when all is quiet.

    An order is looked up when its count and its fills have disagreed for longer than the lists of a
    broker lag. If they still do, all fills are read again. A difference that remains is reported
    as a problem and blocks the symbol, and positions are compared.

    Args:
        executor: The owner of the journal.
        reconciler: Reads fills and compares positions.
    """

    def __init__(self, executor: ExecutorPort, reconciler: Reconciler) -> None:
        self._executor = executor
        self._broker = CheckedBroker(executor.broker)
        self._journal = executor.journal
        self._reconciler = reconciler
        self._delays = Delays()
        self._loop = asyncio.get_running_loop()
        self._suspects: dict[str, _Suspect] = {}
        # Reported differences, so that each is reported once.
        self._reported: dict[str, tuple[Decimal, Decimal, Decimal | None]] = {}
        self._wanted = asyncio.Event()
        self._compared_at = self._loop.time()
        self._changes = self._journal.store.changes
        self._changed_at: float | None = None

    def want(self) -> None:
        """Request an immediate comparison of positions."""
        self._wanted.set()

    async def run(self) -> None:
        """Audit until canceled.

        Raises:
            StoreError: The result cannot be stored.
        """
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            suspects = self._due()
            try:
                await self._look(suspects)
            except BrokerError as error:
                self._executor.report_problem(f"the broker cannot be audited now: {error}")
                for order_id in suspects:
                    self._hold(order_id, str(error))
                self._wanted.set()
                await asyncio.sleep(self._delays.wait(_AUDIT, self._loop.time()))
            else:
                self._delays.clear(_AUDIT)
                self._journal.held.clear()

    def _hold(self, order_id: str, reason: str) -> None:
        entry = self._journal.entries.get(order_id)
        if entry is not None:
            self._journal.held[entry.order.symbol] = (
                f"the broker counts other fills of order {order_id} than it has listed, and cannot "
                f"be asked: {reason}"
            )

    def _due(self) -> dict[str, _Suspect]:
        """Return the orders that are to be looked up."""
        journal, now = self._journal, self._loop.time()
        known, self._suspects = self._suspects, {}
        due: dict[str, _Suspect] = {}
        for order_id in (*journal.updates.gaps, *journal.updates.low):
            entry = journal.entries.get(order_id)
            if entry is None or order_id in self._suspects:
                continue
            state = (entry.told, entry.counted, journal.updates.low.get(order_id))
            if self._reported.get(order_id) == state:
                continue
            suspect = known.get(order_id)
            if suspect is None or (
                order_id not in journal.updates.low and suspect.told <= entry.counted
            ):
                # The missing fills have come, and others are missing now.
                suspect = _Suspect(now, entry.told)
            self._suspects[order_id] = suspect
            if now - suspect.since >= self._executor.grace_seconds:
                due[order_id] = suspect
        return due

    async def _look(self, suspects: dict[str, _Suspect]) -> None:
        """Investigate suspect orders, and compare positions if that is due.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        journal, now = self._journal, self._loop.time()
        findings = await self._find(suspects) if suspects else {}
        if findings or journal.updates.is_doubted:
            await self._reconciler.read_fills(1, whole=True)
            for order_id, finding in findings.items():
                await self._judge(order_id, finding)
        if self._is_time_to_compare(now) or findings or journal.updates.is_doubted:
            self._wanted.clear()
            await self._reconciler.compare(
                adopt=False, patience_seconds=self._executor.grace_seconds
            )
            self._compared_at, self._changed_at = self._loop.time(), None
            journal.updates.is_doubted = False

    def _is_time_to_compare(self, now: float) -> bool:
        journal = self._journal
        if journal.store.changes != self._changes:
            self._changes, self._changed_at = journal.store.changes, now
        is_quiet = self._changed_at is not None and now - self._changed_at >= _QUIET_SECONDS
        is_due = now - self._compared_at >= self._executor.compare_seconds
        return self._wanted.is_set() or is_quiet or is_due

    async def _find(self, suspects: dict[str, _Suspect]) -> dict[str, _Finding]:
        """Look up orders, and return those whose counts still disagree."""
        journal = self._journal
        found: dict[str, _Finding] = {}
        for order_id, suspect in suspects.items():
            entry = journal.entries[order_id]
            before = entry.counted
            order = await ask(
                partial(self._broker.find, order_id),
                f"find {order_id}",
                self._executor.timeout_seconds,
                1,
            )
            if order is not None:
                await self._reconciler.record(f"{order_id} looked up", partial(journal.told, order))
            filled = suspect.told if order is None else order.filled
            if entry.counted < suspect.told or filled < max(suspect.told, before):
                found[order_id] = _Finding(suspect.told, before, order)
            else:
                self._suspects.pop(order_id, None)
        return found

    async def _judge(self, order_id: str, finding: _Finding) -> None:
        """Report an order whose count disagrees with all fills that the broker has."""
        journal = self._journal
        entry = journal.entries[order_id]
        filled = finding.told if finding.order is None else finding.order.filled
        if filled < finding.told:
            text = (
                f"the broker has counted {finding.told:f} of order {order_id} as filled, and "
                f"counts {filled:f} now"
            )
        elif entry.counted < finding.told:
            text = (
                f"the broker counts {filled:f} of order {order_id} as filled, and its fills come "
                f"to {entry.counted:f}: one of them is not listed"
            )
        elif filled < finding.counted:
            text = (
                f"the broker counts {filled:f} of order {order_id} as filled, and has listed "
                f"{finding.counted:f}"
            )
        else:
            return
        self._reported[order_id] = (entry.told, entry.counted, journal.updates.low.get(order_id))
        await self._reconciler.record(
            f"{order_id} doubted", partial(journal.updates.doubt, entry.order.symbol, text)
        )
