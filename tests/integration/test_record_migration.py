"""A database of the first schema, with its rows, under this version of the recorder."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

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


@pytest.fixture
def old(database_url: str) -> Database:
    """The tables that the first version made, and rows that it wrote."""
    database = Database(database_url)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    with database.engine.begin() as connection:
        for statement in (DATA / f"schema_1_{kind}.sql").read_text().split(";\n"):
            if statement:
                connection.exec_driver_sql(statement.replace("%", "%%") if kind != "sqlite"
                                           else statement)  # fmt: skip
        if kind != "sqlite":
            day = T0 // DAY * DAY
            for name in ("events", "bars"):
                connection.exec_driver_sql(
                    f"CREATE TABLE {name}_2024_01_02 PARTITION OF {name} "
                    f"FOR VALUES FROM ({day}) TO ({day + DAY})"
                )
        for name, rows in json.loads((DATA / "schema_1_rows.json").read_text()).items():
            place = "?" if kind == "sqlite" else "%s"
            statement = f"INSERT INTO {name} VALUES ({', '.join([place] * len(rows[0]))})"
            for row in rows:
                values = tuple(
                    bytes.fromhex(each["hex"]) if isinstance(each, dict) else each for each in row
                )
                connection.exec_driver_sql(statement, values)
    return database


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
    with pytest.raises(RecorderError, match="version 1, not 2: ingenium record --migrate"):
        recorder.open(old.text)
    (step,) = old.migrate()
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


def test_command_says_what_a_migration_does(
    old: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    record("app", migrate=True, database=old.text)
    assert capsys.readouterr().err.replace("\n", " ").strip() == (
        "migrated to version 2: Causes by id instead of by time, and the state of an account "
        "before its first kept event"
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
