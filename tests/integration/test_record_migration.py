"""A database of the first schema, with its rows, under this version of the recorder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from ingenium import recorder
from ingenium.cli.record import record
from ingenium.errors import RecorderError
from ingenium.recorder import schema
from ingenium.recorder.batch import WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.instants import DAY
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.rebuild_tables import rebuild

DATA = Path(__file__).parents[1] / "data" / "recorder"
T0 = 1_704_209_400_000_000_000
"""2024-01-02T15:30:00Z."""
RECEIVED = {"events": 7, "bars": 4}
"""Which column has the time of reception, in the tables that have partitions."""


def make_old(url: str, version: int) -> Database:
    """Make the tables that a version made, and rows that it wrote."""
    database = Database(url)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    found = json.loads((DATA / f"schema_{version}_rows.json").read_text())
    with database.engine.begin() as connection:
        for statement in (DATA / f"schema_{version}_{kind}.sql").read_text().split(";\n"):
            if statement:
                connection.exec_driver_sql(statement.replace("%", "%%") if kind != "sqlite"
                                           else statement)  # fmt: skip
        if kind != "sqlite":
            days = {row[at] // DAY for name, at in RECEIVED.items() for row in found[name]}
            for name, day in product(RECEIVED, days):
                connection.exec_driver_sql(
                    f"CREATE TABLE {name}_{day} PARTITION OF {name} "
                    f"FOR VALUES FROM ({day * DAY}) TO ({(day + 1) * DAY})"
                )
        for name, rows in found.items():
            place = "?" if kind == "sqlite" else "%s"
            statement = f"INSERT INTO {name} VALUES ({', '.join([place] * len(rows[0]))})"
            for row in rows:
                values = tuple(
                    bytes.fromhex(each["hex"]) if isinstance(each, dict) else each for each in row
                )
                connection.exec_driver_sql(statement, values)
    return database


@pytest.fixture
def old(database_url: str) -> Database:
    """A recording of the first version."""
    return make_old(database_url, 1)


@pytest.fixture
def second(database_url: str) -> Database:
    """A recording of the second version, of which old events were deleted."""
    return make_old(database_url, 2)


def all_rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping)
                for row in connection.execute(
                    select(table).order_by(*table.primary_key.columns)
                ).all()
            ]
            for table in schema.DERIVED
        }


def test_rows_of_the_first_schema_are_kept_and_their_causes_become_times(old: Database) -> None:
    with pytest.raises(RecorderError, match="version 1, not 3: ingenium record --migrate"):
        recorder.open(old.text)
    step, _ = old.migrate()
    assert step.startswith("version 2: Causes by id instead of by time, and the state of")
    assert old.migrate() == []
    # The bar was stored 5.1 ms after the half hour, as signal and order state.
    with old.engine.connect() as connection:
        events = connection.execute(
            select(schema.EVENTS.c.id, schema.EVENTS.c.cause).order_by(schema.EVENTS.c.received)
        ).all()
        signals = connection.execute(select(schema.SIGNALS.c.cause, schema.SIGNALS.c.cause_time))
        assert [tuple(row) for row in signals] == [("", T0 + 5_100_000)]
        views = connection.exec_driver_sql("SELECT cause_time FROM orders_iso ORDER BY sequence")
        assert [time for (time,) in views] == [
            "2024-01-02T15:30:00.005100000Z",
            "1970-01-01T00:00:00.000000000Z",
        ]
        assert connection.exec_driver_sql("SELECT count(*) FROM retention_iso").scalar() == 0
    assert [tuple(row) for row in events] == [
        ("data_1", ""), ("data_2", ""), ("signal_1", ""), ("order_1", ""),
        ("exec_1", "order_1"), ("cancel_1", "order_1"), ("exec_2", "order_2"),
    ]  # fmt: skip
    with recorder.open(old.text) as records:
        # Bought 4 at 102, and sold 1 of them at 110.
        [held] = records.positions("app")
        assert (held["quantity"], held["cost"], held["realized_pnl"]) == (3, 306, 8)
        story = [(row["step"], row["text"], row["found"]) for row in records.order("order_1")]
        assert story == [
            ("bar", "AAPL close 101, volume 7", "by time"),
            ("signal", "long AAPL by rsi", "by time"),
            ("order", "buy 4 AAPL, market", "by id"),
            ("order", "cancel AAPL", "by id"),
            ("execution", "filled buy 4 at 102, commission 0.50", "by id"),
        ]


def test_migrated_database_is_rebuilt_to_the_same_rows_and_recorded_on(old: Database) -> None:
    old.migrate()
    before = all_rows(old)
    assert len(before["orders"]) == len(before["executions"]) == 2
    assert rebuild(old, "app") == 7
    assert all_rows(old) == before
    writer = open_writer(old, "app")
    money = next(each for each in writer.positions() if each.name == "INGENIUM")
    assert money.sequence == 5
    row = ("app/INGENIUM", 6, "signal_2", "AAPL", T0, "short", "0.5", "data_2", "rsi", T0)
    writer.write(WriteBatch("app/INGENIUM", 5, 6, T0, {"signals": [row]}))
    writer.close()
    [_, added] = all_rows(old)["signals"]
    assert (added["cause"], added["cause_time"], added["strength"]) == (
        "data_2",
        T0,
        Decimal("0.5"),
    )


def test_rows_of_the_second_schema_are_kept_and_have_an_index_by_symbol(second: Database) -> None:
    with pytest.raises(RecorderError, match="version 2, not 3: ingenium record --migrate"):
        recorder.open(second.text)
    before = all_rows(second)
    counts = {name: len(rows) for name, rows in before.items()}
    assert counts == {
        "bars": 1, "signals": 1, "orders": 3, "executions": 3, "denials": 0, "control": 1,
        "trades": 2, "position_changes": 4, "account_snapshots": 4, "books": 3,
    }  # fmt: skip
    (step,) = second.migrate()
    assert step.startswith("version 3: Fills of a symbol by time")
    assert second.migrate() == []
    assert all_rows(second) == before
    with second.engine.connect() as connection:
        indexes = {
            each["name"]: each["column_names"]
            for each in inspect(connection).get_indexes("executions")
        }
        assert indexes["executions_symbol"] == ["symbol", "booked", "time"]
        assert connection.exec_driver_sql("SELECT count(*) FROM control_iso").scalar() == 1
        plan = "\n".join(
            str(row[-1])
            for row in connection.exec_driver_sql(
                ("EXPLAIN QUERY PLAN " if second.is_sqlite else "EXPLAIN ")
                + "SELECT * FROM executions WHERE booked = 1 AND symbol = 'IBM' "
                "ORDER BY time DESC, stream DESC, sequence DESC LIMIT 100"
            )
        )
    if second.is_sqlite:
        # PostgreSQL reads a table of three rows as a whole.
        assert "USING INDEX executions_symbol (symbol=? AND booked=?)" in plan
    with recorder.open(second.text) as records:
        sold = records.transactions("app", symbol="AAPL")
        assert [(row["id"], row["price"]) for row in sold] == [("exec_4", 120), ("exec_3", 110)]
        text = "events of app received before 2024-01-02T00:00:00Z were deleted"
        assert sold.notes == (text,)
        assert records.transactions("app", symbol="IBM").notes == (
            "nothing of 'IBM' is recorded here: there are AAPL, MSFT",
            text,
        )
        # What was held before the first kept event is still known.
        (held,) = records.positions("app", at=datetime(2024, 1, 1, 13, tzinfo=UTC))
        assert (held["symbol"], held["quantity"], held["cost"]) == ("AAPL", 10, 1000)
    # The fill that is gone is in the opening state, so its rows are made again without it.
    assert rebuild(second, "app") == 9
    assert all_rows(second) == before


def test_command_says_what_a_migration_does(
    old: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    record("app", migrate=True, database=old.text)
    assert capsys.readouterr().err.replace("\n", " ").strip() == (
        "migrated to version 2: Causes by id instead of by time, and the state of an account "
        "before its first kept event migrated to version 3: Fills of a symbol by time, without "
        "passing over those of all others"
    )
    record("app", migrate=True, database=old.text)
    assert capsys.readouterr().err.replace("\n", "").endswith(" is up to date")


def test_nothing_to_migrate_makes_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecorderError, match="there is no recording"):
        record("app", migrate=True)
    assert not list(tmp_path.rglob("record.db"))
