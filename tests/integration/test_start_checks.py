"""What a live app compares by itself when it starts."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from support.delivering import Desk, EverySignal

from ingenium.bus import NatsBus
from ingenium.components import arm, handle_of
from ingenium.events import ControlEvent, TradingState, decode
from ingenium.runtime.durable.checksum import checksum
from ingenium.subjects.names import TRADING


def armed() -> EverySignal:
    portfolio = EverySignal()
    arm(portfolio)
    return portfolio


async def trade(desk: Desk, bus: NatsBus, count: int) -> None:
    async with desk.both() as (portfolio, _):
        for number in range(count):
            await desk.signal(bus, number)
        await desk.check(bus, portfolio, count)


def rewrite(path: Path, quantity: str) -> None:
    """Let the file say another quantity, as after a bug: with the checksum that belongs to it."""
    with closing(sqlite3.connect(path)) as disk, disk:
        key = "holding/AAPL"
        found = disk.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        value = json.dumps(json.loads(found[0]) | {"quantity": quantity}).encode()
        mark, old = checksum(key, value), checksum(key, found[0])
        disk.execute("UPDATE state SET value = ?, checksum = ? WHERE key = ?", (value, mark, key))
        sums = json.loads(disk.execute("SELECT sums FROM seal").fetchone()[0])
        sums["tables"]["state"][1] += mark - old
        text = json.dumps(sums)
        disk.execute("UPDATE seal SET sums = ?, checksum = ?", (text, checksum(text)))


async def words(desk: Desk, bus: NatsBus) -> list[ControlEvent]:
    return [decode(ControlEvent, r.message.payload) for r in await desk.records(bus, TRADING)]


async def test_portfolio_that_is_as_the_stream_says_trades_on(desk: Desk, bus: NatsBus) -> None:
    await trade(desk, bus, 3)
    async with desk.running(armed(), checked=20_000) as portfolio:
        assert handle_of(portfolio).risk.gate is not None
        assert handle_of(portfolio).risk.gate.switch.state is TradingState.ACTIVE
    assert await words(desk, bus) == []


async def test_portfolio_that_holds_something_else_halts_trading(desk: Desk, bus: NatsBus) -> None:
    await trade(desk, bus, 3)
    rewrite(desk.folder / "every-signal.db", "4")
    async with desk.running(armed(), checked=20_000) as portfolio:
        assert handle_of(portfolio).risk.gate is not None
        assert handle_of(portfolio).risk.gate.switch.state is TradingState.HALTED

        async def said() -> bool:
            return bool(await words(desk, bus))

        await desk.until(said, "a word")
    (word,) = await words(desk, bus)
    assert word.state == "halted"
    assert word.reason.startswith(
        "portfolio 'every-signal' does not hold what its executions come to: AAPL: portfolio 4, "
        "stream 3: compare with the broker"
    )


async def test_difference_that_was_adopted_is_not_told_again(desk: Desk, bus: NatsBus) -> None:
    await trade(desk, bus, 3)
    path = desk.folder / "every-signal.db"
    rewrite(path, "4")
    for adopt in (True, False):
        async with desk.running(armed(), checked=20_000, adopt=adopt) as portfolio:
            assert handle_of(portfolio).risk.gate is not None
            assert handle_of(portfolio).risk.gate.switch.state is TradingState.ACTIVE
    # Another one is.
    rewrite(path, "9")
    async with desk.running(armed(), checked=20_000) as portfolio:
        assert handle_of(portfolio).risk.gate is not None
        assert handle_of(portfolio).risk.gate.switch.state is TradingState.HALTED


async def test_long_stream_is_not_read_at_the_start(desk: Desk, bus: NatsBus) -> None:
    await trade(desk, bus, 3)
    rewrite(desk.folder / "every-signal.db", "4")
    async with desk.running(armed(), checked=5) as portfolio:
        assert handle_of(portfolio).risk.gate is not None
        assert handle_of(portfolio).risk.gate.switch.state is TradingState.ACTIVE
