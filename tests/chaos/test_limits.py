"""Components that run out of disk or memory."""

from __future__ import annotations

from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_FSIZE

import pytest
from chaos.app import EXECUTOR, NAME, PORTFOLIO
from chaos.run import Outcome, finish
from chaos.world import World

pytestmark = pytest.mark.timeout(300)

_ROOM = 16_384


@pytest.mark.parametrize("name", [PORTFOLIO, EXECUTOR])
async def test_component_whose_disk_is_full_ends_in_one_line_and_goes_on_later(
    tmp_path: Path, name: str
) -> None:
    """Fault 55, for the files of portfolio and executor."""
    outcome = Outcome(seed=7)
    async with World(tmp_path, outcome.seed) as world:
        for _ in range(5):
            await world.send()
        program = world.programs[name]
        log = tmp_path / ".ingenium" / NAME / "state" / f"{name}.db-wal"
        # Its next life has room again.
        program.limit(RLIMIT_FSIZE, log.stat().st_size + _ROOM)
        while not program.exits:
            await world.send()
        await world.until_ready(name, 2)
        await finish(world, outcome)
    assert program.exits == {1: 1}
    assert program.has_said(f"error: cannot use {log.relative_to(tmp_path).with_suffix('.db')}: ")
    assert outcome.violations == []


async def test_component_whose_memory_is_full_ends_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 36: what a handler could not do for want of memory is done by the next life."""
    piece = 32 << 20
    monkeypatch.setenv("HOARDED_BYTES", str(piece))
    outcome = Outcome(seed=8)
    async with World(tmp_path, outcome.seed) as world:
        program = world.programs[PORTFOLIO]
        program.limit(RLIMIT_AS, program.size() + 7 * piece + piece // 2)
        while not program.exits:
            await world.send()
        # Its next life has room again.
        await world.until_ready(PORTFOLIO, 2)
        await finish(world, outcome)
    assert program.exits == {1: 1}
    assert program.has_said("error: portfolio 'portfolio' ran out of memory")
    # What libraries write of it is not in our hands.
    assert [each for each in outcome.violations if "MemoryError" not in each] == []
