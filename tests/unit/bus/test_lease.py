"""Leases: one holder at a time, and one that knows when it is not the holder any more."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import msgspec
import pytest

from ingenium.bus.lease import Holder, LeaseTable, MemoryLease, key_of
from ingenium.errors import BusTimeoutError, LeaseHeldError, LeaseLostError

# A second is a day in these tests: what waits, waits for 50 ms at most.
TTL_SECONDS = 0.6


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> LeaseTable:
    return LeaseTable(clock)


def lease(table: LeaseTable, holder: Holder | None = None) -> MemoryLease:
    return MemoryLease(table, "executor.U1", holder=holder, ttl_seconds=TTL_SECONDS)


async def test_lease_is_valid_until_shortly_before_others_may_have_it(
    table: LeaseTable, clock: Clock
) -> None:
    mine = lease(table)
    await mine.acquire()
    valid = []
    for share in (0.79, 0.81):
        clock.seconds = share * TTL_SECONDS
        valid.append(mine.is_valid)
    assert valid == [True, False]
    assert table.read("executor.U1")[0] == mine.holder


async def test_renewed_lease_goes_on(table: LeaseTable, clock: Clock) -> None:
    mine = lease(table)
    await mine.acquire()
    for _ in range(10):
        clock.seconds += TTL_SECONDS / 2
        await mine.renew()
        assert mine.is_valid


async def test_second_holder_is_refused_when_the_first_renews(
    table: LeaseTable, clock: Clock
) -> None:
    mine = lease(table)
    await mine.acquire()
    asking = asyncio.create_task(lease(table).acquire())
    await asyncio.sleep(0)
    clock.seconds += TTL_SECONDS / 3
    await mine.renew()
    with pytest.raises(LeaseHeldError, match=rf"executor\.U1 is led by .*:{os.getpid()}"):
        await asking


async def test_lease_that_was_left_over_is_taken_when_it_has_run_out(
    table: LeaseTable, clock: Clock
) -> None:
    await lease(table).acquire()
    mine = lease(table)
    asking = asyncio.create_task(mine.acquire())
    await asyncio.sleep(0)
    assert not mine.is_valid
    clock.seconds += TTL_SECONDS
    await asking
    assert mine.is_valid


async def test_holder_that_stood_still_loses_it_to_the_next(
    table: LeaseTable, clock: Clock
) -> None:
    first, second = lease(table), lease(table)
    await first.acquire()
    clock.seconds += 2 * TTL_SECONDS
    await second.acquire()
    assert (first.is_valid, second.is_valid) == (False, True)
    with pytest.raises(LeaseLostError, match=r"executor\.U1 is lost, and led by"):
        await first.renew()
    assert second.is_valid


async def test_holder_that_lost_it_gives_back_nothing_of_the_next_one(
    table: LeaseTable, clock: Clock
) -> None:
    first, second = lease(table), lease(table)
    await first.acquire()
    clock.seconds += 2 * TTL_SECONDS
    await second.acquire()
    with pytest.raises(LeaseLostError):
        await first.renew()
    await first.release()
    assert table.read("executor.U1")[0] == second.holder
    await second.renew()


async def test_holder_that_stood_still_has_lost_it_even_if_nobody_came(
    table: LeaseTable, clock: Clock
) -> None:
    mine = lease(table)
    await mine.acquire()
    clock.seconds += 2 * TTL_SECONDS
    with pytest.raises(LeaseLostError, match="led by nobody now"):
        await mine.renew()


async def test_released_lease_is_free_at_once(table: LeaseTable) -> None:
    first, second = lease(table), lease(table)
    await first.acquire()
    await first.release()
    assert not first.is_valid
    await second.acquire()
    assert second.is_valid
    await first.release()
    assert table.read("executor.U1")[0] == second.holder


class Lossy(MemoryLease):
    """Its next writes have no answer, whether they arrive or not."""

    lost = 0
    arrives = True

    async def _write(self, holder: Holder, revision: int) -> int:
        if self.lost:
            self.lost -= 1
            if self.arrives:
                await super()._write(holder, revision)
            raise BusTimeoutError("no answer")
        return await super()._write(holder, revision)


@pytest.mark.parametrize("arrives", [True, False])
async def test_renewal_without_an_answer_is_made_good_by_the_next(
    table: LeaseTable, clock: Clock, arrives: bool
) -> None:
    mine = Lossy(table, "executor.U1", ttl_seconds=TTL_SECONDS)
    mine.arrives = arrives
    await mine.acquire()
    clock.seconds += TTL_SECONDS / 3
    mine.lost = 1
    await mine.renew()
    clock.seconds += TTL_SECONDS / 3
    await mine.renew()
    clock.seconds += TTL_SECONDS / 2
    assert mine.is_valid


async def test_holder_that_is_cut_off_gives_up_before_others_may_have_it(
    table: LeaseTable, clock: Clock
) -> None:
    mine = Lossy(table, "executor.U1", ttl_seconds=TTL_SECONDS)
    await mine.acquire()
    mine.lost, mine.arrives = 9, False
    clock.seconds += 0.7 * TTL_SECONDS
    await mine.renew()
    clock.seconds += 0.2 * TTL_SECONDS
    with pytest.raises(LeaseLostError, match="could not be renewed in time"):
        await mine.renew()
    assert table.read("executor.U1")[0] == mine.holder


async def test_lease_that_may_lapse_is_taken_up_again_if_nobody_came(
    table: LeaseTable, clock: Clock
) -> None:
    mine = Lossy(table, "executor.U1", ttl_seconds=TTL_SECONDS, may_lapse=True)
    await mine.acquire()
    mine.lost, mine.arrives = 2, False
    clock.seconds += 2 * TTL_SECONDS
    valid = []
    for _ in range(3):
        await mine.renew()
        valid.append(mine.is_valid)
    assert valid == [False, False, True]
    clock.seconds += 2 * TTL_SECONDS
    await lease(table).acquire()
    with pytest.raises(LeaseLostError, match="is lost, and led by"):
        await mine.renew()


async def test_keep_renews_until_it_is_lost(table: LeaseTable, clock: Clock) -> None:
    mine = lease(table)
    await mine.acquire()
    keeping = asyncio.create_task(mine.keep())
    clock.seconds += 2 * TTL_SECONDS
    with pytest.raises(LeaseLostError):
        await keeping


async def test_lease_of_a_process_that_is_gone_from_this_machine_is_taken_at_once(
    table: LeaseTable,
) -> None:
    script = (
        "from ingenium.bus.lease import Holder; import msgspec, sys;"
        "print(msgspec.json.encode(Holder.this_process()).decode(), flush=True);"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    holder = msgspec.json.decode(process.stdout.readline(), type=Holder)
    assert not holder.is_gone()
    await lease(table, holder).acquire()
    process.communicate()
    assert holder.is_gone()
    mine = lease(table)
    await mine.acquire()
    assert mine.is_valid


def test_holder_of_another_machine_is_never_taken_for_gone() -> None:
    gone = Holder("trader-1:1", "token", machine="elsewhere", process=999_999_999, started="1")
    assert not gone.is_gone()
    assert not Holder("trader-1:1", "token").is_gone()


@pytest.mark.parametrize(
    ("text", "key"),
    [("executor.U1", "executor.U1"), ("portfolio.my-app", "portfolio.my-app")],
)
def test_plain_key_stays_as_it_is(text: str, key: str) -> None:
    assert key_of(text) == key


def test_keys_of_odd_accounts_differ_and_are_fit_for_a_server() -> None:
    texts = ["executor.U 1", "executor.U*1", "executor.U>1", "executor.Ü1", "executor.U_1"]
    keys = [key_of(text) for text in texts]
    assert len(set(keys)) == len(keys)
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789U_-.") for key in keys)
