"""CsvIngestor on real files, several files, folders, compressed files and wrong arguments."""

from __future__ import annotations

import csv
import gzip
import logging
import resource
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingenium.components import App, handle_of
from ingenium.errors import ComponentError, ConfigError, DataFileError, SubjectError
from ingenium.events import DataEvent, DataType, decode, encode
from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

DATA = Path(__file__).parents[3] / "examples" / "data"
HEADER = "Date,Open,High,Low,Close,Volume\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def days(count: int, first: int = 1, price: int = 10) -> str:
    """Make rows of January 2024, from a day on."""
    return "".join(
        f"2024-01-{day:02},{price},{price + 2},{price - 1},{price + 1},100\n"
        for day in range(first, first + count)
    )


def test_real_aapl_gives_the_decimal_text_of_the_source_and_its_times():
    ingestor = CsvIngestor(DATA / "AAPL.csv")
    events = list(ingestor.read())
    with (DATA / "AAPL.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(events) == len(rows) == ingestor.total() == 3270
    for event, row in zip(events, rows, strict=True):
        ohlc = event.ohlc
        assert ohlc is not None
        start = datetime.fromisoformat(row["timestamp"])
        assert (event.type, event.symbol) == (DataType.OHLC, "AAPL")
        assert event.timestamp == (start + timedelta(days=1)).isoformat().replace("+00:00", "Z")
        assert (ohlc.timestamp, ohlc.period) == (start, "1d")
        prices = (ohlc.open, ohlc.high, ohlc.low, ohlc.close, ohlc.volume)
        assert prices == tuple(row[name] for name in ("open", "high", "low", "close", "volume"))
    assert ingestor.skipped == []


def test_event_equals_what_bar_make_gives_and_survives_the_wire():
    ingestor = CsvIngestor(DATA / "IBM.csv")
    event = next(iter(ingestor.read()))
    bar = Bar.make(
        "IBM",
        datetime(2000, 3, 1, tzinfo=UTC),
        open="102.0",
        high="105.5",
        low="100.06",
        close="100.25",
        volume="10807800",
        period=timedelta(days=1),
    )
    handle_of(ingestor).identify(bar.event)
    assert event == bar.event
    assert decode(DataEvent, encode(event)) == event
    assert Bar.from_event(event) == bar


def test_folder_of_real_files_is_merged_by_time_and_symbol():
    events = list(CsvIngestor(DATA).read())
    keys = [(event.timestamp, event.symbol) for event in events]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) == 3 * 3270
    assert [symbol for _, symbol in keys[:3]] == ["AAPL", "IBM", "MSFT"]


def test_pattern_list_and_folder_give_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(DATA.parent)
    by_pattern = CsvIngestor("data/*.csv")
    by_list = CsvIngestor(["data/IBM.csv", "data/AAPL.csv", "data/MSFT.csv", "data/IBM.csv"])
    monkeypatch.chdir(tmp_path)
    assert list(by_pattern.read()) == list(by_list.read()) == list(CsvIngestor(DATA).read())
    assert by_pattern.total() == by_list.total() == 3 * 3270


def test_reading_twice_gives_the_same(tmp_path):
    ingestor = CsvIngestor(write(tmp_path, "X.csv", HEADER + days(3)))
    assert list(ingestor.read()) == list(ingestor.read())


@pytest.mark.parametrize("name", ["BRK.B.csv.gz", "BRK.B.csv"])
def test_compressed_file_is_found_out_by_its_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress((HEADER + days(4)).encode()))
    ingestor = CsvIngestor(path)
    assert [event.symbol for event in ingestor.read()] == ["BRK.B"] * 4
    assert ingestor.total() == 4


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_do_not_matter(tmp_path, encoding, line_end):
    path = tmp_path / "X.csv"
    path.write_bytes((HEADER + days(3)).replace("\n", line_end).encode(encoding))
    assert len(list(CsvIngestor(path).read())) == 3


def test_name_in_another_encoding_in_a_column_that_nobody_reads_does_no_harm(tmp_path):
    path = tmp_path / "X.csv"
    path.write_bytes(
        "Date,Open,High,Low,Close,Company\n2024-01-02,1,1,1,1,Zürich\n".encode("latin-1")
    )
    assert len(list(CsvIngestor(path).read())) == 1


def test_total_counts_rows_without_head_and_empty_lines_at_the_end(tmp_path):
    text = "# prices\n" + HEADER + days(5) + "\n\n  \n"
    assert CsvIngestor(write(tmp_path, "X.csv", text)).total() == 5
    assert CsvIngestor(write(tmp_path, "Y.csv", (HEADER + days(5)).rstrip())).total() == 5


def test_symbol_is_argument_then_column_then_file_name(tmp_path):
    plain = write(tmp_path, "eurusd.csv", HEADER + days(1))
    column = write(tmp_path, "one.csv", "Ticker," + HEADER + "SAP.DE," + days(1))
    assert next(CsvIngestor(plain, "EUR/USD").read()).symbol == "EUR/USD"
    assert next(CsvIngestor(plain).read()).symbol == "eurusd"
    assert next(CsvIngestor(column).read()).symbol == "SAP.DE"
    assert next(CsvIngestor(column, "SAP").read()).symbol == "SAP"


def test_symbol_for_a_file_of_two_tickers_is_an_error(tmp_path):
    text = "Ticker," + HEADER + "A," + days(1) + "B," + days(1, 2)
    with pytest.raises(DataFileError, match="line 3: holds 'B' beside 'A', so they cannot all be"):
        list(CsvIngestor(write(tmp_path, "X.csv", text), "C").read())


@pytest.mark.parametrize("order", ["by time", "by symbol", "in two blocks"])
@pytest.mark.parametrize("zipped", [False, True])
def test_file_of_several_symbols_is_read_in_the_order_of_time_and_symbol(tmp_path, order, zipped):
    rows = [f"2024-01-{day:02},{symbol}" for day in range(1, 21) for symbol in ("B", "C", "A")]
    if order != "by time":
        rows.sort(key=lambda row: row.split(",")[1], reverse=True)
    if order == "in two blocks":
        rows = [row for row in rows if row < "2024-01-11"] + [
            row for row in rows if row > "2024-01-11"
        ]
    text = "date,name,open,high,low,close\r\n" + "".join(f"{row},1,1,1,1\r\n" for row in rows)
    path = tmp_path / "all.csv"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    ingestor = CsvIngestor(path)
    events = list(ingestor.read())
    keys = [(event.timestamp, event.symbol) for event in events]
    assert keys == sorted(keys)
    assert len(set(keys)) == ingestor.total() == 60


def test_bad_row_in_a_file_grouped_by_symbol_is_reported_with_its_line(tmp_path):
    rows = [
        f"S{symbol:02},2024-01-{day:02},1,1,1,1\n" for symbol in range(30) for day in range(1, 29)
    ]
    rows[500] = "S17,2024-01-25,1,1,1,-1\n"
    rows.insert(700, "A*,2024-01-01,1,1,1,1\n")
    path = write(tmp_path, "all.csv", "ticker,date,open,high,low,close\n" + "".join(rows))
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert len(list(ingestor.read())) == 30 * 28 - 1
    assert sorted(row.line for row in ingestor.skipped) == [502, 702]
    assert {row.reason for row in ingestor.skipped} >= {"close -1 is not above 0"}


def test_mixed_symbols_out_of_order_are_an_error(tmp_path):
    rows = [f"2024-01-{day:02},{symbol},1,1,1,1\n" for day in range(1, 9) for symbol in "AB"]
    rows[10], rows[12] = rows[12], rows[10]
    path = write(tmp_path, "all.csv", "date,symbol,open,high,low,close\n" + "".join(rows))
    with pytest.raises(DataFileError, match=r"line 13: .* comes after .*: sort the file by time"):
        list(CsvIngestor(path, on_bad_row="skip").read())


def test_two_files_of_one_symbol_follow_each_other(tmp_path):
    paths = [
        write(tmp_path, "2024b.csv", HEADER + days(3, 4)),
        write(tmp_path, "2024a.csv", HEADER + days(3, 1)),
    ]
    events = list(CsvIngestor(paths, "X").read())
    assert [event.timestamp[8:10] for event in events] == ["02", "03", "04", "05", "06", "07"]


def test_bar_that_two_files_have_is_a_bad_row(tmp_path):
    paths = [
        write(tmp_path, "a.csv", HEADER + days(3, 1)),
        write(tmp_path, "b.csv", HEADER + days(3, 3)),
    ]
    with pytest.raises(DataFileError, match=r"b\.csv, line 2: X at .* came already, from a\.csv"):
        list(CsvIngestor(paths, "X").read())
    ingestor = CsvIngestor(paths, "X", on_bad_row="skip")
    assert len(list(ingestor.read())) == 5
    assert [(row.file, row.line) for row in ingestor.skipped] == [("b.csv", 2)]


def test_more_files_than_may_be_open_at_a_time_are_merged(tmp_path):
    for number in range(300):
        write(tmp_path, f"S{number:03}.csv", HEADER + days(3))
        (tmp_path / f"Z{number:03}.csv.gz").write_bytes(gzip.compress((HEADER + days(3)).encode()))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        assert len(list(CsvIngestor(tmp_path).read())) == 1_800
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_bars_of_two_lengths_are_merged_by_their_ends(tmp_path):
    hours = "".join(f"2024-01-01 {hour:02}:00,1,1,1,1,1\n" for hour in range(24))
    paths = [
        write(tmp_path, "days.csv", HEADER + days(2)),
        write(tmp_path, "hours.csv", HEADER + hours),
    ]
    events = list(CsvIngestor(paths, "X").read())
    periods = [event.ohlc.period for event in events if event.ohlc]
    assert periods == ["1h"] * 23 + ["1d", "1h", "1d"]
    assert len({event.timestamp for event in events}) == 25


def test_newest_first_file_is_read_from_its_end_when_asked(tmp_path):
    rows = days(9).splitlines(keepends=True)
    path = write(tmp_path, "X.csv", HEADER + "".join(reversed(rows)))
    with pytest.raises(DataFileError, match=r"X\.csv runs from the newest row.*newest_first=True"):
        list(CsvIngestor(path).read())
    straight = write(tmp_path, "Y.csv", HEADER + "".join(rows))
    reverse = list(CsvIngestor(path, "S", newest_first=True).read())
    assert reverse == list(CsvIngestor(straight, "S").read())
    with pytest.raises(DataFileError, match=r"Y\.csv runs from the oldest row.*leave newest_first"):
        list(CsvIngestor(straight, newest_first=True).read())


def test_newest_first_file_of_several_symbols_is_read_when_asked(tmp_path):
    rows = [f"2024-01-{day:02},{symbol},1,1,1,1\n" for day in range(9, 0, -1) for symbol in "ab"]
    rows[3] = "2024-01-08,b,1,1,1,x\n"
    path = write(tmp_path, "X.csv", "date,symbol,open,high,low,close\n" + "".join(rows))
    ingestor = CsvIngestor(path, newest_first=True, on_bad_row="skip")
    events = list(ingestor.read())
    keys = [(event.timestamp, event.symbol) for event in events]
    assert keys == sorted(keys)
    assert len(keys) == 17
    assert [row.line for row in ingestor.skipped] == [5]


def test_memory_of_a_long_file_stays_flat(tmp_path):
    def peak(rows: int) -> int:
        start = datetime(2024, 1, 1, tzinfo=UTC)
        text = "".join(
            f"{(start + timedelta(minutes=i)):%Y-%m-%d %H:%M},1.5,1.5,1.5,1.5,7\n"
            for i in range(rows)
        )
        path = write(tmp_path, f"{rows}.csv", HEADER + text)
        del text
        tracemalloc.start()
        assert sum(1 for _ in CsvIngestor(path).read()) == rows
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(4_000) + 300_000  # texts of the times of a day are kept


def test_skipped_rows_are_logged_and_counted_and_kept_up_to_a_limit(tmp_path, caplog):
    bad = "2024-01-03,x,1,1,1,1\n" * 1_500
    ingestor = CsvIngestor(write(tmp_path, "X.csv", HEADER + days(2) + bad), on_bad_row="skip")
    with caplog.at_level(logging.WARNING, "ingenium.ingestors"):
        assert len(list(ingestor.read())) == 2
    assert ingestor.skipped_count == 1_500
    assert len(ingestor.skipped) == 1_000
    assert ingestor.skipped[0] == ("X.csv", 4, "open 'x' is not a number")
    assert caplog.messages[0] == "skipped X.csv, line 4: open 'x' is not a number"
    assert len(caplog.messages) == 21
    assert caplog.messages[-1] == "skipped 1500 rows in all; the first 20 are above"


def test_file_whose_rows_are_all_bad_is_an_error_even_when_skipping(tmp_path):
    path = write(tmp_path, "X.csv", HEADER + "2024-01-01,1,1,1,nan,1\n2024-01-02,1,1,1,nan,1\n")
    with pytest.raises(
        DataFileError, match=r"no row of X\.csv can be used; the first, line 2: close"
    ):
        list(CsvIngestor(path, on_bad_row="skip").read())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "X.csv is empty: it needs a header and a row for each bar"),
        (b"\n\n  \n", "X.csv is empty"),
        (b"Date,Open,High,Low,Close\n", "X.csv has a header but no rows"),
        (
            b"Date,Open,High,Low,Volume\n2024-01-01,1,1,1,1\n",
            (
                "X.csv has no column for close: it has Date, Open, High, Low, Volume; say which "
                "one it is with columns={'close': '...'}"
            ),
        ),
        (b"a,b\n1,2\n", "X.csv has no header that names open, high, low and close; it begins with"),
        (b"PK\x03\x04rest", "X.csv is a damaged zip archive"),
        (b"PAR1rest", "X.csv: cannot read"),
        (b"\xd0\xcf\x11\xe0rest", "X.csv is an Excel workbook, not CSV: export it as CSV"),
        (b"\x28\xb5\x2f\xfdrest", "X.csv is compressed with zstd, which cannot be read: unpack it"),
        (b"Date,Open\x00\x01", "X.csv is binary, not CSV"),
        (gzip.compress(b"Date,Open" * 99, mtime=0)[:20], "cannot read"),
        (b"Date,Open,High,Low,Close\nfoo;1;1;1;1\n", "X.csv has no row of 5 fields"),
        (b"1,2,3,4,5,6,7,8\n", "X.csv has no header and 8 columns, which could be anything"),
    ],
)
def test_file_that_is_no_csv_of_prices_is_refused_with_a_cure(tmp_path, content, text):
    path = tmp_path / "X.csv"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        list(CsvIngestor(path).read())
    assert text in str(caught.value)


def test_damaged_gzip_file_is_an_error_with_its_line(tmp_path):
    whole = gzip.compress((HEADER + "".join(days(28) for _ in range(4_000))).encode(), 1)
    path = tmp_path / "X.csv.gz"
    path.write_bytes(whole[:-5_000])
    with pytest.raises(DataFileError, match=r"X\.csv\.gz.*cannot read"):
        CsvIngestor(path).total()
    path.write_bytes(gzip.compress((HEADER + days(28)).encode())[:-9])
    with pytest.raises(DataFileError, match=r"X\.csv\.gz.*cannot read"):
        list(CsvIngestor(path).read())


def test_paths_that_name_nothing_are_errors_with_a_cure(tmp_path):
    with pytest.raises(DataFileError, match=r"no such file: .*none\.csv: check the name"):
        list(CsvIngestor(tmp_path / "none.csv").read())
    with pytest.raises(DataFileError, match="no such file"):
        CsvIngestor(tmp_path / "none.csv").total()
    with pytest.raises(
        DataFileError, match=r"folder .* has no CSV files: put some ending in \.csv"
    ):
        list(CsvIngestor(tmp_path).read())
    with pytest.raises(DataFileError, match=r"no file matches .*: check the pattern"):
        list(CsvIngestor(tmp_path / "*.csv").read())


@pytest.mark.parametrize("name", ["A*.csv", "my data.csv", "A>.csv", ".csv"])
def test_file_name_that_is_no_symbol_is_refused_with_a_cure(tmp_path, name):
    path = write(tmp_path, name, HEADER + days(2))
    with pytest.raises(DataFileError, match="pass symbol="):
        list(CsvIngestor(path).read())
    assert len(list(CsvIngestor(path, "X").read())) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"paths": []}, "path [] names no file"),
        ({"paths": ""}, "path '' names no file"),
        ({"paths": None}, "path None names no file"),
        ({"period": "1 month"}, "period '1 month' does not fit: pass a number and a unit"),
        ({"period": timedelta(0)}, "does not fit"),
        ({"period": timedelta(milliseconds=5)}, "does not fit"),
        ({"period": 5}, "period 5 does not fit"),
        ({"timezone": "Mars/Base"}, "timezone 'Mars/Base' is not known: pass a name of the IANA"),
        ({"timezone": ""}, "timezone '' is not known"),
        ({"columns": {"price": "Last"}}, "columns has the field 'price', which does not exist"),
        (
            {"columns": {"close": -1}},
            "columns['close'] is -1: pass the column's name, or its place",
        ),
        ({"stamp": "close"}, "stamp is 'close': pass 'start' or 'end'"),
        ({"on_bad_row": "warn"}, "on_bad_row is 'warn': pass 'raise' or 'skip'"),
    ],
)
def test_argument_that_makes_no_sense_is_refused_with_value_and_cure(arguments, text):
    with pytest.raises(ConfigError) as caught:
        CsvIngestor(**{"paths": "x.csv", **arguments})
    assert text in str(caught.value)


def test_symbol_and_name_that_cannot_be_are_refused():
    with pytest.raises(SubjectError):
        CsvIngestor("x.csv", "A*")
    with pytest.raises(ComponentError):
        CsvIngestor("x.csv", name="Not Good")


def test_app_of_history_takes_it_and_its_ids_do_not_depend_on_the_path(tmp_path):
    ingestor = CsvIngestor(DATA / "IBM.csv", name="prices")
    assert App(ingestors=[ingestor]).historical
    copy = CsvIngestor(write(tmp_path, "IBM.csv", (DATA / "IBM.csv").read_text()), name="prices")
    first, second = next(ingestor.read()), next(copy.read())
    handle_of(ingestor).identify(first)
    handle_of(copy).identify(second)
    assert first.id == second.id
