"""Old events are deleted, and what later ones depend on is kept."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.live_app import APP
from support.running import running, until

from ingenium import recorder
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.cli.record import record
from ingenium.cli.recorded import order as order_command
from ingenium.cli.recorded import positions
from ingenium.cli.run import run
from ingenium.errors import ConfigError, RecorderError
from ingenium.events import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    encode,
)
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.export import export
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_trading import open_trading
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.rebuild_tables import rebuild
from ingenium.recorder.retention import Retention, RetentionPolicy, days_of, prune
from ingenium.recorder.typed_rows import TypedRows
from ingenium.subjects.names import subject_of

DAY = timedelta(days=1)
T0 = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY_NS = 86_400 * 10**9
T0_NS = 19_723 * DAY_NS + DAY_NS // 2
"""2024-01-01T12:00Z: 19,723 days and a half after 1970."""
DATA, MONEY = "INGENIUM_DATA", "INGENIUM"


class Tape:
    """Records events whose times of reception a test chooses."""

    def __init__(self, database: Database, scope: str = "app") -> None:
        self._scope = scope
        self._writer = open_writer(database, scope)
        self._typed = TypedRows(trading := open_trading(self._writer, scope))
        self._trading = trading
        self._streams = {each.name: each for each in self._writer.positions()} or {
            name: RecordedStream(scope, name) for name in (MONEY, DATA)
        }
        for stream in self._streams.values():
            self._writer.claim(stream)

    def put(self, day: int, *events: Any) -> None:
        """Record events that came half a day after the start of a day."""
        for event in events:
            stream = self._streams[DATA if isinstance(event, DataEvent) else MONEY]
            batch = WriteBatch(stream.label, stream.sequence, stream.sequence + 1, 0)
            received = T0_NS + day * DAY_NS + stream.sequence
            kept = KeptMessage(batch.after, received, subject_of(event), b"", encode(event))
            self._typed.add(batch.rows, stream.label, kept)
            batch.books = self._trading.take_changes()
            self._writer.write(batch)
            stream.sequence += 1

    def delete(self, before_day: int, limits: dict[str, int] | None = None) -> int:
        """Delete what came before a day; return how many events that were."""
        retention = Retention(self._writer, self._scope)
        before = (T0_NS // DAY_NS + before_day) * DAY_NS
        return sum(iter(lambda: retention.step(before, limits), 0))

    def close(self) -> None:
        self._writer.close()


def bar(number: int, symbol: str = "AAPL") -> DataEvent:
    return DataEvent(
        id=f"data_{number}", type="ohlc", symbol=symbol, timestamp="2024-01-01T12:00:00Z",
        ohlc=Ohlc(open="1", high="1", low="1", close="1", volume=str(number)),
    )  # fmt: skip


def order(number: int, symbol: str = "AAPL") -> OrderEvent:
    return OrderEvent(id=f"order_{number}", symbol=symbol, side="buy", quantity="10", type="limit")


def fill(
    number: int, day: int, side: str, quantity: int, price: str, symbol: str = "AAPL"
) -> ExecutionEvent:
    return ExecutionEvent(
        id=f"exec_{number}", order_id=f"order_{number}", symbol=symbol, side=side,
        quantity=str(quantity), price=price, commission="1", update="filled",
        execution_timestamp=T0 + day * DAY,
    )  # fmt: skip


def record_days(tape: Tape) -> None:
    """Five days; bought 10 at 100 and 6 at 50, sold 4 at 110 and 6 at 120."""
    tape.put(0, bar(1), order(1), fill(1, 0, "buy", 10, "100"))
    tape.put(0, order(2, "MSFT"), fill(2, 0, "buy", 6, "50", "MSFT"), order(9))
    tape.put(1, bar(2), bar(3, "MSFT"), order(3), fill(3, 1, "sell", 4, "110"))
    tape.put(3, bar(4), SignalEvent(id="signal_1", symbol="AAPL", signal="flat"))
    tape.put(3, order(4), fill(4, 3, "sell", 6, "120"))
    tape.put(4, bar(5))


def rows_of(database: Database, tables: Iterable[Any]) -> dict[str, list[tuple[Any, ...]]]:
    with database.engine.connect() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables
        }


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url)


def test_positions_at_a_time_are_right_after_a_deletion(database: Database) -> None:
    tape = Tape(database)
    record_days(tape)
    with recorder.open(database.text) as records:
        before = {day: list(records.positions(at=T0 + day * DAY)) for day in range(1, 5)}
    # Days 0 and 1 had 3 bars, 4 orders and 3 fills.
    assert tape.delete(2) == 10
    assert tape.delete(2) == 0
    tape.close()
    with recorder.open(database.text) as records:
        after = {day: list(records.positions(at=T0 + day * DAY)) for day in range(1, 5)}
        assert after == before
        assert [(row["symbol"], row["quantity"]) for row in records.positions()] == [("MSFT", 6)]
        assert [row["id"] for row in records.transactions()] == ["exec_4"]
        # 6 sold at 120 that cost 100 each; the commission of the fill is 1.
        [day] = records.pnl()
        assert (day["day"], day["fills"], day["realized_pnl"]) == ("2024-01-04", 1, 120)
        assert [row["sequence"] for row in records.streams()] == [10, 5]
        assert len(records.gaps()) == 0
    kept = rows_of(database, [schema.EVENTS, schema.POSITION_CHANGES, schema.ORDERS])
    assert [row[:2] for row in kept["events"]] == [
        *(("app/INGENIUM", n) for n in (8, 9, 10)),
        *(("app/INGENIUM_DATA", n) for n in (4, 5)),
    ]
    # The last one of each symbol before the third day, and those since.
    assert [row[1] for row in kept["position_changes"]] == [4, 7, 10]
    # Order 9 has no report yet; order 4 came on the fourth day.
    assert [row[4] for row in kept["orders"]] == ["order_9", "order_4"]


def test_rebuild_after_a_deletion_makes_the_same_rows(database: Database) -> None:
    tape = Tape(database)
    record_days(tape)
    tape.delete(2)
    tape.close()
    before = rows_of(database, schema.DERIVED)
    assert rebuild(database, "app") == 5
    assert rows_of(database, schema.DERIVED) == before
    # It goes on with the account as it was: 6 MSFT that cost 300, sold at 60.
    tape = Tape(database)
    tape.put(5, fill(5, 5, "sell", 6, "60", "MSFT"))
    tape.close()
    with recorder.open(database.text) as records:
        assert list(records.positions()) == []
    last = rows_of(database, [schema.ACCOUNT_SNAPSHOTS])["account_snapshots"][-1]
    # Gained 4 * 10 + 6 * 20 + 6 * 10; five fills at 1.
    assert (last[4], last[5]) == (Decimal(220), Decimal(5))
    assert rebuild(database, "app") == 6


def test_deletion_in_several_rounds_ends_in_the_same_rows_as_in_one(
    database: Database, tmp_path: Path
) -> None:
    other = open_database(str(tmp_path / "other.db"))
    for each, rounds in ((database, (1, 2, 4)), (other, (4,))):
        tape = Tape(each)
        record_days(tape)
        for day in rounds:
            tape.delete(day)
        tape.close()
    tables = [*schema.DERIVED, schema.EVENTS, schema.OPENING_BOOKS]
    assert rows_of(database, tables) == rows_of(other, tables)


def test_order_that_is_filled_after_the_deletion_is_booked(database: Database) -> None:
    tape = Tape(database)
    record_days(tape)
    tape.delete(2)
    late = replace(fill(9, 5, "", 10, "90"), symbol="", side="")
    tape.put(5, late)
    tape.close()
    with recorder.open(database.text) as records:
        held = {row["symbol"]: (row["quantity"], row["cost"]) for row in records.positions()}
    assert held == {"AAPL": (10, 900), "MSFT": (6, 300)}


def test_other_apps_of_the_database_keep_their_events(database: Database) -> None:
    for scope in ("app", "other"):
        tape = Tape(database, scope)
        record_days(tape)
        tape.close()
    tables = [*schema.DERIVED, schema.EVENTS]
    before = rows_of(database, tables)
    tape = Tape(database)
    tape.delete(2)
    tape.close()
    after = rows_of(database, tables)
    for name in before:
        assert [row for row in after[name] if str(row[0]).startswith("other")] == [
            row for row in before[name] if str(row[0]).startswith("other")
        ]
    assert len(after["events"]) == 15 + 5


def test_postgresql_drops_whole_days(database: Database) -> None:
    if database.is_sqlite:
        return
    tape = Tape(database)
    record_days(tape)

    def partitions() -> list[str]:
        with database.engine.connect() as connection:
            return list(
                connection.exec_driver_sql(
                    "SELECT relname FROM pg_class JOIN pg_inherits ON oid = inhrelid "
                    "WHERE relkind = 'r' ORDER BY relname"
                ).scalars()
            )

    assert len(partitions()) == 4 + 4
    tape.delete(2)
    assert partitions() == [
        "bars_2024_01_04", "bars_2024_01_05", "events_2024_01_04", "events_2024_01_05",
    ]  # fmt: skip
    # A day that comes again, as from a stream that is read late, gets its partition again.
    tape.put(0, bar(6))
    assert "bars_2024_01_01" in partitions()
    tape.close()


def test_sqlite_file_shrinks(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "record.db"))
    tape = Tape(database)
    for _ in range(60):
        tape.put(0, replace(bar(1), type="o" * 20_000))
    tape.put(2, bar(2))
    tape.close()
    size = (tmp_path / "record.db").stat().st_size
    assert size > 60 * 20_000
    policy = RetentionPolicy(1, now=lambda: T0 + 2 * DAY)
    assert prune(database, "app", policy) == (60, 0)
    assert (tmp_path / "record.db").stat().st_size < size / 3


def test_pruning_is_refused_while_a_recorder_holds_the_database(database: Database) -> None:
    tape = Tape(database)
    with pytest.raises(RecorderError, match=r"app is recorded into .* already"):
        prune(database, "app", RetentionPolicy(1))
    tape.close()


def test_readers_say_what_was_deleted(database: Database) -> None:
    tape = Tape(database)
    record_days(tape)
    tape.delete(2)
    tape.close()
    text = "events of app received before 2024-01-03T00:00:00Z were deleted"
    with recorder.open(database.text) as records:
        assert records.positions("app", at=T0 + DAY).notes == (text,)
        assert records.positions("app", at=T0 + 3 * DAY).notes == ()
        assert records.positions("app").notes == ()
        assert records.transactions("app").notes == (text,)
        assert records.transactions("app", since=T0 + 3 * DAY).notes == ()
        assert records.pnl("app", since=T0).notes == (text,)
        assert records.order("order_4").notes == ()
        assert records.order("order_9").notes == (text,)
        with pytest.raises(RecorderError, match=f"has no order 'order_1'; {re.escape(text)}"):
            records.order("order_1")


def test_archive_has_what_was_deleted(database: Database, tmp_path: Path) -> None:
    from pyarrow import dataset

    tape = Tape(database)
    record_days(tape)
    tape.close()
    before = rows_of(database, [schema.EVENTS])["events"]
    folder = tmp_path / "archive"
    policy = RetentionPolicy(2, folder, lambda: T0 + 4 * DAY)
    assert prune(database, "app", policy)[0] == 10
    with recorder.open(database.text) as records:
        (note,) = records.transactions("app").notes
        assert note.endswith(f"were deleted; they are in {folder}")
    names = ["stream", "sequence", "body"]
    files = [str(path) for path in folder.glob("table=events/*/*.parquet")]
    table = dataset.dataset(files, format="parquet").to_table(columns=names)
    stored = sorted(zip(*(table[name].to_pylist() for name in names), strict=True))
    assert stored == sorted((row[0], row[1], bytes(row[9])) for row in before)
    # The next day goes on behind it, with the rows that are left and new ones.
    tape = Tape(database)
    tape.put(6, bar(7), order(7))
    tape.close()
    assert prune(database, "app", replace(policy, now=lambda: T0 + 6 * DAY))[0] == 4
    assert prune(database, "app", replace(policy, now=lambda: T0 + 6 * DAY))[0] == 0


@pytest.mark.parametrize("fault", ["missing", "damaged", "other"])
def test_nothing_is_deleted_that_the_archive_lacks(
    database: Database, tmp_path: Path, fault: str
) -> None:
    tape = Tape(database)
    record_days(tape)
    tape.close()
    folder = tmp_path / "archive"
    export(database, "app", folder, "parquet")
    path = next(folder.glob("table=events/date=2024-01-02/*DATA*"))
    if fault == "missing":
        path.unlink()
        text = "lacks event 2 of app/INGENIUM_DATA"
    elif fault == "damaged":
        path.write_bytes(path.read_bytes()[:-10])
        text = "cannot be read"
    else:
        with database.engine.begin() as connection:
            connection.execute(
                schema.EVENTS.update()
                .where(schema.EVENTS.c.id == "data_3")
                .values(body=b"something else")
            )
        text = "differs from the recording at sequence 3 of app/INGENIUM_DATA"
    before = rows_of(database, [schema.EVENTS])
    with pytest.raises(RecorderError, match=f"{text}.*, so nothing was deleted"):
        prune(database, "app", RetentionPolicy(2, folder, lambda: T0 + 4 * DAY))
    assert rows_of(database, [schema.EVENTS]) == before


def test_command_deletes_what_is_not_kept(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = Tape(database)
    record_days(tape)
    tape.close()
    record("app", prune=True, keep="30d", database=database.text)
    # All is of 2024.
    assert capsys.readouterr().err == "deleted 15 events\n"
    with pytest.raises(RecorderError, match="has no order 'order_1'; events of app received"):
        order_command("order_1", database=database.text)
    positions("app", at="2024-01-02T13:00", csv=True, database=database.text)
    shown = capsys.readouterr()
    # The last change of AAPL is of the fourth day, so what was held before is not known any more.
    assert shown.out.splitlines()[1:] == ["app,MSFT,6,50,300,0,2024-01-01T12:00:00Z"]
    assert shown.err.startswith("events of app received before")


def test_app_that_records_itself_deletes_what_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    url = tmp_path / ".ingenium" / "live" / "record.db"
    tape = Tape(open_database(str(url)), "live")
    record_days(tape)
    tape.close()
    command = ("run", "app.py", "--record", "--keep", "30d", "--archive", "kept", "--quiet")

    def times() -> list[int]:
        with recorder.open(str(url)) as records:
            return sorted(int(event["received"]) for event in records.events("live"))

    with running(*command, cwd=tmp_path) as live:
        live.until_line("is ready")
        until(lambda: bool(found := times()) and found[0] > T0_NS + 30 * DAY_NS, "old events gone")
        until(lambda: len(times()) > 5, "new events in the recording")
        live.send(signal.SIGINT)
        ended = live.wait()
    assert ended.code == 0, ended.err
    assert list((tmp_path / "kept").glob("table=events/date=2024-01-01/*.parquet"))
    with recorder.open(str(url)) as records:
        (note,) = records.transactions("live").notes
        assert note.endswith("were deleted; they are in kept")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"keep": "90d"}, "--keep goes with --record"),
        ({"archive": Path("x")}, "--archive goes with --record"),
        ({"record": True, "archive": Path("x")}, "--archive needs --keep"),
        ({"record": True, "keep": "3h"}, "--keep '3h' is not known: use days, such as 90d"),
    ],
)
def test_wrong_use_beside_an_app_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    with pytest.raises(ConfigError, match=text):
        run("app.py", **options)
    assert not (tmp_path / ".ingenium").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prune": True}, "--prune needs --keep"),
        ({"archive": Path("x")}, "--archive needs --keep"),
        ({"keep": "90d", "rebuild": True}, "--keep goes with recording"),
        ({"keep": "3h", "prune": True}, "use days, such as 90d"),
        ({"keep": "90d", "prune": True, "once": True}, "exclude each other"),
        ({"keep": "90d", "prune": True}, "there is no recording in"),
    ],
)
def test_wrong_use_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, RecorderError), match=text):
        record("app", **options)
    assert not list(tmp_path.rglob("record.db"))


@pytest.mark.parametrize("text", ["90", "0d", "-1d", "1.5d", "d", "90h", "100000d"])
def test_keep_needs_days(text: str) -> None:
    with pytest.raises(ConfigError, match="use days, such as 90d"):
        days_of(text)
    assert days_of("90d") == 90


def test_days_are_whole_ones_before_the_present_one() -> None:
    policy = RetentionPolicy(3, now=lambda: T0 + 10 * DAY)
    assert policy.before() == T0_NS - DAY_NS // 2 + 7 * DAY_NS
