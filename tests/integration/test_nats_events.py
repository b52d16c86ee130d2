"""connect() over a real server, as a user would write it."""

import asyncio

import pytest

import ingenium
from ingenium import BusClosedError, DataEvent, Signal, SignalEvent
from ingenium.config import Settings
from ingenium.errors import BusConnectError
from ingenium.nats_server import EmbeddedServer, running_servers
from ingenium.testing import Collector, data_event, wait_until


async def test_connect_uses_the_server_of_the_settings(nats_server):
    settings = Settings(nats_server=nats_server.url)
    async with ingenium.connect(settings=settings, name="one") as bus:
        assert bus.url == nats_server.safe_url
        async with ingenium.connect(settings=settings, name="two") as other:
            subscription = await other.subscribe(SignalEvent)
            await bus.publish(SignalEvent(symbol="AAPL", signal=Signal.LONG))
            event = await anext(subscription)
            assert event.signal == Signal.LONG


async def test_connect_without_a_server_starts_one_that_others_find(tmp_path):
    settings = Settings(data_directory=tmp_path)
    async with ingenium.connect(settings=settings) as first:
        assert len(running_servers(tmp_path)) == 1
        got = Collector()
        await first.subscribe(DataEvent, handler=got)
        second = await ingenium.connect(settings=settings)
        assert second.url == first.url
        await second.publish(data_event("AAPL"))
        await second.drain()
        await got.wait(1)
    assert running_servers(tmp_path) == []


async def test_awaited_connection_ends_its_server_when_closed(tmp_path):
    bus = await ingenium.connect(settings=Settings(data_directory=tmp_path))
    assert len(running_servers(tmp_path)) == 1
    await bus.close()
    assert running_servers(tmp_path) == []
    await bus.close()


async def test_two_programs_that_connect_at_once_share_one_server(tmp_path):
    settings = Settings(data_directory=tmp_path)
    first, second = await asyncio.gather(
        ingenium.connect(settings=settings), ingenium.connect(settings=settings)
    )
    assert first.url == second.url
    await first.close()
    await second.close()
    assert running_servers(tmp_path) == []


async def test_two_running_servers_must_be_told_apart(tmp_path):
    async with EmbeddedServer(tmp_path / "a"), EmbeddedServer(tmp_path / "b"):
        with pytest.raises(BusConnectError, match="2 embedded servers run in"):
            await ingenium.connect(settings=Settings(data_directory=tmp_path))


async def test_iteration_ends_with_an_error_when_the_connection_closes_for_good(make_server):
    config = 'authorization { users = [ { user: "u", password: "%s" } ] }'
    server = make_server(config % "one")
    bus = await ingenium.connect(f"nats://u:one@{server.address}")
    subscription = await bus.subscribe(DataEvent)
    waiting = asyncio.create_task(anext(subscription))
    server.reload(config % "two")
    with pytest.raises(BusClosedError, match="authorization violation"):
        await asyncio.wait_for(waiting, 5)
    await bus.close()


async def test_subscription_of_a_loop_that_was_left_ends_at_the_server(nats_server, nats_bus):
    async with ingenium.connect(nats_server.url) as bus:

        async def take_one():
            async for event in bus.subscribe(DataEvent, symbol="AAPL"):
                return event
            return None

        task = asyncio.create_task(take_one())
        await wait_until(lambda: bus.bus._subscriptions)  # type: ignore[attr-defined]
        await bus.flush()
        await bus.publish(data_event("AAPL"))
        assert (await task).symbol == "AAPL"
        await wait_until(lambda: not bus.bus._subscriptions)  # type: ignore[attr-defined]
