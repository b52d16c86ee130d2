"""What `bench.dashboard` sets up: a recording with history, a control plane, a browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from msgspec import structs
from playwright.async_api import Browser, async_playwright

from bench.dashboard_app import SYMBOLS
from bench.recorder_messages import make_messages
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.events import ExecutionEvent, OrderEvent, decode, encode
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.subjects.names import EXECUTION, ORDER

__all__ = [
    "browser", "command", "control_plane", "ended", "processor_seconds", "resident_bytes",
    "until_written", "write_history",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 40.0
_BATCH = 4_000


def write_history(database: Path, app: str, fills: int) -> None:
    """Record orders and their fills of the days before, as if an app had sent them."""
    database.parent.mkdir(parents=True, exist_ok=True)
    writer = open_writer(open_database(str(database)), app)
    trading = TradingRows(app, {}, {})
    typed = TypedRows(trading)
    stream = RecordedStream(app, "EARLIER")
    writer.claim(stream)
    first = datetime.now(UTC) - timedelta(days=30)
    first_nanoseconds = int(first.timestamp()) * 1_000_000_000
    number = 0
    while number < fills:
        part: list[KeptMessage] = []
        while len(part) < _BATCH and number < fills:
            # The thirty days before now, each fill some seconds after the one before.
            received = first_nanoseconds + number * (29 * 86_400 * 1_000_000_000 // fills)
            for each in make_messages(3, number * 10):
                if each.subject not in (ORDER, EXECUTION):
                    continue
                place = stream.sequence + len(part) + 1
                kept = structs.replace(
                    each, sequence=place, received=received, payload=_dated(each, number, received)
                )
                part.append(kept)
            number += 1
        batch = WriteBatch(
            stream.label, stream.sequence, stream.sequence + len(part), part[-1].received
        )
        for each in part:
            typed.add(batch.rows, stream.label, each)
        batch.books = trading.take_changes()
        writer.write(batch)
        stream.sequence += len(part)
    writer.close()


def _dated(message: KeptMessage, number: int, received: int) -> bytes:
    """Return the event of a message with a time and a symbol of this recording."""
    time = datetime.fromtimestamp(received / 1e9, UTC)
    symbol = SYMBOLS[number // 2 % len(SYMBOLS)]
    side = "buy" if number % 2 == 0 else "sell"
    changes = {"timestamp": time, "symbol": symbol, "side": side}
    if message.subject == ORDER:
        return encode(_changed(decode(OrderEvent, message.payload), changes))
    price = f"{100 + number % 997 / 100:.2f}"
    return encode(_changed(decode(ExecutionEvent, message.payload), changes | {"price": price}))


def _changed(event: Any, changes: dict[str, object]) -> Any:
    for name, value in changes.items():
        setattr(event, name, value)
    return event


def command(*arguments: str, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the command line of this work tree."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM", "NATS"))}
    environment |= {"PYTHONPATH": os.pathsep.join((str(ROOT / "python"), str(ROOT)))}
    environment |= {"INGENIUM_DATA_DIR": str(folder / "data"), "COLUMNS": "300"}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ingenium", *arguments],
            stdout=output, stderr=output, env=environment, cwd=folder,
        )  # fmt: skip


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process whatever happens."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def text_of(log: Path) -> str:
    """Return what a process has written."""
    return log.read_text(errors="replace")


async def until_written(log: Path, text: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until a process has written a text; return all that it has written."""
    ends_at = perf_counter() + _START_SECONDS
    while text not in (written := text_of(log)):
        if process.poll() is not None or perf_counter() > ends_at:
            raise SystemExit(f"not written: {text!r}: {written}")
        await asyncio.sleep(0.05)
    return written


@asynccontextmanager
async def control_plane(folder: Path) -> AsyncIterator[tuple[int, str, str]]:
    """Run the control plane of a folder; yield its process, its URL and the URL of a login."""
    log = folder / "plane.log"
    with ended(command("dashboard", "--port", "0", folder=folder, log=log)) as process:
        written = await until_written(log, "open it in a browser", process)
        login = next(line for line in written.splitlines() if line.startswith("http"))
        yield process.pid, login.partition("/login")[0], login


@asynccontextmanager
async def browser(folder: Path, *, is_idle: bool = False) -> AsyncIterator[Browser]:
    """Run the system's Chromium, on request with only the time that nobody else wants."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("chromium is not on PATH: install it, as .ci/run does")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    starter = folder / "chromium"
    starter.write_text(f'#!/bin/sh\nexec {"chrt --idle 0" if is_idle else ""} {found} "$@"\n')
    starter.chmod(0o700)
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=starter, args=arguments)
        try:
            yield made
        finally:
            await made.close()


def processor_seconds(pid: int) -> float:
    """Return the time of the processor that a process has used, its children's included."""
    total = 0.0
    for each in [pid, *children_of(pid)]:
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children_of(pid: int) -> list[int]:
    """Return the processes below a process."""
    try:
        direct = [
            int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []
    return direct + [below for each in direct for below in children_of(each)]


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
