"""Dead letters: listed, shown, and put back so that everything happens exactly once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.delivering import Desk, EverySignal
from support.running import ingenium

from ingenium.bus import NatsBus
from ingenium.bus.envelope import headers_for
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import Stream
from ingenium.errors import StreamError
from ingenium.events import (
    DeadLetterEvent,
    ExecutionEvent,
    OrderEvent,
    Side,
    SignalEvent,
    decode,
    encode,
)
from ingenium.nats_server.accounts import OPERATOR
from ingenium.operations.dead_letters import (
    RESENT,
    DeadLetter,
    dead_letters_of,
    find_dead_letter,
    original_of,
    resend,
)
from ingenium.subjects.names import DEAD_LETTER, EXECUTION, ORDER, SIGNAL, data_subject
from ingenium.testing.event_builders import data_event


class Broken(EverySignal):
    """Raises for one signal."""

    def on_signal(self, event: SignalEvent) -> None:
        super().on_signal(event)
        if event.id == "signal_2":
            raise ZeroDivisionError("not \x1b[31mthis one")


async def _letters(stream: Stream, **which: Any) -> list[DeadLetter]:
    return [letter async for letter in dead_letters_of(stream, **which)]


async def _orders(desk: Desk, bus: NatsBus) -> list[str]:
    return [decode(OrderEvent, r.message.payload).id for r in await desk.records(bus, ORDER)]


async def test_letter_sent_again_to_a_fixed_component_is_handled_exactly_once(
    desk: Desk, bus: NatsBus
) -> None:
    stream = await open_stream(bus, MONEY_STREAM)

    async def is_dead() -> bool:
        return bool(await _letters(stream))

    async with desk.running(Broken()):
        for number in (1, 2, 3):
            await desk.signal(bus, number)
        await desk.until(is_dead, "a dead letter")
    (letter,) = await _letters(stream)
    assert letter.event.reason == "handler_error"
    assert len(await _orders(desk, bus)) == 2

    env = {"NATS_SERVER": desk.url}
    folder = desk.folder
    ended = ingenium("deadletters", "test", "--json", "--since", "1h", cwd=folder, env=env)
    assert ended.code == 0, ended.err
    (line,) = json.loads(ended.out)["dead_letters"]
    assert line["sequence"] == letter.sequence
    assert line["component"] == "every-signal"
    assert line["subject"] == SIGNAL
    assert "ZeroDivisionError" in line["error"]
    shown = ingenium(
        "deadletters", "show", str(letter.sequence), "--app", "test", cwd=folder, env=env
    )
    assert shown.code == 0, shown.err
    assert '"Id": "signal_2"' in shown.out
    assert "\x1b" not in shown.out

    async with desk.running(EverySignal()) as portfolio:
        ended = ingenium(
            "deadletters", "resend", "--all", "--component", "every-signal", "--app", "test",
            cwd=folder, env=env,
        )  # fmt: skip
        assert ended.code == 0, ended.err
        assert "sent again" in ended.out
        assert not await resend(stream, letter), "kept once, however often it is sent"

        async def has_ordered() -> bool:
            return len(portfolio.orders) == 3

        await desk.until(has_ordered, "the order of the letter")
        await desk.signal(bus, 4)

        async def has_gone_on() -> bool:
            return len(await _orders(desk, bus)) == 4

        await desk.until(has_gone_on, "the order of the next signal")
    orders = await _orders(desk, bus)
    assert len(set(orders)) == 4
    again = [r for r in await desk.records(bus, SIGNAL) if RESENT in r.message.headers]
    assert [r.message.headers[RESENT] for r in again] == [letter.event.id]
    assert not await _letters(stream, component="another")


async def test_letter_too_large_for_its_payload_gives_back_all_of_it(
    desk: Desk, bus: NatsBus
) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    payload = json.dumps(
        {"Id": "signal_2", "Symbol": "AAPL", "Signal": "long", "Note": "é" * 60_000},
        ensure_ascii=False,
    ).encode()

    async def is_dead() -> bool:
        return bool(await _letters(stream))

    async with desk.running(Broken()):
        kept = await stream.append(SIGNAL, payload)
        await desk.until(is_dead, "a dead letter")
    (letter,) = await _letters(stream)
    assert len(letter.event.data) < len(payload)
    original = await original_of(stream, letter)
    assert (original.payload, original.is_kept) == (payload, True)
    assert await resend(stream, letter)
    first, second = await desk.records(bus, SIGNAL)
    assert first.sequence == kept.sequence
    assert second.message.payload == payload


async def test_letter_about_what_the_stream_never_had_is_refused(desk: Desk, bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    order = OrderEvent(id="order_forged", symbol="AAPL", side="buy", quantity="1", type="market")
    signal = await stream.append(SIGNAL, b"{}")
    places: list[tuple[str, str | None, str | None]] = [
        (ORDER, None, None),
        (ORDER, "INGENIUM", str(signal.sequence)),
        (ORDER, "INGENIUM", "99"),
        (ORDER, "INGENIUM", "٣"),
        (ORDER, "INGENIUM_DATA", "1"),
        (data_subject("AAPL"), "INGENIUM", "1"),
        ("$JS.API.STREAM.DELETE.INGENIUM", "INGENIUM", "1"),
        ("ingenium.control.trading", "INGENIUM", "1"),
    ]
    for number, (subject, name, sequence) in enumerate(places):
        letter = DeadLetterEvent(
            id=f"dead_{number}",
            component="rogue",
            reason="handler_error",
            original_subject=subject,
            data=encode(order),
            stream=name,
            stream_sequence=sequence,
        )
        await stream.append(f"{DEAD_LETTER}.rogue", encode(letter), headers_for(letter, "rogue"))
    await stream.append(f"{DEAD_LETTER}.rogue", b"no letter at all")
    found = await _letters(stream)
    assert len(found) == len(places)
    for each in found:
        with pytest.raises(StreamError, match="it is not sent again"):
            await resend(stream, each)
    assert not await desk.records(bus, ORDER)
    for place in (0, 1, 10_000):
        with pytest.raises(StreamError, match="is no dead letter"):
            await find_dead_letter(stream, place)


async def test_fill_without_any_price_is_booked_when_one_is_known(desk: Desk, bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    async with desk.running(EverySignal()) as portfolio:
        await desk.signal(bus, 1)

        async def has_ordered() -> bool:
            return bool(portfolio.orders)

        await desk.until(has_ordered, "an order")
        (order_id,) = portfolio.orders
        fill = ExecutionEvent(
            id="exec_1", order_id=order_id, side=Side.BUY, quantity="1", update="filled"
        )
        await stream.append(EXECUTION, encode(fill), headers_for(fill, OPERATOR))

        async def is_dead() -> bool:
            return bool(await _letters(stream))

        await desk.until(is_dead, "a dead letter")
        assert portfolio.account.bookings == 0
        bar = data_event("AAPL", close="101")
        await bus.publish(data_subject("AAPL"), encode(bar))

        async def knows_price() -> bool:
            return portfolio.price("AAPL") is not None

        await desk.until(knows_price, "a price")
        (letter,) = await _letters(stream)
        assert letter.event.reason == "undecodable"
        assert await resend(stream, letter)

        async def is_booked() -> bool:
            return portfolio.account.bookings == 1

        await desk.until(is_booked, "the fill")
        assert portfolio.position("AAPL").average_price == 101
        assert not portfolio.orders
