"""Holds an executor's journal against its broker: orders, fills, positions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.calling import FIRST_DELAY_SECONDS, ask
from ingenium.brokers.order_entry import Entry
from ingenium.components.desk import Desk
from ingenium.trading.money import EXACT, ZERO

if TYPE_CHECKING:
    from ingenium.brokers.broker_executor import BrokerExecutor

__all__ = ["Reconciler"]

# Together some twenty seconds for a broker that cannot be reached, and 1.5 for one whose positions
# lag behind its fills.
_TRIES = 16
_LOOKS = 5
_T = TypeVar("_T")


class Reconciler:
    """Finds out what is true at the broker, and lets the journal follow.

    Args:
        executor: Whose journal it is.
        desk: Where it is written down.
    """

    def __init__(self, executor: BrokerExecutor, desk: Desk) -> None:
        self._executor = executor
        self._desk = desk
        self._broker = executor.broker
        self._journal = executor.journal

    async def prepare(self) -> None:
        """Bring the journal up to date, before the first event.

        Where positions differ, trading is halted, or the broker's are adopted.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        journal, desk = self._journal, self._desk
        await self.record("start", lambda: journal.all_unanswered(desk.now))
        if self._executor.adopt:
            await self.record("unblock", journal.unblock_all)
        listed = {
            order.client_id: order for order in await self._ask("list open orders", self._open)
        }
        self._list_strangers(listed)
        for entry in list(journal.open.values()):
            if entry.is_at_broker or entry.is_in_doubt:
                await self._resolve(entry, listed.get(entry.order.id))
        for order in listed.values():
            ended = journal.entries.get(order.client_id)
            if ended is not None and ended.has_ended and ended.is_end_ours:
                await self.record(f"{order.client_id} at start", partial(journal.told, order))
        await self.read_fills()
        await self.compare(adopt=self._executor.adopt)
        await self.record("reconciled", self._end)

    def _end(self) -> None:
        self._journal.reconciled()
        self._executor.adopt_book()

    async def read_fills(self, tries: int = _TRIES) -> bool:
        """Read the fills that are new, and book them.

        Args:
            tries: How often the broker is asked when it does not answer.

        Returns:
            Whether there are some of orders that are not ours.

        Raises:
            BrokerError: The broker cannot be asked.
            StoreError: They cannot be written down.
        """
        after = self._journal.last_fill
        fills = await self._ask("list fills", lambda: self._broker.fills(after), tries)
        before = len(self._journal.strangers)
        if fills:
            await self.record(f"fills to {fills[-1].id}", lambda: self._book(fills))
        return len(self._journal.strangers) > before

    async def compare(self, *, adopt: bool) -> None:
        """Compare positions, and halt trading or adopt the broker's where they differ.

        Raises:
            BrokerError: The broker cannot be asked.
            StoreError: What follows cannot be written down.
        """
        delay = FIRST_DELAY_SECONDS
        differences = self._differences(await self._ask("list positions", self._broker.positions))
        for _ in range(_LOOKS - 1):
            if not differences:
                return
            # Something may have been filled in between, or the broker is slow to count it.
            await asyncio.sleep(delay)
            delay *= 2
            await self.read_fills()
            theirs = await self._ask("list positions", self._broker.positions)
            differences = self._differences(theirs)
        if differences and adopt:
            await self.record("adopt", lambda: self._adopt(differences))
        elif differences:
            text = "; ".join(
                f"{symbol}: {held:f} there, {ours:f} here"
                for symbol, (held, ours) in sorted(differences.items())
            )
            reason = (
                f"positions at account {self._broker.account} are not what the orders of this app "
                f"come to: {text}: look who traded, then start with --adopt to go on from what "
                "the broker says"
            )
            await self.record("mismatch", lambda: self._executor.halt_all(reason))

    def _book(self, fills: Sequence[BrokerFill]) -> None:
        journal = self._journal
        for fill in fills:
            journal.saw_price(fill.symbol, fill.price)
            # What the account did before this app first saw it is in its positions.
            if journal.is_reconciled or fill.client_id in journal.entries:
                journal.fill(fill)
        journal.read_to(fills[-1].id)

    def _list_strangers(self, listed: Mapping[str, BrokerOrder]) -> None:
        for order in listed.values():
            if order.client_id not in self._journal.entries:
                self._executor.report_problem(
                    f"order {order.broker_id} ({order.side} {order.quantity:f} {order.symbol}) at "
                    "the broker is none of this app's: it is left alone"
                )

    async def _resolve(self, entry: Entry, known: BrokerOrder | None) -> None:
        order_id = entry.order.id
        found = known or await self._ask(
            f"find order {order_id}", lambda: self._broker.find(order_id)
        )
        executor, journal, now = self._executor, self._journal, self._desk.now

        def heed() -> None:
            if found is not None:
                journal.told(found)
                return
            may_send = executor.may_send_again(entry, now)
            journal.missing(order_id, now, idempotent=self._broker.idempotent, may_send=may_send)
            if executor.adopt and not (self._broker.idempotent and may_send):
                journal.settle_by_hand(order_id)

        await self.record(f"{order_id} at start", heed)

    def _differences(self, theirs: Mapping[str, Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
        ours = self._journal.positions
        return {
            symbol: (theirs.get(symbol, ZERO), ours.get(symbol, ZERO))
            for symbol in {*theirs, *ours}
            if theirs.get(symbol, ZERO) != ours.get(symbol, ZERO)
        }

    def _adopt(self, differences: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        journal = self._journal
        number = str(journal.count_adoption())
        for symbol, (theirs, ours) in sorted(differences.items()):
            change = EXACT.subtract(theirs, ours)
            journal.move(symbol, change)
            journal.tell_adopted(symbol, change, number, journal.prices.get(symbol))
            self._executor.report_problem(
                f"position in {symbol} is {theirs:f} from now on, as the broker says: it was "
                f"{ours:f}"
            )

    async def record(self, cause: str, act: Callable[[], object]) -> None:
        """Let the journal change, and send the reports of it, as one transaction.

        Args:
            cause: What ids follow from, within the account.
            act: Changes the journal; must not wait.

        Raises:
            StoreError: It cannot be written down.
        """

        def act_and_tell() -> None:
            act()
            self._executor.send_reports()

        await self._desk.record(f"{self._broker.account} {cause}", act_and_tell)

    async def _open(self) -> Sequence[BrokerOrder]:
        return await self._broker.open_orders()

    async def _ask(self, name: str, what: Callable[[], Awaitable[_T]], tries: int = _TRIES) -> _T:
        return await ask(what, name, self._executor.timeout_seconds, tries)
