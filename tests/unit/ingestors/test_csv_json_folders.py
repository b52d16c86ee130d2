"""JSON files, folders of files of every format, and headers in other encodings."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.csv_tables import HEADER, START, facts, frame, pack, read, rows

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor

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
    with pytest.raises(DataFileError, match=r"X\.jsonl, line 3: is not valid JSON: "):
        read(path)
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert len(list(ingestor.read_bars())) == 2
    assert [row.line for row in ingestor.skipped] == [3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": {"b": 1},\n "c": [1, 2]}', "is JSON of an unknown form: write records"),
        ('{"a":\n [1,', "X.json, line 2: is not valid JSON"),
        ('{"a":[{"o": 1}],\n "b":[{"o": 1}]}', "is JSON of an unknown form"),
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
    with pytest.raises(DataFileError, match=r"X\.jsonl, line 1: is not valid JSON"):
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
