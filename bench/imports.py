"""How long ``import ingenium`` takes, beside an empty Python and peers that do as much."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

ROUNDS = 9
LIMIT_SECONDS = 0.25
CONTENDERS = {
    "nothing": "pass",
    "asyncio": "import asyncio",
    "betterproto2": "import betterproto2",
    "nats": "import nats",
    "ingenium": "import ingenium",
}


def _seconds(code: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - began


def main() -> None:
    """Print the table."""
    for code in CONTENDERS.values():  # the first import writes bytecode
        subprocess.run([sys.executable, "-c", code], check=True)
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, code in CONTENDERS.items():
            times[name].append(_seconds(code))
    for name, seconds in times.items():
        print(f"import {name:14} {median(seconds) * 1000:6.0f} ms (best {min(seconds) * 1000:.0f})")
    ours = median(times["ingenium"])
    verdict = "within" if ours < LIMIT_SECONDS else "OVER"
    aim = LIMIT_SECONDS * 1000
    print(f"import ingenium: {ours * 1000:.0f} ms, {verdict} the aim of {aim:.0f} ms")


if __name__ == "__main__":
    main()
