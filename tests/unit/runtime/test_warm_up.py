"""Warm-up of live strategies: history, the stream and live data are one row of bars."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from support.warm_up_world import World, expected, walk

from ingenium import BySymbol, Signal, Strategy, indicators
from ingenium.strategies import RsiStrategy, SmaCross
from ingenium.trading import Bar


class Unsaved(Strategy):
    """Holds an indicator that it does not save."""

    def __init__(self) -> None:
        super().__init__(name="unsaved")
        self.average = BySymbol(lambda: indicators.Ema(7))

    def on_bar(self, bar: Bar) -> None:
        if bar.close > self.average[bar.symbol].update(bar.close):
            self.send_signal(bar.symbol, Signal.LONG)


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "rsi": lambda: RsiStrategy(period=3, buy_below=30, sell_above=70),
    "sma cross": lambda: SmaCross(fast=3, slow=9),
    "unsaved": Unsaved,
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


@pytest.mark.parametrize("kind", STRATEGIES)
@pytest.mark.parametrize("overlap", [0, 7])
async def test_live_strategy_says_after_its_warm_up_what_one_backtest_says(world, kind, overlap):
    make = STRATEGIES[kind]
    bars = walk(150)
    cut = 200
    async with world.running(make(), bars[:cut]) as member:
        for bar in bars[cut - overlap :]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(make, bars, bars[cut - 1].end)
    assert len(whole) > 5
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


@pytest.mark.parametrize("kind", STRATEGIES)
async def test_bars_that_the_stream_kept_before_the_start_close_the_gap_to_history(world, kind):
    make = STRATEGIES[kind]
    bars = walk(150)
    for bar in bars[180:240]:
        await world.publish(bar)
    async with world.running(make(), bars[:200]) as member:
        for bar in bars[240:]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(make, bars, bars[239].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


@pytest.mark.parametrize("kind", ["rsi", "sma cross"])
@pytest.mark.parametrize("is_killed", [False, True])
async def test_restarts_at_random_bars_change_nothing_that_is_said(world, kind, is_killed):
    make = STRATEGIES[kind]
    bars = walk(250)
    cut = 100
    cuts = sorted(Random(4).sample(range(cut + 1, len(bars)), 200))
    done = cut
    for end in [*cuts, len(bars)]:
        # A history that has more each time, as a file that grows beside the live feed.
        member = world.member(make(), bars[:done])
        await member.start()
        run = asyncio.create_task(member.run())
        for bar in bars[done:end]:
            await world.publish(bar)
        if is_killed and end < len(bars):
            await world.kill(member, run, Random(end).randrange(end - done + 1))
        else:
            await world.handled(member)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await member.stop()
        done = end
    whole = await expected(make, bars, bars[cut - 1].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


async def test_restart_with_a_saved_state_is_filled_from_history_and_not_warmed_up_again(world):
    bars = walk(200)
    strategy = SmaCross(fast=3, slow=9)
    async with world.running(strategy, bars[:100]) as member:
        for bar in bars[100:200]:
            await world.publish(bar)
        await world.handled(member)
    said = len(world.said())
    # Nothing ran meanwhile: the stream has none of bars 200 to 299.
    strategy = SmaCross(fast=3, slow=9)
    async with world.running(strategy, bars[:300]) as member:
        assert member._warm_up is not None
        assert member._warm_up._count == 100
        for bar in bars[290:]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(lambda: SmaCross(fast=3, slow=9), bars, bars[299].end)
    assert world.said()[said:] == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


async def test_bars_that_wait_in_the_stream_are_delivered_and_not_taken_from_history(world):
    bars = walk(200)
    async with world.running(RsiStrategy(period=3), bars[:100]) as member:
        for bar in bars[100:200]:
            await world.publish(bar)
        await world.handled(member)
    for bar in bars[200:300]:
        await world.publish(bar)
    async with world.running(RsiStrategy(period=3), bars) as member:
        await world.handled(member)
        assert member._warm_up is not None
        assert member._warm_up._count == 0
    whole = await expected(lambda: RsiStrategy(period=3), bars[:300], bars[99].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]


async def test_other_parameters_are_warmed_up_again_with_a_word(world, caplog):
    bars = walk(100)
    async with world.running(SmaCross(fast=3, slow=9), bars[:100]) as member:
        await world.handled(member)
    with caplog.at_level(logging.WARNING):
        async with world.running(SmaCross(fast=3, slow=8), bars[:100]) as member:
            for bar in bars[100:]:
                await world.publish(bar)
            await world.handled(member)
    assert (
        "saved state of strategy 'sma-cross' is not used: saved state of Sma is of" in caplog.text
    )
    assert "the strategy is warmed up again" in caplog.text
    whole = await expected(lambda: SmaCross(fast=3, slow=8), bars, bars[99].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]


async def test_indicators_that_are_not_saved_beside_a_saved_state_are_named(world, caplog):
    class Half(Unsaved):
        bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            super().on_bar(bar)

        def get_state(self) -> object:
            return {"bars": self.bars}

        def set_state(self, state: Any) -> None:
            self.bars = state["bars"]

    for _ in range(2):
        assert "which lacks its" not in caplog.text
        async with world.running(Half(), walk(30)) as member:
            await world.handled(member)
    assert "'unsaved' resumes from its saved state, which lacks its Ema" in caplog.text


async def test_state_saved_without_a_warm_up_is_not_fed_twice(world, caplog):
    bars = walk(100)
    async with world.running(RsiStrategy(period=3), None) as member:
        # It reads what comes from its start on.
        for _ in range(50):
            await asyncio.sleep(0)
        for bar in bars[:100]:
            await world.publish(bar)
        await world.handled(member)
    said = len(world.said())
    async with world.running(RsiStrategy(period=3), bars[:100]) as member:
        for bar in bars[100:]:
            await world.publish(bar)
        await world.handled(member)
    assert "it was saved without App(warm_up=...)" in caplog.text
    whole = await expected(lambda: RsiStrategy(period=3), bars, bars[99].end)
    assert world.said()[said:] == [(symbol, signal) for symbol, signal, _ in whole]
