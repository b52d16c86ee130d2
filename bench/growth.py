"""How time and memory of a backtest grow with its bars: each size in a process of its own.

`python -m bench.growth` runs 10,000 to 2,000,000 one-minute bars from a CSV file, with an order
every 26 bars, figures and digest.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.backtest import make_app, write_bars
from ingenium.backtest import run
from ingenium.ingestors import CsvIngestor

SIZES = (10_000, 100_000, 500_000, 2_000_000)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for bars in SIZES:
            path = Path(folder) / f"{bars}.csv"
            write_bars(path, bars)
            command = [sys.executable, "-m", "bench.growth", str(path)]
            seconds, mebibytes, orders = map(float, subprocess.check_output(command).split())
            print(
                f"{bars:10,} bars: {seconds:7.2f} s, {seconds / bars * 1e6:5.1f} us a bar, "
                f"{mebibytes:6.0f} MiB at most, {orders:8,.0f} orders"
            )
            path.unlink()


def _measure(path: Path) -> None:
    began = perf_counter()
    result = run(make_app(CsvIngestor(path, symbol="XYZ"), 10, 30))
    took = perf_counter() - began
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result.replay.orders)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(Path(sys.argv[1]))
    else:
        main()
