"""Bars a second through all four components: in one process, and over NATS."""

from __future__ import annotations

import asyncio
import runpy
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from ingenium.backtest import replay
from ingenium.config import Settings
from ingenium.deploy.local import run_app
from ingenium.runtime.replay import ReplayResult

DEMO = Path(__file__).parents[1] / "examples" / "demo" / "app.py"
ROUNDS = 3


def _run(how: str) -> tuple[float, ReplayResult]:
    app = runpy.run_path(str(DEMO))["app"]()
    began = perf_counter()
    if how == "without a server":
        result: ReplayResult | None = replay(app)
    else:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.from_environment({"INGENIUM_DATA_DIR": folder, "PATH": _path()})
            processes = how == "over NATS, a process each"
            coroutine = run_app(app, str(DEMO), settings, processes=processes)
            result = asyncio.run(coroutine)
    if result is None:
        raise RuntimeError("the demo reads history, so it has a result")
    return perf_counter() - began, result


def _path() -> str:
    import os

    return os.environ["PATH"]


def main() -> None:
    """Print the table."""
    ways = ("without a server", "over NATS, one process", "over NATS, a process each")
    times: dict[str, list[float]] = {way: [] for way in ways}
    digests = set()
    bars = 0
    for _ in range(ROUNDS):
        for way in ways:
            seconds, result = _run(way)
            times[way].append(seconds)
            digests.add(result.events_digest)
            bars = result.data
    first = median(times[ways[0]])
    for way, measured in times.items():
        took = median(measured)
        print(f"{way:26} {bars / took:9,.0f} bars/s, {took / first:6.1f} x the time of the first")
    print(f"digests: {len(digests)} distinct in {ROUNDS * len(ways)} runs")


if __name__ == "__main__":
    main()
