"""Checks that a strategy in another language is listed as a NATS micro service (ADR-32)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingenium import DataEvent, Ohlc, encode
from ingenium.bus import NatsBus
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.nats.service_requests import ask_services
from ingenium.operations.component_services import RunningComponent, read_services
from ingenium.subjects.space import SubjectSpace

__all__ = ["is_listed_as_service"]

LIMIT_SECONDS = 60
APP, NAME, PREFIX = "listed", "tested", "desk"
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
        subject = "ingenium.ingestor.data.aapl"
        for close in range(1, BARS + 1):
            time = f"2024-01-03T14:3{close}:00Z"
            bar = DataEvent(
                id=f"data_{close}",
                type="data.type.ohlc",
                symbol="AAPL",
                timestamp=time,
                ohlc=Ohlc(close=str(close)),
            )
            await bus.publish(subject, encode(bar))
        await bus.publish(subject, b"{")
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
        assert identity["version"].count(".") == 2
        process.terminate()
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await process.wait() == 0
        assert await read_services(bus, APP) == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
