"""Bugs that are planted on purpose: a world that does not find them is too tame."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace
from simulation.broker import SimBroker
from simulation.disk import SimDisk
from simulation.world import simulate

from ingenium.brokers import (
    audit,
    broker_executor,
    journal_reports,
    journal_updates,
    order_journal,
    reconciler,
    worker,
)
from ingenium.brokers.calls import Answer
from ingenium.bus.stream import MESSAGE_ID
from ingenium.components.portfolio_handle import PortfolioHandle
from ingenium.errors import BrokerRefusedError, BrokerTimeoutError, BusTimeoutError
from ingenium.ids import make_id
from ingenium.risk import TradingSwitch, gate
from ingenium.runtime.durable import damage, outbox, record_handler, store, transaction
from ingenium.runtime.durable.deadline import lateness
from ingenium.runtime.durable.store import Change

SEEDS = 100
Plant = Callable[[pytest.MonkeyPatch], None]


def fresh_message_id_per_retry(patch):
    numbers = count()

    async def send(self, outgoing):
        while True:
            headers = {**outgoing.headers, MESSAGE_ID: f"{outgoing.id}-{next(numbers)}"}
            try:
                await self._stream.append(outgoing.subject, outgoing.payload, headers)
            except BusTimeoutError:
                await asyncio.sleep(0.1)
            else:
                return

    patch.setattr(outbox.Outbox, "_send", send)


def fresh_client_id_per_retry(patch):
    tries: Counter[str] = Counter()
    submit = SimBroker.submit

    async def submit_anew(self, order):
        tries[order.id] += 1
        again = tries[order.id]
        return await submit(self, order if again == 1 else replace(order, id=f"{order.id}-{again}"))

    patch.setattr(SimBroker, "submit", submit_anew)


def position_before_state(patch):
    commit = transaction.Transaction.commit

    def commit_twice(self):
        if self._positions:
            self._store.commit(Change(positions=list(self._positions.values())))
        commit(self)

    patch.setattr(transaction.Transaction, "commit", commit_twice)


def state_before_position(patch):
    commit = transaction.Transaction.commit

    def commit_twice(self):
        positions, self._positions = self._positions, {}
        seen, self._seen = self._seen, {}
        commit(self)
        if positions:
            self._store.commit(Change(positions=list(positions.values()), seen=list(seen)))

    patch.setattr(transaction.Transaction, "commit", commit_twice)


def no_inbox(patch):
    patch.setattr(transaction.Transaction, "digest", lambda self, identifier: None)


def duplicate_is_known_by_its_id_alone(patch):
    digest = transaction.Transaction.digest

    def without_content(self, identifier):
        return None if digest(self, identifier) is None else b""

    patch.setattr(transaction.Transaction, "digest", without_content)


def outbox_forgets_before_the_acknowledgement(patch):
    send = outbox.Outbox._send

    async def forget_and_send(self, outgoing):
        self._store.commit(Change(sent=[outgoing.number]))
        await send(self, outgoing)

    patch.setattr(outbox.Outbox, "_send", forget_and_send)


def outbox_gives_up(patch):
    async def send_once(self, outgoing):
        headers = {**outgoing.headers, MESSAGE_ID: outgoing.id}
        try:
            await self._stream.append(outgoing.subject, outgoing.payload, headers)
        except BusTimeoutError:
            return

    patch.setattr(outbox.Outbox, "_send", send_once)


def outbox_takes_what_went_out_together_for_kept(patch):
    async def send_and_forget(self, waiting):
        if len(waiting) > 1:
            await self._stream.append_many([outbox._message(each) for each in waiting])
        else:
            await self._send(waiting[0])
        self._forget([each.number for each in waiting])

    patch.setattr(outbox.Outbox, "_send_together", send_and_forget)


def outbox_sends_together_in_any_order(patch):
    send = outbox.Outbox._send_together

    async def send_reversed(self, waiting):
        await send(self, waiting[::-1])

    patch.setattr(outbox.Outbox, "_send_together", send_reversed)


def commit_leaves_out_what_the_last_of_a_batch_has_sent(patch):
    commit = transaction.Transaction.commit

    def commit_without_the_last(self):
        if len(self._outbox) > 1 and len(self._seen) > 1:
            self._outbox.pop()
        commit(self)

    patch.setattr(transaction.Transaction, "commit", commit_without_the_last)


def call_before_the_journal_is_written(patch):
    submitting = order_journal.OrderJournal.submitting

    def in_memory_only(self, order_id):
        known = set(self._changed)
        submitting(self, order_id)
        self._changed = known

    patch.setattr(order_journal.OrderJournal, "submitting", in_memory_only)


def fills_are_booked_again(patch):
    fill = journal_updates.JournalUpdates.fill

    def forgetful(self, told):
        entry = self.entries.get(told.client_order_id)
        if entry is not None:
            entry.fills.clear()
        return fill(self, told)

    patch.setattr(journal_updates.JournalUpdates, "fill", forgetful)


def unknown_counts_as_failed(patch):
    apply_answer = worker.BrokerWorker._apply_answer

    def give_up(self, entry, answer):
        if isinstance(answer.error, BrokerTimeoutError):
            answer = Answer(None, BrokerRefusedError("no answer"))
        apply_answer(self, entry, answer)

    patch.setattr(worker.BrokerWorker, "_apply_answer", give_up)


def unknown_is_always_sent_again(patch):
    missing = order_journal.OrderJournal.missing

    def resend(self, order_id, now, *, idempotent, may_send):
        missing(self, order_id, now, idempotent=True, may_send=may_send)

    patch.setattr(order_journal.OrderJournal, "missing", resend)


def lease_is_not_looked_at(patch):
    patch.setattr(broker_executor.BrokerExecutor, "check_lease", lambda self: None)


def late_orders_are_worked(patch):
    patch.setattr(record_handler, "lateness", lambda *_: None)
    patch.setattr(broker_executor.BrokerExecutor, "max_order_age_seconds", 1e9)


def late_by_own_age_only(patch):
    patch.setattr(
        record_handler, "lateness", lambda event, _, kept, now: lateness(event, {}, kept, now)
    )
    patch.setattr(record_handler, "cause_of", lambda *_: None)


def halts_are_not_heard(patch):
    patch.setattr(broker_executor.BrokerHandle, "handle_control", lambda self, event: None)


def words_about_trading_count_again(patch):
    digest = transaction.Transaction.digest
    apply = TradingSwitch.apply

    def apply_anew(self, event):
        self._seen.clear()
        return apply(self, event)

    def digest_of_others(self, identifier):
        return None if identifier.startswith("control") else digest(self, identifier)

    patch.setattr(TradingSwitch, "apply", apply_anew)
    patch.setattr(transaction.Transaction, "digest", digest_of_others)


def portfolio_forgets_its_state(patch):
    patch.setattr(PortfolioHandle, "changed_rows", lambda self: {})


def checksums_are_not_looked_at(patch):
    for module in (damage, store):
        patch.setattr(module, "what_is_wrong", lambda *_: "")
    # That it is not noticed when it is opened is one thing; what comes of it is another.
    flip = SimDisk.flip
    patch.setattr(SimDisk, "flip", lambda self, random: flip(self, random) and None)


def exits_are_no_other_than_entries(patch):
    patch.setattr(gate, "only_reduces", lambda *_: False)


def reports_are_known_by_the_fill_alone(patch):
    fill_event = journal_reports.fill_event

    def with_short_id(account, entry, fill, *rest):
        event = fill_event(account, entry, fill, *rest)
        event.id = make_id("exec", account, fill.id)
        return event

    patch.setattr(journal_updates, "fill_event", with_short_id)


def counts_are_not_held_against_fills(patch):
    patch.setattr(audit.Audit, "_due", lambda self: {})


def positions_are_compared_at_the_start_only(patch):
    def never(self, now):
        self._wanted.clear()
        return False

    patch.setattr(audit.Audit, "_is_time_to_compare", never)


def fills_before_the_last_one_are_never_read(patch):
    read_fills = reconciler.Reconciler.read_fills

    async def read_on(self, tries=16, *, whole=False):
        return await read_fills(self, tries)

    patch.setattr(reconciler.Reconciler, "read_fills", read_on)


def orders_that_are_forgotten_block_nothing(patch):
    patch.setattr(order_journal.OrderJournal, "_miss_known", lambda self, entry, now: None)


@pytest.mark.parametrize(
    "plant",
    [
        fresh_message_id_per_retry,
        fresh_client_id_per_retry,
        position_before_state,
        state_before_position,
        no_inbox,
        duplicate_is_known_by_its_id_alone,
        outbox_forgets_before_the_acknowledgement,
        outbox_gives_up,
        outbox_takes_what_went_out_together_for_kept,
        outbox_sends_together_in_any_order,
        commit_leaves_out_what_the_last_of_a_batch_has_sent,
        call_before_the_journal_is_written,
        fills_are_booked_again,
        unknown_counts_as_failed,
        unknown_is_always_sent_again,
        lease_is_not_looked_at,
        late_orders_are_worked,
        late_by_own_age_only,
        halts_are_not_heard,
        words_about_trading_count_again,
        portfolio_forgets_its_state,
        exits_are_no_other_than_entries,
        checksums_are_not_looked_at,
        reports_are_known_by_the_fill_alone,
        counts_are_not_held_against_fills,
        positions_are_compared_at_the_start_only,
        fills_before_the_last_one_are_never_read,
        orders_that_are_forgotten_block_nothing,
    ],
    ids=lambda plant: plant.__name__,
)
@pytest.mark.timeout(300)
def test_planted_bug_is_found_within_a_hundred_seeds(plant: Plant, monkeypatch, record_property):
    plant(monkeypatch)
    found = next((seed for seed in range(SEEDS) if simulate(seed).violations), None)
    record_property("seed", found)
    assert found is not None
