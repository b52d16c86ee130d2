"""Delete old events, and keep what later ones depend on.

A deletion removes a prefix of each stream, in many small transactions. What is kept of it is the
last position of each symbol, the last snapshot of the account, orders that are not finished, and
the state of the account, from which a rebuild starts. Positions, gaps and runs are not touched.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.clock import SystemClock
from ingenium.errors import ConfigError
from ingenium.events import TradeUpdate
from ingenium.recorder.archive import archived
from ingenium.recorder.database import Database
from ingenium.recorder.instants import DAY, nanoseconds
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.recorder.writer import BatchWriter, Execute

__all__ = ["Retention", "RetentionPolicy", "days_of", "delete_old", "prune"]

_DAYS = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII)
_ENDED = ", ".join(
    f"'{update}'"
    for update in (
        TradeUpdate.FILLED, TradeUpdate.CANCELED, TradeUpdate.REJECTED, TradeUpdate.EXPIRED
    )
)  # fmt: skip
_RANGE = "stream = ? AND sequence > ? AND sequence <= ?"
# All but orders, positions and snapshots, of which some rows are kept.
_PLAIN = ("signals", "executions", "denials", "control", "trades")


def days_of(text: str) -> int:
    """Return the days of a text such as ``"90d"``.

    Raises:
        ConfigError: It is none.
    """
    found = _DAYS.fullmatch(text)
    if found is None:
        raise ConfigError(f"--keep {text!r} is not known: use days, such as 90d")
    return int(found[1])


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What to keep of a recording.

    Attributes:
        days: Whole days, UTC, before the present one.
        archive: Folder of an export in Parquet; only what it holds is deleted. ``None`` to delete
            without one.
        now: Returns the present time, UTC.
    """

    days: int
    archive: Path | None = None
    now: Callable[[], datetime] = SystemClock().now

    def before(self) -> int:
        """Return the time of reception before which events are deleted: the start of a day."""
        return (nanoseconds(self.now()) // DAY - self.days) * DAY


class Retention:
    """Deletes old events of one scope; used by the thread of the writer.

    Args:
        writer: An open writer, which excludes others.
        scope: Name of the app.
        archive: Folder with the deleted events, for the text of readers; empty for none.
    """

    def __init__(self, writer: BatchWriter, scope: str, archive: str = "") -> None:
        self._writer = writer
        self._scope = scope
        self._archive = archive
        self._trading: TradingRows | None = None

    def step(self, before: int, limits: Mapping[str, int] | None = None) -> int:
        """Delete some of the oldest events in one transaction.

        Args:
            before: Events received before this time are deleted; the start of a day.
            limits: Highest sequence to delete by stream; no other streams are touched. ``None``
                for no limit.

        Returns:
            Number of deleted events; 0 when nothing is left to delete.

        Raises:
            RecorderError: The database cannot be written; nothing has changed since the last step.
        """
        done = {
            stream: sequence
            for stream, sequence in self._done().items()
            if limits is None or sequence < limits.get(stream, 0)
        }
        ends, until = self._writer.next_deletion(done, before)
        if limits is not None:
            ends = {stream: min(end, limits[stream]) for stream, end in ends.items()}
        if not ends:
            return 0
        trading = self._opening()
        # Its state is that of the database again only after the commit.
        self._trading = None
        count = 0
        with self._writer.transaction() as execute:
            for stream, end in ends.items():
                place = (stream, done[stream], end)
                count += execute(f"SELECT count(*) FROM events WHERE {_RANGE}", place)[0][0]  # noqa: S608
                self._book(execute, trading, place)
                self._delete(execute, place)
                self._note(execute, stream, end, before)
            self._writer.delete_events(execute, ends, until)
            for row in trading.take_changes():
                execute(
                    "INSERT INTO opening_books VALUES (?, ?, ?) "
                    "ON CONFLICT (scope, name) DO UPDATE SET state = excluded.state",
                    row,
                )
        self._trading = trading
        return count

    def _done(self) -> dict[str, int]:
        return dict(
            self._writer.query(
                "SELECT p.stream, COALESCE(r.sequence, 0) FROM position p "
                "LEFT JOIN retention r ON r.stream = p.stream "
                "WHERE p.scope = ? ORDER BY p.epoch, p.name",
                (self._scope,),
            )
        )

    def _opening(self) -> TradingRows:
        """Return the account after the last deleted event."""
        if self._trading is not None:
            return self._trading
        query = self._writer.query
        saved = query("SELECT name, state FROM opening_books WHERE scope = ?", (self._scope,))

        def find_order(order_id: str) -> tuple[str, str] | None:
            rows = query(
                "SELECT symbol, side FROM orders WHERE order_id = ? AND request = 'new' AND "
                "stream IN (SELECT stream FROM position WHERE scope = ?) LIMIT 1",
                (order_id, self._scope),
            )
            return rows[0] if rows else None

        books = {name: bytes(state) for name, state in saved}
        return TradingRows(self._scope, books, {}, find_order)

    def _book(self, execute: Execute, trading: TradingRows, place: tuple[str, int, int]) -> None:
        """Book the fills that were booked when they were recorded."""
        typed = TypedRows(trading)
        for sequence, received, subject, headers, body in execute(
            "SELECT e.sequence, e.received, e.subject, e.headers, e.body FROM events e "
            "JOIN executions x ON x.stream = e.stream AND x.sequence = e.sequence "
            "WHERE x.booked = 1 AND e.stream = ? AND e.sequence > ? AND e.sequence <= ? "
            "AND x.stream = ? AND x.sequence > ? AND x.sequence <= ? ORDER BY e.sequence",
            (*place, *place),
        ):
            kept = KeptMessage(sequence, received, subject, bytes(headers), bytes(body))
            typed.add({}, place[0], kept, with_event=False)

    def _delete(self, execute: Execute, place: tuple[str, int, int]) -> None:
        stream, _, end = place
        # An unfinished order may be filled by a report that states neither symbol nor side.
        execute(
            f"DELETE FROM orders WHERE {_RANGE} AND (request <> 'new' "  # noqa: S608
            f'OR EXISTS (SELECT 1 FROM executions WHERE executions."update" IN ({_ENDED}) '
            "AND executions.order_id = orders.order_id) "
            "OR EXISTS (SELECT 1 FROM denials WHERE denials.order_id = orders.order_id))",
            place,
        )
        execute(
            "DELETE FROM orders WHERE stream = ? AND sequence <= ? AND order_id IN "  # noqa: S608
            f"(SELECT order_id FROM executions WHERE {_RANGE} "
            f'AND executions."update" IN ({_ENDED}))',
            (stream, end, *place),
        )
        last = execute(
            "SELECT symbol, max(sequence) FROM position_changes "  # noqa: S608
            f"WHERE {_RANGE} GROUP BY symbol",
            place,
        )
        for symbol, sequence in last:
            execute(
                "DELETE FROM position_changes WHERE stream = ? AND symbol = ? AND sequence < ?",
                (stream, symbol, sequence),
            )
        execute(
            "DELETE FROM account_snapshots WHERE stream = ? AND sequence < "
            "(SELECT max(sequence) FROM account_snapshots WHERE stream = ? AND sequence <= ?)",
            (stream, stream, end),
        )
        for name in _PLAIN:
            execute(f"DELETE FROM {name} WHERE stream = ? AND sequence <= ?", (stream, end))  # noqa: S608

    def _note(self, execute: Execute, stream: str, end: int, before: int) -> None:
        execute(
            "INSERT INTO retention VALUES (?, ?, ?, ?, ?) ON CONFLICT (stream) DO UPDATE SET "
            "sequence = excluded.sequence, kept_from = excluded.kept_from, "
            "deleted = excluded.deleted, archive = excluded.archive",
            (stream, end, before, nanoseconds(SystemClock().now()), self._archive),
        )


def prune(database: Database, scope: str, policy: RetentionPolicy) -> tuple[int, int]:
    """Delete what a policy does not keep of a recording that no recorder writes to.

    Args:
        database: Database of the recording; its tables are up to date.
        scope: Name of the app.
        policy: What to keep.

    Returns:
        Number of deleted events, and bytes that remain free within the file of SQLite.

    Raises:
        MissingDependencyError: The archive needs pyarrow.
        RecorderError: A recorder holds the database; or see `delete_old`.
    """
    writer = open_writer(database, scope)

    async def run(work: Callable[[], int]) -> int:
        return work()

    async def delete() -> int:
        return sum([count async for count in delete_old(database, writer, scope, policy, run)])

    try:
        count = asyncio.run(delete())
        return count, writer.reclaim()
    finally:
        writer.close()


async def delete_old(
    database: Database,
    writer: BatchWriter,
    scope: str,
    policy: RetentionPolicy,
    run: Callable[[Callable[[], int]], Awaitable[int]],
) -> AsyncIterator[int]:
    """Delete what a policy does not keep, after exporting it.

    Args:
        database: Database of the writer.
        writer: An open writer.
        scope: Name of the app.
        policy: What to keep.
        run: Runs a step in the thread of the writer.

    Yields:
        Number of events deleted by each step.

    Raises:
        MissingDependencyError: The archive needs pyarrow.
        RecorderError: The database cannot be read or written, or the archive does not hold what is
            to be deleted.
    """
    before, limits = policy.before(), None
    if policy.archive is not None:
        limits = await asyncio.to_thread(archived, database, scope, policy.archive, before)
    retention = Retention(writer, scope, str(policy.archive or ""))
    while count := await run(partial(retention.step, before, limits)):
        yield count
