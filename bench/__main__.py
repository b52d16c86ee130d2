"""``make bench``: every figure as a ratio against a peer in the same run."""

from __future__ import annotations

import importlib
import sys

PARTS = ("codec", "bus", "imports", "replay", "backtest", "trades", "recorder", "load", "telemetry")


def main(names: list[str]) -> int:
    """Run the named parts, or all; 1 when a figure of one is not as it should be."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    worst = 0
    for name in names or PARTS:
        print(f"\n== {name}", flush=True)
        worst = max(worst, importlib.import_module(f"bench.{name}").main() or 0)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
