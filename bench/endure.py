"""An app on live data for long: does its memory stay, and do its files grow with its orders only?

The app and the server of `bench.load` get bars at a fixed rate, each of which makes an order that
is filled. Resident memory of app and server and the size of all files are read from the system
once a second, and printed for each tenth of the time.

* **Memory** is flat when the last tenth has at most a tenth more than the second one, beside what
  is still being filled by then. In the app these are the last ids, trades and ended orders that it
  knows, full after 20,000 orders. In the server these are two streams of market data of 32 MiB
  each, full after some 140,000 of these bars, the ids of the last hour, by which it knows what is
  sent twice, and buffers. Ids that are older it frees when they are two thirds of all, which is
  after three hours (`purgeMsgIds` of nats-server 2.15). Where all of that is full before the end,
  the last tenth is also compared with the first one after that.
* **Files** are linear when an order of the second half takes as many bytes as one of the first.
* **Nothing is lost**: as many orders are filled as there were bars.

``make endure MINUTES=60`` runs it. ``make endure MINUTES=15 RATE=50 CACHES=small`` shows in a
quarter of an hour that the server keeps nothing else: its streams of market data hold 2 MiB and it
knows ids for a minute, so that is full after three minutes, and nothing may grow after.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.load import ROOT, Running, bar_bytes, check, running
from ingenium.bus.nats.memory_size import data_bytes, machine_memory

TENTHS = 10
MAX_GROWTH = 1.10
MAX_UNEVENNESS = 1.25
_MEBIBYTE = 2**20
APP_FILLS_UP_TO = 20_000
APP_BYTES_AN_ORDER = 4096
SERVER_BYTES_A_BAR = 1536
"""In both streams, with what Go's collector leaves for a while."""
SERVER_BYTES_OF_IDS = 2048
"""Those of signal, order and execution for an hour, with what Go's collector leaves for a while."""
SERVER_BYTES_OF_OLD_IDS = 1024
"""The same, of which the server has forgotten that it knows them, and not freed them yet."""
_WINDOWS_KEPT = 3
SERVER_BLOCKS = 16 * _MEBIBYTE
"""Buffers of its store, which come when they are first needed."""
_HOUR = 3600.0
_SMALL_BYTES = 2 * _MEBIBYTE
_SMALL_WINDOW = 60
_SHRINK = f"""
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
object.__setattr__(DATA_STREAM, "max_bytes", {_SMALL_BYTES})
object.__setattr__(MONEY_STREAM, "duplicate_window_seconds", {_SMALL_WINDOW})
"""
"""Makes what the server keeps small, in the app's process; the layouts are frozen."""
_CATCH_UP_SECONDS = 60.0


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment.

    Attributes:
        app: Resident memory of the app's process, in bytes.
        server: That of its server.
        files: Size of all files in the app's folder, in bytes.
        filled: Orders filled so far.
    """

    app: int
    server: int
    files: int
    filled: int


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _server_of(pid: int) -> int:
    """Return the process of the server that an app has started, with a guard between the two."""
    found = _descendants(pid)
    for child in found:
        if Path(f"/proc/{child}/comm").read_text().strip() == "nats-server":
            return child
    raise SystemExit(f"process {pid} has started no nats-server, but {found}")


def _descendants(pid: int) -> list[int]:
    # Each thread has the children that it started.
    children = [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]
    return children + [each for child in children for each in _descendants(child)]


def _size_of(folder: Path) -> int:
    total = 0
    # Files and folders come and go meanwhile; a walk of `os` passes over those that are gone.
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total


def _look(it: Running, server: int) -> Sample:
    return Sample(_resident(it.pid), _resident(server), _size_of(it.log.parent), it.watch.filled)


async def endure(minutes: float, rate: float, *, is_small: bool = False) -> bool:
    """Print the table, and return whether all is as it should be.

    Args:
        minutes: How long to run the app.
        rate: Bars a second.
        is_small: Whether the server keeps little market data, and ids for a minute.
    """
    window = float(_SMALL_WINDOW) if is_small else _HOUR
    kept_bars = (_SMALL_BYTES if is_small else data_bytes(machine_memory())) // bar_bytes()
    seconds = minutes * 60 / TENTHS
    tenths: list[list[Sample]] = []
    async with running(ROOT, _SHRINK if is_small else "") as it:
        server = _server_of(it.pid)
        print(f"{rate:g} orders/s for {minutes:g} minutes")
        print(f"{'minute':>7}{'orders':>10}{'app MiB':>10}{'server MiB':>12}{'files MiB':>11}")
        for number in range(TENTHS):
            samples = []
            ends_at = perf_counter() + seconds
            while (left := ends_at - perf_counter()) > 0:
                await it.at_rate(rate, min(1.0, left))
                samples.append(_look(it, server))
                it.watch.seconds.clear()
            tenths.append(samples)
            latest = samples[-1]
            print(
                f"{(number + 1) * minutes / TENTHS:7.1f}{latest.filled:10,}"
                f"{median(each.app for each in samples) / _MEBIBYTE:10.1f}"
                f"{median(each.server for each in samples) / _MEBIBYTE:12.1f}"
                f"{latest.files / _MEBIBYTE:11.1f}",
                flush=True,
            )
        sent = it.sent
        await it.watch.until(sent, _CATCH_UP_SECONDS)
        filled, denied = it.watch.filled, it.watch.denied
    passed = check(f"{sent:,} bars, {filled:,} filled, {denied:,} denied", filled == sent)
    second, last = tenths[1][-1].filled, tenths[-1][-1].filled
    fills = {
        "app": APP_BYTES_AN_ORDER * _between(second, last, APP_FILLS_UP_TO),
        "server": SERVER_BYTES_A_BAR * _between(second, last, kept_bars)
        + SERVER_BYTES_OF_IDS * _between(second, last, int(rate * window))
        + SERVER_BYTES_OF_OLD_IDS * _between(second, last, int(rate * window * _WINDOWS_KEPT))
        + SERVER_BLOCKS,
    }
    if (full := _first_full(tenths, kept_bars, minutes, _WINDOWS_KEPT * window)) is not None:
        before, after = (median(each.server for each in tenths[place]) for place in (full, -1))
        passed &= check(
            f"memory of the server, full in tenth {full + 1}: {after / before:.2f} x in the last "
            f"(at most {MAX_GROWTH:g})",
            after <= MAX_GROWTH * before,
        )
    for name, filling in fills.items():
        before, after = (median(getattr(each, name) for each in tenths[place]) for place in (1, -1))
        limit = MAX_GROWTH * before + filling
        passed &= check(
            f"memory of the {name}: {after / _MEBIBYTE:.1f} MiB, "
            f"{before / _MEBIBYTE:.1f} in the second tenth (at most {limit / _MEBIBYTE:.1f})",
            after <= limit,
        )
    ratio = _bytes_an_order(tenths, 5, 10) / _bytes_an_order(tenths, 1, 5)
    return passed & check(
        f"files: {_bytes_an_order(tenths, 1, 10):,.0f} bytes an order, "
        f"{ratio:.2f} x as many in the second half (at most {MAX_UNEVENNESS:g})",
        ratio <= MAX_UNEVENNESS,
    )


def _between(first: int, last: int, limit: int) -> int:
    """Return how many of the orders from one number to another have a number up to a limit."""
    return min(last, limit) - min(first, limit)


def _first_full(
    tenths: Sequence[Sequence[Sample]], bars: int, minutes: float, seconds: float
) -> int | None:
    """Return the first tenth in which the server has all that it keeps, if it is not the last."""
    for place in range(TENTHS - 1):
        if place * minutes / TENTHS * 60 >= seconds and tenths[place][0].filled >= bars:
            return place
    return None


def _bytes_an_order(tenths: Sequence[Sequence[Sample]], first: int, end: int) -> float:
    before, after = tenths[first][0], tenths[end - 1][-1]
    return (after.files - before.files) / max(1, after.filled - before.filled)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; 1 when one of them is not as it should be."""
    parser = argparse.ArgumentParser(prog="bench.endure", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="bars a second")
    parser.add_argument("--caches", choices=("full", "small"), default="full")
    chosen = parser.parse_args(arguments)
    is_small = chosen.caches == "small"
    return 0 if asyncio.run(endure(chosen.minutes, chosen.rate, is_small=is_small)) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
