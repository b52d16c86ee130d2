"""Real processes that are killed at random, and at each place where a crash would tear effects."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import pytest
from chaos.app import EXECUTOR, PORTFOLIO
from chaos.run import Outcome, finish, report, run_chaos
from chaos.world import World

from ingenium.components.failpoints import Point

pytestmark = pytest.mark.timeout(600)

_DELIVERY = [Point.RECEIVED, Point.HANDLED, Point.COMMITTED, Point.SENT, Point.FORGOTTEN]
_POINTS = {
    PORTFOLIO: _DELIVERY,
    EXECUTOR: [*_DELIVERY, Point.CALLING, Point.CALLED, Point.ANSWERED, Point.LEASED],
}


async def test_twenty_five_cycles_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    """Faults 1, 2, 3, 26 and 27."""
    outcome = await run_chaos(tmp_path, seed=1, cycles=25)
    print("\n".join(report(outcome)))
    assert outcome.violations == []
    assert sum(n for kind, n in outcome.strikes.items() if kind.startswith("kill")) >= 12


async def test_each_labelled_point_survives_a_crash(tmp_path: Path) -> None:
    """Faults 26 and 27, place by place."""
    assert {point for points in _POINTS.values() for point in points} == set(Point)
    outcome = Outcome(seed=2)
    async with World(tmp_path, outcome.seed) as world:
        for together in zip_longest(*_POINTS.values()):
            for name, point in zip(_POINTS, together, strict=True):
                if point is not None:
                    await _crash_at(world, name, point)
        await finish(world, outcome)
    assert outcome.violations == []
    for name, points in _POINTS.items():
        # Once by us, and once at the point.
        assert world.programs[name].exits == {-9: 2 * len(points)}


async def _crash_at(world: World, name: str, point: Point) -> None:
    """Start a component anew that crashes at a point, and let it meet it."""
    program = world.programs[name]
    # The crash before this one may not have been followed by a start yet, and then none is killed.
    while not program.is_running:
        await world.send()
    killed, ready = program.exits[-9], world.ready[name]
    count = 0 if point is Point.LEASED else 3
    program.crash_at = f"{name}/{point}:{count}"
    program.kill()
    while program.exits[-9] < killed + 2:
        await world.send()
    await world.until_ready(name, ready + 1)
