"""Rows that cannot be used: what is said of them, and what goes on."""

from __future__ import annotations

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import BadRow, CsvIngestor

GOOD = "2024-01-02,10,12,9,11,100\n"
AFTER = "2024-01-04,10,12,9,11,100\n"

BAD = [
    ("2024-01-03,10,12,9,nan,100", "close 'nan' is not a number"),
    ("2024-01-03,10,inf,9,11,100", "high 'inf' is not a number"),
    ("2024-01-03,,12,9,11,100", "open is empty"),
    ("2024-01-03,10,12,null,11,100", "low 'null' is not a number"),
    ("2024-01-03,10,12,9,-11,100", "close -11 is not above 0"),
    ("2024-01-03,0,12,0,11,100", "open 0 is not above 0"),
    ("2024-01-03,10,12,0.00,11,100", "low 0.00 is not above 0"),
    ("2024-01-03,10,9,12,11,100", "high 9 is below low 12"),
    ("2024-01-03,13,12,9,11,100", "open 13 lies outside of low 9 to high 12"),
    ("2024-01-03,8,12,9,11,100", "open 8 lies outside of low 9 to high 12"),
    ("2024-01-03,10,12,9,12.01,100", "close 12.01 lies outside of low 9 to high 12"),
    ("2024-01-03,10,12,9,11,-5", "volume -5 is negative"),
    ("2024-01-03,10,12,9,11,many", "volume 'many' is not a number"),
    ("2024-01-03,10,12,9,11", "has 5 fields, expected 6"),
    ("2024-01-03,10,12,9,11,1,234", "has 7 fields, expected 6"),
    (",10,12,9,11,100", "time is empty"),
    ("2024-01-99,10,12,9,11,100", "time '2024-01-99' cannot be read"),
    ("0000-01-03,10,12,9,11,100", "time '0000-01-03' cannot be read"),
    ("2024-01-02,10,12,9,11,100", "2024-01-02T00:00:00Z came already"),
    ("2024-01-03,1e20,1e20,9,11,100", "open '1e20' is too large"),
]


def write(folder, *rows: str):
    path = folder / "AAPL.csv"
    path.write_text("Date,Open,High,Low,Close,Volume\n" + "".join(rows))
    return path


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_bad_row_is_an_error_with_file_line_and_reason(tmp_path, row, reason):
    path = write(tmp_path, GOOD, "\n", row + "\n", AFTER)
    with pytest.raises(DataFileError) as caught:
        list(CsvIngestor(path).read())
    assert str(caught.value).startswith(f"AAPL.csv, line 4: {reason}")


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_bad_row_is_passed_over_when_asked(tmp_path, row, reason):
    path = write(tmp_path, GOOD, row + "\n", AFTER)
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert [event.timestamp[8:10] for event in ingestor.read()] == ["03", "05"]
    assert ingestor.skipped_count == 1
    (skipped,) = ingestor.skipped
    assert isinstance(skipped, BadRow)
    assert (skipped.file, skipped.line) == ("AAPL.csv", 3)
    assert skipped.reason.startswith(reason)


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
def test_row_out_of_order_is_an_error_always(tmp_path, on_bad_row):
    path = write(tmp_path, AFTER, GOOD, "2024-01-05,10,12,9,11,100\n")
    ingestor = CsvIngestor(path, on_bad_row=on_bad_row)
    with pytest.raises(DataFileError) as caught:
        list(ingestor.read())
    assert str(caught.value) == (
        "AAPL.csv, line 3: 2024-01-02T00:00:00Z comes after 2024-01-04T00:00:00Z: "
        "sort the file by time"
    )


def test_bar_that_ends_after_the_last_time_there_is_is_a_bad_row(tmp_path):
    path = write(tmp_path, GOOD, "9999-12-31,10,12,9,11,100\n")
    with pytest.raises(DataFileError, match=r"AAPL\.csv, line 3: date value out of range"):
        list(CsvIngestor(path, period="1d").read())


def test_quote_that_does_not_end_is_an_error_with_a_cure(tmp_path):
    path = write(tmp_path, GOOD, '"2024-01-03,1,1,1,1,1\n', AFTER * 6_000)
    with pytest.raises(DataFileError, match=r"AAPL\.csv, line .* look for an unclosed quote"):
        list(CsvIngestor(path).read())


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            ['2024-01-03,"1,1,1,1,1\n', AFTER, AFTER],
            "line 3: a quote .* does not end before line 5",
        ),
        (['2024-01-03,"1,1,1,1,1\n', AFTER, '2024-01-05,1",1,1,1,1\n', AFTER], "before line 5"),
        ([AFTER, '2024-01-05,"1,1,1,1,1\n'], "line 4: a quote that begins there does not end: "),
    ],
)
def test_quote_that_takes_in_rows_names_its_own_line_and_is_not_skipped(
    tmp_path, on_bad_row, rows, text
):
    path = write(tmp_path, GOOD, *rows)
    with pytest.raises(DataFileError, match=text):
        list(CsvIngestor(path, on_bad_row=on_bad_row).read())


def test_events_before_a_bad_row_have_gone_out(tmp_path):
    events = CsvIngestor(write(tmp_path, GOOD, "2024-01-03,x,1,1,1,1\n")).read()
    assert next(events).symbol == "AAPL"
    with pytest.raises(DataFileError):
        next(events)


def test_close_that_a_vendors_rounding_put_beyond_its_high_widens_the_bar(tmp_path):
    path = write(tmp_path, "2024-01-03,10.0,11.9999999,10.000001,12.0,1\n")
    (event,) = CsvIngestor(path).read()
    assert event.ohlc is not None
    assert (event.ohlc.high, event.ohlc.low) == ("12.0", "10.0")
    assert (event.ohlc.open, event.ohlc.close) == ("10.0", "12.0")


def test_ticker_that_no_subject_can_hold_is_a_bad_row(tmp_path):
    path = tmp_path / "all.csv"
    rows = [f"{symbol},2024-01-02,1,1,1,1\n" for symbol in ("A", "A*", "", "BRK.B", "x ")]
    path.write_text("symbol,date,open,high,low,close\n" + "".join(rows))
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert [event.symbol for event in ingestor.read()] == ["A", "BRK.B"]
    assert sorted(row.line for row in ingestor.skipped) == [3, 4, 6]
    with pytest.raises(DataFileError, match=r"all\.csv, line [346]: symbol"):
        list(CsvIngestor(path).read())


@pytest.mark.parametrize("blank", [",,,,,", " , , ,, ,", ",,,,,,,", ",", "  "])
@pytest.mark.parametrize("symbols", [False, True])
def test_row_without_content_is_passed_over_in_silence(tmp_path, blank, symbols):
    path = write(tmp_path, GOOD, blank + "\n", AFTER, blank + "\n")
    if symbols:
        lines = path.read_text().splitlines()
        path.write_text(
            f"Symbol,{lines[0]}\nA,{GOOD}B,{GOOD},{blank}\nA,{AFTER}B,{AFTER},{blank}\n"
        )
    ingestor = CsvIngestor(path)
    assert len(list(ingestor.read())) == (4 if symbols else 2)
    assert ingestor.skipped_count == 0


def test_header_that_comes_again_is_called_that(tmp_path):
    path = write(tmp_path, GOOD, "Date,Open,High,Low,Close, Volume\n", AFTER)
    with pytest.raises(DataFileError, match=r"AAPL\.csv, line 3: is the header once more"):
        list(CsvIngestor(path).read())
    ingestor = CsvIngestor(path, on_bad_row="skip")
    assert len(list(ingestor.read())) == 2
    assert [row.line for row in ingestor.skipped] == [3]


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
def test_header_with_columns_in_another_order_is_never_skipped(tmp_path, on_bad_row):
    path = write(tmp_path, GOOD, "Date,Close,High,Low,Open,Volume\n", "2024-01-03,11,12,9,10,1\n")
    with pytest.raises(DataFileError, match=r"line 3: another header begins there, 'Date, Close,"):
        list(CsvIngestor(path, on_bad_row=on_bad_row).read())


@pytest.mark.parametrize("on_bad_row", ["raise", "skip"])
@pytest.mark.parametrize("day", ["02", "03"])
def test_row_of_another_ticker_is_refused_where_one_symbol_is_asked_for(tmp_path, on_bad_row, day):
    path = tmp_path / "all.csv"
    path.write_text(
        "Symbol,Date,Open,High,Low,Close,Volume\n"
        f"A,2024-01-02,10,12,9,11,1\nB,2024-01-{day},20,22,19,21,1\n"
    )
    with pytest.raises(DataFileError, match="line 3: holds 'B' beside 'A'"):
        list(CsvIngestor(path, "A", on_bad_row=on_bad_row).read())
