"""Typed publish and subscribe, on both buses."""

import asyncio
import gc
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import ingenium
from ingenium import (
    BusClosedError,
    ConfigError,
    ContentType,
    DataEvent,
    DeadLetterEvent,
    ExecutionEvent,
    OrderEvent,
    Signal,
    SignalEvent,
    SubjectError,
    encode,
    encode_binary,
)
from ingenium._gen.ingenium.v1 import LockstepGrant
from ingenium.bus import IncidentKind, Message, NatsOptions
from ingenium.bus.headers import RawHeaders
from ingenium.clock import ManualClock
from ingenium.errors import EncodeError
from ingenium.events import DeadLetterReason
from ingenium.subjects.names import data_subject
from ingenium.testing import (
    Collector,
    IncidentLog,
    data_event,
    execution_event,
    order_event,
    signal_event,
    wait_until,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(params=["memory", "nats"])
def url(request):
    return "memory:" if request.param == "memory" else request.getfixturevalue("nats_server").url


@pytest.fixture(params=["application/json", "application/protobuf"])
def content_type(request):
    return request.param


@pytest.fixture
async def bus(url, content_type):
    bus = await ingenium.connect(
        url, name="test", clock=ManualClock(NOW), content_type=content_type
    )
    yield bus
    await bus.close()


@pytest.mark.parametrize("make", [data_event, signal_event, order_event, execution_event])
async def test_event_arrives_equal_with_id_and_headers(bus, content_type, make):
    event = make()
    subscription = await bus.subscribe(type(event))
    raw = Collector()
    await bus.bus.subscribe("ingenium.>", raw)
    await bus.publish(event)
    assert await anext(subscription) == event
    (message,) = await raw.wait(1)
    assert dict(message.headers) == {
        "Ingenium-Source": "test",
        "Content-Type": content_type,
        "Nats-Msg-Id": event.id,
    }
    write = encode if content_type == "application/json" else encode_binary
    assert message.payload == write(event)


@pytest.mark.parametrize(
    ("event", "prefix"),
    [
        (DataEvent(symbol="A"), "data_"),
        (SignalEvent(symbol="A"), "signal_"),
        (OrderEvent(symbol="A"), "order_"),
        (ExecutionEvent(order_id="order_1"), "exec_"),
    ],
)
async def test_empty_id_and_timestamp_are_filled(bus, event, prefix):
    await bus.publish(event)
    assert event.id.startswith(prefix)
    assert len(event.id) == len(prefix) + 27
    assert event.id.removeprefix(prefix).isalnum()
    expected = "2024-05-06T07:08:09Z" if prefix == "data_" else NOW
    assert event.timestamp == expected
    before = event.id
    await bus.publish(event)
    assert event.id == before


async def test_async_for_subscribes_at_its_first_step(bus):
    async def take(count):
        seen = []
        async for event in bus.subscribe(DataEvent, symbol="AAPL"):
            seen.append(event.ohlc.close)
            if len(seen) == count:
                break
        return seen

    task = asyncio.create_task(take(3))
    await asyncio.sleep(0)
    await bus.flush()
    numbers = iter(range(100_000))
    while not task.done():
        await bus.publish(data_event("AAPL", str(Decimal(next(numbers)))))
        await bus.flush()
    first, second, third = map(int, await task)
    assert (second, third) == (first + 1, first + 2)


async def test_symbol_filter_is_exact_in_case(bus):
    exact = await bus.subscribe(DataEvent, symbol="BRKb")
    every, dotted = Collector(), Collector()
    await bus.subscribe(DataEvent, handler=every)
    await bus.subscribe(DataEvent, symbol="BRK.B", handler=dotted)
    for symbol in ("BRKB", "brkb", "BRK.B", "AAPL", "BRKb"):
        await bus.publish(data_event(symbol))
    assert (await anext(exact)).symbol == "BRKb"
    await every.wait(5)
    assert [event.symbol for event in await dotted.wait(1)] == ["BRK.B"]


async def test_symbol_of_a_sender_without_a_name_goes_by_its_subject(bus):
    """As with the original library, which sends no header and knows only subjects."""
    got = await bus.subscribe(DataEvent, symbol="BRKb")
    for symbol in ("BRKB", "AAPL", "brkb"):
        await bus.bus.publish(data_subject(symbol), encode(data_event(symbol)))
    assert [(await anext(got)).symbol for _ in range(2)] == ["BRKB", "brkb"]


@pytest.mark.parametrize(
    ("symbol", "other"),
    [("BRK B", "BRK%20B"), ("ES Z4", "ESZ4"), ("A%20B", "A B"), ("A  B", "A B"), ("50% X", "50%X")],
)
async def test_symbol_that_no_subject_holds_arrives_as_it_was_sent(bus, symbol, other):
    got, others, every = Collector(), Collector(), Collector()
    await bus.subscribe(DataEvent, symbol=symbol, handler=got)
    await bus.subscribe(DataEvent, symbol=other, handler=others)
    await bus.subscribe(DataEvent, handler=every)
    for name in (symbol, other, symbol.lower(), symbol):
        await bus.publish(data_event(name))
    assert [e.symbol for e in await every.wait(4)] == [symbol, other, symbol.lower(), symbol]
    assert [e.symbol for e in await got.wait(2)] == [symbol, symbol]
    assert [e.symbol for e in await others.wait(1)] == [other]


async def test_symbol_filter_holds_for_types_that_share_a_subject(bus):
    got = await bus.subscribe(SignalEvent, symbol="MSFT")
    for symbol in ("AAPL", "msft", "MSFT"):
        await bus.publish(signal_event(symbol))
    assert (await anext(got)).symbol == "MSFT"


async def test_async_handler_gets_events_in_order(bus):
    seen = []

    async def handler(event):
        await asyncio.sleep(0)
        seen.append(int(event.ohlc.close))

    await bus.subscribe(DataEvent, handler=handler)
    for number in range(200):
        await bus.publish(data_event("AAPL", str(number)))
    await wait_until(lambda: len(seen) == 200)
    assert seen == list(range(200))


async def test_garbage_becomes_incident_and_dead_letter_and_the_rest_arrives(bus):
    got, log = Collector(), IncidentLog()
    bus.on_incident(log)
    letters = await bus.subscribe(DeadLetterEvent)
    await bus.subscribe(DataEvent, handler=got)
    garbage = [b"", b"{", b"[]", b'{"Symbol": 5}', b"\xff\xfe", b'{"Ohlc": "x"}']
    for payload in garbage:
        await bus.bus.publish("ingenium.ingestor.data.aapl", payload)
    await bus.publish(data_event("AAPL"))
    await got.wait(1)
    incidents = await log.wait_for(IncidentKind.UNDECODABLE, len(garbage))
    assert all(item.subject == "ingenium.ingestor.data.aapl" for item in incidents)
    assert all(item.detail.startswith("cannot decode DataEvent") for item in incidents)
    for payload in garbage:
        letter = await asyncio.wait_for(anext(letters), 5)
        assert letter.reason == DeadLetterReason.UNDECODABLE
        assert letter.data == payload
        assert letter.component == "test"
        assert letter.timestamp == NOW


async def test_garbage_among_dead_letters_makes_no_further_ones(bus):
    log, raw = IncidentLog(), Collector()
    bus.on_incident(log)
    await bus.subscribe(DeadLetterEvent, handler=Collector())
    await bus.bus.subscribe("ingenium.deadletter.>", raw)
    await bus.bus.publish("ingenium.deadletter.x", b"garbage")
    await log.wait_for(IncidentKind.UNDECODABLE)
    await bus.flush()
    await bus.bus.publish("ingenium.deadletter.x", b"{}")
    await raw.wait(2)
    assert [message.payload for message in raw.items] == [b"garbage", b"{}"]


async def test_typed_handler_that_raises_goes_on(bus):
    log, seen = IncidentLog(), []
    bus.on_incident(log)

    def handler(event):
        seen.append(event.symbol)
        if event.symbol == "BAD":
            raise KeyError("BAD")

    await bus.subscribe(SignalEvent, handler=handler)
    for symbol in ("A", "BAD", "B"):
        await bus.publish(signal_event(symbol))
    await wait_until(lambda: len(seen) == 3)
    assert "KeyError" in (await log.wait_for(IncidentKind.HANDLER_ERROR))[0].detail


async def test_own_message_type_travels_with_a_subject(bus):
    subscription = await bus.subscribe(LockstepGrant, subject="my.grants.>")
    grant = LockstepGrant()
    await bus.publish(grant, subject="my.grants.one")
    assert await anext(subscription) == grant
    with pytest.raises(SubjectError, match="LockstepGrant has no subject of its own"):
        await bus.publish(grant)
    with pytest.raises(SubjectError, match="LockstepGrant has no subject of its own"):
        bus.subscribe(LockstepGrant)


@pytest.mark.parametrize("symbol", ["", "A*", ">", " A", "A\tB", ".A", "A..B", "A\r\nPUB x 0"])
async def test_bad_symbol_is_refused_before_sending(bus, symbol):
    with pytest.raises(SubjectError):
        await bus.publish(data_event(symbol))
    with pytest.raises(SubjectError):
        bus.subscribe(DataEvent, symbol=symbol)


async def test_event_that_cannot_be_written_is_refused(bus):
    with pytest.raises(EncodeError, match=r"OrderEvent\.LimitPrice"):
        await bus.publish(order_event(limit_price=12.5))


async def test_queue_group_shares_the_events(bus):
    one, two = Collector(), Collector()
    await bus.subscribe(OrderEvent, handler=one, queue_group="desk")
    await bus.subscribe(OrderEvent, handler=two, queue_group="desk")
    for number in range(100):
        await bus.publish(order_event(id=f"order_{number}"))
    await wait_until(lambda: len(one.items) + len(two.items) >= 100)
    await bus.flush()
    ids = [event.id for event in (*one.items, *two.items)]
    assert sorted(ids) == sorted(f"order_{number}" for number in range(100)), "each came once"
    assert one.items, "the second had all"
    assert two.items, "the first had all"


async def test_iteration_without_a_reader_does_not_hold_the_bus_up(bus):
    slow = await bus.subscribe(DataEvent)
    fast = Collector()
    await bus.subscribe(DataEvent, handler=fast)
    for number in range(3000):
        await bus.publish(data_event("AAPL", str(number)))
    await fast.wait(3000)
    async with asyncio.timeout(3):
        await bus.drain()
    seen = [int(event.ohlc.close) async for event in slow]
    assert seen == list(range(3000))


async def test_stopped_subscription_gives_what_is_here_and_ends(bus):
    async with bus.subscribe(DataEvent) as subscription:
        await bus.publish(data_event("AAPL"))
        await bus.flush()
    assert [event.symbol async for event in subscription] == ["AAPL"]
    await subscription.stop()


async def test_closed_bus_ends_the_iteration(bus):
    subscription = await bus.subscribe(DataEvent)
    waiting = asyncio.create_task(anext(subscription, None))
    await asyncio.sleep(0)
    await bus.close()
    assert await asyncio.wait_for(waiting, 3) is None
    with pytest.raises(BusClosedError):
        await bus.publish(data_event())


async def test_leaving_the_connection_drains_and_an_exception_closes_at_once():
    seen = []

    async def handler(event):
        await asyncio.sleep(0)
        seen.append(event)

    async with ingenium.connect("memory:") as bus:
        await bus.subscribe(SignalEvent, handler=handler)
        for _ in range(10):
            await bus.publish(SignalEvent(symbol="A", signal=Signal.LONG))
    assert len(seen) == 10
    with pytest.raises(RuntimeError, match="on purpose"):
        async with ingenium.connect("memory:") as bus:
            raise RuntimeError("on purpose")
    with pytest.raises(BusClosedError):
        await bus.flush()


async def test_forgotten_await_of_a_handler_subscription_is_warned_about(bus):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bus.subscribe(DataEvent, handler=Collector())
        gc.collect()
    (warning,) = [item for item in caught if item.category is RuntimeWarning]
    assert "never awaited" in str(warning.message)


async def test_iterating_a_subscription_with_a_handler_is_an_error(bus):
    subscription = await bus.subscribe(DataEvent, handler=Collector())
    with pytest.raises(TypeError, match="cannot be iterated over"):
        aiter(subscription)


SIGNALS = "ingenium.strategy.signal"


@pytest.mark.parametrize(
    ("headers", "write"),
    [
        ({"Content-Type": "application/protobuf"}, encode_binary),
        ({"Content-Type": "Application/Protobuf; v=3", "X-Other": "x"}, encode_binary),
        ({"Content-Type": "application/json"}, encode),
        ({"Content-Type": "application/json; charset=utf-8"}, encode),
        ({"X-Other": "Content-Type: application/protobuf"}, encode),
        ({"Content-Type": ""}, encode),
        ({}, encode),
    ],
)
async def test_each_message_is_read_in_the_form_that_it_says_it_has(bus, headers, write):
    subscription = await bus.subscribe(SignalEvent)
    event = signal_event("AAPL")
    await bus.bus.publish(SIGNALS, write(event), headers)
    assert await asyncio.wait_for(anext(subscription), 5) == event


@pytest.mark.parametrize(
    ("payload", "content_type_", "problem"),
    [
        (b"\x0a\x05AA", "application/protobuf", "4 bytes are not a binary"),
        (b"{}", "application/protobuf", "looks like JSON"),
        (b"<signal/>", "text/xml", "is 'text/xml': send application/json or application/protobuf"),
        (encode_binary(signal_event("A")), None, "Content-Type: application/protobuf"),
    ],
)
async def test_what_is_not_of_its_form_is_a_dead_letter_with_its_bytes_and_header(
    bus, payload, content_type_, problem
):
    got, log = Collector(), IncidentLog()
    bus.on_incident(log)
    letters = await bus.subscribe(DeadLetterEvent)
    await bus.subscribe(SignalEvent, handler=got)
    headers = {} if content_type_ is None else {"Content-Type": content_type_}
    await bus.bus.publish(SIGNALS, payload, headers)
    await bus.publish(signal_event("A"))
    letter = await asyncio.wait_for(anext(letters), 5)
    assert letter.reason == DeadLetterReason.UNDECODABLE
    assert (letter.data, letter.content_type) == (payload, content_type_)
    assert "cannot decode SignalEvent" in letter.error
    assert problem in letter.error
    await got.wait(1)
    assert len(log.of(IncidentKind.UNDECODABLE)) == 1


async def test_message_with_two_content_types_is_refused(bus):
    got, log = Collector(), IncidentLog()
    bus.on_incident(log)
    await bus.subscribe(SignalEvent, handler=got)
    block = (
        b"NATS/1.0\r\nContent-Type: application/json\r\nContent-Type: application/protobuf\r\n\r\n"
    )
    await bus.bus.publish(SIGNALS, b"{}", RawHeaders(block))
    (incident,) = await log.wait_for(IncidentKind.UNDECODABLE)
    assert "the header Content-Type is there twice" in incident.detail
    assert got.items == []


async def test_content_type_comes_from_argument_options_or_environment(url, monkeypatch):
    async def used(**arguments):
        async with ingenium.connect(url, **arguments) as bus:
            return bus.bus.content_type

    options = NatsOptions(content_type=ContentType.PROTOBUF)
    assert await used() is ContentType.JSON
    assert await used(options=options) is ContentType.PROTOBUF
    assert await used(options=options, content_type="application/json") is ContentType.JSON
    monkeypatch.setenv("INGENIUM_CONTENT_TYPE", "application/protobuf")
    assert await used() is ContentType.PROTOBUF
    assert await used(content_type=ContentType.JSON) is ContentType.JSON
    monkeypatch.setenv("INGENIUM_CONTENT_TYPE", "protobuf")
    for wrong in ({}, {"content_type": "protobuf"}):
        with pytest.raises(ConfigError, match="'protobuf' is unknown: use application/json or app"):
            await used(**wrong)


async def test_headers_of_a_foreign_client_are_not_needed(bus):
    got = Collector[Message]()
    await bus.bus.subscribe("ingenium.strategy.signal", got)
    subscription = await bus.subscribe(SignalEvent)
    await bus.bus.publish(
        "ingenium.strategy.signal", b'{"Symbol":"AAPL","Signal":"ingenium.signal.long"}'
    )
    event = await anext(subscription)
    assert (event.symbol, event.signal, event.id) == ("AAPL", Signal.LONG, None)
