"""What follows when ``ingest()`` has ended, and how the log shows what it raised."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

import pytest

from ingenium import App, ConfigError, Ingestor
from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.components.ingestor_feed import LiveFeed
from ingenium.errors import FeedError


class Failing(Ingestor):
    """Fails each time, in a line of its own; returns at the last one."""

    def __init__(self, times: int) -> None:
        super().__init__("failing")
        self.left = times

    async def ingest(self) -> None:
        if self.left:
            self.left -= 1
            raise ValueError("no such account")


class World:
    def __init__(self, ingestor: Ingestor, on_end: Literal["restart", "stop"]) -> None:
        self.bus = MemoryBus()
        self.incidents: list[Incident] = []
        self.bus.on_incident(self.incidents.append)
        self.pauses: list[float] = []
        self.has_sent = False
        self.feed = LiveFeed(ingestor, self.bus, lambda: self.has_sent, on_end, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == 12:
            raise asyncio.CancelledError  # as a run that is stopped

    @property
    def texts(self) -> list[str]:
        assert {incident.kind for incident in self.incidents} <= {IncidentKind.FEED}
        return [incident.detail for incident in self.incidents]


async def test_feed_that_never_sent_is_given_up_after_five_failures() -> None:
    world = World(Failing(99), "restart")
    with pytest.raises(FeedError, match=r"test_feed.py, line \d+\), 5 times, and has sent no data"):
        await world.feed.run()
    assert world.pauses == [1, 2, 4, 8]
    assert len(world.texts) == 4
    assert world.texts[0].startswith("ingestor 'failing' failed: ValueError: no such account (test")
    assert world.texts[0].endswith("it is started again in 1 s")


async def test_feed_that_has_sent_is_started_again_without_an_end() -> None:
    world = World(Failing(99), "restart")
    world.has_sent = True
    with pytest.raises(asyncio.CancelledError):
        await world.feed.run()
    assert world.pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]


async def test_feed_that_returns_is_started_again_without_an_end() -> None:
    world = World(Failing(0), "restart")
    with pytest.raises(asyncio.CancelledError):
        await world.feed.run()
    assert len(world.pauses) == 12
    assert world.texts[0] == (
        "ingestor 'failing' has ended: ingest() returned; it is started again in 1 s"
    )


async def test_feed_ends_when_its_app_is_to_stop_with_it() -> None:
    world = World(Failing(0), "stop")
    await world.feed.run()
    assert world.texts == ["ingestor 'failing' has ended: ingest() returned"]
    world = World(Failing(1), "stop")
    with pytest.raises(FeedError, match="no such account"):
        await world.feed.run()
    assert world.pauses == []


class Plain(Ingestor):
    def ingest(self) -> Any:
        return None


class Yields(Ingestor):
    async def ingest(self) -> Any:
        yield 1


class Nothing(Ingestor):
    pass


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Plain, "ingest.. is not a coroutine: write async def ingest"),
        (Yields, "ingest.. is a generator: call self.send_data"),
        (Nothing, "Nothing has no data: override read"),
    ],
)
async def test_ingest_that_cannot_be_run_is_named(make: Callable[[], Ingestor], text: str) -> None:
    with pytest.raises(FeedError, match=text):
        await World(make(), "restart").feed.run()


async def test_on_end_that_is_no_word_of_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="on_end is 'end': use 'restart' or 'stop'"):
        App(ingestors=[Failing(0)], on_end="end")  # type: ignore[arg-type]


def _raise(number: int) -> None:
    raise ValueError(f"bar {number}")


async def test_traceback_has_the_users_frames_once_and_then_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = MemoryBus()
    seen: list[Any] = []

    async def handler(message: Any) -> None:
        seen.append(message)
        _raise(len(seen))

    await bus.subscribe("ingenium.test", handler)
    with caplog.at_level(logging.WARNING, "ingenium.bus"):
        for _ in range(4):
            await bus.publish("ingenium.test", b"{}")
        while len(seen) < 4:
            await asyncio.sleep(0)
        await bus.drain()
    first, *others = [record.getMessage() for record in caplog.records]
    lines = first.split("\n")
    assert lines[0] == "handler_error [ingenium.test]: ValueError: bar 1"
    assert [line for line in lines if "File" in line] == [
        line for line in lines if "test_feed.py" in line
    ]
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1] == "    ValueError: bar 1"
    [count] = others
    assert count.startswith("3 more (ValueError in test_feed.py, line ")
    assert count.endswith("ValueError: bar 4")


@pytest.mark.parametrize("code", [0, 3])
async def test_feed_that_exits_has_failed_whatever_its_code(code: int) -> None:
    class Exiting(Ingestor):
        async def ingest(self) -> None:
            raise SystemExit(code)

    world = World(Exiting("exiting"), "stop")
    with pytest.raises(FeedError, match=rf"ingest\(\) called sys.exit\({code}\): return, or raise"):
        await world.feed.run()
