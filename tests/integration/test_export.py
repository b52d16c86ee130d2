"""Exports of a recording in both kinds of databases: ranges, gaps, and the values in the files."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.dataset
import pyarrow.feather
import pytest

from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.errors import RecorderError
from ingenium.events import DataEvent, Ohlc, encode
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.export import ExportCounts, export
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.subjects.names import data_subject

DAY = 86_400 * 1_000_000_000
# 19,724 days since 1970: 2024-01-02.
FIRST = 19_724 * DAY


class Recording:
    """A database with bars whose close is their sequence."""

    def __init__(self, url: str) -> None:
        self.database: Database = open_database(url)
        self._stream = RecordedStream("app", "DATA")

    def add(self, sequence: int, received: int, close: str = "") -> None:
        """Record a bar, and a gap where sequences before it are missing."""
        close = close or str(sequence)
        bar = Ohlc(open=close, high=close, low=close, close=close, volume="7")
        event = DataEvent(type="ohlc", symbol="AAPL", timestamp="2024-01-02T00:00:00Z", ohlc=bar)
        kept = KeptMessage(sequence, received, data_subject("AAPL"), b"", encode(event))
        stream = self._stream
        batch = WriteBatch(stream.label, stream.sequence, sequence, received)
        if sequence > stream.sequence + 1:
            batch.rows["gaps"] = [
                (stream.label, stream.sequence + 1, sequence - 1, received, "missing")
            ]
        TypedRows(TradingRows("app", {}, {})).add(batch.rows, stream.label, kept)
        writer = open_writer(self.database, "app")
        writer.claim(stream)
        writer.write(batch)
        writer.close()
        stream.sequence = sequence


@pytest.fixture
def recording(database_url: str) -> Recording:
    made = Recording(database_url)
    for sequence in (1, 2, 3, 6, 7):
        made.add(sequence, FIRST + sequence)
    for sequence in (8, 9):
        made.add(sequence, FIRST + DAY + sequence)
    return made


def files_of(folder: Path, table: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob(f"table={table}/**/*"))
        if path.is_file()
    }


def names(table: str, *ranges: tuple[str, str]) -> list[str]:
    return [f"table={table}/date={date}/app%2FDATA-{of}.parquet" for date, of in ranges]


RANGES = (("2024-01-02", "1-3"), ("2024-01-02", "6-7"), ("2024-01-03", "8-9"))


def test_files_name_their_days_and_sequences_and_show_gaps(
    recording: Recording, tmp_path: Path
) -> None:
    counts = export(recording.database, "app", tmp_path, "parquet")
    assert counts == ExportCounts(files=6, events=7, gaps=1)
    for table in ("events", "bars"):
        assert list(files_of(tmp_path, table)) == names(table, *RANGES)
    bars = pyarrow.dataset.dataset(tmp_path / "table=bars", partitioning="hive").to_table()
    assert bars["sequence"].to_pylist() == [1, 2, 3, 6, 7, 8, 9]
    # 1 + 2 + 3 + 6 + 7 + 8 + 9, exact.
    assert sum(bars["close"].to_pylist()) == Decimal(36)
    assert bars["time"][0].as_py() == datetime(2024, 1, 2, tzinfo=UTC)
    assert str(bars.schema.field("received").type) == "timestamp[ns, tz=UTC]"


def test_second_export_continues_behind_the_first(recording: Recording, tmp_path: Path) -> None:
    export(recording.database, "app", tmp_path, "parquet")
    before = files_of(tmp_path, "events")
    assert export(recording.database, "app", tmp_path, "parquet") == ExportCounts()
    recording.add(10, FIRST + DAY + 10)
    assert export(recording.database, "app", tmp_path, "parquet").files == 2
    found = files_of(tmp_path, "events")
    assert list(found) == [
        *names("events", *RANGES[:2]), *names("events", ("2024-01-03", "10-10"), RANGES[2])
    ]  # fmt: skip
    assert {name: found[name] for name in before} == before


def test_interrupted_export_leaves_nothing_twice(recording: Recording, tmp_path: Path) -> None:
    export(recording.database, "app", tmp_path, "parquet")
    # As a kill before the last file, and in its middle, leaves them.
    last = tmp_path / names("events", RANGES[2])[0]
    last.rename(last.with_name(f"{last.name}.part"))
    recording.add(10, FIRST + DAY + 10)
    assert export(recording.database, "app", tmp_path, "parquet").events == 3
    for table in ("events", "bars"):
        assert list(files_of(tmp_path, table)) == names(table, *RANGES[:2], ("2024-01-03", "8-10"))


def test_csv_and_arrow_have_the_same_values(recording: Recording, tmp_path: Path) -> None:
    recording.add(10, FIRST + DAY + 10, "0.1234567890123456789")
    assert export(recording.database, "app", tmp_path / "csv", "csv").oversized == 0
    # 19 digits behind the point, in four prices of a bar.
    assert export(recording.database, "app", tmp_path / "arrow", "arrow").oversized == 4
    rows = []
    for path in sorted((tmp_path / "csv").glob("table=bars/*/*-8-10.csv")):
        rows += list(csv.DictReader(path.read_text().splitlines()))
    assert [row["close"] for row in rows] == ["8", "9", "0.1234567890123456789"]
    assert rows[0]["received"] == "2024-01-03T00:00:00.000000008Z"
    (path,) = (tmp_path / "arrow").glob("table=bars/*/*-8-10.arrow")
    assert pyarrow.feather.read_table(path)["close"].to_pylist() == [8, 9, None]
    (path,) = (tmp_path / "arrow").glob("table=events/*/*-8-10.arrow")
    (text,) = (tmp_path / "csv").glob("table=events/*/*-8-10.csv")
    bodies = [body.decode() for body in pyarrow.feather.read_table(path)["body"].to_pylist()]
    assert bodies == [row["body"] for row in csv.DictReader(text.read_text().splitlines())]


def test_days_that_a_clock_has_mixed_are_exported_once(
    recording: Recording, tmp_path: Path
) -> None:
    recording.add(10, FIRST + 10)
    recording.add(11, FIRST + DAY + 11)
    assert export(recording.database, "app", tmp_path, "parquet").events == 9
    bars = pyarrow.dataset.dataset(tmp_path / "table=bars", partitioning="hive").to_table()
    assert sorted(bars["sequence"].to_pylist()) == [1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_export_of_an_unknown_app_says_so(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="no recording of 'other'"):
        export(recording.database, "other", tmp_path, "parquet")
