"""Replays one seed."""

from __future__ import annotations

import sys

from simulation.world import simulate

if __name__ == "__main__":
    out = simulate(int(sys.argv[1]), print if "--verbose" in sys.argv else None)
    print(out)
