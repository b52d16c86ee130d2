"""``make chaos``: a long run of kills, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path
from time import monotonic

from chaos.run import report, run_chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="a folder for logs and stores")
    arguments = parser.parse_args()
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    print(f"seed {seed}: repeat this run with SEED={seed}", flush=True)
    began = monotonic()

    def say(text: str) -> None:
        print(f"{monotonic() - began:7.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory() as made:
        folder = arguments.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            outcome = asyncio.run(run_chaos(folder, seed, arguments.cycles, say))
        except AssertionError as error:
            print(f"VIOLATION with seed {seed}: {error}")
            return 1
    for line in report(outcome):
        print(line)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
