"""Reconciles an executor's journal with its broker: orders, fills, positions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count
from typing import TypeVar

import msgspec

from ingenium.backoff import Backoff
from ingenium.brokers.answers import BadAnswerError, BadFill, CheckedBroker, PositionList
from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.calls import FIRST_DELAY_SECONDS, ask
from ingenium.brokers.executor_port import ExecutorPort
from ingenium.brokers.journal_entry import JournalEntry
from ingenium.brokers.journal_store import fill_key
from ingenium.components.external_work import UnitOfWork
from ingenium.trading.money import EXACT, ZERO

__all__ = ["Reconciler"]

# Together some twenty seconds for a broker that cannot be reached, and 1.5 for one whose positions
# lag behind its fills.
_TRIES = 16
_LOOKS = 5
_MOST_LOOKS = 30
_LONGEST_DELAY_SECONDS = 0.8
_T = TypeVar("_T")


class _Difference(msgspec.Struct):
    """A symbol in which positions differ.

    Attributes:
        ours: The position in the journal.
        since: When that was first seen, by the event loop's clock.
        looks: Number of observations.
    """

    ours: Decimal
    since: float
    looks: int = 0


class Reconciler:
    """Reads the state at the broker, and updates the journal.

    Args:
        executor: The owner of the journal.
        unit_of_work: Commits the changes.
    """

    def __init__(self, executor: ExecutorPort, unit_of_work: UnitOfWork) -> None:
        self._executor = executor
        self._unit_of_work = unit_of_work
        self._account = executor.broker.account
        self._broker = CheckedBroker(executor.broker)
        self._journal = executor.journal
        self._comparing = asyncio.Lock()
        self._halted_for = ""

    async def prepare(self) -> None:
        """Bring the journal up to date, before the first event.

        Where positions differ, trading is halted, or the broker's are adopted. An answer that
        breaks the contract blocks a symbol or halts trading, and never aborts the start.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        journal, unit_of_work, adopt = self._journal, self._unit_of_work, self._executor.adopt
        await self.record("start", lambda: journal.all_unanswered(unit_of_work.now))
        if adopt:
            await self.record("unblock", journal.store.unblock_all)
        if not self._broker.lists_positions:
            self._executor.report_problem(
                "this broker lists no positions: they are not reconciled, and a change without "
                "a fill goes unnoticed"
            )
        listed = await self._list_orders()
        self._list_strangers(listed)
        found: dict[str, BrokerOrder] = {}
        for entry in list(journal.open.values()):
            if entry.is_at_broker or entry.is_in_doubt:
                order = await self._resolve(entry, listed.get(entry.order.id))
                if order is not None:
                    found[order.client_order_id] = order
        for order in listed.values():
            ended = journal.entries.get(order.client_order_id)
            if ended is not None and ended.has_ended and ended.is_end_ours:
                await self.record(f"{order.client_order_id} at start", partial(journal.told, order))
        # Fills that could not be booked before may be readable now.
        await self._read_at_start(whole=bool(adopt or journal.blocked or journal.store.unbookable))
        if adopt:
            await self._excuse(found)
        await self.compare(adopt=adopt)
        await self.record("reconciled", self._end)

    def _end(self) -> None:
        self._journal.store.reconciled()
        self._executor.adopt_book()

    async def read_fills(self, tries: int = _TRIES, *, whole: bool = False) -> bool:
        """Read and book new fills.

        Args:
            tries: Number of tries when the broker does not answer.
            whole: Whether all fills of the account are read, not only those after the last one.

        Returns:
            Whether positions are to be compared: some fills are of other clients' orders, or make
            no sense.

        Raises:
            BrokerError: The broker cannot be asked.
            StoreError: The fills cannot be stored.
        """
        journal = self._journal
        after = "" if whole else journal.store.last_fill
        answer = await self._ask("list fills", lambda: self._broker.fills(after), tries)
        before = len(journal.store.strangers)
        if answer.fills:
            cause = f"fills to {fill_key(answer.fills[-1])}"
            await self.record(cause, lambda: self._book(answer.fills, whole=whole))
        for bad in answer.bad:
            if bad.key not in journal.store.unbookable:
                await self._refuse(bad)
        return len(journal.store.strangers) > before or journal.updates.is_doubted

    async def compare(self, *, adopt: bool, patience_seconds: float = 0.0) -> None:
        """Compare positions, and halt trading or adopt the broker's where they differ.

        A difference counts when it is seen in five consecutive observations, all fills are read
        again before the last one, and no fill has changed the journal's position meanwhile.

        Args:
            adopt: Whether the broker's positions are adopted.
            patience_seconds: How long a difference has to last in addition.

        Raises:
            BrokerError: The broker cannot be asked.
            StoreError: The result cannot be stored.
        """
        if not self._broker.lists_positions:
            return
        async with self._comparing:
            try:
                differences, bad = await self._look_at_positions(patience_seconds)
            except BadAnswerError as error:
                await self.halt(f"positions at account {self._account} cannot be compared: {error}")
                return
            if differences and adopt:
                await self.record("adopt", lambda: self._adopt(differences))
                differences = {}
            if differences or bad:
                await self._halt_for(differences, bad)
            else:
                self._halted_for = ""

    async def halt(self, reason: str) -> None:
        """Halt trading for a reason that does not resolve itself.

        Raises:
            StoreError: The halt cannot be stored.
        """
        if self._executor.is_halted and reason == self._halted_for:
            return
        self._halted_for = reason
        # A repeated halt after an operator has resumed is another event.
        cause = f"halt at {self._unit_of_work.now.isoformat()}"
        await self.record(cause, lambda: self._executor.halt_all(reason))

    async def _look_at_positions(
        self, patience_seconds: float
    ) -> tuple[dict[str, tuple[Decimal, Decimal]], dict[str, str]]:
        """Return the positions that differ for longer than a broker takes to count a fill."""
        journal, time = self._journal, asyncio.get_running_loop().time
        backoff = Backoff(FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS)
        looks: dict[str, _Difference] = {}
        for observe in count(1):
            theirs = await self._ask("list positions", self._broker.positions)
            differences = self._differences(theirs)
            if not differences and not theirs.bad:
                journal.store.was_equal(self._unit_of_work.now)
                return {}, {}
            before, looks = looks, {}
            for symbol, (_, ours) in differences.items():
                known = before.get(symbol)
                if known is None or known.ours != ours:
                    known = _Difference(ours, time())
                known.looks += 1
                looks[symbol] = known
            lasting = {
                symbol: difference
                for symbol, difference in differences.items()
                if looks[symbol].looks >= _LOOKS
                and time() - looks[symbol].since >= patience_seconds
            }
            if observe >= _LOOKS and (len(lasting) == len(differences) or observe >= _MOST_LOOKS):
                break
            # An order may have been filled in between, or the broker is slow to count it.
            await asyncio.sleep(backoff.next())
            await self.read_fills(whole=observe == _LOOKS - 1)
        return lasting, theirs.bad

    async def _halt_for(
        self, differences: Mapping[str, tuple[Decimal, Decimal]], bad: Mapping[str, str]
    ) -> None:
        ours = self._journal.positions
        texts = [
            f"{symbol}: {held:f} there, {here:f} here"
            for symbol, (held, here) in sorted(differences.items())
        ]
        texts += [
            f"{symbol}: {fault} there, {ours.get(symbol, ZERO):f} here"
            for symbol, fault in sorted(bad.items())
        ]
        equal_at = self._journal.store.equal_at
        since = "they were never equal" if equal_at is None else f"equal until {equal_at:%F %T} UTC"
        await self.halt(
            f"positions at account {self._account} are not what the orders of this app come to: "
            f"{'; '.join(texts)} ({since}): look who traded, then start with --adopt to go on from "
            "what the broker says"
        )

    def _book(self, fills: Sequence[BrokerFill], *, whole: bool) -> None:
        journal = self._journal
        last, last_key = journal.store.last_fill, journal.store.last_key
        read_to = next(
            (
                number
                for number, fill in enumerate(fills)
                if last and fill.id == last and (not last_key or fill_key(fill) == last_key)
            ),
            None,
        )
        for number, fill in enumerate(fills):
            journal.store.saw_price(fill.symbol, fill.price)
            is_ours = fill.client_order_id in journal.entries
            was_read = read_to is not None and number <= read_to
            if not is_ours and (was_read or (whole and last and read_to is None)):
                continue  # Known, or of an own order so old that it was forgotten.
            if not journal.store.is_reconciled and not is_ours:
                continue
            if journal.fill(fill) and was_read and is_ours:
                journal.updates.doubt(
                    fill.symbol,
                    f"fill {fill.id} of order {fill.client_order_id} is listed before fills that "
                    "were read earlier: it is booked now",
                )
        journal.store.read_to(fills[-1])

    async def _refuse(self, bad: BadFill) -> None:
        """Record a fill that cannot be booked, and block its symbol, or halt if it has none."""
        is_halt = False

        def refuse() -> None:
            nonlocal is_halt
            is_halt = self._journal.updates.refuse_fill(bad)

        await self.record(bad.key, refuse)
        if is_halt:
            await self.halt(f"{bad.text}: look at the broker, and start with --adopt")

    async def _read_at_start(self, *, whole: bool) -> None:
        try:
            await self.read_fills(whole=whole)
        except BadAnswerError as error:
            await self.halt(f"the fills of account {self._account} cannot be read: {error}")

    async def _excuse(self, found: Mapping[str, BrokerOrder]) -> None:
        """Accept the broker's counts where they differ from the sums of its fills."""
        journal = self._journal
        backoff = Backoff(FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS)
        time = asyncio.get_running_loop().time
        ends_at = time() + self._executor.grace_seconds
        while journal.updates.gaps and time() < ends_at:
            # A fill that is only listed late is booked.
            await asyncio.sleep(backoff.next())
            await self._read_at_start(whole=True)
        for order_id, order in found.items():
            await self.record(
                f"{order_id} taken as it is", partial(journal.updates.excuse, order_id, order)
            )

    async def _list_orders(self) -> dict[str, BrokerOrder]:
        """Return the orders that the broker lists, by client id."""
        journal = self._journal
        try:
            answer = await self._ask("list open orders", self._broker.open_orders)
        except BadAnswerError as error:
            self._executor.report_problem(
                f"open orders cannot be listed and are looked up one by one: {error}"
            )
            return {}
        for client_order_id, text in answer.bad.items():
            entry = journal.entries.get(client_order_id)
            if entry is None:
                self._executor.report_problem(text)
            else:
                symbol = entry.order.symbol
                await self.record(
                    f"{client_order_id} unreadable", partial(journal.updates.doubt, symbol, text)
                )
        return {order.client_order_id: order for order in answer.orders}

    def _list_strangers(self, listed: Mapping[str, BrokerOrder]) -> None:
        for order in listed.values():
            if order.client_order_id not in self._journal.entries:
                self._executor.report_problem(
                    f"order {order.venue_order_id} ({order.side} {order.quantity:f} "
                    f"{order.symbol}) at the broker was not sent by this app: it is left "
                    "unchanged"
                )

    async def _resolve(self, entry: JournalEntry, known: BrokerOrder | None) -> BrokerOrder | None:
        order_id = entry.order.id
        executor, journal, now = self._executor, self._journal, self._unit_of_work.now
        try:
            found = known or await self._ask(
                f"find order {order_id}", lambda: self._broker.find(order_id)
            )
        except BadAnswerError as error:
            act = partial(journal.updates.doubt, entry.order.symbol, f"order {order_id}: {error}")
            await self.record(f"{order_id} unreadable", act)
            return None

        def apply_answer() -> None:
            if found is not None:
                journal.told(found)
                return
            may_send = executor.may_send_again(entry, now)
            journal.missing(order_id, now, idempotent=self._broker.idempotent, may_send=may_send)
            if executor.adopt and not (self._broker.idempotent and may_send and entry.is_in_doubt):
                journal.settle_by_hand(order_id)

        await self.record(f"{order_id} at start", apply_answer)
        return found

    def _differences(self, answer: PositionList) -> dict[str, tuple[Decimal, Decimal]]:
        ours, theirs = self._journal.positions, answer.held
        return {
            symbol: (theirs.get(symbol, ZERO), ours.get(symbol, ZERO))
            for symbol in {*theirs, *ours}
            if symbol not in answer.bad and theirs.get(symbol, ZERO) != ours.get(symbol, ZERO)
        }

    def _adopt(self, differences: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        journal = self._journal
        number = str(journal.store.count_adoption())
        for symbol, (theirs, ours) in sorted(differences.items()):
            change = EXACT.subtract(theirs, ours)
            journal.store.move(symbol, change)
            journal.updates.tell_adopted(symbol, change, number, journal.store.prices.get(symbol))
            self._executor.report_problem(
                f"position in {symbol} is set to {theirs:f}, as the broker reports: it was {ours:f}"
            )

    async def record(self, cause: str, act: Callable[[], object]) -> None:
        """Change the journal, and send the resulting reports, in one transaction.

        Args:
            cause: The seed of ids, within the account.
            act: Changes the journal; must not wait.

        Raises:
            StoreError: The halt cannot be stored.
        """

        def act_and_tell() -> None:
            act()
            self._executor.send_reports()

        await self._unit_of_work.record(f"{self._account} {cause}", act_and_tell)

    async def _ask(self, name: str, what: Callable[[], Awaitable[_T]], tries: int = _TRIES) -> _T:
        return await ask(what, name, self._executor.timeout_seconds, tries)
