"""Components whose way to the server is slow, broken, or silent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from chaos.run import Outcome, finish
from chaos.world import World

pytestmark = pytest.mark.timeout(300)


async def cut_off(world: World, count: int) -> list[str]:
    """Let no component reach the server any more, and send signals that none of them sees."""
    before = await world.send()
    await world.until(lambda: world.facts.is_filled(before), "an order while all is well")
    world.proxy.refuses = True
    world.proxy.freeze()
    return [await world.send() for _ in range(count)]


async def test_partition_of_components_heals_without_loss_or_repetition(tmp_path: Path) -> None:
    """Faults 8 and 10: first connections that say nothing more, then none at all."""
    outcome = Outcome(seed=5)
    async with World(tmp_path, outcome.seed, proxied=True) as world:
        sent = await cut_off(world, 20)
        made = world.proxy.connections
        # What is there looks sound; components have to find out by themselves.
        world.proxy.refuses = False
        await world.until(lambda: all(map(world.facts.is_filled, sent)), "all filled")
        assert world.proxy.connections >= made + 2
        await finish(world, outcome)
    assert outcome.violations == []
    for program in world.programs.values():
        # A lease that cannot be renewed ends the process before the silence does.
        assert program.exits.keys() <= {1}
        assert not program.exits or program.has_said("error: ")


@pytest.mark.minutes
async def test_minute_without_a_server_leaves_no_stale_order(tmp_path: Path) -> None:
    """Fault 10: what was sent meanwhile is too old, and what comes then is worked."""
    outcome = Outcome(seed=9)
    async with World(tmp_path, outcome.seed, proxied=True) as world:
        sent = await cut_off(world, 10)
        await asyncio.sleep(60)
        world.proxy.refuses = False
        await world.until(lambda: all(map(world.facts.is_settled, sent)), "all refused")
        after = await world.send()
        await world.until(lambda: world.facts.is_filled(after), "an order when all is well again")
        await finish(world, outcome)
    assert outcome.violations == []
    assert not any(map(world.facts.is_filled, sent))
    assert len(world.broker.lines("order")) == 2


async def test_slow_way_to_the_server_repeats_nothing(tmp_path: Path) -> None:
    """Fault 9: 200 ms, each way, and connections that are cut now and then."""
    outcome = Outcome(seed=6)
    async with World(tmp_path, outcome.seed, proxied=True) as world:
        world.proxy.delay_seconds = 0.2
        for round_number in range(3):
            sent = [await world.send() for _ in range(5)]
            world.proxy.cut_after = 200 * (round_number + 1)
            await world.until(lambda ids=sent: all(map(world.facts.is_filled, ids)), "all filled")  # type: ignore[misc]
        world.proxy.delay_seconds = 0.0
        world.proxy.cut_after = None
        await finish(world, outcome)
    assert outcome.violations == []
    assert world.proxy.cuts
