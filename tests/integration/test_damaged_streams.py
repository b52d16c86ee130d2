"""A server whose files were damaged while it was down: refused, or the same as before."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.delivering import Desk, EverySignal, FillAll, connected, jetstream

from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.components import Component
from ingenium.errors import StreamError

MakeServer = Callable[[str], Any]
_SEEDS = 40
_SIGNALS = 20
_FILLER = "ingenium.deadletter.filler"


async def _holds(desk: Desk, component: Component) -> bool:
    """Start a component; returns whether it starts."""
    try:
        async with desk.running(component):
            return True
    except StreamError:
        return False


@pytest.mark.timeout(300)
async def test_flipped_bit_is_refused_or_changes_nothing(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """Fault 22: one bit of a message file, at 40 places."""
    folder, copy = tmp_path / "store", tmp_path / "copy"
    server = make_server(jetstream(folder))
    desk = Desk(server.url, tmp_path)
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        for number in range(_SIGNALS):
            await desk.signal(bus, number)
        await desk.check(bus, portfolio, _SIGNALS)
    server.kill()
    shutil.copytree(folder, copy)
    refused = 0
    for seed in range(_SEEDS):
        chance = random.Random(seed)
        shutil.rmtree(folder)
        shutil.copytree(copy, folder)
        (block,) = folder.rglob("INGENIUM/msgs/*.blk")
        raw = bytearray(block.read_bytes())
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        block.write_bytes(raw)
        server.start()
        portfolio, executor = EverySignal(), FillAll([])
        for component in (portfolio, executor):
            refused += not await _holds(desk, component)
        assert portfolio.position("AAPL").quantity == _SIGNALS
        server.kill()
    server.start()
    assert refused > _SEEDS  # Nearly each bit counts, and each of the two says so.


@pytest.mark.parametrize("place", [3_000_000, -50, 50_000], ids=["middle", "end", "begin"])
async def test_messages_lost_in_the_middle_of_a_stream_are_noticed(
    make_server: MakeServer, tmp_path: Path, place: int
) -> None:
    """Fault 22: the server takes what is behind a damaged message in its file for deleted."""
    folder = tmp_path / "store"
    server = make_server(jetstream(folder))
    desk = Desk(server.url, tmp_path)
    async with connected(desk.url) as bus:
        async with desk.running(EverySignal()):
            pass
        stream = await open_stream(bus, MONEY_STREAM)
        for _ in range(100):
            await stream.append(_FILLER, b"x" * 100_000)
        assert (await stream.state()).missing == ()
    server.kill()
    (block,) = folder.rglob("INGENIUM/msgs/1.blk")
    raw = bytearray(block.read_bytes())
    raw[place] ^= 1
    block.write_bytes(raw)
    server.start()
    with pytest.raises(StreamError, match=r"'every-signal' cannot go on: .* no longer holds"):
        async with desk.running(EverySignal()):
            pass
    fresh = Desk(desk.url, tmp_path / "fresh")
    with pytest.raises(StreamError, match=r"books of portfolio 'every-signal' cannot be rebuilt"):
        async with fresh.running(EverySignal()):
            pass
    # A person has looked.
    for each in (desk, fresh):
        async with connected(desk.url) as bus, each.running(EverySignal(), adopt=True) as portfolio:
            await each.signal(bus, 1000)
            await each.until(lambda it=portfolio: _has_orders(it), "an order for a new signal")  # type: ignore[misc]


async def _has_orders(portfolio: EverySignal) -> bool:
    return bool(portfolio.orders)
