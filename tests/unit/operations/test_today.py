"""Fills and denials of a day, read from a stream."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from support.delivering import connected, jetstream

from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MemoryStream
from ingenium.clock import ManualClock
from ingenium.events import DenialEvent, Event, ExecutionEvent, OrderEvent, encode
from ingenium.operations.today import TodayReader
from ingenium.subjects.names import subject_of

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)


class Day:
    """A stream whose messages come at chosen times."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON - timedelta(days=3))
        self.stream = MemoryStream(clock=self.clock)

    async def put(self, time: datetime, *events: Event) -> None:
        self.clock.set(time)
        for event in events:
            # Without its id in a header, as of one whose first copy the stream has forgotten.
            await self.stream.append(subject_of(event), encode(event))


def fill(number: int, **others: str) -> ExecutionEvent:
    """Make an execution that fills, unless it is said otherwise."""
    values: Any = {"symbol": "A", "side": "buy", "quantity": "1", "price": "10", "update": "filled"}
    return ExecutionEvent(id=f"e{number}", order_id=f"o{number}", **(values | others))


async def test_day_begins_at_midnight_utc_of_the_servers_clock() -> None:
    day = Day()
    midnight = datetime(2024, 1, 3, tzinfo=UTC)
    for number in range(50):
        await day.put(midnight - timedelta(minutes=50 - number), fill(number))
    await day.put(midnight, fill(100))
    await day.put(NOON, fill(101), fill(102, quantity="2.50", side="sell", commission="0.1"))
    today = await TodayReader().observe(day.stream)
    assert (today.day, today.fill_count, today.complete) == (date(2024, 1, 3), 3, True)
    assert [each.id for each in today.fills] == ["e100", "e101", "e102"]
    last = today.fills[-1]
    assert (last.quantity, last.side, last.commission, last.time) == ("2.50", "sell", "0.1", NOON)


async def test_stream_without_any_message_is_a_day_without_fills(
    make_server: Any, tmp_path: Path
) -> None:
    server = make_server(jetstream(tmp_path / "js"))
    async with connected(server.url) as bus:
        stream = await open_stream(bus, MONEY_STREAM)
        today = await TodayReader().observe(stream)
        assert (today.fill_count, today.denial_count, today.complete) == (0, 0, True)
        await stream.append(subject_of(fill(1)), encode(fill(1)))
        assert (await TodayReader().observe(stream)).fill_count == 1


async def test_only_what_moved_something_is_a_fill_and_each_counts_once() -> None:
    day = Day()
    order = OrderEvent(id="o7", symbol="B", side="sell", quantity="3", type="market")
    await day.put(
        NOON,
        order,
        fill(1, update="new", quantity="0"),
        fill(2, update="canceled", quantity="1"),
        fill(3, quantity="0.000"),
        # As the original executor sends them: its order says the rest.
        ExecutionEvent(id="e4", order_id="o7", quantity="3"),
        fill(5),
        fill(5),
        DenialEvent(
            id="d1", component="desk", reason="halted", detail="lunch", symbol="B", order=order
        ),
    )
    today = await TodayReader().observe(day.stream)
    assert [(each.id, each.symbol, each.side, each.price) for each in today.fills] == [
        ("e4", "B", "sell", ""),
        ("e5", "A", "buy", "10"),
    ]
    (denial,) = today.denials
    assert (denial.symbol, denial.side, denial.quantity) == ("B", "sell", "3")
    assert (denial.component, denial.reason, denial.detail) == ("desk", "halted", "lunch")


async def test_next_look_adds_what_is_new_and_a_new_day_begins_with_nothing() -> None:
    day, reader = Day(), TodayReader()
    await day.put(NOON, fill(1))
    assert (await reader.observe(day.stream)).fill_count == 1
    await day.put(NOON + timedelta(hours=1), *(fill(number) for number in range(2, 203)))
    today = await reader.observe(day.stream)
    assert (today.fill_count, len(today.fills)) == (202, 100)
    assert today.fills[-1].id == "e202"
    await day.put(NOON + timedelta(days=1), fill(300))
    today = await reader.observe(day.stream)
    assert (today.day, [each.id for each in today.fills]) == (date(2024, 1, 4), ["e300"])


async def test_empty_stream_has_an_empty_day() -> None:
    today = await TodayReader().observe(Day().stream)
    assert (today.fill_count, today.denial_count, today.complete) == (0, 0, True)
