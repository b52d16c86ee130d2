"""Causes by id instead of by time, and the state of an account before its first kept event."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy
from alembic import op
from sqlalchemy import Connection, bindparam, column, table

from ingenium.errors import ConfigError
from ingenium.recorder.columns import blob, number, text
from ingenium.recorder.instants import nanoseconds

revision = "2"
down_revision = "1"

_BATCH = 1000


def upgrade() -> None:
    """Create the new tables, and split the causes of signals and orders into ids and times."""
    op.create_table(
        "retention",
        text("stream", is_key=True),
        number("sequence"),
        number("kept_from"),
        number("deleted"),
        text("archive"),
    )
    op.create_table(
        "opening_books",
        text("scope", is_key=True),
        text("name", is_key=True),
        blob("state"),
    )
    op.create_index("events_received", "events", ["received"], postgresql_using="brin")
    connection = op.get_bind()
    for name in ("signals", "orders"):
        added = number("cause_time")
        added.server_default = sqlalchemy.DefaultClause("0")
        op.add_column(name, added)
        _split(connection, name)
    # Version 1 had only times here; a cause by id comes with a header that no event had yet.
    connection.exec_driver_sql(
        "UPDATE events SET cause = '' WHERE type IN ('SignalEvent', 'OrderEvent')"
    )
    op.drop_index("signals_cause", "signals")
    op.create_index("signals_id", "signals", ["id"])
    op.create_index("signals_cause_time", "signals", ["symbol", "cause_time"])


def _split(connection: Connection, name: str) -> None:
    """Move the times of a table's causes to the column of times."""
    rows = table(name, *(column(each) for each in ("stream", "sequence", "cause", "cause_time")))
    place = (rows.c.stream, rows.c.sequence)
    query = sqlalchemy.select(*place, rows.c.cause).where(rows.c.cause != "")
    change = (
        sqlalchemy.update(rows)
        .where(rows.c.stream == bindparam("at_stream"), rows.c.sequence == bindparam("at_sequence"))
        .values(cause="", cause_time=bindparam("time"))
    )
    found = connection.execute(query).all()
    for start in range(0, len(found), _BATCH):
        connection.execute(
            change,
            [
                {"at_stream": stream, "at_sequence": sequence, "time": _time_of(cause)}
                for stream, sequence, cause in found[start : start + _BATCH]
            ],
        )


def _time_of(text: str) -> int:
    try:
        return nanoseconds(datetime.fromisoformat(text))
    except (ValueError, ConfigError):
        return 0
