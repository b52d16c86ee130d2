"""Leases on a real server, with the rights that components have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingenium.bus import NatsBus
from ingenium.bus.lease import Lease
from ingenium.bus.nats.lease import NatsLease, open_lease
from ingenium.errors import BusError, LeaseHeldError, LeaseLostError, StreamError
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import Accounts

pytestmark = pytest.mark.timeout(120)

TTL_SECONDS = 2.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=Accounts("app")) as server:
        yield server


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(server.url_for("executor"))
    yield bus
    await bus.close()


async def opened(bus: NatsBus, key: str = "executor.U1") -> NatsLease:
    lease = await open_lease(bus, key, ttl_seconds=TTL_SECONDS)
    assert isinstance(lease, NatsLease)
    return lease


async def test_executor_and_portfolio_may_have_leases_and_a_second_one_is_refused(
    server: EmbeddedServer, bus: NatsBus
) -> None:
    mine = await opened(bus)
    await mine.acquire()
    other = await NatsBus.connect(server.url_for("portfolio"))
    theirs = await opened(other, "portfolio.app")
    await theirs.acquire()
    assert (mine.is_valid, theirs.is_valid) == (True, True)
    keeping = asyncio.create_task(mine.keep())
    with pytest.raises(LeaseHeldError, match=r"executor\.U1 is led by .*:\d+"):
        await (await opened(other)).acquire()
    keeping.cancel()
    await other.close()


async def test_lease_that_is_not_renewed_is_taken_by_the_next_and_not_before(
    bus: NatsBus,
) -> None:
    first, second = await opened(bus), await opened(bus)
    await first.acquire()
    await second.acquire()
    assert (first.is_valid, second.is_valid) == (False, True)
    with pytest.raises(LeaseLostError):
        await first.renew()


async def test_released_lease_is_free_at_once_and_again(bus: NatsBus) -> None:
    for _ in range(3):
        lease = await opened(bus)
        await lease.acquire()
        await lease.renew()
        await lease.release()


async def test_strategy_has_no_part_in_the_leases_of_money(
    server: EmbeddedServer, bus: NatsBus
) -> None:
    mine = await opened(bus)
    await mine.acquire()
    strategy = await NatsBus.connect(server.url_for("strategy"))
    lease: Lease | None = None
    try:
        lease = await open_lease(strategy, "executor.U1", ttl_seconds=TTL_SECONDS)
        assert lease is not None
        await lease.acquire()
    except BusError:
        pass
    await mine.renew()
    assert mine.is_valid
    await strategy.close()


async def test_server_that_is_restarted_keeps_leases(make_server, tmp_path: Path) -> None:
    server = make_server(f'jetstream {{ store_dir: "{tmp_path}/js", sync_interval: always }}')
    bus = await NatsBus.connect(server.url)
    mine = await open_lease(bus, "executor.U1")
    assert isinstance(mine, NatsLease)
    await mine.acquire()
    server.kill()
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while not bus.client.is_up:
            await asyncio.sleep(0.01)
    await mine.renew()
    assert mine.is_valid
    await bus.close()


async def test_bucket_of_another_lifetime_is_refused(bus: NatsBus) -> None:
    await opened(bus)
    with pytest.raises(StreamError, match=r"forgets after 2\.0 s, not 10 s"):
        await open_lease(bus, "executor.U1")


async def test_server_without_jetstream_keeps_no_leases(make_server) -> None:
    bus = await NatsBus.connect(make_server("").url)
    assert await open_lease(bus, "executor.U1") is None
    await bus.close()
