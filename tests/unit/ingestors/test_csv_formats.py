"""CsvIngestor on zip, Parquet, Arrow, Feather and JSON, each held against the same rows as CSV."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from ingenium.components import DataNote
from ingenium.errors import DataFileError, MissingDependencyError
from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
HEADER = "time,open,high,low,close,volume\n"


def rows(count: int = 5, first: int = 2) -> str:
    return "".join(
        f"2024-01-{day:02},{day}.50,{day + 2}.0,{day - 1}.25,{day + 1}.1,{day}00\n"
        for day in range(first, first + count)
    )


def frame(count: int = 5, index: str | None = None) -> pd.DataFrame:
    made = pd.DataFrame(
        {
            "Open": [10.1 + i for i in range(count)],
            "High": [12.25 + i for i in range(count)],
            "Low": [9.0 + i for i in range(count)],
            "Close": [0.1 + 0.2 + 10 + i for i in range(count)],
            "Volume": [100 * (i + 1) for i in range(count)],
        },
        index=pd.date_range("2024-01-02", periods=count, freq="D", name=index),
    )
    made.index.freq = None
    return made


def read(path: Path | list[Path], symbol: str | None = None, **arguments: Any) -> list[Bar]:
    return list(CsvIngestor(path, symbol, **arguments).read_bars())


def facts(bars: list[Bar]) -> list[tuple[Any, ...]]:
    return [(bar.symbol, bar.start, bar.end, *bar.texts) for bar in bars]


def as_csv(folder: Path, name: str, data: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return what is read of a frame that pandas wrote as CSV."""
    folder.joinpath("csv").mkdir(exist_ok=True)
    path = folder / "csv" / f"{name}.csv"
    data.to_csv(path)
    return facts(read(path))


def pack(path: Path, members: dict[str, str | bytes], **arguments: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **arguments) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


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
        DataNote("archive.zip/B.csv", "skipped", 1, "line 4: open 'x' is no number"),
    )
    with pytest.raises(DataFileError, match=r"^archive\.zip/B\.csv, line 4: open 'x' is no number"):
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
    with pytest.raises(DataFileError, match=r"X\.zip/X\.csv is packed by a method.*unpack it"):
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


RECORDS = [
    '{"time":"2024-01-02","open":1.10,"high":"2.50","low":1e-3,"close":1.1000000000000000001}',
    '{"time":"2024-01-03","open":1,"high":2,"low":0.5,"close":1.50,"volume":null,"x":{"y":[1]}}',
]
EXPECTED = [("1.10", "2.50", "0.001", "1.1", ""), ("1", "2", "0.5", "1.50", "")]


def test_numbers_of_json_keep_their_text(tmp_path):
    path = tmp_path / "X.jsonl"
    path.write_text(f"{RECORDS[0]}\n\n{RECORDS[1]}\n")
    bars = read(path)
    # More than 18 decimals are rounded, as in every file.
    assert [tuple(bar.texts) for bar in bars] == EXPECTED
    assert [bar.start.day for bar in bars] == [2, 3]
    packed = tmp_path / "X.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert facts(read(packed)) == facts(bars)


REST = [0, "1", 3, "1", "1", "0"]
KLINES = [
    [1704153600000 + 86_400_000 * i, f"{i + 1}.10", "9.90", "0.50", f"{i + 2}.00", "12.5", *REST]
    for i in range(3)
]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, KLINES)),
        json.dumps(KLINES),
        json.dumps(KLINES, indent=2),
        json.dumps({"status": "ok", "results": KLINES}),
        json.dumps([dict(zip("tohlcv", row[:6], strict=True)) for row in KLINES], indent=1),
        json.dumps({"s": "ok"} | {n: [r[i] for r in KLINES] for i, n in enumerate("tohlcv")}),
        json.dumps(
            {"a": {"columns": list("tvohlc"), "data": [[r[0], r[5], *r[1:5]] for r in KLINES]}}
        ),
        json.dumps(
            {
                "meta": {"1. a": "b"},
                "days": {r[0]: dict(zip("ohlcv", r[1:6], strict=True)) for r in KLINES},
            }
        ),
        json.dumps([list("tcohlv"), *([r[0], r[4], *r[1:4], r[5]] for r in KLINES)]),
        json.dumps({"t": 0, "candles": [dict(zip("tohlcv", r[:6], strict=True)) for r in KLINES]}),
    ],
    ids=[
        "lines",
        "list",
        "indented",
        "results",
        "records",
        "columns",
        "names",
        "by time",
        "header",
        "candles",
    ],
)
def test_json_of_arrays_records_and_columns_is_read(tmp_path, text):
    path = tmp_path / "BTC.json"
    path.write_text(text)
    bars = read(path)
    assert [tuple(bar.texts) for bar in bars] == [
        ("1.10", "9.90", "0.50", "2.00", "12.5"),
        ("2.10", "9.90", "0.50", "3.00", "12.5"),
        ("3.10", "9.90", "0.50", "4.00", "12.5"),
    ]
    assert [bar.start.day for bar in bars] == [2, 3, 4]
    assert CsvIngestor(path).total() == 3


def test_records_within_records_have_names_with_a_dot(tmp_path):
    path = tmp_path / "EURUSD.jsonl"
    path.write_text(
        '{"time":"2024-01-02T00:00:00Z","mid":{"o":"1.1","h":"1.3","l":"1.0","c":"1.2"}}\n'
    )
    columns = {"open": "mid.o", "high": "mid.h", "low": "mid.l", "close": "mid.c"}
    assert [tuple(bar.texts) for bar in read(path, columns=columns, period="1d")] == [
        ("1.1", "1.3", "1.0", "1.2", "")
    ]


def test_types_of_mongodb_are_no_names(tmp_path):
    path = tmp_path / "X.jsonl"
    path.write_text(
        '{"_id":{"$oid":"1"},"date":{"$date":"2024-01-02T00:00:00Z"},"open":1.2,"high":2,"low":1,'
        '"close":1.5,"volume":{"$numberLong":"5"}}\n'
    )
    assert facts(read(path, period="1d")) == [
        ("X", START, START + timedelta(days=1), "1.2", "2", "1", "1.5", "5")
    ]


def test_line_that_is_no_json_is_a_bad_row_with_its_line(tmp_path):
    path = tmp_path / "X.jsonl"
    path.write_text("\n".join([*RECORDS, '{"time":"2024-01-04","op', "[1]"]))
    with pytest.raises(DataFileError, match=r"X\.jsonl, line 3: is no JSON: "):
        read(path)
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert len(list(ingestor.read_bars())) == 2
    assert [row.line for row in ingestor.skipped] == [3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": {"b": 1},\n "c": [1, 2]}', "is JSON of a form that is not known: write records"),
        ('{"a":\n [1,', "X.json, line 2: is no JSON"),
        ('{"a":[{"o": 1}],\n "b":[{"o": 1}]}', "is JSON of a form that is not known"),
        ('[{"meta": 1, "quote": {"open": [1, 2]}}]', "X.json has no header"),
        ("[]", "X.json is empty"),
        ('[{"open": 1, "high": 1}]', "has no column for time and low and close"),
    ],
)
def test_json_of_another_form_is_refused_in_words(tmp_path, text, said):
    path = tmp_path / "X.json"
    path.write_text(text)
    with pytest.raises(DataFileError) as caught:
        read(path)
    assert said in str(caught.value)


def test_folder_reads_every_format_beside_each_other(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + rows())
    pack(tmp_path / "B.zip", {"B.csv": HEADER + rows()})
    frame().to_parquet(tmp_path / "C.parquet")
    (tmp_path / "D.jsonl").write_text("\n".join(RECORDS))
    (tmp_path / "E.txt").write_text(HEADER + rows())
    (tmp_path / "F.csv.xz").write_bytes(lzma.compress((HEADER + rows()).encode()))
    for name in (".DS_Store", "README.md", "LICENSE", "B.zip.CHECKSUM", "app.py", "_SUCCESS"):
        (tmp_path / name).write_text("nothing")
    ingestor = CsvIngestor(tmp_path, period="1d")
    bars = list(ingestor.read_bars())
    assert sorted({bar.symbol for bar in bars}) == list("ABCDEF")
    assert len(bars) == ingestor.total() == 27
    assert ingestor.notes() == ()
    assert [path.name[0] for path in ingestor.files()] == list("ABCDEF")


def test_data_with_a_name_like_documentation_is_read(tmp_path):
    for name in ("_SPX.csv", "NOTICE.csv.gz"):
        text = (HEADER + rows()).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert {bar.symbol for bar in read(tmp_path)} == {"_SPX", "NOTICE"}


def test_folder_without_prices_says_why_its_files_are_none(tmp_path):
    (tmp_path / "list.txt").write_text("AAPL\nIBM\n")
    with pytest.raises(DataFileError, match=r"has no CSV files.*; list\.txt: has no header that"):
        read(tmp_path)


def test_folder_notes_what_it_does_not_read(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + rows())
    (tmp_path / "list.txt").write_text("AAPL\nIBM\n")
    (tmp_path / "settings.json").write_text('{"a": 1}')
    (tmp_path / "A.bak").write_text(HEADER + rows())
    pack(tmp_path / "photos.zip", {"a.gif": b"GIF"})
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "A.csv").write_text(HEADER + rows())
    (tmp_path / "empty").mkdir()
    ingestor = CsvIngestor(tmp_path, period="1d")
    assert len(list(ingestor.read_bars())) == 5
    assert [(note.source, note.kind) for note in ingestor.notes()] == [
        ("A.bak", "unread"), ("list.txt", "unread"), ("photos.zip/a.gif", "unread"),
        ("settings.json", "unread"), ("old/", "unread"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["B.xlsx", "B.h5", "B.csv.zst", "B.pkl", "B.7z"])
def test_folder_with_data_that_cannot_be_read_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "A.csv").write_text(HEADER + rows())
    (tmp_path / name).write_bytes(b"\x00")
    with pytest.raises(DataFileError, match=rf"holds {name}, which cannot be read.*\*\.csv"):
        read(tmp_path)


def test_folder_of_folders_is_an_error_that_tells_the_pattern(tmp_path):
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024" / "A.csv.gz").write_bytes(gzip.compress((HEADER + rows()).encode()))
    with pytest.raises(
        DataFileError, match=r"2024/A\.csv\.gz: name them with the pattern .*/\*\*/\*\.csv\.gz"
    ):
        read(tmp_path)
    assert len(read(tmp_path / "**" / "*.csv.gz")) == 5


def test_header_in_square_brackets_is_no_json(tmp_path):
    (tmp_path / "X.csv").write_text("[Date],[Open],[High],[Low],[Close]\n2024-01-02,1,2,1,2\n")
    fields = ("time", "open", "high", "low", "close")
    columns: dict[str, Any] = {field: place for place, field in enumerate(fields)}
    bars = read(tmp_path / "X.csv", period="1d", columns=columns)
    assert [bar.texts.close for bar in bars] == ["2"]


def test_first_line_of_json_that_is_damaged_is_a_bad_row(tmp_path):
    path = tmp_path / "X.jsonl"
    path.write_text("\n".join(['{"time":"2024-01-01","open":[1', *RECORDS]))
    with pytest.raises(DataFileError, match=r"X\.jsonl, line 1: is no JSON"):
        read(path)
    assert len(read(path, on_bad_row="skip")) == 2


def test_levels_of_two_tickers_side_by_side_are_refused(tmp_path):
    data = frame(index="Date")
    both = pd.concat({"MSFT": data, "AAPL": data}, axis=1).swaplevel(axis=1)
    both.columns.names = ["Price", "Ticker"]
    both.to_parquet(tmp_path / "download.parquet")
    with pytest.raises(DataFileError, match=r"download\.parquet.*(2 tickers|side by side)"):
        read(tmp_path / "download.parquet")


def test_index_of_symbol_and_date_gives_both(tmp_path):
    data = pd.concat({"B": frame(), "A": frame()}, names=["symbol", "date"])
    data.to_parquet(tmp_path / "all.parquet")
    assert [bar.symbol for bar in read(tmp_path / "all.parquet")] == ["A", "B"] * 5


def test_text_of_every_kind_and_names_with_dots_are_read(tmp_path):
    names = ["Adj. Date", "1. open", "2. high", "3. low", "4. close", "Other"]
    cells: list[Any] = [
        pa.array(["2024-01-02", "2024-01-03"], pa.string_view()),
        pa.array([1.5, 2.5]),
        pa.array([1.5, 2.5], pa.float64()),
        pa.array([1, 2], pa.uint64()),
        pa.array([Decimal("1.50"), Decimal("2.5")], pa.decimal128(12, 4)),
        pa.array([b"x", None], pa.binary()),
    ]
    parquet.write_table(pa.table(cells, names=names), tmp_path / "X.parquet")
    bars = read(tmp_path / "X.parquet", columns={"time": "Adj. Date"})
    assert [bar.texts.close for bar in bars] == ["1.5000", "2.5000"]
    assert [bar.texts.low for bar in bars] == ["1", "2"]


def test_excel_workbook_is_refused_in_words(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<a/>")
        archive.writestr("xl/workbook.xml", "<a/>")
    for name in ("X.xlsx", "X.csv"):
        (tmp_path / name).write_bytes(stream.getvalue())
        with pytest.raises(DataFileError, match=rf"{name} is an Excel workbook.*export it as CSV"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("cp1252", "Datum;Eröffnung;Hoch;Tief;Schluß;Volumen"),
        ("gb18030", "日期;开盘;最高;最低;收盘;成交量"),
        ("cp932", "日付;始値;高値;安値;終値;出来高"),
        ("cp949", "일자;시가;고가;저가;종가;거래량"),
        ("cp1251", "Дата;Открытие;Максимум;Минимум;Закрытие;Объем"),
        ("big5", "日期;開盤價;最高價;最低價;收盤價;成交量"),
    ],
)
def test_header_in_the_encoding_of_its_country_is_read_and_noted(tmp_path, encoding, header):
    text = header + "\n" + rows().replace(",", ";")
    (tmp_path / "X.csv").write_bytes(text.encode(encoding))
    (tmp_path / "Y.csv").write_bytes(text.encode("utf-8"))
    ingestor = CsvIngestor(tmp_path / "X.csv", "X", period="1d")
    assert facts(list(ingestor.read_bars())) == facts(read(tmp_path / "Y.csv", "X", period="1d"))
    assert [(note.kind, note.text) for note in ingestor.notes()] == [
        ("guessed", f"its text is in {encoding}, as the header shows")
    ]
    assert ingestor.total() == 5


def test_symbols_in_another_encoding_are_read_when_the_header_shows_it(tmp_path):
    text = "日期,股票代码,开盘,最高,最低,收盘\n" + "".join(
        f"2024-01-0{day},{name},1,1,1,1\n" for name in ("茅台", "平安") for day in (1, 2, 3)
    )
    (tmp_path / "X.csv").write_bytes(text.encode("gb18030"))
    assert {bar.symbol for bar in read(tmp_path / "X.csv")} == {"茅台", "平安"}


def test_encoding_that_does_not_make_words_of_the_header_is_refused(tmp_path):
    (tmp_path / "X.csv").write_bytes("Blåbär;Ö1;Ö2;Ö3;Ö4\n2024-01-02;1;1;1;1\n".encode("cp1252"))
    with pytest.raises(DataFileError, match=r"X\.csv has a header that is not understood.*\ufffd"):
        read(tmp_path / "X.csv")
