"""Read all fills and closed trades of a run, oldest first."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.schema import EXECUTIONS, TRADES, streams_of

__all__ = ["first_fills", "trade_table"]

_FILL = ("time", "symbol", "side", "quantity", "price", "commission", "order_id")
_TRADE = (
    "time", "symbol", "side", "quantity", "entry_time", "entry_price", "exit_price", "pnl",
    "commission",
)  # fmt: skip


def first_fills(connection: Connection, scope: str, limit: int) -> RecordTable:
    """Return the first fills of an app or a run.

    Args:
        connection: Connection to the database.
        scope: Name of the app, or id of the run.
        limit: Most fills.
    """
    query = (
        select(*(EXECUTIONS.c[name] for name in _FILL))
        .where(EXECUTIONS.c.stream.in_(streams_of(scope)), EXECUTIONS.c.booked == 1)
        .order_by(EXECUTIONS.c.time, EXECUTIONS.c.stream, EXECUTIONS.c.sequence)
        .limit(limit)
    )
    return RecordTable(_FILL, connection.execute(query).all(), ("time",))


def trade_table(connection: Connection, scope: str) -> RecordTable:
    """Return the closed trades of an app or a run, in the order of their numbers.

    Args:
        connection: Connection to the database.
        scope: Name of the app, or id of the run.
    """
    own = TRADES.c.stream.in_(streams_of(scope))
    # The last row of a number applies.
    last = (
        select(func.max(TRADES.c.sequence).label("sequence"), TRADES.c.stream, TRADES.c.number)
        .where(own)
        .group_by(TRADES.c.stream, TRADES.c.number)
        .subquery()
    )
    query = (
        select(*(TRADES.c[name] for name in _TRADE))
        .join(
            last,
            (TRADES.c.stream == last.c.stream)
            & (TRADES.c.sequence == last.c.sequence)
            & (TRADES.c.number == last.c.number),
        )
        .where(own)
        .order_by(TRADES.c.number)
    )
    return RecordTable(_TRADE, connection.execute(query).all(), ("time", "entry_time"))
