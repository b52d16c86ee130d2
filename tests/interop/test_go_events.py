"""All four kinds of events, both ways, between Python and Go over a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ingenium
from ingenium import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    StopLoss,
    decode_binary,
    encode,
    encode_binary,
)
from ingenium.bus import Message
from ingenium.events import Event
from ingenium.nats_server import EmbeddedServer

LIMIT_SECONDS = 20
FORMS = ["documented", "later", "protojson", "binary"]
ZERO = "0001-01-01T00:00:00Z"
AT = datetime(2024, 1, 3, 14, 30, 0, 123456, tzinfo=UTC)
AT_TEXT = "2024-01-03T14:30:00.123456Z"

FULL: dict[str, Event] = {
    "data": DataEvent(
        id="data_000000000000000000000000001",
        type="data.type.ohlc",
        symbol="BRK.B",
        timestamp=AT_TEXT,
        ohlc=Ohlc(
            open="0.00001",
            high="362.5",
            low="0.00001",
            close="361.99",
            volume="12345678",
            period="5m",
            timestamp=AT,
        ),
    ),
    "signal": SignalEvent(
        id="signal_00000000000000000000000000",
        timestamp=AT,
        symbol="Ünïcode<&",
        signal="ingenium.signal.long",
        strength="0.25",
    ),
    "order": OrderEvent(
        id="order_0000000000000000000000000001",
        timestamp=AT,
        symbol="AAPL",
        side="sell",
        quantity="10",
        type="limit",
        time_in_force="gtc",
        extended_hours=True,
        limit_price="185.25",
        take_profit="200",
        trail_percent="2.5",
        stop_loss=StopLoss(limit_price="169.5", stop_price="170"),
    ),
    "execution": ExecutionEvent(
        id="exec_00000000000000000000000000001",
        timestamp=AT,
        order_id="order_0000000000000000000000000001",
        quantity="4",
        symbol="AAPL",
        execution_timestamp=AT,
        price="185.3",
        update="partial_fill",
        side="sell",
        commission="0.05",
        leaves_quantity="6",
        reason="half of it",
    ),
}

# What each form knows beside the documented fields.
LATER_FIELDS: dict[str, set[str]] = {
    "data": {"Id"},
    "signal": {"Id", "Timestamp"},
    "order": set(),
    "execution": {"ExecutionTimestamp", "Price", "Update"},
}
OURS: dict[str, set[str]] = {
    "data": set(),
    "signal": {"Strength"},
    "order": set(),
    "execution": {"Side", "Commission", "LeavesQuantity", "Reason"},
}


def _json(event: Event) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(encode(event))
    return answer


def _known_to(form: str, kind: str) -> dict[str, Any]:
    """Return the full event as a form that may know less of it holds it."""
    left_out = {
        "protojson": set(),
        "binary": set(),
        "later": OURS[kind],
        "documented": OURS[kind] | LATER_FIELDS[kind],
    }[form]
    event = {key: value for key, value in _json(FULL[kind]).items() if key not in left_out}
    if kind == "data" and form == "documented":
        event["Ohlc"] = {
            key: value for key, value in event["Ohlc"].items() if key not in {"Period", "Timestamp"}
        }
    return event


class Peer:
    """The Go program, as it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), LIMIT_SECONDS)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def say(self, kind: str, event: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"Kind": kind, "Event": event}).encode() + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def _peer(program: Path, form: str, url: str) -> AsyncIterator[Peer]:
    process = await asyncio.create_subprocess_exec(
        str(program),
        form,
        env={"NATS_SERVER": url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = await asyncio.wait_for(process.stdout.readline(), LIMIT_SECONDS)
        assert ready == b"ready\n"
        yield Peer(process)
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), LIMIT_SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMS)
async def test_python_publishes_and_go_reads_every_field_that_it_knows(
    go_build: Any, nats_server: EmbeddedServer, form: str
) -> None:
    program = await asyncio.to_thread(go_build, "tests/interop/gopeer")
    async with (
        ingenium.connect(nats_server.url) as bus,
        _peer(program, form, nats_server.url) as go,
    ):
        for kind, event in FULL.items():
            await bus.publish(event)
            heard = await go.hear()
            assert heard["Kind"] == kind
            assert heard["Event"] == _known_to(form, kind)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", ["protojson", "binary"])
async def test_python_publishes_binary_and_go_reads_every_field(
    go_build: Any, nats_server: EmbeddedServer, form: str
) -> None:
    program = await asyncio.to_thread(go_build, "tests/interop/gopeer")
    async with (
        ingenium.connect(nats_server.url, content_type="application/protobuf") as bus,
        _peer(program, form, nats_server.url) as go,
    ):
        messages = await _listen(bus)
        for event in FULL.values():
            await bus.publish(event)
            assert (await go.hear())["Event"] == _json(event)
            assert (await messages.get()).payload == encode_binary(event)


@pytest.mark.timeout(300)
async def test_go_publishes_binary_whatever_the_reader_sends_itself(
    go_build: Any, nats_server: EmbeddedServer
) -> None:
    program = await asyncio.to_thread(go_build, "tests/interop/gopeer")
    async with (
        ingenium.connect(nats_server.url) as json_bus,
        ingenium.connect(nats_server.url, content_type="application/protobuf") as binary_bus,
        _peer(program, "binary", nats_server.url) as go,
    ):
        messages = await _listen(json_bus)
        for kind, event in FULL.items():
            subscriptions = [await bus.subscribe(type(event)) for bus in (json_bus, binary_bus)]
            await go.say(kind, _json(event))
            for subscription in subscriptions:
                assert await asyncio.wait_for(anext(subscription), LIMIT_SECONDS) == event
            message = await messages.get()
            assert message.headers["Content-Type"] == "application/protobuf"
            assert decode_binary(type(event), message.payload) == event
            for subscription in subscriptions:
                await subscription.stop()
            await go.hear()


async def _listen(bus: ingenium.EventBus) -> asyncio.Queue[Message]:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    await bus.bus.subscribe("ingenium.>", messages.put_nowait)
    return messages


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMS)
async def test_go_publishes_and_python_reads_every_field_of_its_form(
    go_build: Any, nats_server: EmbeddedServer, form: str
) -> None:
    program = await asyncio.to_thread(go_build, "tests/interop/gopeer")
    async with (
        ingenium.connect(nats_server.url) as bus,
        _peer(program, form, nats_server.url) as go,
    ):
        for kind, event in FULL.items():
            subscription = await bus.subscribe(type(event))
            known = _known_to(form, kind)
            await go.say(kind, known)
            got = await asyncio.wait_for(anext(aiter(subscription)), LIMIT_SECONDS)
            assert _json(got) == known
            await subscription.stop()
            assert (await go.hear())["Event"] == known


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", FORMS)
async def test_empty_events_of_go_are_read_in_python(
    go_build: Any, nats_server: EmbeddedServer, form: str
) -> None:
    program = await asyncio.to_thread(go_build, "tests/interop/gopeer")
    async with (
        ingenium.connect(nats_server.url) as bus,
        _peer(program, form, nats_server.url) as go,
    ):
        orders = await bus.subscribe(OrderEvent)
        executions = await bus.subscribe(ExecutionEvent)
        for kind in ("order", "execution"):
            await go.say(kind, {})
        order = await asyncio.wait_for(anext(aiter(orders)), LIMIT_SECONDS)
        execution = await asyncio.wait_for(anext(aiter(executions)), LIMIT_SECONDS)
        assert (order.id, order.timestamp, order.stop_loss) == ("", None, None)
        assert (execution.id, execution.timestamp) == ("", None)
        assert not execution.price
        for _ in range(2):
            heard = await go.hear()
            if form in {"documented", "later"}:
                assert heard["Event"]["Timestamp"] == ZERO
