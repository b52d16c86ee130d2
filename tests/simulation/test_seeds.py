"""Single worlds in this process, where `make mutate` can see what they reach."""

from __future__ import annotations

import pytest
from simulation.running import kept_seeds
from simulation.world import simulate


@pytest.mark.parametrize("seed", kept_seeds())
def test_seed_that_has_failed_before(seed: int) -> None:
    assert simulate(seed).violations == []


@pytest.mark.parametrize("first", range(0, 40, 4))
def test_four_worlds_heal_with_all_books_equal(first: int) -> None:
    outcomes = [simulate(seed) for seed in range(first, first + 4)]
    assert [each.violations for each in outcomes] == [[]] * 4
    assert sum(each.counts.get("orders", 0) for each in outcomes) > 0
