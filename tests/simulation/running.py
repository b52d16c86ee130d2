"""Runs many seeds on all cores, and adds up what happened in them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from simulation.world import Outcome, simulate

__all__ = ["Summary", "kept_seeds", "keep_seed", "run_seeds"]

_SEEDS_FILE = Path(__file__).with_name("seeds.txt")
_CHUNK = 20


class Summary(msgspec.Struct):
    """What became of many worlds.

    Attributes:
        seeds: How many.
        counts: Of faults, crashes, orders, fills and events, added up.
        failed: The worlds in which something was wrong.
        seconds: How long it took.
    """

    seeds: int = 0
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    failed: list[Outcome] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    def table(self) -> str:
        """Return the counts, one a line."""
        lines = [f"{'seeds':<32}{self.seeds:>12,}"]
        lines += [f"{name:<32}{self.counts[name]:>12,}" for name in sorted(self.counts)]
        return "\n".join([*lines, f"{'failed seeds':<32}{len(self.failed):>12,}"])


def run_seeds(
    seeds: Sequence[int],
    *,
    workers: int | None = None,
    progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Simulate worlds, on as many cores as there are.

    Args:
        seeds: Which.
        workers: Processes; one for each core when left out.
        progress: Called now and then with what there is so far.
    """
    summary = Summary()
    began = time.perf_counter()
    chunks = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    for outcomes in _each_chunk(chunks, workers or os.cpu_count() or 1):
        for outcome in outcomes:
            summary.seeds += 1
            summary.counts.update(outcome.counts)
            if outcome.violations:
                summary.failed.append(outcome)
        summary.seconds = time.perf_counter() - began
        if progress is not None:
            progress(summary)
    return summary


def _each_chunk(chunks: list[Sequence[int]], workers: int) -> Iterator[list[Outcome]]:
    if workers == 1 or len(chunks) == 1:
        yield from map(_simulate_all, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_simulate_all, chunks)


def _simulate_all(seeds: Sequence[int]) -> list[Outcome]:
    outcomes = [simulate(seed) for seed in seeds]
    gc.collect()
    return outcomes


def kept_seeds() -> list[int]:
    """Return the seeds that have ever failed: they are tried for ever."""
    lines = _SEEDS_FILE.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and line[0] != "#"]


def keep_seed(outcome: Outcome) -> None:
    """Write down a seed that has failed, unless it is known."""
    if outcome.seed in kept_seeds():
        return
    problem = outcome.violations[0].splitlines()[0][:80]
    with _SEEDS_FILE.open("a", encoding="utf-8") as file:
        file.write(f"{outcome.seed} {problem}\n")
