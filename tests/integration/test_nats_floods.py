"""Components that use up a server, or speak in the name of others: the app goes on trading."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from nats.errors import Error as NatsError

from ingenium._gen.ingenium.v1 import LockstepReport
from ingenium.bus import Message, NatsBus, NatsOptions
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.roles import RECORDER
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import BusError, BusPermissionError
from ingenium.events import encode
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR, READER, ROLES, Accounts, inbox_of
from ingenium.subjects.names import (
    ORDER,
    SIGNAL,
    data_subject,
    dead_letter_subject,
    own_report_subject,
    report_subject,
    role_report_subject,
)
from ingenium.testing import Collector, wait_until

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi", "go"], "portfolio": ["pf"], "executor": ["ex"]},
    programs=["go"],
)
PRICE = data_subject("AAPL")
STRATEGIES = 2
# What a server gives an account that has two components: see docs/security.md.
CONNECTIONS = 2 * STRATEGIES + 16
CONSUMERS = 4 * CONNECTIONS


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Trading:
    """A bar that becomes a signal, an order and what the executor sees of it, over the server."""

    def __init__(self, buses: dict[str, NatsBus]) -> None:
        self._buses = buses
        self._bars: Collector[Message] = Collector()
        self._orders: Collector[Message] = Collector()
        self._count = 0

    async def begin(self) -> None:
        await open_stream(self._buses["portfolio"], MONEY_STREAM)
        await open_stream(self._buses["strategy"], DATA_STREAM)
        await self._buses["strategy"].subscribe(PRICE, self._bars)
        await self._buses["executor"].subscribe(ORDER, self._orders)

    async def goes_on(self) -> None:
        """Trade once."""
        self._count += 1
        number = str(self._count)
        async with asyncio.timeout(10):
            await self._buses["ingestor"].publish(PRICE, number.encode())
            await self._buses["ingestor"].flush()
            await self._bars.wait(self._count)
            for role, subject in (("strategy", SIGNAL), ("portfolio", ORDER)):
                stream = NatsStream(self._buses[role], MONEY_STREAM.name)
                await stream.append(subject, number.encode(), {MESSAGE_ID: f"{role}_{number}"})
            await self._orders.wait(self._count)


@pytest.fixture
async def trading(server: EmbeddedServer, stack: AsyncExitStack) -> Trading:
    names = {"ingestor": "csv", "strategy": "rsi", "portfolio": "pf", "executor": "ex"}
    buses = {
        role: await connect(server, stack, role, component) for role, component in names.items()
    }
    trading = Trading(buses)
    await trading.begin()
    await trading.goes_on()
    return trading


async def connect(
    server: EmbeddedServer, stack: AsyncExitStack, role: str, component: str = ""
) -> NatsBus:
    options = NatsOptions(inbox_prefix=inbox_of(role, component))
    bus = await NatsBus.connect(server.url_for(role, component), name=component, options=options)
    stack.push_async_callback(bus.close)
    return bus


@pytest.mark.parametrize(
    ("role", "component"), [("strategy", "go"), ("ingestor", ""), (READER, "")]
)
async def test_account_has_so_many_connections(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading, role: str, component: str
) -> None:
    limit = {"strategy": CONNECTIONS - 1, "ingestor": 2 + 16 - 1, READER: 64}[role]
    for _ in range(limit):
        await connect(server, stack, role, component)
    options = NatsOptions(connect_timeout_seconds=1)
    with pytest.raises(BusError, match="maximum account active connections exceeded"):
        await NatsBus.connect(server.url_for(role, component), options=options)
    # Those of money have room of their own.
    await connect(server, stack, "executor", "ex")
    await connect(server, stack, OPERATOR)
    await trading.goes_on()


async def test_flood_of_subscriptions_ends_the_connection_that_makes_it(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading
) -> None:
    rogue = await connect(server, stack, "strategy", "go")
    with suppress(BusError, NatsError, ConnectionError):
        for number in range(5000):
            rogue.client.send(f"SUB _INBOX.strategy-go.{number} {number + 9000}\r\n".encode())
        await rogue.flush()
    log = server.data_directory / "nats" / "server.log"
    await wait_until(lambda: "maximum subscriptions exceeded" in log.read_text())
    await trading.goes_on()


async def test_strategy_makes_no_streams_and_so_many_consumers(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading
) -> None:
    rogue = await connect(server, stack, "strategy", "go")
    for number in range(20):
        await rogue.client.publish(f"$JS.API.STREAM.CREATE.OWN{number}", b"{}")
    with pytest.raises(BusPermissionError, match="forbids publishing"):
        await rogue.flush()
    answers = []
    for number in range(CONSUMERS + 5):
        config = {
            "name": f"c{number}",
            "ack_policy": "none",
            "inactive_threshold": 3_600_000_000_000,
        }
        request = json.dumps({"stream_name": DATA_STREAM.name, "config": config}).encode()
        subject = f"$JS.API.CONSUMER.CREATE.{DATA_STREAM.name}.c{number}"
        answers.append((await rogue.client.request(subject, request)).data)
    assert [b"maximum consumers limit reached" in answer for answer in answers] == [
        *[False] * CONSUMERS,
        *[True] * 5,
    ]
    await trading.goes_on()


@pytest.mark.parametrize("call", ["DELETE", "PURGE", "UPDATE", "MSG.DELETE", "RESTORE"])
@pytest.mark.parametrize(
    "role", [role for role in ROLES if role not in {"ingestor", READER, RECORDER}]
)
async def test_nobody_deletes_the_stream_of_market_data(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading, role: str, call: str
) -> None:
    for component in ("", {"strategy": "go", "portfolio": "pf", "executor": "ex"}.get(role, "")):
        rogue = await connect(server, stack, role, component)
        for stream in (DATA_STREAM.name, MONEY_STREAM.name):
            await rogue.publish(f"$JS.API.STREAM.{call}.{stream}", b"{}")
            with pytest.raises(BusPermissionError, match="forbids publishing"):
                await rogue.flush()
    await trading.goes_on()


async def test_flood_of_requests_and_of_large_messages_leaves_room(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading
) -> None:
    rogue = await connect(server, stack, "strategy", "go")
    for _ in range(2000):
        await rogue.client.publish("$JS.API.INFO", b"", "_INBOX.strategy-go.1")
    await trading.goes_on()
    with suppress(BusError, NatsError, ConnectionError):
        await rogue.client.publish(SIGNAL, b"x" * 200_000)
        await rogue.flush()
    log = server.data_directory / "nats" / "server.log"
    await wait_until(lambda: "maximum payload exceeded" in log.read_text())
    await trading.goes_on()


async def test_sockets_without_a_login_end_in_a_second_and_fill_no_server(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading
) -> None:
    address = urlsplit(server.safe_url)
    loop = asyncio.get_running_loop()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # More than the server had room for when all sockets counted as connections.
    count = 600 if hard < 0 or hard > 2000 else 200
    sockets = [socket.create_connection((address.hostname, address.port)) for _ in range(count)]
    began = loop.time()
    try:
        await connect(server, stack, "portfolio", "pf")
        await trading.goes_on()
        last = sockets[-1]
        last.setblocking(False)
        heard = b""
        async with asyncio.timeout(5):
            while chunk := await loop.sock_recv(last, 4096):
                heard += chunk
        assert b"Authentication Timeout" in heard
        assert loop.time() - began < 4
    finally:
        for each in sockets:
            each.close()
    await trading.goes_on()


async def test_report_and_letter_in_the_name_of_another_component_are_refused(
    server: EmbeddedServer, stack: AsyncExitStack
) -> None:
    operator = await connect(server, stack, OPERATOR)
    got: Collector[Message] = Collector()
    await operator.subscribe("_ingenium.>", got)
    rsi = await connect(server, stack, "strategy", "rsi")
    for subject in (
        own_report_subject("app", "go"),
        own_report_subject("app", "ex"),
        report_subject("app"),
        role_report_subject("app", "executor"),
        dead_letter_subject("go"),
    ):
        await rsi.publish(subject, b"{}")
        with pytest.raises(BusPermissionError, match="forbids publishing"):
            await rsi.flush()
    # A program reports where all do, and it shows what role it has.
    go = await connect(server, stack, "strategy", "go")
    await go.publish(report_subject("app"), encode(LockstepReport(component="ex", role="executor")))
    await rsi.publish(own_report_subject("app", "rsi"), b"{}")
    await go.flush()
    await rsi.flush()
    await got.wait(2)
    assert {message.subject for message in got.items} == {
        role_report_subject("app", "strategy"),
        own_report_subject("app", "rsi"),
    }


async def test_answers_to_one_strategy_are_not_heard_by_another(
    server: EmbeddedServer, stack: AsyncExitStack, trading: Trading
) -> None:
    rogue = await connect(server, stack, "strategy", "go")
    with pytest.raises(BusPermissionError, match="forbids subscribing"):
        await rogue.subscribe("_INBOX.strategy-rsi.>", lambda message: None)
    heard: Collector[Message] = Collector()
    await rogue.subscribe("_INBOX.>", heard)
    await rogue.flush()
    await trading.goes_on()
    await rogue.flush()
    assert heard.items == []


@pytest.mark.parametrize("page", ["stacksz", "varz", "connz", "subsz", "jsz", "healthz"])
async def test_monitoring_pages_are_for_those_who_know_their_path(
    server: EmbeddedServer, page: str
) -> None:
    url = urlsplit(server.monitor_url)
    assert len(url.path) > 32

    def status(address: str) -> int:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    guess = f"{url.scheme}://{url.netloc}/{page}"
    assert await asyncio.to_thread(status, guess) == 404
    assert await asyncio.to_thread(status, f"{server.monitor_url}/{page}") == 200
    assert url.path not in (server.data_directory / "nats" / "server.log").read_text()
