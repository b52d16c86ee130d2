"""What a component has missed of market data, and for whom that means what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingenium import Executor, Portfolio, Strategy
from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.bus.stream import StreamState
from ingenium.components import Component
from ingenium.components.component import role_of
from ingenium.runtime.durable.gaps import Gaps
from ingenium.runtime.durable.store import StreamPosition

NOW = datetime(2026, 11, 30, 15, 4, 9, 500_000, tzinfo=UTC)
SEEN = (NOW - timedelta(seconds=5)).isoformat()
KNOWN = StreamPosition("INGENIUM_DATA", "monday", 1042, SEEN)


OLDER = (
    "its prices are outdated until the next bar of each symbol; positions and orders are not "
    "affected"
)


class World:
    def __init__(self, component: Component, *, was_stopped: bool = False) -> None:
        self.bus = MemoryBus()
        self.incidents: list[Incident] = []
        self.bus.on_incident(self.incidents.append)
        self.gaps = Gaps(self.bus, component, was_stopped=was_stopped)

    def start(
        self, created: str, first: int, last: int, known: StreamPosition | None = KNOWN
    ) -> int:
        return self.gaps.start(StreamState(created, first, last, NOW), known, "INGENIUM_DATA")

    @property
    def text(self) -> str:
        [incident] = self.incidents
        assert incident.kind is IncidentKind.GAP
        return incident.detail


@pytest.mark.parametrize(
    ("component", "effect"),
    [
        (Strategy(name="rsi"), "its indicators continue without that data"),
        (Portfolio(name="rsi"), OLDER),
        (Executor(name="rsi"), "no order was matched against those prices"),
    ],
)
def test_gap_names_stream_times_cause_and_what_it_means(component: Component, effect: str) -> None:
    world = World(component)
    assert world.start("tuesday", 1, 7) == 0
    assert world.text == (
        f"{role_of(component)} 'rsi' has missed market data of stream INGENIUM_DATA from "
        "2026-11-30T15:04:04Z (message 1,042) to 2026-11-30T15:04:09Z: the server was restarted "
        f"without that data; {effect}"
    )


def test_messages_that_fell_out_are_counted() -> None:
    world = World(Strategy(name="rsi"))
    assert world.start("monday", 1050, 2000) == 1049
    assert "(message 1,042) to message 1,049: the stream dropped 7 messages" in world.text


def test_stream_that_has_lost_its_end_is_a_gap() -> None:
    world = World(Strategy(name="rsi"))
    assert world.start("monday", 1, 1000) == 1000
    assert "the stream has lost its end" in world.text


def test_restart_after_a_stop_in_order_is_none() -> None:
    world = World(Portfolio(name="p"), was_stopped=True)
    # An empty stream begins with 0 on some servers, and with 1 on others.
    assert world.start("tuesday", 0, 0) == 0
    assert world.incidents == []
    # What happens to it while it runs is one all the same.
    world.start("wednesday", 1, 0)
    assert "restarted" in world.text


def test_stream_that_others_have_filled_meanwhile_is_a_gap_after_a_stop_in_order() -> None:
    world = World(Portfolio(name="p"), was_stopped=True)
    world.start("tuesday", 1, 5)
    assert "restarted" in world.text


def test_restart_after_a_crash_is_a_gap() -> None:
    world = World(Portfolio(name="p"))
    world.start("tuesday", 1, 0)
    assert "(message 1,042)" in world.text


def test_nothing_is_missing_where_nothing_was_read_or_all_is_there() -> None:
    world = World(Strategy(name="rsi"))
    assert world.start("monday", 1, 5, known=None) == 5
    assert world.start("monday", 1043, 2000) == 1042
    assert world.incidents == []
