"""Read a recording: fills, positions, profit and loss, and the history of an order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from ingenium.clock import SystemClock
from ingenium.errors import ConfigError
from ingenium.recorder.database import Database, failures
from ingenium.recorder.instants import datetime_of, nanoseconds
from ingenium.recorder.order_story import order_story
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.run_tables import compare_runs, run_table
from ingenium.recorder.schema import (
    EXECUTIONS,
    GAPS,
    POSITION,
    POSITION_CHANGES,
    RUNS,
)
from ingenium.trading.money import EXACT, QUOTIENT, ZERO

__all__ = ["Records"]


class Records:
    """A database of recorded events; made by `ingenium.recorder.open`.

    Args:
        url: See `ingenium.recorder.open`.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, is_kept=True)
        self._database.check()

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
        query = _within(query, table.c.time, since, until)
        if symbol is not None:
            query = query.where(table.c.symbol == symbol)
        if app is not None:
            query = query.where(table.c.stream.in_(self._streams(app)))
        if after:
            time, stream, sequence = _read_cursor(after)
            query = query.where(
                or_(
                    table.c.time < time,
                    and_(
                        table.c.time == time,
                        or_(
                            table.c.stream < stream,
                            and_(table.c.stream == stream, table.c.sequence < sequence),
                        ),
                    ),
                )
            )
        query = query.order_by(
            table.c.time.desc(), table.c.stream.desc(), table.c.sequence.desc()
        ).limit(limit + 1)
        rows = self._rows(query)
        more = ""
        if len(rows) > limit:
            rows = rows[:limit]
            last = rows[-1]
            more = f"{last[0]}:{last[-1]}:{last[-2]}"
        return RecordTable([column.name for column in columns], rows, ("time",), more)

    def positions(self, app: str | None = None, *, at: datetime | None = None) -> RecordTable:
        """Return the open positions at a time, by symbol.

        Args:
            app: As for `transactions`.
            at: Time of the positions, fills at that time included; now when left out.

        Raises:
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
        return RecordTable(names, rows, ("since",))

    def pnl(
        self,
        app: str | None = None,
        *,
        by: str = "day",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> RecordTable:
        """Return the realized profit and loss by day or symbol.

        Args:
            app: As for `transactions`.
            by: ``"day"`` (UTC) or ``"symbol"``.
            since: Only fills at or after this time.
            until: Only fills before this time.

        Raises:
            ConfigError: ``by`` is neither.
            RecorderError: The database cannot be read.
        """
        if by not in {"day", "symbol"}:
            raise ConfigError(f"profit by {by!r} is not known: use 'day' or 'symbol'")
        changes, position, fills = POSITION_CHANGES, POSITION, EXECUTIONS
        query = (
            select(
                position.c.scope,
                changes.c.symbol,
                changes.c.time,
                changes.c.realized_pnl,
                fills.c.commission,
            )
            .join(position, position.c.stream == changes.c.stream)
            .join(
                fills,
                and_(fills.c.stream == changes.c.stream, fills.c.sequence == changes.c.sequence),
            )
            .order_by(position.c.scope, position.c.epoch, changes.c.sequence)
        )
        if app is not None:
            query = query.where(position.c.scope == app)
        first = None if since is None else nanoseconds(since)
        end = None if until is None else nanoseconds(until)
        before: dict[tuple[str, str], Decimal] = {}
        found: dict[tuple[str, str], list[Any]] = {}
        for scope, symbol, time, realized, commission in self._rows(query):
            change = EXACT.subtract(realized, before.get((scope, symbol), ZERO))
            before[scope, symbol] = realized
            if (first is not None and time < first) or (end is not None and time >= end):
                continue
            key = symbol if by == "symbol" else _day(time)
            sums = found.setdefault((scope, key), [0, ZERO, ZERO])
            sums[0] += 1
            sums[1] = EXACT.add(sums[1], change)
            sums[2] = EXACT.add(sums[2], commission or ZERO)
        rows = [
            (scope, key, count, profit, costs, EXACT.subtract(profit, costs))
            for (scope, key), (count, profit, costs) in sorted(found.items())
        ]
        return RecordTable(("app", by, "fills", "realized_pnl", "commissions", "net_pnl"), rows)

    def order(self, order_id: str, app: str | None = None) -> RecordTable:
        """Return the history of an order: its bar, signals, requests, denials, reports and trade.

        Args:
            order_id: Id of the order.
            app: As for `transactions`; needed where several runs have an order of this id, as
                equal backtests do.

        Raises:
            ConfigError: Several runs have the order, and ``app`` is left out.
            RecorderError: The database cannot be read, or the order is unknown.
        """
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            return order_story(connection, order_id, self._database.text, app)

    def runs(self, app: str | None = None) -> RecordTable:
        """Return the recorded runs, latest first.

        Args:
            app: Name of an app; all when left out.

        Raises:
            RecorderError: The database cannot be read.
        """
        query = select(RUNS).order_by(RUNS.c.started.desc(), RUNS.c.id)
        if app is not None:
            query = query.where(RUNS.c.app == app)
        return run_table(self._rows(query))

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

    def _streams(self, app: str) -> Select[tuple[str]]:
        return select(POSITION.c.stream).where(POSITION.c.scope == app)

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            return connection.execute(query).all()


def _within(
    query: Select[Any], column: ColumnElement[int], since: datetime | None, until: datetime | None
) -> Select[Any]:
    if since is not None:
        query = query.where(column >= nanoseconds(since))
    return query if until is None else query.where(column < nanoseconds(until))


def _day(time: int) -> str:
    return datetime_of(time).strftime("%Y-%m-%d")


def _read_cursor(text: str) -> tuple[int, str, int]:
    time, _, rest = text.partition(":")
    sequence, _, stream = rest.partition(":")
    try:
        return int(time), stream, int(sequence)
    except ValueError:
        raise ConfigError(
            f"page {text!r} is not valid: pass the token that the previous page returned"
        ) from None
