"""Checks that a strategy in another language is a NATS micro service (ADR-32), with commands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ingenium import DataEvent, Ohlc, encode
from ingenium.bus import NatsBus
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.nats.service_requests import ask_services, request_answer
from ingenium.errors import ConfigError
from ingenium.operations.component_services import RunningComponent, read_services
from ingenium.subjects.space import SubjectSpace

__all__ = ["is_listed_as_service"]

LIMIT_SECONDS = 60
APP, NAME, PREFIX = "listed", "tested", "desk"
SUBJECT = "ingenium.ingestor.data.aapl"
COMMANDS = ("pause", "resume", "stop")
BARS = 3


async def _row(bus: NatsBus, handled: int) -> RunningComponent:
    """Return the strategy as an operator sees it, once it has handled so many messages."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            for row in await read_services(bus, APP):
                if row.handled >= handled:
                    return row


async def _answer(bus: NatsBus, verb: str, name: str = "") -> dict[str, Any]:
    [payload] = await ask_services(bus, verb, name)
    answer: dict[str, Any] = msgspec.json.decode(payload)
    return answer


def _bar(close: int) -> DataEvent:
    return DataEvent(
        id=f"data_{close}",
        type="data.type.ohlc",
        symbol="AAPL",
        timestamp=f"2024-01-03T14:3{close}:00Z",
        ohlc=Ohlc(close=str(close)),
    )


def _subject(row: RunningComponent, what: str) -> str:
    return f"{PREFIX}._ingenium.{APP}.command.{NAME}.{row.instance}.{what}"


async def _obeys(bus: NatsBus, row: RunningComponent) -> None:
    """Pause, resume and stop the strategy, and try what is no command."""

    async def say(what: str, payload: bytes = b'{"Sender":"ann@trader-1"}') -> Any:
        return msgspec.json.decode(await request_answer(bus, _subject(row, what), payload, NAME))

    for odd in (b"", b"[]", b"{}", b'{"Sender":7}', b'{"Sender":"ann","Level":"debug"}'):
        with pytest.raises(ConfigError, match="it needs a Sender, and nothing else"):
            await say("stop", odd)
    # The server could be made to send this in the place of an operator.
    stop = _subject(row, "stop")
    await bus.client.publish(stop, b'{"Sender":"ann"}', "not.an.inbox")
    await bus.client.publish(
        stop, b'{"Sender":"ann"}', "_INBOX.answer", headers={"Nats-Stream": "INGENIUM"}
    )
    said = {"component": NAME, "instance": row.instance, "stopping": False}
    assert await say("pause") == said | {"paused": True}
    await bus.publish(SUBJECT, encode(_bar(8)))
    paused = await _row(bus, row.handled)
    assert (paused.paused, paused.problem) == (True, "paused by an operator")
    assert await say("resume") == said | {"paused": False}
    await bus.publish(SUBJECT, encode(_bar(9)))
    # The bar that came during the pause has passed it.
    resumed = await _row(bus, row.handled + 1)
    assert (resumed.handled, resumed.paused, resumed.problem) == (row.handled + 1, False, "")
    assert await say("stop") == said | {"paused": False, "stopping": True}


async def is_listed_as_service(
    url: str, command: Sequence[str], env: dict[str, str], language: str
) -> None:
    """Send bars and an unreadable message to a strategy on AAPL, and compare its answers."""
    options = NatsOptions(space=SubjectSpace(PREFIX))
    bus = await NatsBus.connect(url, name="operator", options=options)
    try:
        await _check(bus, command, env | {"NATS_SERVER": url}, language)
    finally:
        await bus.close()


async def _check(bus: NatsBus, command: Sequence[str], env: dict[str, str], language: str) -> None:
    settings = {
        "INGENIUM_APP": APP,
        "INGENIUM_COMPONENT": NAME,
        "INGENIUM_PREFIX": PREFIX,
    }
    began = datetime.now(UTC)
    process = await asyncio.create_subprocess_exec(*command, env=env | settings)
    try:
        await _row(bus, 0)
        for close in range(1, BARS + 1):
            await bus.publish(SUBJECT, encode(_bar(close)))
        await bus.publish(SUBJECT, b"{")
        row = await _row(bus, BARS + 1)
        assert (row.name, row.role, row.language, row.state) == (
            NAME,
            "strategy",
            language,
            "ready",
        )
        assert (row.handled, row.failed) == (BARS + 1, 1)
        assert row.last_error
        assert row.last_event == "DataEvent AAPL"
        assert 0 < row.handler_seconds < LIMIT_SECONDS
        assert row.started
        assert abs((row.started - began).total_seconds()) < LIMIT_SECONDS
        assert row.last_time
        assert row.last_time >= row.started
        assert row.process == process.pid
        assert [subject.split(".")[0] for subject in row.subjects] == [PREFIX]
        ping = await _answer(bus, "PING", NAME)
        assert ping["type"] == "io.nats.micro.v1.ping_response"
        identity = {key: ping[key] for key in ("name", "id", "version", "metadata")}
        # What is asked of all, of the name and of the start of it is the same service.
        own = f"{NAME}.{row.instance}"
        for verb, asked in (("PING", ""), ("INFO", ""), ("INFO", own), ("STATS", own)):
            answer = await _answer(bus, verb, asked)
            assert answer["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
            assert {key: answer[key] for key in identity} == identity
            if verb == "INFO":
                assert answer["description"] == f"strategy {NAME} of {APP}"
            if verb != "PING":
                assert answer["endpoints"][0]["subject"] == row.subjects[0]
                subjects = {each["name"]: each["subject"] for each in answer["endpoints"][1:]}
                assert subjects == {name: _subject(row, name) for name in COMMANDS}
        assert identity["version"].count(".") == 2
        await _obeys(bus, row)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await process.wait() == 0
        assert await read_services(bus, APP) == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
