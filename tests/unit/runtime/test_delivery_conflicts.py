"""Two events that differ and have one id: the first one counts, and the second one is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.durable_world import EverySignal, World, fill, orders_are

from ingenium.bus import IncidentKind
from ingenium.bus.content_hash import message_id
from ingenium.components import handle_of
from ingenium.errors import StreamError
from ingenium.events import DeadLetterEvent, OrderEvent, Signal, SignalEvent, encode
from ingenium.subjects.names import EXECUTION, SIGNAL, dead_letter_subject
from ingenium.testing import IncidentLog

LETTERS = dead_letter_subject("every-signal")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


async def letters(world: World) -> list[Any]:
    return await world.kept(LETTERS, DeadLetterEvent)


async def letters_are(world: World, count: int) -> None:
    async def reached() -> bool:
        return len(await letters(world)) >= count

    await world.until(reached, f"{count} dead letters")


def signal(number: int, side: Signal, id: str = "") -> bytes:
    return encode(SignalEvent(id=id or f"signal_{number}", symbol="AAPL", signal=side))


async def test_second_signal_under_an_id_is_an_incident_and_a_dead_letter(world: World) -> None:
    incidents = IncidentLog()
    world.bus.on_incident(incidents)
    portfolio = EverySignal()
    async with world.running(portfolio):
        # Without an id for the stream, as any client may send it.
        for side in (Signal.LONG, Signal.LONG, Signal.SHORT):
            await world.stream.append(SIGNAL, signal(1, side))
        await world.signal(2)
        await orders_are(world, 2)
        await letters_are(world, 1)
    assert portfolio.handled == ["signal_1", "signal_2"]
    [letter] = await letters(world)
    assert letter.data == signal(1, Signal.SHORT)
    assert int(letter.stream_sequence) == 3
    assert "its id 'signal_1' is that of another one that it has handled" in letter.error
    [incident] = await incidents.wait_for(IncidentKind.CONFLICT)
    assert incident.subject == SIGNAL


async def test_it_is_found_after_a_restart_too(world: World) -> None:
    async with world.running(EverySignal()):
        await world.signal(1)
        await orders_are(world, 1)
    await world.stream.append(SIGNAL, signal(1, Signal.SHORT))
    async with world.running(EverySignal()):
        await letters_are(world, 1)
    assert len(await world.orders()) == 1


async def test_signal_cannot_use_up_the_id_of_an_execution(world: World) -> None:
    portfolio = EverySignal()
    async with world.running(portfolio):
        await world.signal(1)
        await orders_are(world, 1)
        [order] = await world.orders()
        report = fill(order)
        await world.stream.append(SIGNAL, signal(0, Signal.LONG, report.id))
        await orders_are(world, 2)
        for _ in range(2):
            await world.stream.append(EXECUTION, encode(report))
        await world.stream.append(EXECUTION, encode(fill(order, quantity="7")))
        await letters_are(world, 1)
    assert str(portfolio.position("AAPL").quantity) == "1"


async def test_fill_that_is_told_again_in_other_words_is_the_same(world: World) -> None:
    portfolio = EverySignal()
    async with world.running(portfolio):
        await world.signal(1)
        await orders_are(world, 1)
        [order] = await world.orders()
        later = datetime(2025, 1, 1, tzinfo=UTC)
        for report in (fill(order), fill(order, timestamp=later, reason="again")):
            await world.stream.append(EXECUTION, encode(report))
        await world.signal(2)
        await orders_are(world, 2)
    assert await letters(world) == []
    assert str(portfolio.position("AAPL").quantity) == "1"


async def test_publisher_learns_that_its_message_was_not_kept(world: World) -> None:
    # Somebody has sent another order under the id that the portfolio's one will have.
    portfolio = EverySignal()
    member = world.member(portfolio)
    await member.start()
    await world.signal(1)
    handle_of(portfolio).begin("signal_1", datetime(2024, 1, 2, tzinfo=UTC))
    guess = handle_of(portfolio).next_id("order")
    forged = OrderEvent(id=guess, symbol="AAPL", side="buy", quantity="99", type="market")
    await world.say(forged, "ingenium.portfolio.order")
    with pytest.raises(StreamError, match="whose content differs"):
        await member.run()
    await member.stop()


async def test_ids_with_a_secret_differ_and_stay_the_same(world: World) -> None:
    async with world.running(EverySignal(), secret="s1"):
        await world.signal(1)
        await orders_are(world, 1)
    [order] = await world.orders()
    found = []
    for secret in ("s1", "s2", ""):
        portfolio = EverySignal()
        handle_of(portfolio).id_secret = secret
        handle_of(portfolio).begin("signal_1", datetime(2024, 1, 2, tzinfo=UTC))
        found.append(handle_of(portfolio).next_id("order"))
    assert found[0] == order.id
    assert len(set(found)) == 3
    # What the stream knows the message by has a hash behind it.
    [record] = [r for r in world.stream._records if r.message.subject.endswith(".order")]
    known, _, digest = record.message.headers["Nats-Msg-Id"].partition(".")
    assert known == order.id
    assert len(digest) == 32


def test_message_id_follows_from_all_that_is_sent() -> None:
    base = ("signal_1", "a.b", b"x", {"H": "1"}, "s")
    others = [
        ("signal_1", "a.c", b"x", {"H": "1"}, "s"),
        ("signal_1", "a.b", b"y", {"H": "1"}, "s"),
        ("signal_1", "a.b", b"x", {"H": "2"}, "s"),
        ("signal_1", "a.b", b"x", {"H": "1"}, "t"),
    ]
    assert message_id(*base) == message_id(*base)
    assert message_id(*base) not in {message_id(*other) for other in others}
    assert message_id("", "a.b", b"x", {}, "s") == ""
