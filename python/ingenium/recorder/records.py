"""Read a recording: fills, positions, profit and loss, and the history of an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Column, Connection, Select, and_, func, or_, select

from ingenium.clock import SystemClock
from ingenium.errors import ConfigError
from ingenium.recorder.database import Database, failures
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.order_story import order_story
from ingenium.recorder.order_strategies import order_strategies
from ingenium.recorder.paging import after_page, latest_first, page_name, unknown_page, within
from ingenium.recorder.profit_rows import profit_rows
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.recorded_events import EventFilter, read_events
from ingenium.recorder.run_tables import compare_runs, run_table
from ingenium.recorder.runs import KINDS
from ingenium.recorder.schema import (
    BARS,
    EXECUTIONS,
    GAPS,
    POSITION,
    POSITION_CHANGES,
    RUNS,
    of_same_event,
    streams_of,
)
from ingenium.recorder.table_notes import deletion_notes, missing_notes
from ingenium.trading.money import QUOTIENT

__all__ = ["Records"]

_ResultT = TypeVar("_ResultT")


class Records:
    """A database of recorded events; made by `ingenium.recorder.open`.

    Args:
        url: See `ingenium.recorder.open`.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, is_kept=True)
        try:
            self._database.check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._database.engine.dispose()

    def transactions(
        self,
        app: str | None = None,
        *,
        symbol: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str = "",
    ) -> RecordTable:
        """Return fills, latest first.

        Args:
            app: Name of an app, or id of a run; all in the database when left out.
            symbol: Only fills of this instrument.
            since: Only fills at or after this time.
            until: Only fills before this time.
            limit: Most fills to return.
            after: `RecordTable.next` of the previous page.

        Raises:
            ConfigError: ``after`` does not come from an earlier page.
            RecorderError: The database cannot be read.
        """
        table = EXECUTIONS
        columns = [
            table.c[name]
            for name in (
                "time", "symbol", "side", "quantity", "price", "commission", "order_id", "id",
                "stream", "sequence",
            )
        ]  # fmt: skip
        query = select(*columns).where(table.c.booked == 1)
        query = within(query, table.c.time, since, until)
        if symbol is not None:
            query = query.where(table.c.symbol == symbol)
        if app is not None:
            query = query.where(table.c.stream.in_(streams_of(app)))
        query = after_page(query, table, "time", after).order_by(*latest_first(table, "time"))
        query = query.limit(limit + 1)
        rows = self._rows(query)
        more = ""
        if len(rows) > limit:
            rows = rows[:limit]
            last = rows[-1]
            more = page_name(last[0], last[-2], last[-1])
        names = [column.name for column in columns]
        notes = [] if more else self._notes(app, table.c.symbol, symbol, since, rows)
        return RecordTable(names, rows, ("time",), more, notes)

    def positions(
        self,
        app: str | None = None,
        *,
        symbol: str | None = None,
        at: datetime | None = None,
        limit: int | None = None,
        after: str = "",
    ) -> RecordTable:
        """Return the open positions at a time, by symbol.

        Args:
            app: As for `transactions`.
            symbol: Only the position in this instrument.
            at: Time of the positions, fills at that time included; now when left out.
            limit: Most positions to return.
            after: `RecordTable.next` of the previous page.

        Raises:
            ConfigError: ``after`` does not come from an earlier page, or ``at`` has no zone.
            RecorderError: The database cannot be read.
        """
        time = nanoseconds(at) if at is not None else nanoseconds(SystemClock().now())
        changes, position = POSITION_CHANGES, POSITION
        order = (
            changes.c.time.desc(), position.c.epoch.desc(), changes.c.sequence.desc()
        )  # fmt: skip
        ranked = (
            select(
                position.c.scope,
                changes.c.symbol,
                changes.c.quantity,
                changes.c.cost,
                changes.c.realized_pnl,
                changes.c.time,
                func.row_number()
                .over(partition_by=(position.c.scope, changes.c.symbol), order_by=order)
                .label("place"),
            )
            .join(position, position.c.stream == changes.c.stream)
            .where(changes.c.time <= time)
        )
        if app is not None:
            ranked = ranked.where(position.c.scope == app)
        if symbol is not None:
            ranked = ranked.where(changes.c.symbol == symbol)
        inner = ranked.subquery()
        query = (
            select(*[column for column in inner.c if column.name != "place"])
            .where(inner.c.place == 1)
            .order_by(inner.c.scope, inner.c.symbol)
        )
        rows = [
            (scope, symbol, quantity, QUOTIENT.divide(cost, quantity), cost, realized, since)
            for scope, symbol, quantity, cost, realized, since in self._rows(query)
            if quantity
        ]
        names = ("app", "symbol", "quantity", "average_cost", "cost", "realized_pnl", "since")
        notes = self._notes(app, changes.c.symbol, symbol, at, rows, is_state=at is None)
        return RecordTable(names, rows, ("since",), "", notes).page(limit, after)

    def pnl(
        self,
        app: str | None = None,
        *,
        by: str = "day",
        symbol: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        after: str = "",
    ) -> RecordTable:
        """Return the realized profit and loss by day, symbol or strategy.

        Args:
            app: As for `transactions`.
            by: ``"day"`` (UTC), ``"symbol"`` or ``"strategy"``: that whose signal led to the order
                of the fill; empty if none did.
            symbol: Only fills of this instrument.
            since: Only fills at or after this time.
            until: Only fills before this time.
            limit: Most rows to return.
            after: `RecordTable.next` of the previous page.

        Raises:
            ConfigError: ``by`` is none of these, or ``after`` does not come from an earlier page.
            RecorderError: The database cannot be read.
        """
        if by not in {"day", "symbol", "strategy"}:
            raise ConfigError(f"profit by {by!r} is not known: use 'day', 'symbol' or 'strategy'")
        changes, position, fills = POSITION_CHANGES, POSITION, EXECUTIONS
        query = (
            select(
                position.c.scope,
                changes.c.symbol,
                changes.c.time,
                changes.c.realized_pnl,
                fills.c.commission,
                fills.c.sequence.label("fill"),
                fills.c.order_id,
            )
            .join(position, position.c.stream == changes.c.stream)
            .outerjoin(
                fills,
                of_same_event(fills, changes),
            )
            .order_by(position.c.scope, position.c.epoch, changes.c.sequence)
        )
        if app is not None:
            query = query.where(position.c.scope == app)
        if symbol is not None:
            query = query.where(changes.c.symbol == symbol)
        strategies: dict[str, str] = {}
        if by == "strategy":
            strategies = self.run(lambda connection: order_strategies(connection, app))
        rows = profit_rows(self._rows(query), by, since, until, strategies)
        names = ("app", by, "fills", "realized_pnl", "commissions", "net_pnl")
        notes = self._notes(app, changes.c.symbol, symbol, since, rows)
        return RecordTable(names, rows, (), "", notes).page(limit, after)

    def order(
        self,
        order_id: str,
        app: str | None = None,
        *,
        limit: int | None = None,
        after: str = "",
    ) -> RecordTable:
        """Return the history of an order: its bar, signals, requests, denials, reports and trade.

        Args:
            order_id: Id of the order.
            app: As for `transactions`; needed where several runs have an order of this id, as
                equal backtests do.
            limit: Most steps to return.
            after: `RecordTable.next` of the previous page.

        Raises:
            ConfigError: Several runs have the order, and ``app`` is left out; or ``after`` does not
                come from an earlier page.
            RecorderError: The database cannot be read, or the order is unknown.
        """
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            story = order_story(connection, order_id, self._database.text, app)
        return story.page(limit, after)

    def events(
        self,
        app: str | None = None,
        *,
        type: str = "",
        message: type[Any] | None = None,
        subject: str = "",
        symbol: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str = "",
    ) -> RecordTable:
        """Return events, latest first, decoded.

        Args:
            app: As for `transactions`.
            type: Only events of this type of the bus, such as ``"SignalEvent"``.
            message: Class of events of your own, as ``buf generate`` makes it: only events of no
                type of the bus are returned, decoded into it. Every JSON object can be read as
                every class, so pass ``subject`` too.
            subject: Only events on this subject, or those that match this wildcard.
            symbol: Only events about this instrument; with ``message`` by its ``symbol``.
            since: Only events received at or after this time.
            until: Only events received before this time.
            limit: Most events to return.
            after: `RecordTable.next` of the previous page.

        Returns:
            The column ``event`` has events as objects; a ``dict`` for an event of no known type,
            or if ``error`` says why it cannot be decoded.

        Raises:
            ConfigError: The type is unknown, ``after`` does not come from an earlier page, or a
                time has no zone.
            SubjectError: ``subject`` is none.
            RecorderError: The database cannot be read.
        """
        wanted = EventFilter(type, subject, symbol, since, until, message)
        streams = select(POSITION.c.stream)
        if app is not None:
            streams = streams_of(app)
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            found = list(connection.scalars(streams))
            names, rows, more = read_events(connection, found, wanted, limit, after)
        notes = [] if more else self._notes(app, BARS.c.symbol, symbol, since, rows)
        return RecordTable(names, rows, ("received", "time"), more, notes)

    def runs(
        self,
        app: str | None = None,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        after: str = "",
    ) -> RecordTable:
        """Return the recorded runs, latest first.

        Args:
            app: Name of an app; all when left out.
            kind: Only ``"live"`` runs, a ``"backtest"``, a ``"replay"``, or those of
                a ``"sweep"``.
            since: Only runs started at or after this time.
            until: Only runs started before this time.
            limit: Most runs to return.
            after: `RecordTable.next` of the previous page.

        Raises:
            ConfigError: ``kind`` is not known, or ``after`` does not come from an earlier page.
            RecorderError: The database cannot be read.
        """
        query = select(RUNS).order_by(RUNS.c.started.desc(), RUNS.c.id)
        query = within(query, RUNS.c.started, since, until)
        if app is not None:
            query = query.where(RUNS.c.app == app)
        if kind is not None:
            if kind not in KINDS:
                raise ConfigError(f"kind {kind!r} is not known: use {', '.join(KINDS)}")
            query = query.where(RUNS.c.kind == kind)
        if after:
            found = self._rows(select(RUNS.c.started).where(RUNS.c.id == after))
            if not found:
                raise unknown_page(after)
            last = found[0].started
            query = query.where(
                or_(RUNS.c.started < last, and_(RUNS.c.started == last, RUNS.c.id > after))
            )
        rows = self._rows(query if limit is None else query.limit(limit + 1))
        more = "" if limit is None or len(rows) <= limit else rows[limit - 1].id
        notes = []
        if not rows and app is not None:
            apps = [row.app for row in self._rows(select(RUNS.c.app).distinct())]
            if app not in apps:
                there = ", ".join(sorted(apps)) or "none"
                notes.append(f"no runs of {app!r} in {self._database.text}: there are {there}")
        return run_table(rows[:limit], more, notes)

    def compare(self, run_ids: Sequence[str]) -> RecordTable:
        """Return the inputs and figures in which runs differ, with one column for each run.

        Args:
            run_ids: Ids of two runs or more.

        Raises:
            ConfigError: There are fewer than two.
            RecorderError: The database cannot be read, or a run is unknown.
        """
        found = {
            row.id: row for row in self._rows(select(RUNS).where(RUNS.c.id.in_(list(run_ids))))
        }
        return compare_runs(found, run_ids, self._database.text)

    def streams(self) -> RecordTable:
        """Return the recorded position of each stream."""
        query = select(POSITION).order_by(POSITION.c.stream)
        return RecordTable(POSITION.columns.keys(), self._rows(query), ("mark", "since"))

    def gaps(self) -> RecordTable:
        """Return the gaps in the recording, with their reasons."""
        query = select(GAPS).order_by(GAPS.c.stream, GAPS.c.first)
        return RecordTable(GAPS.columns.keys(), self._rows(query), ("time",))

    def run(self, query: Callable[[Connection], _ResultT]) -> _ResultT:
        """Run a query of this room on a connection.

        Raises:
            RecorderError: The database cannot be read.
        """
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            return query(connection)

    def _notes(
        self,
        app: str | None,
        column: Column[str],
        symbol: str | None,
        since: datetime | None,
        rows: Sequence[Any],
        *,
        is_state: bool = False,
    ) -> list[str]:
        first = None if since is None else nanoseconds(since)
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            notes = deletion_notes(connection, app, first) if not is_state else []
            if not rows:
                where = self._database.text
                notes = [*missing_notes(connection, app, column, symbol, where), *notes]
            return notes

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            return connection.execute(query).all()
