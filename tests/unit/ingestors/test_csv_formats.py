"""CsvIngestor on zip, Parquet, Arrow, Feather and JSON, each held against the same rows as CSV."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from support.csv_tables import HEADER, START, facts, frame, pack, read, rows

from ingenium.components import DataNote
from ingenium.errors import DataFileError, MissingDependencyError
from ingenium.ingestors import CsvIngestor


def as_csv(folder: Path, name: str, data: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return what is read of a frame that pandas wrote as CSV."""
    folder.joinpath("csv").mkdir(exist_ok=True)
    path = folder / "csv" / f"{name}.csv"
    data.to_csv(path)
    return facts(read(path))


@pytest.mark.parametrize("pack_text", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_csv_gives_the_rows_of_the_plain_one(tmp_path, pack_text):
    plain = tmp_path / "AAPL.csv"
    plain.write_text(HEADER + rows())
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[pack_text]
    packed = tmp_path / f"AAPL.csv.{suffix}"
    packed.write_bytes(pack_text((HEADER + rows()).encode()))
    assert facts(read(packed)) == facts(read(plain))
    assert CsvIngestor(packed).total() == 5
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataFileError, match=f"AAPL.csv.{suffix}.*cannot read"):
        read(packed)


def test_zip_of_one_member_takes_the_members_name_for_the_symbol(tmp_path):
    path = pack(tmp_path / "export.zip", {"folder/IBM.csv": HEADER + rows()})
    bars = read(path)
    assert [(bar.symbol, bar.start.day, bar.texts.close) for bar in bars] == [
        ("IBM", day, f"{day + 1}.1") for day in range(2, 7)
    ]
    assert CsvIngestor(path).total() == 5
    assert CsvIngestor(path).files() == [path]


def test_zip_of_several_members_is_merged_and_its_notes_name_the_member(tmp_path):
    path = pack(
        tmp_path / "archive.zip",
        {
            "B.csv": HEADER + rows().replace("4.50", "x"),
            "A.csv.gz": gzip.compress((HEADER + rows()).encode()),
            "C.jsonl": '{"t":"2024-01-03","o":1,"h":1,"l":1,"c":1.0}\n',
            "README.txt": "of whom and when",
            "__MACOSX/._A.csv": b"\x00\x05",
        },
    )
    ingestor = CsvIngestor(path, on_bad_row="skip", period="1d")
    bars = list(ingestor.read_bars())
    assert [(bar.start.day, bar.symbol) for bar in bars] == [
        (2, "A"), (2, "B"), (3, "A"), (3, "B"), (3, "C"), (4, "A"), (5, "A"), (5, "B"), (6, "A"),
        (6, "B"),
    ]  # fmt: skip
    assert ingestor.notes() == (
        DataNote("archive.zip/B.csv", "skipped", 1, "line 4: open 'x' is not a number"),
    )
    with pytest.raises(
        DataFileError, match=r"^archive\.zip/B\.csv, line 4: open 'x' is not a number"
    ):
        read(path)


def test_member_of_several_symbols_is_read(tmp_path):
    text = "date,symbol,open,high,low,close\n" + "".join(
        f"2024-01-0{day},{symbol},1,1,1,1\n" for symbol in "ab" for day in (1, 2, 3)
    )
    bars = read(pack(tmp_path / "two.zip", {"two.csv": text}))
    assert [(bar.start.day, bar.symbol) for bar in bars] == [
        (day, symbol) for day in (1, 2, 3) for symbol in "ab"
    ]


def test_member_of_an_archive_can_be_named(tmp_path):
    path = pack(tmp_path / "all.zip", {"us/A.csv": HEADER + rows(), "us/B.csv": HEADER + rows(3)})
    assert [bar.symbol for bar in read(path / "us" / "B.csv")] == ["B"] * 3
    with pytest.raises(DataFileError, match=r"all\.zip has no member C\.csv: it has us/A\.csv"):
        read(path / "C.csv")
    (tmp_path / "plain.csv").write_text(HEADER)
    with pytest.raises(DataFileError, match="no such file"):
        read(tmp_path / "plain.csv" / "C.csv")


def test_many_archives_are_merged_without_holding_them_open(tmp_path):
    import resource

    for number in range(200):
        pack(tmp_path / f"S{number:03}.zip", {f"S{number:03}.csv": HEADER + rows(3)})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        assert len(read(tmp_path)) == 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_zip_and_csv_of_one_symbol_follow_each_other_and_may_not_overlap(tmp_path):
    (tmp_path / "X-2024-01-02.csv").write_text(HEADER + rows(3, 2))
    pack(tmp_path / "X-2024-01-05.zip", {"X-2024-01-05.csv": HEADER + rows(3, 5)})
    assert [bar.start.day for bar in read(tmp_path, "X")] == [2, 3, 4, 5, 6, 7]
    pack(tmp_path / "X-2024-01-05.zip", {"X-2024-01-05.csv": HEADER + rows(3, 4)})
    with pytest.raises(DataFileError, match=r"X\.zip|came already, from"):
        read(tmp_path, "X")
    ingestor = CsvIngestor(tmp_path, "X", on_bad_row="skip")
    assert [bar.start.day for bar in ingestor.read_bars()] == [2, 3, 4, 5, 6]
    assert [note.count for note in ingestor.notes() if note.kind == "skipped"] == [1]


def test_encrypted_member_is_refused_in_words(tmp_path):
    path = pack(tmp_path / "X.zip", {"X.csv": HEADER + rows()})
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + place] |= 1
    path.write_bytes(raw)
    with pytest.raises(DataFileError, match=r"X\.zip/X\.csv is encrypted: unpack it"):
        read(path)


def test_member_packed_by_an_unknown_method_is_refused_in_words(tmp_path):
    path = pack(tmp_path / "X.zip", {"X.csv": HEADER + rows()})
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = raw.index(mark) + place
        raw[start : start + 2] = (9).to_bytes(2, "little")  # deflate64, as Windows writes it
    path.write_bytes(raw)
    with pytest.raises(
        DataFileError, match=r"X\.zip/X\.csv uses an unknown compression method.*unpack it"
    ):
        read(path)


def test_damaged_archive_and_damaged_member_are_refused_in_words(tmp_path):
    path = pack(tmp_path / "X.zip", {"X.csv": HEADER + rows(20)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"X\.zip is a damaged zip archive"):
        read(path)
    broken = bytearray(whole)
    broken[60:90] = bytes(30)
    path.write_bytes(broken)
    with pytest.raises(DataFileError, match=r"X\.zip/X\.csv.*cannot read"):
        read(path)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "X.zip holds no file of prices: it has no file"),
        ({"a.pdf": b"%PDF", "b.py": "1"}, "X.zip holds no file of prices: it has a.pdf, b.py"),
        ({"xl/workbook.xml": "<a/>"}, "X.zip is an Excel workbook, which cannot be read: export"),
        ({"X.csv": HEADER + rows(), "Y.xlsx": b"PK"}, "X.zip/Y.xlsx cannot be read: unpack X.zip"),
        ({"X.zip": b"PK\x05\x06" + bytes(18)}, "X.zip/X.zip cannot be read: unpack X.zip"),
        ({"X.parquet": b"PAR1"}, "X.zip/X.parquet cannot be read inside an archive: unpack it"),
        ({"X.csv": b""}, "X.zip/X.csv is empty"),
        ({"X.csv": b"0" * (1 << 27)}, "as a zip bomb does: unpack it first if that is right"),
    ],
)
def test_archive_without_a_file_that_can_be_read_is_refused_in_words(tmp_path, members, text):
    path = pack(tmp_path / "X.zip", members)
    with pytest.raises(DataFileError) as caught:
        read(path)
    assert text in str(caught.value)


@pytest.mark.parametrize("index", [None, "Date"])
@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_frame_of_pandas_gives_what_its_csv_gives(tmp_path, suffix, index):
    data = frame(index=index)
    path = tmp_path / f"AAPL.{suffix}"
    if suffix == "parquet":
        data.to_parquet(path)
    else:
        table = pa.Table.from_pandas(data)
        feather.write_feather(table, str(path))
    bars = read(path)
    assert [bar.start for bar in bars] == [START + timedelta(days=i) for i in range(5)]
    assert [bar.texts.close for bar in bars] == [repr(0.1 + 0.2 + 10 + i) for i in range(5)]
    assert [bar.texts.volume for bar in bars] == ["100", "200", "300", "400", "500"]
    assert facts(bars) == as_csv(tmp_path, "AAPL", data)
    assert CsvIngestor(path).total() == 5
    # Dates are days of the zone that is asked for.
    first = read(path, timezone="America/New_York")[0]
    assert (first.start, first.period) == (START + timedelta(hours=5), timedelta(days=1))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_times_of_every_unit_and_zone_are_the_same_moments(tmp_path, unit, zone):
    moments = [datetime(2024, 3, 8, 14, 30, tzinfo=UTC) + timedelta(minutes=i) for i in range(4)]
    times = pa.array([int(m.timestamp()) for m in moments], pa.timestamp("s", zone))
    prices = pa.array([1.5, 2.5, 1e-7, 3.0])
    table = pa.table(
        {"t": times.cast(pa.timestamp(unit, zone)), "o": prices, "h": prices, "l": prices}
        | {"c": prices}
    )
    path = tmp_path / "X.parquet"
    parquet.write_table(table, path)
    bars = read(path)
    assert [bar.start for bar in bars] == moments
    assert [bar.texts.close for bar in bars] == ["1.5", "2.5", "0.0000001", "3.0"]


def test_columns_of_every_type_are_written_as_text(tmp_path):
    days = [date(2024, 1, day) for day in (2, 3, 4)]
    table = pa.table(
        {
            "symbol": pa.array(["B", "A", "A"]).dictionary_encode(),
            "extra": pa.array([[1], [2], None]),
            "date": pa.array(days, pa.date32()),
            "open": pa.array([Decimal("1.10"), Decimal("2.20"), Decimal("3.30")]),
            "high": pa.array([1.2, 2.2, 3.3], pa.float32()),
            "low": pa.array([1, 2, 3], pa.int8()),
            "close": pa.array(["1.1000", "2.2", "3.300"], pa.large_string()),
            "volume": pa.array([None, 2.0, 3e15]),
        }
    )
    path = tmp_path / "prices.pq"
    parquet.write_table(table, path)
    with pytest.raises(
        DataFileError, match=r"prices\.pq, line 3: volume '3000000000000000\.0' is too large"
    ):
        read(path)
    bars = read(path, on_bad_row="skip")
    day = timedelta(days=1)
    assert facts(bars) == [
        ("B", START, START + day, "1.10", "1.2", "1", "1.1000", ""),
        ("A", START + day, START + 2 * day, "2.20", "2.2", "2", "2.2", "2.0"),
    ]


@pytest.mark.parametrize("order", ["by time", "by symbol"])
@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows", "jsonl"])
def test_column_of_symbols_is_read_in_every_order(tmp_path, kind, order):
    keys = [(day, symbol) for day in range(1, 29) for symbol in ("AAPL", "IBM", "MSFT")]
    if order == "by symbol":
        keys.sort(key=lambda key: key[1])
    data = pd.DataFrame(
        {"date": [f"2024-01-{day:02}" for day, _ in keys], "ticker": [name for _, name in keys]}
        | {name: [float(day) for day, _ in keys] for name in ("open", "high", "low", "close")}
    )
    path = write_as(tmp_path / f"all.{kind}", data)
    bars = read(path)
    assert [(bar.start.day, bar.symbol) for bar in bars] == sorted(keys)
    assert [bar.close for bar in bars] == [float(day) for day, _ in sorted(keys)]
    only = read(write_as(tmp_path / f"one.{kind}", data[data.ticker == "IBM"]), "X")
    assert [bar.symbol for bar in only] == ["X"] * 28


def write_as(path: Path, data: pd.DataFrame) -> Path:
    table = pa.Table.from_pandas(data, preserve_index=False)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=10)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, 10)
    elif path.suffix == ".arrows":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, 10)
    else:
        data.to_json(path, orient="records", lines=True)
    return path


def test_two_levels_of_yfinance_give_the_ticker(tmp_path):
    data = frame(index="Date")
    data.columns = pd.MultiIndex.from_product([data.columns, ["MSFT"]], names=["Price", "Ticker"])
    data.to_parquet(tmp_path / "download.parquet")
    bars = read(tmp_path / "download.parquet")
    assert {bar.symbol for bar in bars} == {"MSFT"}
    assert facts(bars) == as_csv(tmp_path, "download", data)


def test_bad_rows_and_options_work_alike_in_every_format(tmp_path):
    data = frame(9)
    data.loc[data.index[3], "Close"] = float("nan")
    data = data.iloc[::-1].rename(columns={"Close": "Settle"}).reset_index(names="When")
    data["When"] = data["When"].dt.strftime("%d.%m.%Y")
    arguments: dict[str, Any] = {
        "columns": {"close": "Settle", "time": "When"},
        "newest_first": True,
        "timezone": "Europe/Berlin",
        "on_bad_row": "skip",
        "date_format": "%d.%m.%Y",
        "symbol": "X",
    }
    seen = []
    for kind in ("parquet", "arrow", "arrows", "jsonl"):
        path = write_as(tmp_path / f"bad.{kind}", data)
        ingestor = CsvIngestor(path, **arguments)
        seen.append(facts(list(ingestor.read_bars())))
        # Rows count from 1: there is no line of a header.
        assert [(row.line, row.reason) for row in ingestor.skipped] == [(6, "close is empty")]
    assert len(seen[0]) == 8
    assert seen[0][0][1] == datetime(2024, 1, 1, 23, tzinfo=UTC)
    assert seen.count(seen[0]) == len(seen)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_memory_of_a_long_table_stays_flat(tmp_path, kind):
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.{kind}"
        price = [1.5] * count
        times = pd.date_range("2024-01-01", periods=count, freq="min")
        table = pa.table({"time": times} | dict.fromkeys(("open", "high", "low", "close"), price))
        if kind == "parquet":
            parquet.write_table(table, path, row_group_size=10_000)
        else:
            feather.write_feather(table, str(path), chunksize=count)
        del table
        tracemalloc.start()
        assert sum(1 for _ in CsvIngestor(path, "X").read_bars()) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(80_000) < peak(20_000) + 2_000_000


def test_parquet_without_pyarrow_names_the_command(tmp_path, monkeypatch):
    frame().to_parquet(tmp_path / "X.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingDependencyError, match=r"X\.parquet needs pyarrow.*ingenium\[arrow\]"
    ):
        read(tmp_path / "X.parquet")


def test_damaged_parquet_is_an_error(tmp_path):
    path = tmp_path / "X.parquet"
    frame(500).to_parquet(path)
    raw = bytearray(path.read_bytes())
    raw[100:1_000] = bytes(900)
    path.write_bytes(raw)
    with pytest.raises(DataFileError, match=r"X\.parquet.*cannot read"):
        read(path)
