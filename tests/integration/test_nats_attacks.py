"""What a hostile data source or strategy tries, against the accounts of an embedded server.

The first five are those that get around permissions within one account: a server sends the answer
to a request wherever the request says.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingenium.bus import IncidentKind, Message, NatsBus
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.components import Strategy
from ingenium.errors import BusPermissionError, StreamError
from ingenium.events import DataEvent, Ohlc, Signal, SignalEvent, decode, encode
from ingenium.ids import make_id
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR, READER, ROLES, Accounts
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.durable.secret import id_secret
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL, data_subject
from ingenium.testing import Collector, IncidentLog, wait_until

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi"], "portfolio": ["pf"], "executor": ["ex"]},
)
PRICE = data_subject("AAPL")
FORGED = b'{"Id":"order_forged","Symbol":"AAPL","Side":"buy","Quantity":"1000","Type":"market"}'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
async def buses(server: EmbeddedServer) -> AsyncIterator[dict[str, NatsBus]]:
    """A connection of each role, with all streams there that may be."""
    buses = {role: await NatsBus.connect(server.url_for(role), name=role) for role in ROLES}
    await open_stream(buses[OPERATOR], MONEY_STREAM)
    for role in ("strategy", "portfolio"):
        await open_stream(buses[role], DATA_STREAM)
    yield buses
    for bus in buses.values():
        await bus.close()


async def kept_by(stream: NatsStream) -> list[Record]:
    """Return all that a stream holds."""
    found: list[Record] = []
    last = (await stream.state()).last
    async with aclosing(stream.read(["ingenium.>"], 0)) as records:
        async for record in records:
            found.append(record)
            if record.sequence == last:
                break
    return found


class Victims:
    """All who must not be reached: executor, portfolio, operator, and the stream of orders."""

    def __init__(self, buses: dict[str, NatsBus]) -> None:
        self._buses = buses
        self._got: list[Collector[Message]] = []
        self._incidents = IncidentLog()

    async def listen(self) -> None:
        for role, subject in (
            ("executor", "ingenium.portfolio.>"),
            # A consumer that pushes looks for exactly this subscription.
            ("executor", ORDER),
            ("portfolio", EXECUTION),
            ("portfolio", "ingenium.control.>"),
            (OPERATOR, "ingenium.>"),
        ):
            self._got.append(Collector())
            await self._buses[role].subscribe(subject, self._got[-1])
            self._buses[role].on_incident(self._incidents)

    async def seen(self) -> set[str]:
        """Return the subjects that they saw, and what the stream holds, once all is delivered."""
        # Whatever the attack has caused is ahead of this in each of the queues.
        await self._buses["portfolio"].publish("ingenium.portfolio.last", b"")
        ends = (self._got[0], self._got[-1])
        await wait_until(
            lambda: all(any(m.subject.endswith(".last") for m in got.items) for got in ends)
        )
        found = {message.subject for got in self._got for message in got.items}
        # What came with a foreign subject is refused by the connection itself, and would show here.
        found |= {f"redirected {each.subject}" for each in self._incidents.items}
        stream = NatsStream(self._buses[OPERATOR], MONEY_STREAM.name)
        found |= {record.message.subject for record in await kept_by(stream)}
        return found - {"ingenium.portfolio.last"}


@pytest.fixture
async def victims(buses: dict[str, NatsBus]) -> Victims:
    victims = Victims(buses)
    await victims.listen()
    return victims


async def raw(bus: NatsBus, subject: str, payload: bytes, reply: str = "", **headers: str) -> None:
    """Publish as any NATS client may."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} or None
    await bus.client.publish(subject, payload, reply, headers=named)
    await bus.client.flush()


async def poisoned(buses: dict[str, NatsBus]) -> None:
    """Let an accomplice put a forged order, as data, into the stream that strategies may read."""
    await raw(buses["ingestor"], PRICE, FORGED)
    async with asyncio.timeout(5):
        while not (await NatsStream(buses["strategy"], DATA_STREAM.name).state()).last:
            await asyncio.sleep(0.01)


READS = {
    "direct get": ("$JS.API.DIRECT.GET.INGENIUM_DATA", b'{"seq":1}'),
    "last of a subject": (f"$JS.API.DIRECT.GET.INGENIUM_DATA.{PRICE}", b""),
    "message get": ("$JS.API.STREAM.MSG.GET.INGENIUM_DATA", b'{"seq":1}'),
    "account info": ("$JS.API.INFO", b""),
    "stream info": ("$JS.API.STREAM.INFO.INGENIUM_DATA", b""),
}


@pytest.mark.parametrize("what", READS)
@pytest.mark.parametrize("target", [ORDER, EXECUTION, "ingenium.control.halt"])
async def test_answer_sent_onto_a_subject_of_money_never_arrives(
    buses: dict[str, NatsBus], victims: Victims, what: str, target: str
) -> None:
    await poisoned(buses)
    subject, payload = READS[what]
    for role in ("strategy", "ingestor", READER):
        await raw(buses[role], subject, payload, target)
    assert await victims.seen() == {PRICE}


async def test_the_same_answer_arrives_where_permissions_are_all_there_is(
    make_server: Callable[[str], Any], tmp_path: Path
) -> None:
    # So the tests here would notice an account that is none.
    server = make_server(
        f'''
        jetstream {{
          store_dir: "{tmp_path / "store"}"
        }}
        authorization {{
          users = [
            {{ user: "strategy", password: "p", permissions: {{
                publish: ["$JS.API.>", "ingenium.ingestor.data.>"], subscribe: ["_INBOX.>"] }} }}
            {{ user: "executor", password: "p" }}
          ]
        }}
        '''
    )
    strategy = await NatsBus.connect(f"nats://strategy:p@{server.address}")
    executor = await NatsBus.connect(f"nats://executor:p@{server.address}")
    got: Collector[Message] = Collector()
    await executor.subscribe(ORDER, got)
    await open_stream(strategy, DATA_STREAM)
    await raw(strategy, PRICE, FORGED)
    await raw(strategy, "$JS.API.DIRECT.GET.INGENIUM_DATA", b'{"seq":1}', ORDER)
    [message] = await got.wait(1)
    assert (message.subject, message.payload) == (ORDER, FORGED)
    await strategy.close()
    await executor.close()


async def test_pulled_message_sent_onto_orders_never_arrives(
    buses: dict[str, NatsBus], victims: Victims
) -> None:
    await poisoned(buses)
    strategy = buses["strategy"]
    request = {
        "stream_name": "INGENIUM_DATA",
        "config": {"durable_name": "d", "ack_policy": "none"},
    }
    made = await strategy.client.request(
        "$JS.API.CONSUMER.DURABLE.CREATE.INGENIUM_DATA.d", json.dumps(request).encode()
    )
    assert b'"error"' not in made.data
    await raw(strategy, "$JS.API.CONSUMER.MSG.NEXT.INGENIUM_DATA.d", b"1", ORDER)
    assert await victims.seen() == {PRICE}


@pytest.mark.parametrize("target", [ORDER, EXECUTION, "ingenium.deadletter.pf"])
async def test_push_consumer_that_delivers_onto_orders_reaches_nobody(
    buses: dict[str, NatsBus], victims: Victims, target: str
) -> None:
    await poisoned(buses)
    request = {
        "stream_name": "INGENIUM_DATA",
        "config": {"deliver_subject": target, "ack_policy": "none", "deliver_policy": "all"},
    }
    made = await buses["strategy"].client.request(
        "$JS.API.CONSUMER.CREATE.INGENIUM_DATA", json.dumps(request).encode()
    )
    assert b'"error"' not in made.data
    assert await victims.seen() == {PRICE}


async def test_stream_that_republishes_onto_orders_reaches_nobody(
    buses: dict[str, NatsBus], victims: Victims
) -> None:
    config = {
        "name": "OWN",
        "subjects": [PRICE],
        "storage": "memory",
        "max_bytes": 1000,
        "republish": {"src": PRICE, "dest": ORDER},
    }
    strategy = buses["strategy"]
    # A stream of its own is refused; the one of market data it could make where there is none yet.
    await raw(strategy, "$JS.API.STREAM.CREATE.OWN", json.dumps(config).encode())
    assert "STREAM.CREATE.OWN" in strategy.refused("$JS.")
    config["name"] = DATA_STREAM.name
    made = await strategy.client.request(
        f"$JS.API.STREAM.CREATE.{DATA_STREAM.name}", json.dumps(config).encode()
    )
    assert b'"error"' in made.data
    await raw(buses["ingestor"], PRICE, FORGED)
    assert await victims.seen() == {PRICE}


@pytest.mark.parametrize("role", ["ingestor", "strategy", READER])
@pytest.mark.parametrize("subject", [ORDER, EXECUTION, "ingenium.control.resume"])
async def test_plain_forgery_is_refused(
    buses: dict[str, NatsBus], victims: Victims, role: str, subject: str
) -> None:
    await buses[role].publish(subject, FORGED)
    with pytest.raises(BusPermissionError, match=f"forbids publishing to '{subject}'"):
        await buses[role].flush()
    assert await victims.seen() == set()


async def test_signal_forged_by_a_data_source_is_refused(
    buses: dict[str, NatsBus], victims: Victims
) -> None:
    await buses["ingestor"].publish(SIGNAL, FORGED)
    with pytest.raises(BusPermissionError, match="forbids publishing"):
        await buses["ingestor"].flush()
    # An answer could reach the subject within the account of data, and does not cross.
    await raw(buses["ingestor"], "$JS.API.INFO", b"", SIGNAL)
    assert await victims.seen() == set()


async def test_acknowledgement_of_data_sent_onto_orders_or_signals_never_arrives(
    buses: dict[str, NatsBus], victims: Victims
) -> None:
    for target in (ORDER, EXECUTION, SIGNAL):
        await raw(buses["ingestor"], PRICE, FORGED, target)
        await raw(buses["ingestor"], PRICE, FORGED, target, Nats_Expected_Stream="NONE")
        await raw(buses["strategy"], SIGNAL, b"{}", target)
    assert await victims.seen() == {PRICE, SIGNAL}


@pytest.mark.parametrize(
    "headers",
    [
        {"Nats_Trace_Dest": ORDER},
        {"Nats_Trace_Dest": ORDER, "Nats_Trace_Only": "true"},
        {"Nats_Rollup": "all"},
        {"Nats_TTL": "1s"},
        {"Nats_Schedule": "@every 1s", "Nats_Schedule_Target": ORDER},
    ],
)
async def test_headers_that_a_server_obeys_lead_nowhere(
    buses: dict[str, NatsBus], victims: Victims, headers: dict[str, str]
) -> None:
    order = await NatsStream(buses["portfolio"], MONEY_STREAM.name).append(ORDER, b"{}")
    await raw(buses["ingestor"], PRICE, b"{}", **headers)
    await raw(buses["strategy"], SIGNAL, b"{}", **headers)
    seen = await victims.seen()
    assert seen <= {PRICE, SIGNAL, ORDER}
    stream = NatsStream(buses[OPERATOR], MONEY_STREAM.name)
    orders = [record for record in await kept_by(stream) if record.message.subject == ORDER]
    assert [record.sequence for record in orders] == [order.sequence]


async def test_id_of_an_order_that_was_used_for_a_signal_is_found_out(
    buses: dict[str, NatsBus],
) -> None:
    # An order's id is a function of the signal, so who sends the signal can work it out. The
    # stream would acknowledge the order as one that it has.
    await raw(buses["strategy"], SIGNAL, b"{}", Nats_Msg_Id="order_1")
    stream = NatsStream(buses["portfolio"], MONEY_STREAM.name)
    with pytest.raises(StreamError, match="its id 'order_1' is that of message 1 on"):
        await stream.append(ORDER, FORGED, {MESSAGE_ID: "order_1"})
    # What was really sent before is acknowledged as a duplicate.
    first = await stream.append(ORDER, FORGED, {MESSAGE_ID: "order_2"})
    again = await stream.append(ORDER, FORGED, {MESSAGE_ID: "order_2"})
    assert (again.sequence, again.duplicate) == (first.sequence, True)


async def test_strategy_cannot_make_a_stream_that_swallows_its_acknowledgements(
    buses: dict[str, NatsBus],
) -> None:
    with pytest.raises(BusPermissionError, match="forbids making stream INGENIUM"):
        await open_stream(buses["strategy"], MONEY_STREAM)


async def test_strategy_cannot_fill_the_disk_or_the_memory(server: EmbeddedServer) -> None:
    # Where there is no stream of market data yet, it may make that one, within its limits.
    strategy = await NatsBus.connect(server.url_for("strategy", "rsi"))
    with pytest.raises(StreamError, match="insufficient storage"):
        await open_stream(strategy, replace(DATA_STREAM, in_files=True))
    with pytest.raises(StreamError, match="insufficient memory"):
        await open_stream(strategy, replace(DATA_STREAM, max_bytes=2**28 * 16 + 32))
    await strategy.close()


async def test_redirected_message_is_refused_by_who_receives_it(
    buses: dict[str, NatsBus],
) -> None:
    # Within the account of money nothing stops the redirection; the subject still tells.
    executor, portfolio = buses["executor"], buses["portfolio"]
    got: Collector[Message] = Collector()
    incidents = IncidentLog()
    executor.on_incident(incidents)
    await executor.subscribe(ORDER, got)
    await poisoned(buses)
    request = {
        "stream_name": "INGENIUM_DATA",
        "config": {"deliver_subject": ORDER, "ack_policy": "none", "deliver_policy": "all"},
    }
    made = await portfolio.client.request(
        "$JS.API.CONSUMER.CREATE.INGENIUM_DATA", json.dumps(request).encode()
    )
    assert b'"error"' not in made.data, made.data
    [incident] = await incidents.wait_for(IncidentKind.UNDECODABLE)
    assert f"a message of '{PRICE}' was redirected to subscribers of" in incident.detail
    assert got.items == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_web_page_cannot_smuggle_orders_in_a_request(
    server: EmbeddedServer, buses: dict[str, NatsBus], victims: Victims, method: str
) -> None:
    url = server.safe_url.replace("nats://", "http://")
    connect = json.dumps({"user": "x", "pass": "y", "verbose": False, "pedantic": False})
    body = f"CONNECT {connect}\r\nPUB {ORDER} {len(FORGED)}\r\n".encode() + FORGED + b"\r\n"
    request = urllib.request.Request(url, data=body, method=method)
    with pytest.raises((http.client.HTTPException, OSError)):
        await asyncio.to_thread(urllib.request.urlopen, request, timeout=5)
    assert await victims.seen() == set()


async def test_signal_under_an_id_that_was_used_is_found_out_by_its_bytes(
    buses: dict[str, NatsBus],
) -> None:
    # Those who read the stream compare what it has kept.
    stream = NatsStream(buses["portfolio"], MONEY_STREAM.name)
    await stream.append(ORDER, b'{"Id":"order_1","Quantity":"1"}', {MESSAGE_ID: "order_1"})
    conflict = r"its id 'order_1' is that of message 1 on .*, whose content differs"
    with pytest.raises(StreamError, match=conflict):
        await stream.append(ORDER, b'{"Id":"order_1","Quantity":"9"}', {MESSAGE_ID: "order_1"})
    assert len(await kept_by(stream)) == 1


async def turning(
    bus: NatsBus, store: Path, stream: NatsStream, payloads: list[bytes]
) -> DurableRunner:
    """Start a strategy on its stream that sends a signal for each bar."""
    component = Turns(name="rsi")
    kept = Store.open(store, owner="test")
    secret = await id_secret(bus, kept)
    member = DurableRunner(bus, stream, component, kept, secret=secret)
    await member.start()
    for payload in payloads:
        await member._on_data(Message(PRICE, payload))
    return member


class Turns(Strategy):
    """Goes long on each bar."""

    def on_data(self, event: DataEvent) -> None:
        self.send_signal(event.symbol, Signal.LONG)


def bar_of(day: int) -> bytes:
    ohlc = Ohlc(open="1", high="1", low="1", close="1", volume="1", period="1s")
    when = f"2026-01-{day:02}T00:00:00Z"
    event = DataEvent(id=f"data_{day}", type=OHLC, symbol="AAPL", timestamp=when, ohlc=ohlc)
    return encode(event)


OHLC = "data.type.ohlc"


async def test_hostile_strategy_does_not_silence_another_one_whose_ids_it_works_out(
    server: EmbeddedServer, buses: dict[str, NatsBus], tmp_path: Path
) -> None:
    rsi = await NatsBus.connect(server.url_for("strategy", "rsi"))
    # All that is public goes into it: the name, the bar's id, and a count.
    guess = make_id("signal", "rsi", "data_1", "0")
    forged = encode(SignalEvent(id=guess, symbol="AAPL", signal=Signal.SHORT))
    await raw(buses["strategy"], SIGNAL, forged, Nats_Msg_Id=guess)
    stream = NatsStream(rsi, MONEY_STREAM.name)
    ids = []
    for life, day in enumerate((1, 2)):
        member = await turning(rsi, tmp_path / "rsi.db", stream, [bar_of(day)])
        signals: list[Record] = []
        async with asyncio.timeout(10):
            while len(signals) < life + 2:
                await asyncio.sleep(0.01)
                signals = await kept_by(NatsStream(buses[OPERATOR], MONEY_STREAM.name))
        await member.stop()
        ids = [decode(SignalEvent, record.message.payload).id for record in signals]
    assert [decode(SignalEvent, r.message.payload).signal for r in signals] == [
        Signal.SHORT,
        Signal.LONG,
        Signal.LONG,
    ]
    assert len(set(ids)) == 3
    assert ids[0] == guess
    # The secret is in the file, so the ids after a restart are those of the first life.
    store = Store.open(tmp_path / "rsi.db", owner="test")
    secret = await id_secret(rsi, store)
    store.close()
    assert ids[1:] == [make_id("signal", "rsi", f"data_{day}", "0", secret) for day in (1, 2)]
    headers = [record.message.headers[MESSAGE_ID] for record in signals]
    assert headers[1].startswith(f"{ids[1]}.")
    await rsi.close()


async def test_ids_are_plain_on_a_server_without_accounts(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        bus = await NatsBus.connect(server.url)
        store = Store.open(tmp_path / "rsi.db", owner="test")
        assert await id_secret(bus, store) == ""
        store.close()
        await bus.close()
