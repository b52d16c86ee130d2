"""Headers: none is passed over, and what is not understood is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingenium.errors import ConfigError, DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

PLACES: dict[str, str | int | None] = {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4}


def read(folder: Path, text: str, **arguments: object) -> list[Bar]:
    path = folder / "X.csv"
    path.write_text(text, "utf-8")
    arguments.setdefault("period", "1d")
    return list(CsvIngestor(path, **arguments).read_bars())  # type: ignore[arg-type]


def refusal(folder: Path, text: str, **arguments: object) -> str:
    with pytest.raises(DataFileError) as caught:
        read(folder, text, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        # Time, close, high, low, open, volume in words that are not known.
        "Aika,Päätös,Ylin,Alin,Avaus,Vaihto",
        "# Aika,Päätös,Ylin,Alin,Avaus,Vaihto",
        "// Aika,Päätös,Ylin,Alin,Avaus,Vaihto",
        "a,b,c,d,e,f",
        "2nd,3rd,4th,5th,6th,7th",
        "Aika;Päätös;Ylin;Alin;Avaus;Vaihto",
        "Aika Päätös Ylin Alin Avaus Vaihto",
        "Prices of Nokia",
        "Aika,Päätös,Ylin,Alin,Avaus,Vaihto\n# all in EUR\n",
    ],
)
def test_header_that_is_not_understood_is_shown(tmp_path: Path, header: str) -> None:
    text = f"{header}\n2024-01-02,11,12,9,10,500\n2024-01-03,11.5,12,9,10,500\n"
    message = refusal(tmp_path, text)
    assert "has a header that is not understood" in message
    assert repr(header.split("\n")[0]) in message
    assert "columns={'time':" in message


def test_header_that_is_understood_in_part_says_what_is_missing(tmp_path: Path) -> None:
    message = refusal(tmp_path, "Date,Close,Top,Bottom,Volume\n2024-01-02,11,12,9,500\n")
    assert message.startswith("X.csv has no column for open and high and low: it has Date, Close")


def test_lines_above_a_header_are_no_header(tmp_path: Path) -> None:
    text = (
        "Apple Inc., NASDAQ, USD\nFrom:,2024-01-01\n# Ticker,Date\n\n"
        "Date,Close,High,Low,Open\n2024-01-02,11,12,9,10\n"
    )
    (bar,) = read(tmp_path, text)
    assert (bar.open, bar.high, bar.low, bar.close) == (10, 12, 9, 11)


def test_header_in_a_comment_is_one_where_no_other_is(tmp_path: Path) -> None:
    commented = "# date,close,high,low,open\n"
    row = "2024-01-02,11,12,9,10\n"
    (bar,) = read(tmp_path, commented + row)
    assert (bar.open, bar.close) == (10, 11)
    (bar,) = read(tmp_path, f"{commented}date,open,high,low,close\n{row}")
    assert (bar.open, bar.close) == (11, 10)


@pytest.mark.parametrize(
    ("rows", "clock", "volume"),
    [
        ("2024-01-02,10,12,9,11\n", (0, 0), ""),
        ("2024-01-02,10,12,9,11,500\n", (0, 0), "500"),
        ("2024-01-02 09:30,10,12,9,11,500\n", (9, 30), "500"),
        ("2024-01-02,09:30,10,12,9,11\n", (9, 30), ""),
        ("2024-01-02,09:30,10,12,9,11,500\n", (9, 30), "500"),
        ("2024-01-02;10;12;9;11;500\n", (0, 0), "500"),
        ("2024-01-02;10,0;12,0;9,0;11,0;500\n", (0, 0), "500"),
        ("# no header\n2024-01-02,10,12,9,11,500\n", (0, 0), "500"),
        ("2024-01-02,10,12,9,11,500,,\n", (0, 0), "500"),
        ("0,1,2,3,4,5\n2024-01-02,10,12,9,11,500\n", (0, 0), "500"),
        ("1704153600000,10,12,9,11,500,1704239999999,1,2,3,4,0\n", (0, 0), "500"),
    ],
)
def test_file_that_begins_with_data_is_read_in_the_known_forms(
    tmp_path: Path, rows: str, clock: tuple[int, int], volume: str
) -> None:
    (bar,) = read(tmp_path, rows)
    assert bar.start == datetime(2024, 1, 2, *clock, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close) == (10, 12, 9, 11)
    assert bar.texts.volume == volume


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("2024-01-02,10,12,9,11,500,7", "no header and 7 columns, which could be anything"),
        ("2024-01-02,10,12,9,11,500,1,2,3,4,5,6", "no header and 12 columns"),
        ("2024-01-02,09:30,10,12,9,11,500,7", "no header and 8 columns"),
        ("X,2024-01-02,10,12,9,11", "has no header that names open, high, low and close"),
        # Close before high and low, as Bitfinex has it; low before high, as Coinbase.
        ("2024-01-02,10,11,12,9,500", "not in the order open, high, low, close"),
        ("1704153600,9,12,10,11,500", "not in the order open, high, low, close"),
    ],
)
def test_file_without_header_in_another_form_is_refused(
    tmp_path: Path, row: str, text: str
) -> None:
    later = row.replace("2024-01-02", "2024-01-03").replace("1704153600", "1704240000")
    message = refusal(tmp_path, f"{row}\n{later}\n")
    assert text in message
    assert "columns={" in message


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Date,Open,High,Low,Close,Close", "'Close' 2 times, at the places 4 and 5"),
        ("Date,Open,High,Low,Close,Closing Price", "'Close' and 'Closing Price' may each be close"),
        ("Date,Open,High,Low,Last,Settle", "'Last' and 'Settle' may each be close"),
        ("Date,Open,High,Low,Last,Price", "'Last' and 'Price' may each be close"),
        ("Date,Open,High,High,Low,Close", "'High' 2 times, at the places 2 and 3"),
        ("Date,Open (AAPL),Open (MSFT),High,Low,Close", "'Open (AAPL)' and 'Open (MSFT)' may each"),
        ("Date,Date,Open,High,Low,Close", "'Date' 2 times, at the places 0 and 1"),
        ("Date,Open,High,Low,Close AAPL,Close MSFT", "'Close AAPL' and 'Close MSFT' may be it"),
        ("Date,Open Bid,Open Ask,High,Low,Close", "'Open Bid' and 'Open Ask' may be it"),
    ],
)
def test_column_that_may_be_two_is_refused_with_a_cure(
    tmp_path: Path, header: str, said: str
) -> None:
    message = refusal(tmp_path, f"{header}\n2024-01-02,10,10,10,10,10\n")
    assert said in message
    assert "columns={" in message


def test_instruments_side_by_side_are_read_one_at_a_time(tmp_path: Path) -> None:
    text = (
        "time,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose\n"
        "2024-01-02,10,12,9,11,20,22,19,21\n"
    )
    message = refusal(tmp_path, text)
    assert "'BidClose' and 'AskClose' stand side by side" in message
    for side, first in (("Bid", 10), ("Ask", 20)):
        names = {field: side + field.title() for field in ("open", "high", "low", "close")}
        (bar,) = read(tmp_path, text, columns=names)
        assert (bar.open, bar.high, bar.low, bar.close) == (
            first, first + 2, first - 1, first + 1,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "volume"),
    [
        ("Index,AAPL.Open,AAPL.High,AAPL.Low,AAPL.Close,AAPL.Volume,AAPL.Adjusted", "500"),
        ("Date,Open_AAPL,High_AAPL,Low_AAPL,Close_AAPL,Volume_AAPL,x", "500"),
        ("Date,AAPL Open,AAPL High,AAPL Low,AAPL Close,Volume,x", "500"),
        # Two instruments, or the side of a quote.
        ("Date,AAPL.Open,AAPL.High,AAPL.Low,AAPL.Close,MSFT.Open,x", None),
        ("Date,AAPL.Open,AAPL.High,MSFT.Low,MSFT.Close,Volume,x", None),
        ("Date,Bid Open,Bid High,Bid Low,Bid Close,Volume,x", None),
        ("Date,Adj. Open,Adj. High,Adj. Low,Adj. Close,Volume,x", None),
    ],
)
def test_one_word_at_all_prices_does_not_matter(
    tmp_path: Path, header: str, volume: str | None
) -> None:
    text = f"{header}\n2024-01-02,10,12,9,11,500,5.5\n"
    if volume is None:
        assert "columns={" in refusal(tmp_path, text)
        return
    (bar,) = read(tmp_path, text)
    assert bar.texts[:] == ("10", "12", "9", "11", volume)
    (bar,) = read(tmp_path, text, columns={"close": header.split(",")[2], "volume": None})
    assert (bar.close, bar.texts.volume) == (12, "")


def test_second_line_of_tickers_belongs_to_the_header(tmp_path: Path) -> None:
    text = (
        "Attributes,Adj Close,Close,High,Low,Open,Volume\nSymbols,A,A,A,A,A,A\nDate,,,,,,\n"
        "2024-01-02,5.5,11,12,9,10,500\n"
    )
    (bar,) = read(tmp_path, text)
    assert bar.symbol == "A"
    assert bar.texts[:] == ("10", "12", "9", "11", "500")


SHORT = (
    "Date,Open,High,Low,Close,Volume,OpenInterest\n"
    "2024-01-02,09:01:00,10,12,9,11,500,0\n2024-01-02,09:02:00,11,13,10,12,600,0\n"
)


@pytest.mark.parametrize(
    "columns",
    [
        {"time": 0, "clock": 1, "open": 2, "high": 3, "low": 4, "close": 5, "volume": 6},
        {"time": "Date", "clock": 1, "open": 2, "high": 3, "low": 4, "close": 5, "volume": 6},
        {"volume": "Volume"},
        {},
    ],
)
def test_name_above_a_date_and_a_time_of_day_stands_for_both(
    tmp_path: Path, columns: dict[str, str | int]
) -> None:
    first, second = read(tmp_path, SHORT, columns=columns, period="1m")
    assert (first.start.minute, second.start.minute) == (1, 2)
    assert first.texts[:] == ("10", "12", "9", "11", "500")
    assert second.texts[:] == ("11", "13", "10", "12", "600")


def test_header_with_too_few_names_asks_for_places(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close\n2024-01-02,x,10,12,9,11\n2024-01-03,x,10,12,9,11\n"
    message = refusal(tmp_path, text)
    assert "has 5 names in its header but 6 cells in its rows" in message
    places = {"time": 0, "open": 2, "high": 3, "low": 4, "close": 5}
    assert [bar.texts[:4] for bar in read(tmp_path, text, columns=places)] == [
        ("10", "12", "9", "11")
    ] * 2


def test_header_with_empty_names_at_its_end_fits(tmp_path: Path) -> None:
    (bar,) = read(tmp_path, "Date,Open,High,Low,Close,,\n2024-01-02,10,12,9,11\n")
    assert bar.close == 11


@pytest.mark.parametrize(
    "text",
    [
        "x,2024-01-02,10,12,9,11,500\n",
        "No,When,Price 1,Price 2,Price 3,Price 4,N\nx,2024-01-02,10,12,9,11,500\n",
        "Made by hand\nin, two, lines\nx,2024-01-02,10,12,9,11,500\n",
        # Words that would mean other columns.
        "Open,Close,Date,Low,High,Volume,Symbol\nx,2024-01-02,10,12,9,11,500\n",
    ],
)
def test_places_go_before_words_and_need_no_header(tmp_path: Path, text: str) -> None:
    places = {"time": 1, "open": 2, "high": 3, "low": 4, "close": 5, "volume": 6, "symbol": 0}
    (bar,) = read(tmp_path, text, columns=places)
    assert bar.symbol == "x"
    assert bar.texts[:] == ("10", "12", "9", "11", "500")


def test_names_are_looked_for_letter_by_letter_first(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,close,CLOSE,Close\n2024-01-02,10,12,9,9.5,10.5,11\n"
    for name, close in (("close", 9.5), ("CLOSE", 10.5), ("Close", 11)):
        (bar,) = read(tmp_path, text, columns={"close": name})
        assert bar.close == close
    assert "may each be close" in refusal(tmp_path, text, columns={"close": "cLOSE"})
    assert "has no column 'Last' for close" in refusal(tmp_path, text, columns={"close": "Last"})


def test_name_that_stands_twice_needs_a_place(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Close\n2024-01-02,10,12,9,9.5,11\n"
    message = refusal(tmp_path, text, columns={"close": "Close"})
    assert "'Close' 2 times, at the places 4 and 5: say which one is close" in message
    assert [read(tmp_path, text, columns={"close": place})[0].close for place in (4, 5)] == [
        9.5,
        11,
    ]


@pytest.mark.parametrize("head", ["", "Date,Open,High,Low,Close\n"])
def test_place_that_no_row_has_is_refused(tmp_path: Path, head: str) -> None:
    text = f"{head}2024-01-02,10,12,9,11\n"
    message = refusal(tmp_path, text, columns=PLACES | {"volume": 5})
    assert message == "X.csv has 5 columns, so none at place 5 for volume: count from 0"


@pytest.mark.parametrize("field", ["time", "open", "high", "low", "close"])
def test_column_that_a_bar_needs_cannot_be_left_out(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        CsvIngestor("x.csv", columns={field: None})


def test_columns_that_are_not_wanted_are_left_out(tmp_path: Path) -> None:
    text = "symbol,date,time,open,high,low,close,volume\nA,2024-01-02,0930,10,12,9,11,500\n"
    (bar,) = read(
        tmp_path, text, columns={"symbol": None, "clock": None, "volume": None, "time": 1}
    )
    assert (bar.symbol, bar.start.hour, bar.texts.volume) == ("X", 0, "")
    (bar,) = read(tmp_path, text)
    assert (bar.symbol, bar.start.hour, bar.texts.volume) == ("A", 9, "500")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("time,date,open,high,low,close", "09:30,2024-01-02,10,12,9,11"),
        ("date,time,open,high,low,close", "2024-01-02,09:30,10,12,9,11"),
        ("open,high,low,close,date,time", "10,12,9,11,2024-01-02,09:30"),
        ("open,high,low,close,time,date", "10,12,9,11,930,2024-01-02"),
        ("Uhrzeit;Datum;Schluss;Hoch;Tief;Eröffnung", "09:30;2024-01-02;11;12;9;10"),
    ],
)
def test_time_of_day_may_stand_in_any_column(tmp_path: Path, header: str, row: str) -> None:
    (bar,) = read(tmp_path, f"{header}\n{row}\n")
    assert bar.start == datetime(2024, 1, 2, 9, 30, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close) == (10, 12, 9, 11)


@pytest.mark.parametrize("header", ["date,time", "time,date", "Date,Time,Open", "time,close,date"])
@pytest.mark.parametrize("rows", ["", "2024-01-02\n", "x\n\n", "2024-01-02,\n"])
def test_header_that_is_longer_than_its_rows_is_refused_in_words(
    tmp_path: Path, header: str, rows: str
) -> None:
    message = refusal(tmp_path, f"{header}\n{rows}")
    assert "has no column for" in message or "has no header that names open" in message


@pytest.mark.parametrize("rows", ["", "09:30\n", "09:30,2024-01-02,10\n"])
def test_rows_that_are_shorter_than_a_whole_header_are_refused_in_words(
    tmp_path: Path, rows: str
) -> None:
    message = refusal(tmp_path, f"time,date,open,high,low,close\n{rows}")
    assert "no row of 6 fields" in message or "has a header but no rows" in message
