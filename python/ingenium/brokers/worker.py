"""The background work of an executor at a broker: due calls, updates, fills, and halts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import TypeVar

from ingenium.brokers.answers import BadAnswerError, CheckedBroker
from ingenium.brokers.audit import Audit
from ingenium.brokers.broker import BrokerOrder
from ingenium.brokers.calls import Answer, Delays, call
from ingenium.brokers.executor_port import ExecutorPort
from ingenium.brokers.journal_entry import Call, CallKind, JournalEntry, OrderState
from ingenium.brokers.reconciler import Reconciler
from ingenium.components.external_work import UnitOfWork
from ingenium.components.failpoints import Point
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    DuplicateOrderError,
    IngeniumError,
    StoreError,
)
from ingenium.events import TradeUpdate

__all__ = ["BrokerWorker"]

_WATCH_SECONDS = 0.2
_CHECK_EVERY = 50
_IDLE_FACTOR = 5
_UPDATES, _FILLS = "updates", "fills"
_T = TypeVar("_T")


class BrokerWorker:
    """Makes the calls due in the journal, one at a time for each order.

    Args:
        executor: The owner of the journal.
        unit_of_work: Commits the changes.
    """

    def __init__(self, executor: ExecutorPort, unit_of_work: UnitOfWork) -> None:
        self._executor = executor
        self._unit_of_work = unit_of_work
        self._broker = CheckedBroker(executor.broker)
        self._journal = executor.journal
        self._reconciler = Reconciler(executor, unit_of_work)
        self._audit = Audit(executor, self._reconciler)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._delays = Delays()
        self._bad_since: dict[str, float] = {}
        self._fills_wanted = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Work until canceled.

        Raises:
            LeaseLostError: Another process may be this account's executor by now.
            StoreError: A change cannot be stored.
        """
        parts = (
            self._dispatch,
            self._follow_updates,
            self._follow_fills,
            self._watch,
            self._audit.run,
        )
        tasks = [asyncio.create_task(part()) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            all_tasks = [*tasks, *self._busy.values()]
            for task in all_tasks:
                task.cancel()
            await asyncio.gather(*all_tasks, return_exceptions=True)

    # Calls.

    async def _dispatch(self) -> None:
        """Begin each due call, and wait for the next."""
        woken = self._executor.woken
        while True:
            woken.clear()
            for order_id, task in list(self._busy.items()):
                if task.done():
                    del self._busy[order_id]
                    task.result()
            next_at = self._begin_calls()
            wait = None if next_at is None else max(0.0, next_at - self._loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await woken.wait()

    def _begin_calls(self) -> float | None:
        """Begin the calls due now, and return when the next is due; ``None`` for unknown."""
        now = self._loop.time()
        next_at: float | None = None
        for symbol in self._journal.symbols():
            for due in self._journal.calls(symbol):
                if due.order_id in self._busy:
                    continue
                ready_at = self._delays.ready_at(due.order_id)
                if ready_at > now:
                    next_at = ready_at if next_at is None else min(next_at, ready_at)
                    continue
                task = asyncio.create_task(self._do(due))
                task.add_done_callback(lambda _: self._executor.woken.set())
                self._busy[due.order_id] = task
        return next_at

    async def _do(self, due: Call) -> None:
        entry = self._journal.entries[due.order_id]
        if due.act in {CallKind.SUBMIT, CallKind.REPLACE}:
            await self._send(entry, due.act)
        elif due.act is CallKind.CANCEL:
            await self._cancel(entry)
        else:
            await self._find(entry)

    async def _send(self, entry: JournalEntry, act: CallKind) -> None:
        executor, journal, order = self._executor, self._journal, entry.order
        leaves = False

        def decide() -> None:
            nonlocal leaves
            if entry.state is OrderState.NEW:
                leaves = not executor.withhold(entry, self._unit_of_work.now)
            elif entry.state is OrderState.UNKNOWN and not entry.cancel:
                leaves = executor.may_send_again(entry, self._unit_of_work.now)
            if leaves:
                journal.submitting(order.id)
            else:
                journal.keep_asking(order.id)

        await self._unit_of_work.record(f"{order.id} leaves", decide)
        if not leaves:
            return
        # Writing took a while, and nothing may come between this check and the call.
        if reason := executor.why_not_now(order.symbol):
            await self._record(
                f"{order.id} stays",
                lambda: journal.withhold(order.id, TradeUpdate.REJECTED, reason),
            )
            return
        self._unit_of_work.at(Point.CALLING)
        if act is CallKind.REPLACE:
            answer = await self._call(
                f"replace {entry.replaces} by {order.id}",
                lambda: self._broker.replace(entry.replaces, order),
            )
        else:
            answer = await self._call(f"take {order.id}", lambda: self._broker.submit(order))
        self._unit_of_work.at(Point.CALLED)
        await self._record(f"{order.id} answered", lambda: self._apply_answer(entry, answer))
        self._unit_of_work.at(Point.ANSWERED)

    def _apply_answer(self, entry: JournalEntry, answer: Answer[BrokerOrder]) -> None:
        """Record the outcome of a call that sends an order."""
        journal, order_id, now = self._journal, entry.order.id, self._unit_of_work.now
        told, error = answer.value, answer.error
        if told is not None and told.client_order_id == order_id:
            journal.told(told)
            self._delays.clear(order_id)
            self._look_for_fills(entry, told)
        elif isinstance(error, BrokerRefusedError):
            journal.refused(order_id, answer.reason)
        elif isinstance(error, DuplicateOrderError):
            journal.unanswered(order_id, now, is_known_there=True)
        elif error is None or isinstance(error, BrokerTimeoutError):
            reason = answer.reason or "the broker answered with another order"
            journal.unanswered(order_id, now)
            self._executor.report_problem(f"the outcome of order {order_id} is unknown: {reason}")
        else:
            journal.not_sent(order_id)
            self._delays.wait(order_id, self._loop.time())
            self._executor.report_problem(
                f"order {order_id} cannot be sent, trying again: {answer.reason}"
            )

    async def _cancel(self, entry: JournalEntry) -> None:
        executor, journal, order_id = self._executor, self._journal, entry.order.id
        answer = await self._call(f"cancel {order_id}", lambda: self._broker.cancel(order_id))
        if answer.error is None:
            await self._record(f"{order_id} cancel", lambda: journal.cancel_sent(order_id))
            self._delays.clear(order_id)
        elif isinstance(answer.error, BrokerRefusedError):

            def refuse() -> None:
                request = journal.cancel_refused(order_id, answer.reason)
                executor.reject_cancel(entry, request, answer.reason)

            await self._record(f"{order_id} cancel refused", refuse)
        # Canceling twice is harmless, so it is retried until there is an answer.
        self._delays.wait(order_id, self._loop.time())

    async def _find(self, entry: JournalEntry) -> None:
        journal, order_id = self._journal, entry.order.id
        answer = await self._call(f"find {order_id}", lambda: self._broker.find(order_id))
        told = answer.value
        if answer.error is not None:
            self._delays.wait(order_id, self._loop.time())
            problem = f"order {order_id} cannot be asked for: {answer.reason}"
            self._executor.report_problem(problem)
            if self._is_bad_for_long(order_id, answer.error):
                act = partial(journal.updates.doubt, entry.order.symbol, problem)
                await self._record(f"{order_id} unreadable", act)
            return
        self._bad_since.pop(order_id, None)
        if told is None:
            await self._record(f"{order_id} missing", lambda: self._miss(entry))
        else:
            if journal.updates.is_news(told):
                await self._record(f"{order_id} found", lambda: journal.told(told))
            self._look_for_fills(entry, told)
            if not entry.is_cancel_sent:
                self._delays.clear(order_id)
                return
        self._delays.wait(order_id, self._loop.time())

    def _is_bad_for_long(self, key: str, error: BrokerError) -> bool:
        """Whether answers have been unreadable for more than a short while; true once."""
        if not isinstance(error, BadAnswerError):
            return False
        now = self._loop.time()
        since = self._bad_since.setdefault(key, now)
        if now - since < self._executor.grace_seconds:
            return False
        self._bad_since[key] = inf
        return True

    def _miss(self, entry: JournalEntry) -> None:
        now = self._unit_of_work.now
        self._journal.missing(
            entry.order.id,
            now,
            idempotent=self._broker.idempotent,
            may_send=self._executor.may_send_again(entry, now),
        )

    # Updates pushed by the broker.

    async def _follow_updates(self) -> None:
        while True:
            updates = self._broker.updates()
            try:
                async for told in updates:
                    self._delays.clear(_UPDATES)
                    if isinstance(told, str):
                        self._executor.report_problem(told)
                        self._journal.check_all()
                        self._executor.woken.set()
                        continue
                    entry = self._journal.entries.get(told.client_order_id)
                    if entry is not None and self._journal.updates.is_news(told):
                        await self._record(
                            f"{told.client_order_id} updated", partial(self._journal.told, told)
                        )
                    if entry is not None:
                        self._look_for_fills(entry, told)
            except (StoreError, asyncio.CancelledError):
                raise
            except IngeniumError as error:
                self._executor.report_problem(
                    f"order updates of the broker are interrupted: {error}"
                )
            except Exception as error:  # noqa: BLE001 - an adapter's fault must not stop the rest
                self._executor.report_problem(
                    f"order updates of the broker are interrupted: {type(error).__name__}: {error}"
                )
            finally:
                await updates.aclose()
            await asyncio.sleep(self._delays.wait(_UPDATES, self._loop.time()))
            # Updates missed in between.
            self._journal.check_all()
            self._fills_wanted.set()
            self._executor.woken.set()

    def _look_for_fills(self, entry: JournalEntry, told: BrokerOrder) -> None:
        if told.filled > entry.filled:
            self._fills_wanted.set()

    async def _follow_fills(self) -> None:
        while True:
            seconds = self._executor.poll_seconds
            if not self._journal.open:
                seconds *= _IDLE_FACTOR
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._fills_wanted.wait()
            self._fills_wanted.clear()
            try:
                if await self._reconciler.read_fills(tries=1):
                    self._audit.want()
                self._delays.clear(_FILLS)
                self._bad_since.pop(_FILLS, None)
            except BrokerError as error:
                self._executor.report_problem(
                    f"fills of the broker cannot be read, trying again: {error}"
                )
                if self._is_bad_for_long(_FILLS, error):
                    await self._reconciler.halt(f"the broker's fills cannot be read: {error}")
                await asyncio.sleep(self._delays.wait(_FILLS, self._loop.time()))
                self._fills_wanted.set()
            self._executor.woken.set()

    async def _watch(self) -> None:
        """Check the lease, halts and late orders, and from time to time all orders."""
        executor, journal = self._executor, self._journal
        looks = 0
        while True:
            executor.check_lease()
            if executor.is_halted and executor.needs_cancel_all():
                await self._record("halt", executor.cancel_all)
            if executor.late_ones(self._unit_of_work.now):
                await self._record("late", lambda: executor.withhold_late(self._unit_of_work.now))
            looks += 1
            if looks % _CHECK_EVERY == 0:
                journal.check_all()
                executor.woken.set()
            await asyncio.sleep(_WATCH_SECONDS)

    async def _call(self, name: str, what: Callable[[], Awaitable[_T]]) -> Answer[_T]:
        return await call(what, name, self._executor.timeout_seconds)

    async def _record(self, cause: str, act: Callable[[], object]) -> None:
        await self._reconciler.record(cause, act)
        self._executor.woken.set()
