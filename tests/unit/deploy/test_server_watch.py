"""A server that is not well halts trading; programs that take orders too are named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingenium.bus import NatsBus
from ingenium.components import App, Executor, External, Ingestor, Portfolio
from ingenium.deploy.local.server_monitor import ServerMonitor
from ingenium.nats_server import EmbeddedServer
from ingenium.subjects.names import ORDER


class Monitor:
    """Answers as a server's monitoring pages do."""

    def __init__(self) -> None:
        self.code = 200
        self.body = b'{"status":"ok"}'
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {self.code} X\r\nContent-Length: {len(self.body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + self.body)
        await writer.drain()
        writer.close()


class World:
    def __init__(self, url: str, executor: Any = None, order: str = ORDER) -> None:
        self.now = 0.0
        self.halts: list[str] = []
        self.notices: list[str] = []
        app = App(
            ingestors=[Ingestor("ticks")],
            portfolio=Portfolio(name="portfolio"),
            executor=executor or Executor("executor"),
        )
        self.watch = ServerMonitor(
            url, app, self._halt, self.notices.append, order=order, elapsed=lambda: self.now
        )

    async def _halt(self, reason: str) -> None:
        self.halts.append(reason)

    async def observe(self, now: float) -> None:
        self.now = now
        await self.watch.check_health()


async def test_server_that_is_ill_for_five_seconds_halts_trading_once_with_its_reason() -> None:
    monitor = Monitor()
    async with monitor.serving():
        world = World(monitor.url)
        await world.observe(0)
        monitor.code = 503
        monitor.body = json.dumps({"status": "unavailable", "error": "no space left"}).encode()
        for now in (1, 3, 5.9):
            await world.observe(now)
        assert world.halts == []
        for now in (6, 7, 60):
            await world.observe(now)
        assert world.halts == ["the server is not well: no space left"]
        monitor.code, monitor.body = 200, b'{"status":"ok"}'
        await world.observe(61)
        assert world.notices == ["the server is well again; trading stays halted until you resume"]
        monitor.code, monitor.body = 500, b"<html>"
        await world.observe(62)
        await world.observe(63)
        monitor.code = 200
        monitor.body = b'{"status":"ok"}'
        await world.observe(64)
        monitor.body = b'{"status":"unavailable","error":"stream INGENIUM is not current"}'
        await world.observe(65)
        await world.observe(70)
        assert world.halts[1:] == ["the server is not well: stream INGENIUM is not current"]


async def test_server_that_is_gone_halts_too(unused_port: int) -> None:
    world = World(f"http://127.0.0.1:{unused_port}")
    await world.observe(0)
    await world.observe(5)
    (reason,) = world.halts
    assert "it does not answer" in reason


@pytest.fixture
async def server(tmp_path: Any) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path) as server:
        yield server


async def test_program_that_takes_orders_too_is_named_once(server: EmbeddedServer) -> None:
    world = World(server.monitor_url)
    own = await NatsBus.connect(server.url, name="executor")
    await own.subscribe("ingenium.portfolio.*", lambda message: None)
    await own.flush()
    await world.watch.check_readers()
    assert world.notices == []
    other = await NatsBus.connect(server.url, name="my go executor")
    await other.subscribe("ingenium.strategy.signal", lambda message: None)
    await other.flush()
    await world.watch.check_readers()
    assert world.notices == []
    await other.subscribe(ORDER, lambda message: None)
    await other.flush()
    for _ in range(2):
        await world.watch.check_readers()
    (notice,) = world.notices
    assert notice.startswith("my go executor (")
    assert "each one is worked twice, by it and by 'executor'" in notice
    await own.close()
    await other.close()


async def test_program_that_takes_orders_of_an_app_with_a_prefix_is_named(
    server: EmbeddedServer,
) -> None:
    world = World(server.monitor_url, order=f"desk.{ORDER}")
    other = await NatsBus.connect(server.url, name="a copy")
    await other.subscribe(ORDER, lambda message: None)
    await other.flush()
    await world.watch.check_readers()
    assert world.notices == []
    await other.subscribe(f"desk.{ORDER}", lambda message: None)
    await other.flush()
    await world.watch.check_readers()
    (notice,) = world.notices
    assert f"subscribes to desk.{ORDER} too" in notice
    await other.close()


async def test_executor_in_another_language_is_no_stranger(server: EmbeddedServer) -> None:
    world = World(server.monitor_url, External("executor", ["go"], name="go"))
    bus = await NatsBus.connect(server.url, name="anything")
    await bus.subscribe(ORDER, lambda message: None)
    await bus.flush()
    await world.watch.check_readers()
    assert world.notices == []
    await bus.close()
