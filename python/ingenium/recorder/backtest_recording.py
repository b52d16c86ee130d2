"""Record a run over history: its events as a stream of its own, and its figures as a run."""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert

from ingenium import __version__
from ingenium.backtest.manifest import components_of, source_digest
from ingenium.backtest.result import BacktestResult
from ingenium.backtest.sweep.sweep_run import SweepRun
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.components import App
from ingenium.ids import random_id
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database, failures
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.runs import BACKTEST, SWEEP, begin_run, end_run
from ingenium.recorder.schema import RUNS
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.recorder.writer import BatchWriter
from ingenium.runtime.replay import ReplayResult
from ingenium.subjects.names import ALL_DATA

__all__ = ["BacktestRecording", "digested_events", "record_sweep"]

_BATCH = 1000
# Several lines come together only for bars, and a payload that is no event may contain a line feed.
_ANY_BAR = ALL_DATA.removesuffix(">").encode()
_NEXT_BAR = re.compile(rb"\n(?=" + re.escape(_ANY_BAR) + rb")")


class BacktestRecording:
    """Writes the events of one backtest or replay; a context manager.

    `add` takes the lines of `ingenium.backtest.run`, whose digest is that of the recorded events.
    Their scope is the id of the run. A thread writes them while the run continues.

    Args:
        database: Database to write to; its tables are up to date.
        app: Name of the app.
        kind: `BACKTEST`, or `REPLAY` for history over a server.

    Attributes:
        run_id: Id of the run.
        events: Number of events so far.

    Raises:
        RecorderError: The database cannot be written; `add` and `end` raise it too.
    """

    def __init__(self, database: Database, app: str, kind: str = BACKTEST) -> None:
        self._database = database
        self.run_id = begin_run(database, app, kind, {})
        self.events = 0
        self._stream = RecordedStream(self.run_id, kind)
        # The time of an event is simulated; this is when it was recorded. One value for all keeps
        # a run of many years in one partition.
        self._received = time.time_ns()
        self._kept: list[KeptMessage] = []
        self._trading = TradingRows(self.run_id, {}, {})
        self._typed = TypedRows(self._trading)
        self._thread = ThreadPoolExecutor(1, "ingenium backtest recorder")
        self._writer: BatchWriter | None = None
        self._writing: Future[None] = self._thread.submit(self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def add(self, lines: bytes) -> None:
        """Record events; see `ingenium.runtime.replay.OnLines`."""
        for subject, payload in digested_events(lines):
            self.events += 1
            self._kept.append(KeptMessage(self.events, self._received, subject, b"", payload))
        if len(self._kept) >= _BATCH:
            self._flush()

    def end(self, result: BacktestResult) -> None:
        """Record the figures of a backtest, after its last event."""
        values = result.to_json(trades=False)
        self._end(
            result.events_digest,
            values["manifest"],
            values["stats"]
            | {name: values[name] for name in ("complete", "failure", "problems", "limits")},
        )

    def end_replay(self, result: ReplayResult, app: App, target: str) -> None:
        """Record the figures of a replay, after its last event.

        Args:
            result: Its result.
            app: The app.
            target: The app, as on a command line.
        """
        account = result.account
        self._end(
            result.events_digest,
            {
                "app": target,
                "app_digest": source_digest(target),
                "components": components_of(app),
                "ingenium": __version__,
                "python": platform.python_version(),
            },
            {
                "total_return": float(account.equity / account.starting_cash - 1),
                "trades": len(result.trades),
                "final_equity": str(account.equity),
                "complete": result.complete,
                "failure": result.hopeless,
                "problems": list(result.problems),
            },
        )

    def fail(self, error: Exception) -> None:
        """Record that a replay has failed, after the events up to its failure."""
        self._end("", None, {"complete": False, "failure": str(error)})

    def _end(
        self, digest: str, parameters: Mapping[str, Any] | None, stats: Mapping[str, Any]
    ) -> None:
        self._flush()
        self._writing.result()
        end_run(self._database, self.run_id, digest=digest, parameters=parameters, stats=stats)

    def _flush(self) -> None:
        self._writing.result()
        kept, self._kept = self._kept, []
        if kept:
            self._writing = self._thread.submit(self._write, kept)

    def _open(self) -> None:
        self._writer = open_writer(self._database, self.run_id)
        self._writer.claim(self._stream)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._database.path is not None:
            # Nobody else records this run, so nobody else waits for its lock.
            self._database.lock_path(self.run_id).unlink(missing_ok=True)

    def _write(self, kept: list[KeptMessage]) -> None:
        assert self._writer is not None  # noqa: S101 - opened by the same thread
        stream = self._stream
        batch = WriteBatch(stream.label, stream.sequence, kept[-1].sequence, self._received)
        for each in kept:
            self._typed.add(batch.rows, batch.stream, each)
        batch.books = self._trading.take_changes()
        self._writer.write(batch)
        stream.sequence = batch.after


def digested_events(lines: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield subject and payload of each event in lines of `ingenium.runtime.replay.OnLines`."""
    for line in _NEXT_BAR.split(lines[:-1]):
        subject, _, payload = line.partition(b" ")
        yield subject.decode(), payload


def record_sweep(database: Database, app: str, runs: Iterable[SweepRun]) -> int:
    """Record the parameters and figures of a sweep's backtests; their events are not recorded.

    Args:
        database: Database to write to; its tables are up to date.
        app: Name of the app.
        runs: The backtests.

    Returns:
        Their number.

    Raises:
        RecorderError: The database cannot be written; it is then unchanged.
    """
    now = time.time_ns()
    rows: list[Mapping[str, Any]] = [
        {
            "id": random_id("run"),
            "app": app,
            "kind": SWEEP,
            "started": now,
            "ended": now,
            "digest": run.events_digest,
            "parameters": json.dumps(run.manifest | {"point": dict(run.point)}, sort_keys=True),
            "stats": json.dumps(
                run.figures
                | {
                    "complete": not run.error,
                    "failure": run.error,
                    "problems": list(run.problems),
                },
                sort_keys=True,
            ),
        }
        for run in runs
    ]
    if rows:
        with failures(database, "be written"), database.engine.begin() as connection:
            connection.execute(insert(RUNS), rows)
    return len(rows)
