"""Notes on query results: what was deleted, and which apps and symbols there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, func, select

from ingenium.recorder.record_table import time_text
from ingenium.recorder.runs import LIVE
from ingenium.recorder.schema import POSITION, RETENTION, RUNS, streams_of

__all__ = ["Deletion", "deletion_notes", "deletions", "missing_notes"]

_LISTED = 8


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted of an app.

    Attributes:
        scope: Name of the app.
        kept_from: Events received before this time are deleted; nanoseconds since 1970.
        archive: Folder that has them; empty for none.
    """

    scope: str
    kept_from: int
    archive: str

    def __str__(self) -> str:
        where = f"; they are in {self.archive}" if self.archive else ""
        return (
            f"events of {self.scope} received before {time_text(self.kept_from)} were "
            f"deleted{where}"
        )


def deletions(connection: Connection, app: str | None) -> list[Deletion]:
    """Return the deletions of an app; of all in the database when ``None``."""
    query = (
        select(POSITION.c.scope, func.max(RETENTION.c.kept_from), func.max(RETENTION.c.archive))
        .join(RETENTION, RETENTION.c.stream == POSITION.c.stream)
        .group_by(POSITION.c.scope)
        .order_by(POSITION.c.scope)
    )
    if app is not None:
        query = query.where(POSITION.c.scope == app)
    return [Deletion(*row) for row in connection.execute(query).all()]


def deletion_notes(connection: Connection, app: str | None, since: int | None) -> list[str]:
    """Return notes on deleted events.

    Args:
        connection: Connection to the database.
        app: Name of an app; ``None`` for all.
        since: Time from which rows were asked for; ``None`` for all times.
    """
    return [
        str(each) for each in deletions(connection, app) if since is None or since < each.kept_from
    ]


def missing_notes(
    connection: Connection, app: str | None, column: Column[str], symbol: str | None, where: str
) -> list[str]:
    """Return notes on an unknown app or symbol.

    Args:
        connection: Connection to the database.
        app: Name of an app, or id of a run; ``None`` for all.
        column: A table's column of symbols.
        symbol: The symbol; ``None`` for all.
        where: Location of the database.
    """
    notes = [] if app is None else _unknown_app(connection, app, where)
    if symbol is not None and not notes:
        notes = _unknown_symbol(connection, column, symbol, app)
    return notes


def _unknown_app(connection: Connection, app: str, where: str) -> list[str]:
    known = select(POSITION.c.scope).where(POSITION.c.scope == app).limit(1)
    if connection.execute(known).first() is not None:
        return []
    run = connection.execute(select(RUNS.c.kind).where(RUNS.c.app == app).limit(1)).first()
    if run is not None and run.kind != LIVE:
        only = f"of {app} there are only backtests and replays in {where}"
        return [f"{only}: see ingenium runs, and use --run"]
    runs = select(RUNS.c.id)
    scopes = connection.scalars(
        select(POSITION.c.scope)
        .where(POSITION.c.scope.not_in(runs))
        .distinct()
        .order_by(POSITION.c.scope)
    ).all()
    return [f"no app or run {app!r} is recorded in {where}: there are {_list(scopes)}"]


def _unknown_symbol(
    connection: Connection, column: Column[str], symbol: str, app: str | None
) -> list[str]:
    def has(each: str) -> bool:
        query = select(column).where(column == each).limit(1)
        if app is not None:
            query = query.where(column.table.c.stream.in_(streams_of(app)))
        return connection.execute(query).first() is not None

    if has(symbol):
        return []
    # One symbol after the other by their index: DISTINCT reads all rows.
    found: list[str] = []
    following = select(column).order_by(column).limit(1)
    next_symbol = connection.scalar(following)
    while next_symbol is not None and len(found) <= _LISTED:
        if app is None or has(next_symbol):
            found.append(next_symbol)
        next_symbol = connection.scalar(following.where(column > next_symbol))
    return [f"nothing of {symbol!r} is recorded here: there are {_list(found)}"]


def _list(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = ", ..." if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
