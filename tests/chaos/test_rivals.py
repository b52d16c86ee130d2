"""Two processes that want to play one component, and one that stands still for too long."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.app import EXECUTOR, PORTFOLIO
from chaos.run import Outcome, finish
from chaos.world import World

pytestmark = pytest.mark.timeout(300)


async def test_second_of_each_is_refused_by_the_name_of_the_first(tmp_path: Path) -> None:
    """Fault 29, with folders of their own, so that no file is in their way."""
    async with World(tmp_path, 3) as world:
        await world.send()
        for name, what in ((EXECUTOR, "executor.U1"), (PORTFOLIO, "portfolio of ingenium.>")):
            rival = world.start(name, f"rival-{name}", INGENIUM_DATA_DIR=str(tmp_path / "rival"))
            await world.until(lambda it=rival: it.exits[1] > 0, f"the end of a second {name}")  # type: ignore[misc]
            assert rival.has_said(f"error: {what} is led by ")
            assert not rival.has_said("Traceback")
            await rival.end()
        outcome = Outcome(seed=3)
        await finish(world, outcome)
    assert outcome.violations == []
    assert outcome.counts["starts of executor"] == outcome.counts["starts of portfolio"] == 1


async def test_executor_that_stood_still_places_nothing_once_another_works(
    tmp_path: Path,
) -> None:
    """Fault 28: it was stopped for longer than its lease, and then goes on."""
    async with World(tmp_path, 4) as world:
        first = world.programs[EXECUTOR]
        first.pause()
        # It waits until the lease has run out.
        second = world.start(EXECUTOR, "second", INGENIUM_DATA_DIR=str(tmp_path / "second"))
        await world.until_ready(EXECUTOR, 2)
        signal_id = await world.send()
        await world.until(lambda: world.facts.is_filled(signal_id), "the order filled by another")
        first.go_on()
        await world.until(lambda: first.exits.total() >= 2, "the end of the first, twice")
        assert first.exits == {1: first.exits.total()}
        assert any(
            first.has_said(text)
            for text in (
                "lease of account U1 has run out",
                "executor.U1 is lost, and led by ",
                "executor of ingenium.> is lost, and led by ",
                # Its connection ended while it stood still, and is not back.
                "executor.U1 could not be renewed in time",
                "did not answer within 5 s",
            )
        ), first.log.read_text()
        # And when it is started again, it is told who works there now.
        assert first.has_said("error: executor.U1 is led by ")
        assert not first.has_said("Traceback"), first.log.read_text()
        assert len(world.broker.lines("order")) == 1
        assert len(world.facts.orders) == 1
        await second.end()
