"""Warm-up from history: gaps, missing symbols, errors and checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.warm_up_world import MINUTE, START, History, Silent, World, bar_of, expected, walk

from ingenium import App, Signal, SignalEvent, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.clock import ManualClock
from ingenium.deploy.local.app_history import AppHistory, warm_up_of
from ingenium.errors import ComponentError, ConfigError, DataFileError
from ingenium.events import decode, encode
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.live import LiveRunner
from ingenium.strategies import RsiStrategy, SmaCross
from ingenium.subjects.names import SIGNAL, data_subject
from ingenium.trading import Bar


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


async def test_plain_bus_warms_up_and_lets_live_bars_wait_meanwhile(world):
    bars = walk(150)
    strategy = SmaCross(fast=3, slow=9)
    said: list[SignalEvent] = []
    await world.bus.subscribe(SIGNAL, lambda m: said.append(decode(SignalEvent, m.payload)))

    class Slow(History):
        """Publishes live bars while history is still being read."""

        async def read(self) -> AsyncIterator[Any]:
            for place, bar in enumerate(self.bars):
                if place == 50:
                    for live in bars[190:220]:
                        await world.bus.publish(data_subject(live.symbol), encode(live.event))
                yield bar.event

        def read_bars(self) -> Any:
            return None

    app = App(
        ingestors=[Silent()],
        strategies=[strategy],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
        warm_up=[Slow(bars[:200])],
    )
    warm_up = warm_up_of(app, strategy, world.gaps.append)
    member = LiveRunner(world.bus, strategy, ManualClock(START), warm_up=warm_up)
    await member.start()
    run = asyncio.create_task(member.run())
    for bar in bars[220:]:
        await world.bus.publish(data_subject(bar.symbol), encode(bar.event))
    async with asyncio.timeout(5):
        while member.progress.handled < 100:
            await asyncio.sleep(0)
    await world.bus.flush()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await member.stop()
    await world.bus.flush()
    whole = await expected(lambda: SmaCross(fast=3, slow=9), bars, bars[199].end)
    assert [(e.symbol, str(e.signal)) for e in said] == [(s, t) for s, t, _ in whole]
    assert not world.gaps


async def test_gap_is_said_with_its_length_once_a_symbol(world):
    bars = walk(60)
    async with world.running(SmaCross(fast=3, slow=9), bars[:40]) as member:
        for bar in bars[100:]:
            await world.publish(bar)
        await world.handled(member)
    # History ends with minute 20, live bars begin with minute 50.
    assert [text.partition(":")[0] for text in world.gaps] == ["AAPL", "MSFT"]
    assert world.gaps[0] == (
        "AAPL: 30 min of data are missing between 2024-01-02T00:20:00Z, the last data of "
        "sma-cross, and 2024-01-02T00:50:00Z, the first live bar, room for 30 bars; times "
        "without trading are included"
    )


async def test_symbol_without_history_and_bars_of_another_length_are_said(world):
    history = [bar for bar in walk(60) if bar.symbol == "AAPL"]
    async with world.running(SmaCross(fast=3, slow=9), history) as member:
        await world.publish(bar_of("MSFT", 60, 100))
        await world.publish(bar_of("AAPL", 60, 100, 5 * MINUTE))
        await world.handled(member)
    assert "MSFT has no history, so sma-cross starts cold with it" in world.gaps[0]
    assert "AAPL: history has bars of 1m, but live bars are of 5m" in world.gaps[1]


async def test_bars_of_two_lengths_that_end_together_are_both_given(world):
    seen: list[timedelta] = []

    class Lengths(Strategy):
        def on_bar(self, bar: Bar) -> None:
            seen.append(bar.period)

    history = [bar_of("AAPL", minute, 100) for minute in range(60)]
    async with world.running(Lengths(name="lengths"), history) as member:
        seen.clear()
        await world.publish(history[-1])
        await world.publish(bar_of("AAPL", 0, 100, 60 * MINUTE))
        await world.handled(member)
    assert seen == [60 * MINUTE]


@pytest.mark.parametrize(
    ("history", "symbols", "text"),
    [
        ([], None, "its history is empty: pass"),
        (walk(3), ["IBM"], "history has AAPL, MSFT, but rsi-strategy needs IBM: pass"),
    ],
)
async def test_history_of_nothing_that_is_wanted_is_refused_with_the_cure(
    world, history, symbols, text
):
    member = world.member(RsiStrategy(symbols), history)
    with pytest.raises(ConfigError, match=text):
        await member.start()
    await member.stop()


async def test_missing_symbol_among_others_is_said(world, caplog):
    async with world.running(RsiStrategy(["AAPL", "IBM"]), walk(30)):
        assert (
            "rsi-strategy: history has no data of IBM, so the strategy starts cold" in caplog.text
        )
        assert "rsi-strategy is warmed up with 30 events of history, from" in caplog.text


async def test_history_that_cannot_be_read_ends_a_first_start_and_not_a_later_one(
    world, tmp_path, caplog
):
    bars = walk(30)
    async with world.running(RsiStrategy(), bars) as member:
        await world.handled(member)

    other = RsiStrategy()
    member = world.member(other, bars)
    assert member._warm_up is not None
    member._warm_up._history = AppHistory([CsvIngestor(tmp_path / "missing.csv")])
    await member.start()
    assert "resumes from its saved state, and history cannot fill the gap since then" in caplog.text
    await member.stop()
    fresh = World()
    member = fresh.member(RsiStrategy(), bars)
    assert member._warm_up is not None
    member._warm_up._history = AppHistory([CsvIngestor(tmp_path / "missing.csv")])
    with pytest.raises(DataFileError, match=r"missing\.csv"):
        await member.start()
    await member.stop()


async def test_handler_that_raises_in_the_warm_up_ends_the_start_with_its_bar(world):
    class Fails(Strategy):
        def on_bar(self, bar: Bar) -> None:
            raise ValueError("no good")

    member = world.member(Fails(), walk(3))
    with pytest.raises(ComponentError, match=r"'fails' failed on DataEvent of AAPL at .*no good"):
        await member.start()
    await member.stop()


async def test_handlers_live_in_the_time_of_history_and_nothing_that_they_say_is_sent(world):
    times: list[tuple[datetime, datetime]] = []

    class Clocked(Strategy):
        def on_bar(self, bar: Bar) -> None:
            times.append((self.now, bar.end))
            self.send_signal(bar.symbol, Signal.LONG)

    async with world.running(Clocked(), walk(20)) as member:
        await world.handled(member)
    assert len(times) == 40
    assert all(now == end for now, end in times)
    assert world.said() == []


def test_warm_up_of_an_app_is_checked_when_it_is_made(tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "strategies": [RsiStrategy()],
        "portfolio": FixedQuantity(1),
        "executor": PaperExecutor(),
    }
    with pytest.raises(ConfigError, match="'silent', which is a live ingestor"):
        App(ingestors=[Silent()], warm_up=Silent(), **parts)
    with pytest.raises(ConfigError, match="app replays history, but warm_up is for live data"):
        App(ingestors=[History([])], warm_up=History([], "other"), **parts)
    with pytest.raises(ConfigError, match=r"warm_up is 'bars\.csv': pass a historical ingestor"):
        App(ingestors=[Silent()], warm_up="bars.csv", **parts)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="warm_up holds an object of type str"):
        App(ingestors=[Silent()], warm_up=["bars.csv"], **parts)  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="no strategies: omit warm_up"):
        App(ingestors=[Silent()], warm_up=History([]))
