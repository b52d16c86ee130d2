"""The forms in which vendors write columns and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.errors import DataFileError
from ingenium.events import DataEvent
from ingenium.ingestors import CsvIngestor
from ingenium.ingestors.csv._numbers import adjust, plain_number

Values = tuple[str, str, str, str, str, str, str]


def read(folder, text: str, name: str = "X.csv", **arguments) -> list[DataEvent]:
    path = folder / name
    path.write_bytes(text.encode())
    return list(CsvIngestor(path, **arguments).read())


def values(event: DataEvent) -> Values:
    ohlc = event.ohlc
    assert ohlc is not None
    assert ohlc.timestamp is not None
    start = ohlc.timestamp.isoformat().replace("+00:00", "Z")
    return event.symbol, start, ohlc.open, ohlc.high, ohlc.low, ohlc.close, ohlc.volume


BAR = ("X", "2024-01-02T00:00:00Z", "10.5", "12.25", "9.75", "11.0", "5000")
NINE = ("X", "2024-01-02T09:30:00Z", "10.5", "12.25", "9.75", "11.0", "5000")
VENDORS: dict[str, tuple[str, Values]] = {
    "plain": (
        "timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,10.5,12.25,9.75,11.0,5000\n",
        BAR,
    ),
    "yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,10.5,12.25,9.75,11.0,5.5,5000\n",
        BAR,
    ),
    "yfinance": (
        (
            "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,\n"
            "2024-01-02,11.0,12.25,9.75,10.5,5000\n"
        ),
        BAR,
    ),
    "yfinance of one ticker": (
        (
            "Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
            "2024-01-02 04:30:00-05:00,10.5,12.25,9.75,11.0,5000,0.0,0.0\n"
        ),
        NINE,
    ),
    "stooq": (
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
            "X,5,20240102,093000,10.5,12.25,9.75,11.0,5000,0\n"
        ),
        NINE,
    ),
    "stooq of days": (
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
            "X,D,20240102,000000,10.5,12.25,9.75,11.0,5000,0\n"
        ),
        BAR,
    ),
    "alpha vantage": (
        "timestamp,open,high,low,close,volume\n2024-01-02,10.5,12.25,9.75,11.0,5000\n",
        BAR,
    ),
    "alpha vantage numbered": (
        "date,1. open,2. high,3. low,4. close,5. volume\n2024-01-02,10.5,12.25,9.75,11.0,5000\n",
        BAR,
    ),
    "binance": (
        "1704187800000,10.5,12.25,9.75,11.0,5000,1704187859999,55000.0,12,2500,27500,0\n",
        NINE,
    ),
    "binance in microseconds": (
        "1704187800000000,10.5,12.25,9.75,11.0,5000,1704187859999999,55000.0,12,2500,27500,0\n",
        NINE,
    ),
    "binance with header": (
        (
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
            "taker_buy_quote_volume,ignore\n"
            "1704187800000,10.5,12.25,9.75,11.0,5000,1704187859999,55000.0,12,2500,27500,0\n"
        ),
        NINE,
    ),
    "tradingview": (
        "time,open,high,low,close,Volume\n1704187800,10.5,12.25,9.75,11.0,5000\n",
        NINE,
    ),
    "cryptodatadownload": (
        (
            "https://www.CryptoDataDownload.com\n"
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n"
            "1704187800,2024-01-02 09:30:00,X,10.5,12.25,9.75,11.0,5000,55000\n"
        ),
        NINE,
    ),
    "metatrader 5": (
        (
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
            "2024.01.02\t09:30:00\t10.5\t12.25\t9.75\t11.0\t77\t5000\t1\n"
        ),
        NINE,
    ),
    "metatrader 4": ("2024.01.02,09:30,10.5,12.25,9.75,11.0,5000\n", NINE),
    "histdata": ("20240102 093000;10.5;12.25;9.75;11.0;5000\n", NINE),
    "dukascopy": (
        "Gmt time,Open,High,Low,Close,Volume\n02.01.2024 09:30:00.000,10.5,12.25,9.75,11.0,5000\n",
        NINE,
    ),
    "dukascopy local": (
        (
            "Local time,Open,High,Low,Close,Volume\n"
            "02.01.2024 10:30:00.000 GMT+0100,10.5,12.25,9.75,11.0,5000\n"
        ),
        NINE,
    ),
    "nasdaq": (
        (
            "Date,Close/Last,Volume,Open,High,Low\n01/02/2024,$11.0,5000,$10.5,$12.25,$9.75\n"
            "01/16/2024,$11.0,5000,$10.5,$12.25,$9.75\n"
        ),
        BAR,
    ),
    "investing.com": (
        (
            '"Date","Price","Open","High","Low","Vol.","Change %"\n'
            '"01/02/2024","11.0","10.5","12.25","9.75","5.00K","0.1%"\n'
            '"01/16/2024","11.0","10.5","12.25","9.75","5.00K","0.1%"\n'
        ),
        BAR,
    ),
    "polygon": (
        (
            "ticker,volume,open,close,high,low,window_start,transactions\n"
            "X,5000,10.5,11.0,12.25,9.75,1704187800000000000,12\n"
        ),
        NINE,
    ),
    "kaggle": (
        "date,open,high,low,close,volume,Name\n2024-01-02,10.5,12.25,9.75,11.0,5000,X\n",
        BAR,
    ),
    "pandas index": (",Open,High,Low,Close,Volume\n2024-01-02,10.5,12.25,9.75,11.0,5000\n", BAR),
    "pandas numbered": (
        ",Date,Open,High,Low,Close,Volume\n0,2024-01-02,10.5,12.25,9.75,11.0,5000\n",
        BAR,
    ),
    "german": (
        "sep=;\nDatum;Date;Open;High;Low;Close;Volume\nx;02.01.2024;10,5;12,25;9,75;11,0;5.000\n",
        BAR,
    ),
    "date and time with am": (
        "Date,Time,Open,High,Low,Close,Volume\n13.01.2024,9:30 AM,10.5,12.25,9.75,11.0,5000\n",
        ("X", "2024-01-13T09:30:00Z", *NINE[2:]),
    ),
    "letters": ("t|o|h|l|c|v\n2024-01-02|10.5|12.25|9.75|11.0|5000\n", BAR),
    "spaces and capitals": (
        (
            "# made by hand\n\n DATE , OPEN , HIGH , LOW , CLOSE , VOLUME \n"
            " 2024-01-02 , 10.5 , 12.25 , 9.75 , 11.0 , 5000 \n"
        ),
        BAR,
    ),
    "no volume": (
        "Date,Open,High,Low,Close\n2024-01-02,10.5,12.25,9.75,11.0\n",
        (*BAR[:6], ""),
    ),
    "volume unknown": (
        "Date,Open,High,Low,Close,Vol\n2024-01-02,10.5,12.25,9.75,11.0,-\n",
        (*BAR[:6], ""),
    ),
    "trailing delimiter": (
        "Date,Open,High,Low,Close,Volume\n2024-01-02,10.5,12.25,9.75,11.0,5000,,\n",
        BAR,
    ),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_form_of_a_vendor_is_read_without_being_told(tmp_path, vendor):
    text, expected = VENDORS[vendor]
    period = "1d" if expected[1].endswith("T00:00:00Z") else "5m"
    events = read(tmp_path, text, period=period)
    assert values(events[0]) == expected


def test_quoted_thousands_are_taken_as_such(tmp_path):
    text = "Date,Open,High,Low,Close,Volume\n"
    text += '2024-01-02,"1,234.5","1,300.0","1,200","1,250.25","5,000,000"\n'
    assert values(read(tmp_path, text)[0])[2:] == ("1234.5", "1300.0", "1200", "1250.25", "5000000")


def test_comma_of_three_digits_is_decimal_where_semicolons_stand_between(tmp_path):
    text = "Date;Open;High;Low;Close\n2024-01-02;1,104;1,105;1,103;1,104\n"
    assert values(read(tmp_path, text)[0])[2:6] == ("1.104", "1.105", "1.103", "1.104")


def test_columns_may_be_named_or_counted(tmp_path):
    text = "When,A,B,C,D,Qty\n2024-01-02,10.5,12.25,9.75,11.0,5000\n"
    named = {"time": "When", "open": "A", "high": "b", "low": "C", "close": "D", "volume": 5}
    assert values(read(tmp_path, text, columns=named)[0]) == BAR
    bare = "0,2024-01-02,10.5,12.25,9.75,11.0,x,5000\n"
    counted = {"time": 1, "open": 2, "high": 3, "low": 4, "close": 5, "volume": 7}
    assert values(read(tmp_path, bare, columns=counted)[0]) == BAR


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (
            {"close": "Last"},
            "X.csv has no column 'Last' for close: it has Date, Open, High, Low, Close",
        ),
        ({"close": 9}, "X.csv has 5 columns, so none at place 9 for close: count from 0"),
    ],
)
def test_column_that_the_file_has_not_is_an_error(tmp_path, columns, text):
    with pytest.raises(DataFileError) as caught:
        read(tmp_path, "Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n", columns=columns)
    assert text in str(caught.value)


def test_yfinance_file_of_two_tickers_side_by_side_is_an_error(tmp_path):
    text = "Price,Close,Close,High,High,Low,Low,Open,Open\nTicker,A,B,A,B,A,B,A,B\nDate,,,,,,,,\n"
    with pytest.raises(DataFileError, match="holds 2 tickers side by side: save one file for each"):
        read(tmp_path, text + "2024-01-02,1,1,1,1,1,1,1,1\n")


def test_name_for_a_file_without_header_is_an_error(tmp_path):
    with pytest.raises(
        DataFileError, match="has no header, so no column can be named: pass places"
    ):
        read(tmp_path, "2024-01-02,1,1,1,1\n", columns={"close": "Close"})


def test_adjusted_prices_are_scaled_and_keep_their_order(tmp_path):
    text = (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02,100,110,90,105,52.5,1000\n"
        "2024-01-03,10,12,9,12,4.186662803811,1000\n"
    )
    first, second = (values(event)[2:] for event in read(tmp_path, text, adjusted=True))
    assert first == ("50", "55", "45", "52.5", "1000")
    # 4.186662803811 / 12 of 10, 12, 9 and 12.
    assert second == ("3.48888567", "4.1866628", "3.1399971", "4.1866628", "1000")
    plain = read(tmp_path, text)
    assert values(plain[0])[2:6] == ("100", "110", "90", "105")


def test_adjusted_without_its_column_is_an_error(tmp_path):
    text = "Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n"
    with pytest.raises(
        DataFileError, match="has no column for the adjusted close: leave adjusted out"
    ):
        read(tmp_path, text, adjusted=True)


@pytest.mark.parametrize("price", ["0", "-1", "", "nan", "1e-12"])
def test_adjusted_close_that_makes_no_price_is_a_bad_row(tmp_path, price):
    text = f"Date,Open,High,Low,Close,Adj Close\n2024-01-02,1,1,1,1,{price}\n"
    with pytest.raises(DataFileError, match=r"X\.csv, line 2: (adjusted close|low 1 is 0)"):
        read(tmp_path, text, adjusted=True)


@given(
    st.lists(st.decimals("0.01", "99999", places=4), min_size=4, max_size=4),
    st.decimals("0.01", "99999", places=10),
)
def test_adjusting_any_bar_keeps_high_and_low_around_open_and_close(prices, target):
    low, *_, high = ordered = sorted(prices)
    texts = (str(ordered[1]), str(high), str(low), str(ordered[2]))
    open_, most, least, close = map(float, adjust(texts, str(target)))
    assert least <= open_ <= most
    assert least <= close <= most
    assert close == pytest.approx(float(target), abs=6e-9)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("12.50", "12.50"),
        ("1e-05", "0.00001"),
        ("1.5E+3", "1500"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+7.10", "7.10"),
        ("$1,234.50", "1234.50"),
        ("1'234.5", "1234.5"),
        ("1 234.5", "1234.5"),
        ("0.1234567890123456789", "0.123456789012345679"),
        ("1.0523600000000001", "1.0523600000000001"),
    ],
)
def test_number_is_rewritten_plainly_with_its_digits(text, plain):
    assert plain_number(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "inf",
        "1_000",
        "1.2.3",
        "",
        "-",
        ".",
        "1,23",
        "0x10",
        "1e5e",
        "٣",
        "1e99",
        "5%",
    ],
)
def test_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"^is "):
        plain_number(text)


@given(st.floats(1e-12, 1e12), st.sampled_from(["{!r}", "{:e}", "{:.17g}", "{:,.6f}"]))
def test_any_float_that_a_program_writes_keeps_its_value(number, form):
    text = form.format(number)
    plain = plain_number(text)
    assert set(plain) <= set("0123456789.")
    assert float(plain) == pytest.approx(float(text.replace(",", "")), rel=1e-12, abs=1e-18)


PRICE = st.from_regex(r"0{0,2}[1-9][0-9]{0,8}(\.[0-9]{1,16})?", fullmatch=True)


@given(st.lists(PRICE, min_size=1, max_size=20), st.sampled_from(["", "0", "007", "12.50", None]))
def test_floats_of_a_row_are_those_of_its_texts(tmp_path_factory, prices, volume):
    rows = [
        f"2024-01-02 00:{i:02},{price},{price},{price},{price}" for i, price in enumerate(prices)
    ]
    head = "Time,Open,High,Low,Close"
    if volume is not None:
        head, rows = f"{head},Volume", [f"{row},{volume}" for row in rows]
    path = tmp_path_factory.mktemp("rows") / "X.csv"
    path.write_text("\n".join([head, *rows]))
    bars = list(CsvIngestor(path, period="1m").read_bars())
    for bar, price in zip(bars, prices, strict=True):
        assert (bar.open, bar.high, bar.low, bar.close) == (float(price),) * 4
        assert bar.volume == float(volume or 0)
