"""Commands come from an operator only, whatever components and readers try."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingenium.bus import NatsBus
from ingenium.bus.nats.service_requests import request_answer
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.roles import READER, RECORDER
from ingenium.deploy.local.command_listener import CommandListener
from ingenium.errors import BusPermissionError, ConfigError
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR, ROLES, Accounts
from ingenium.runtime.pause import Pause
from ingenium.subjects.names import command_subject, data_subject

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi", "sma"], "portfolio": ["pf"], "executor": ["ex"]},
)
NAMES = {
    "ingestor": "csv",
    "strategy": "rsi",
    "portfolio": "pf",
    "executor": "ex",
    RECORDER: "recorder",
}
COMMAND = b'{"Sender":"ann@trader-1"}'


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
async def buses(server: EmbeddedServer) -> AsyncIterator[dict[str, NatsBus]]:
    buses = {role: await NatsBus.connect(server.url_for(role), name=role) for role in ROLES}
    await open_stream(buses[OPERATOR], MONEY_STREAM)
    await open_stream(buses["strategy"], DATA_STREAM)
    yield buses
    for bus in buses.values():
        await bus.close()


class Target:
    """A component of a role, which takes commands."""

    def __init__(self, bus: NatsBus, name: str) -> None:
        self.pause = Pause()
        self.name = name
        self.listener = CommandListener(bus, "app", name, "life_1", self.pause)

    def subject(self, command: str) -> str:
        return command_subject("app", self.name, "life_1", command)

    @property
    def is_touched(self) -> bool:
        return self.pause.is_on or self.listener.stop_asked.is_set()


@pytest.fixture
async def targets(buses: dict[str, NatsBus]) -> list[Target]:
    targets = [Target(buses[role], name) for role, name in NAMES.items()]
    for target in targets:
        await target.listener.open()
    return targets


async def test_operator_commands_a_component_of_each_account(
    buses: dict[str, NatsBus], targets: list[Target]
) -> None:
    for target in targets:
        for command, paused in (("pause", True), ("resume", False), ("stop", False)):
            answer = json.loads(
                await request_answer(buses[OPERATOR], target.subject(command), COMMAND, target.name)
            )
            assert (answer["component"], answer["paused"]) == (target.name, paused)
        assert target.listener.stop_asked.is_set()


@pytest.mark.parametrize("role", [role for role in ROLES if role != OPERATOR])
async def test_server_refuses_a_command_of_any_other_role(
    buses: dict[str, NatsBus], targets: list[Target], role: str
) -> None:
    bus = buses[role]
    for target in targets:
        for command in ("pause", "stop"):
            await bus.publish(target.subject(command), COMMAND)
            with pytest.raises(BusPermissionError, match="forbids publishing"):
                await bus.flush()
    # A command of the operator's is behind all of these.
    for target in targets:
        await request_answer(buses[OPERATOR], target.subject("resume"), COMMAND, target.name)
    assert not any(target.is_touched for target in targets)


async def test_reader_takes_no_commands_in_the_name_of_the_recorder(
    buses: dict[str, NatsBus], targets: list[Target]
) -> None:
    recorder = next(target for target in targets if target.name == "recorder")
    service = "$SRV.STATS.recorder"
    for subject in (recorder.subject("pause"), service, "$SRV.PING"):
        with pytest.raises(BusPermissionError, match="forbids subscribing"):
            await buses[READER].subscribe(subject, lambda _message: None)
    # It is the recorder that answers, and no reader may send an answer in its place.
    answer = await request_answer(buses[OPERATOR], recorder.subject("pause"), COMMAND, "recorder")
    assert json.loads(answer)["paused"] is True
    await buses[READER].publish("_R_.answer", b"{}")
    with pytest.raises(BusPermissionError, match="forbids publishing"):
        await buses[READER].flush()


async def test_strategy_cannot_have_the_server_send_a_command_to_another(
    buses: dict[str, NatsBus], targets: list[Target]
) -> None:
    # An accomplice puts the command, as data, into the stream that strategies may read.
    strategy = buses["strategy"]
    await buses["ingestor"].publish(data_subject("AAPL"), COMMAND)
    stream = NatsStream(strategy, DATA_STREAM.name)
    async with asyncio.timeout(5):
        while not (await stream.state()).last:
            await asyncio.sleep(0.01)
    victim = next(target for target in targets if target.name == "rsi")
    stop = victim.subject("stop")
    name = DATA_STREAM.name
    consumer = {
        "stream_name": name,
        "config": {"deliver_subject": stop, "ack_policy": "none", "name": "c"},
    }
    attacks = (
        (f"$JS.API.DIRECT.GET.{name}", b'{"seq":1}', stop),
        (f"$JS.API.STREAM.MSG.GET.{name}", b'{"seq":1}', stop),
        ("$JS.API.INFO", b"", stop),
        ("ingenium.strategy.signal", b"{}", stop),
        (f"$JS.API.CONSUMER.CREATE.{name}.c", json.dumps(consumer).encode(), ""),
    )
    for subject, payload, reply in attacks:
        await strategy.client.publish(subject, payload, reply)
        await strategy.client.flush()
    state = json.loads((await strategy.client.request(f"$JS.API.CONSUMER.INFO.{name}.c", b"")).data)
    assert state["config"]["deliver_subject"] == stop
    await request_answer(buses[OPERATOR], victim.subject("resume"), COMMAND, "rsi")
    assert not victim.is_touched


async def test_command_that_cannot_be_read_is_refused_with_the_reason(
    buses: dict[str, NatsBus], targets: list[Target]
) -> None:
    target = targets[0]
    for command, payload, why in (
        ("pause", b"", "truncated"),
        ("pause", b'{"Sender":"a","Type":"x"}', "unknown field"),
        ("log-level", b'{"Sender":"a","Level":"loud"}', "no level 'loud': use one of debug"),
        ("explode", COMMAND, "no command 'explode': use one of pause"),
    ):
        with pytest.raises(ConfigError, match=why):
            await request_answer(buses[OPERATOR], target.subject(command), payload, "csv")
    assert not target.is_touched
