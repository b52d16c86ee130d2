"""Bugs that are planted on purpose: a world that does not find them is too tame."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace
from simulation.broker import SimBroker
from simulation.world import simulate

from ingenium.brokers import broker_executor, broker_news, broker_work, order_journal
from ingenium.brokers.calling import Answer
from ingenium.bus.stream import MESSAGE_ID
from ingenium.components import Portfolio
from ingenium.delivery import outbox, taking, writing
from ingenium.delivery.lateness import lateness
from ingenium.delivery.store import Change
from ingenium.errors import BrokerRefusedError, BrokerTimeoutError, BusTimeoutError
from ingenium.risk import TradingSwitch, gate

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
    commit = writing.Draft.commit

    def commit_twice(self):
        if self._positions:
            self._store.commit(Change(positions=list(self._positions.values())))
        commit(self)

    patch.setattr(writing.Draft, "commit", commit_twice)


def state_before_position(patch):
    commit = writing.Draft.commit

    def commit_twice(self):
        positions, self._positions = self._positions, {}
        seen, self._seen = self._seen, {}
        commit(self)
        if positions:
            self._store.commit(Change(positions=list(positions.values()), seen=list(seen)))

    patch.setattr(writing.Draft, "commit", commit_twice)


def no_inbox(patch):
    patch.setattr(writing.Draft, "has_seen", lambda self, identifier: False)


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


def call_before_the_journal_is_written(patch):
    submitting = order_journal.OrderJournal.submitting

    def in_memory_only(self, order_id):
        known = set(self._changed)
        submitting(self, order_id)
        self._changed = known

    patch.setattr(order_journal.OrderJournal, "submitting", in_memory_only)


def fills_are_booked_again(patch):
    fill = broker_news.BrokerNews.fill

    def forgetful(self, told):
        entry = self.entries.get(told.client_id)
        if entry is not None:
            entry.fills.clear()
        return fill(self, told)

    patch.setattr(broker_news.BrokerNews, "fill", forgetful)


def unknown_counts_as_failed(patch):
    heed = broker_work.BrokerWork._heed

    def give_up(self, entry, answer):
        if isinstance(answer.error, BrokerTimeoutError):
            answer = Answer(None, BrokerRefusedError("no answer"))
        heed(self, entry, answer)

    patch.setattr(broker_work.BrokerWork, "_heed", give_up)


def unknown_is_always_sent_again(patch):
    missing = order_journal.OrderJournal.missing

    def resend(self, order_id, now, *, idempotent, may_send):
        missing(self, order_id, now, idempotent=True, may_send=may_send)

    patch.setattr(order_journal.OrderJournal, "missing", resend)


def lease_is_not_looked_at(patch):
    patch.setattr(broker_executor.BrokerExecutor, "check_lease", lambda self: None)


def late_orders_are_worked(patch):
    patch.setattr(taking, "lateness", lambda *_: None)
    patch.setattr(broker_executor.BrokerExecutor, "max_order_age_seconds", 1e9)


def late_by_own_age_only(patch):
    patch.setattr(taking, "lateness", lambda event, _, kept, now: lateness(event, {}, kept, now))
    patch.setattr(taking, "cause_of", lambda *_: None)


def halts_are_not_heard(patch):
    patch.setattr(broker_executor.BrokerExecutor, "handle_control", lambda self, event: None)


def words_about_trading_count_again(patch):
    has_seen = writing.Draft.has_seen
    apply = TradingSwitch.apply

    def apply_anew(self, event):
        self._seen.clear()
        return apply(self, event)

    def has_seen_others(self, identifier):
        return not identifier.startswith("control") and has_seen(self, identifier)

    patch.setattr(TradingSwitch, "apply", apply_anew)
    patch.setattr(writing.Draft, "has_seen", has_seen_others)


def portfolio_forgets_its_state(patch):
    patch.setattr(Portfolio, "changed_rows", lambda self: {})


def exits_are_no_other_than_entries(patch):
    patch.setattr(gate, "only_reduces", lambda *_: False)


@pytest.mark.parametrize(
    "plant",
    [
        fresh_message_id_per_retry,
        fresh_client_id_per_retry,
        position_before_state,
        state_before_position,
        no_inbox,
        outbox_forgets_before_the_acknowledgement,
        outbox_gives_up,
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
    ],
    ids=lambda plant: plant.__name__,
)
@pytest.mark.timeout(300)
def test_planted_bug_is_found_within_a_hundred_seeds(plant: Plant, monkeypatch, record_property):
    plant(monkeypatch)
    found = next((seed for seed in range(SEEDS) if simulate(seed).violations), None)
    record_property("seed", found)
    assert found is not None
