"""The tables of a recording: the events byte for byte, and tables derived from them.

A *scope* has one account: it is the name of a live app, or the id of a backtest. The name of a
stream begins with its scope, ``demo/INGENIUM``, so that a database can hold several.

All but `EVENTS`, `POSITION`, `GAPS`, `RUNS`, `RETENTION` and `OPENING_BOOKS` are derived from the
events, and can be rebuilt.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Index, MetaData, Select, Table, and_, select

from ingenium.recorder.columns import amount, blob, moment, number, text

__all__ = [
    "ACCOUNT_SNAPSHOTS",
    "BARS",
    "BOOKS",
    "CONTROL",
    "DENIALS",
    "DERIVED",
    "EVENTS",
    "EXECUTIONS",
    "GAPS",
    "METADATA",
    "OPENING_BOOKS",
    "ORDERS",
    "PARTITIONED",
    "POSITION",
    "POSITION_CHANGES",
    "RETENTION",
    "RUNS",
    "SIGNALS",
    "TRADES",
    "VIEWED",
    "Row",
    "Rows",
    "of_same_event",
    "streams_of",
]

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
"""Rows by table name, with values in the order of its columns; money as text."""

METADATA = MetaData()
_BY_DAY = "RANGE (received)"


def _place() -> tuple[Column[str], Column[int]]:
    return text("stream", is_key=True), number("sequence", is_key=True)


EVENTS = Table(
    "events",
    METADATA,
    text("stream", is_key=True),
    number("sequence", is_key=True),
    text("subject"),
    text("type"),
    text("id"),
    # Id of the event whose handling sent this one, as its header states; else id of the order that
    # it concerns; else empty.
    text("cause"),
    moment("time"),
    # The key of a partitioned table must contain the partition column.
    moment("received", is_key=True),
    blob("headers"),
    blob("body"),
    text("source"),
    Index("events_received", "received", postgresql_using="brin"),
    postgresql_partition_by=_BY_DAY,
)
BARS = Table(
    "bars",
    METADATA,
    text("stream", is_key=True),
    number("sequence", is_key=True),
    text("symbol"),
    moment("time"),
    moment("received", is_key=True),
    amount("open"),
    amount("high"),
    amount("low"),
    amount("close"),
    amount("volume"),
    text("period"),
    Index("bars_symbol", "symbol", "received"),
    postgresql_partition_by=_BY_DAY,
)
SIGNALS = Table(
    "signals",
    METADATA,
    *_place(),
    text("id"),
    text("symbol"),
    moment("time"),
    text("signal"),
    amount("strength"),
    text("cause"),
    text("source"),
    # When the stream of the strategies stored the bar that caused it; 0 when not stated.
    moment("cause_time"),
    Index("signals_id", "id"),
    Index("signals_cause_time", "symbol", "cause_time"),
)
ORDERS = Table(
    "orders",
    METADATA,
    *_place(),
    text("id"),
    # "new", "cancel" or "replace".
    text("request"),
    # Id of the order itself, also for a request to cancel or replace it.
    text("order_id"),
    text("symbol"),
    moment("time"),
    text("side"),
    amount("quantity"),
    text("type"),
    text("time_in_force"),
    amount("limit_price"),
    amount("stop_price"),
    amount("take_profit"),
    amount("trail_price"),
    amount("trail_percent"),
    amount("stop_loss_limit"),
    amount("stop_loss"),
    text("cause"),
    text("source"),
    moment("cause_time"),
    Index("orders_order_id", "order_id"),
)
EXECUTIONS = Table(
    "executions",
    METADATA,
    *_place(),
    text("id"),
    text("order_id"),
    text("symbol"),
    moment("time"),
    text("update"),
    text("side"),
    amount("quantity"),
    amount("price"),
    amount("commission"),
    amount("leaves_quantity"),
    text("reason"),
    # 1 for a fill booked to the account, 0 for any other report.
    number("booked"),
    text("source"),
    Index("executions_order_id", "order_id"),
    Index("executions_time", "booked", "time"),
    Index("executions_symbol", "symbol", "booked", "time"),
)
DENIALS = Table(
    "denials",
    METADATA,
    *_place(),
    text("id"),
    text("order_id"),
    text("symbol"),
    moment("time"),
    text("component"),
    text("reason"),
    text("detail"),
    Index("denials_order_id", "order_id"),
)
CONTROL = Table(
    "control",
    METADATA,
    *_place(),
    text("id"),
    moment("time"),
    text("state"),
    text("reason"),
    text("sender"),
)
TRADES = Table(
    "trades",
    METADATA,
    *_place(),
    # Unique within the scope. The last row of a number applies: a trade grows with its exit fills.
    number("number"),
    text("order_id"),
    text("symbol"),
    moment("time"),
    text("side"),
    moment("entry_time"),
    amount("quantity"),
    amount("entry_price"),
    amount("exit_price"),
    amount("pnl"),
    amount("commission"),
    number("exit_fills"),
    Index("trades_order_id", "order_id"),
)
POSITION_CHANGES = Table(
    "position_changes",
    METADATA,
    *_place(),
    text("symbol"),
    # Never earlier than the previous change, so that the last row at or before a time is the state
    # at that time.
    moment("time"),
    amount("quantity"),
    amount("cost"),
    amount("realized_pnl"),
    Index("position_changes_symbol", "symbol", "time"),
)
ACCOUNT_SNAPSHOTS = Table(
    "account_snapshots",
    METADATA,
    *_place(),
    moment("time"),
    # Cash added by fills, after commissions; the starting cash is not on the bus.
    amount("cash_flow"),
    amount("realized_pnl"),
    amount("commissions"),
    Index("account_snapshots_time", "time"),
)
BOOKS = Table(
    "books", METADATA, text("scope", is_key=True), text("name", is_key=True), blob("state")
)
"""Saved state of the account, to which the next fill is booked."""
POSITION = Table(
    "position",
    METADATA,
    text("stream", is_key=True),
    text("scope"),
    # Name of the stream on its server, and its incarnation.
    text("name"),
    number("epoch"),
    # Sequence of the last recorded event, and when the stream stored it.
    number("sequence"),
    moment("mark"),
    text("holder"),
    moment("since"),
)
GAPS = Table(
    "gaps",
    METADATA,
    text("stream", is_key=True),
    number("first", is_key=True),
    number("last"),
    moment("time"),
    # "start", "missing" or "new stream".
    text("reason"),
)
RUNS = Table(
    "runs",
    METADATA,
    text("id", is_key=True),
    text("app"),
    # "live", "backtest", "replay" or "sweep".
    text("kind"),
    moment("started"),
    # 0 while the run is active.
    moment("ended"),
    text("digest"),
    # As JSON.
    text("parameters"),
    text("stats"),
)
RETENTION = Table(
    "retention",
    METADATA,
    text("stream", is_key=True),
    # Sequence of the last deleted event.
    number("sequence"),
    # Events received before this time are deleted.
    moment("kept_from"),
    moment("deleted"),
    # Folder of the export that holds the deleted events; empty when there is none.
    text("archive"),
)
OPENING_BOOKS = Table(
    "opening_books", METADATA, text("scope", is_key=True), text("name", is_key=True), blob("state")
)
"""Saved state of the account after the last deleted event, from which a rebuild starts."""

PARTITIONED = (EVENTS, BARS)
"""Tables partitioned by day in PostgreSQL."""
DERIVED = (
    BARS,
    SIGNALS,
    ORDERS,
    EXECUTIONS,
    DENIALS,
    CONTROL,
    TRADES,
    POSITION_CHANGES,
    ACCOUNT_SNAPSHOTS,
    BOOKS,
)
"""Tables derived from the events alone."""
VIEWED = tuple(table for table in METADATA.sorted_tables if table not in {BOOKS, OPENING_BOOKS})
"""Tables that have a view with readable times."""


def of_same_event(one: Table, other: Table) -> ColumnElement[bool]:
    """Return the condition that rows of two tables come from the same event."""
    return and_(one.c.stream == other.c.stream, one.c.sequence == other.c.sequence)


def streams_of(scope: str) -> Select[str]:
    """Return the query of the names of the streams of a scope."""
    return select(POSITION.c.stream).where(POSITION.c.scope == scope)
