"""``python -m simulation SEED``: one world with its trace; ``--seeds N``: many at once."""

from __future__ import annotations

import argparse
import sys

from simulation.running import Summary, keep_seed, run_seeds
from simulation.world import simulate


def main() -> int:
    """Run what the command line asks for; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="one seed")
    parser.add_argument("--verbose", action="store_true", help="print its trace")
    parser.add_argument("--seeds", type=int, default=0, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=None, help="processes")
    given = parser.parse_args()
    if given.seed is not None:
        return _replay(given.seed, verbose=given.verbose)
    if not given.seeds:
        parser.error("state a seed, or --seeds")
    return _run_many(given.first, given.seeds, given.workers)


def _replay(seed: int, *, verbose: bool) -> int:
    outcome = simulate(seed, print if verbose else None)
    print(outcome.options)
    for name, count in outcome.counts.items():
        print(f"{name:<32}{count:>8,}")
    print(f"sha256 of the trace: {outcome.digest}")
    for violation in outcome.violations:
        print(f"WRONG: {violation}")
    return bool(outcome.violations)


def _run_many(first: int, count: int, workers: int | None) -> int:
    last_told = 0

    def progress(summary: Summary) -> None:
        nonlocal last_told
        for outcome in summary.failed[last_told:]:
            keep_seed(outcome)
            print(f"\nseed {outcome.seed} is wrong: {outcome.violations[0]}")
        last_told = len(summary.failed)
        rate = summary.seeds / summary.seconds
        left = (count - summary.seeds) / rate
        text = f"{summary.seeds:,} of {count:,} seeds, {rate:.1f}/s, {left:,.0f} s left"
        if sys.stdout.isatty():
            print(f"\r{text}   ", end="", flush=True)
        elif summary.seeds % max(20, count // 20 // 20 * 20) == 0 or summary.seeds == count:
            print(text, flush=True)

    summary = run_seeds(range(first, first + count), workers=workers, progress=progress)
    print(f"\n{summary.table()}\n{summary.seeds / summary.seconds:.1f} seeds a second")
    return bool(summary.failed)


if __name__ == "__main__":
    sys.exit(main())
