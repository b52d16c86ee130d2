"""Numbers as vendors write them are the decimals that they stand for, or refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.errors import ConfigError, DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.ingestors.csv._decimals import decimal_sign
from ingenium.ingestors.csv._numbers import plain_number


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1,02,500.50", "102500.50"),
        ("12,34,567", "1234567"),
        ("12,66,67,89,012.12", "12666789012.12"),
        ("1,234,567.8", "1234567.8"),
        ("1 234.5", "1234.5"),
        ("1\u00a0234\u00a0567.5", "1234567.5"),
        ("1\u2009234.5", "1234.5"),
        ("1\u202f234.5", "1234.5"),
        ("12 345", "12345"),
        ("1'234.50", "1234.50"),
        ("1’234’567", "1234567"),
        ("12'345.6", "12345.6"),
        ("-5.25", "-5.25"),
        ("\u22125.25", "-5.25"),
        ("(5.25)", "-5.25"),
        ("($1,234.50)", "-1234.50"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("-0.00", "0.00"),
        ("\uff11\uff12\uff13\uff0e\uff15", "123.5"),
        ("₹5", "5"),
        ("₹ 1,02,500", "102500"),
        ("Rs. 12,34,567.00", "1234567.00"),
        ("Rs5", "5"),
        ("USD 5", "5"),
        ("5 USD", "5"),
        ("5 €", "5"),
        ("5€", "5"),
        ("5.50 zł", "5.50"),
        ("5 Kč", "5"),
        ("R$ 5.50", "5.50"),
        ("¥5", "5"),
        ("5元", "5"),
        ("₩12,345", "12345"),
        ("1.5e3", "1500"),
        ("1E-9", "0.000000001"),
    ],
)
def test_number_of_a_vendor_is_written_plainly(text: str, plain: str) -> None:
    assert plain_number(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.234,50", "1234.50"),
        ("10,5", "10.5"),
        ("1 234,5", "1234.5"),
        ("1\u202f234\u202f567,25", "1234567.25"),
        ("1'234,50", "1234.50"),
        ("10,50 zł", "10.50"),
        ("€ 1.234,50", "1234.50"),
        ("(10,5)", "-10.5"),
        ("1.234", "1234"),
        ("12", "12"),
    ],
)
def test_number_with_a_decimal_comma_is_written_plainly(text: str, plain: str) -> None:
    assert plain_number(text, decimal_comma=True) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("5.1K", "5100"),
        ("5.1 K", "5100"),
        ("5.1k", "5100"),
        ("6.49M", "6490000"),
        ("6.49m", "6490000"),
        ("2 Mn", "2000000"),
        ("2 Mio.", "2000000"),
        ("1.234.567K", None),
        ("1.2B", "1200000000"),
        ("1.2bn", "1200000000"),
        ("1.2 Mrd", "1200000000"),
        ("3T", "3000000000000"),
        ("1.5 lakh", "150000"),
        ("1.5 Lacs", "150000"),
        ("2cr", "20000000"),
        ("2.5 Crore", "25000000"),
        ("1.5万", "15000"),
        ("2亿", "200000000"),
        ("1,234K", "1234000"),
        ("0.0001234567K", "0.1234567"),
        ("1'234'567", "1234567"),
        ("12'345", "12345"),
        ("9,999T", None),
    ],
)
def test_volume_may_have_a_size(text: str, plain: str | None) -> None:
    if plain is None:
        with pytest.raises(ValueError, match=r"^is "):
            plain_number(text, volume=True)
        return
    assert plain_number(text, volume=True) == plain
    if text[-1].isalpha():
        with pytest.raises(ValueError, match=r"^(is|may) "):
            plain_number(text)


@pytest.mark.parametrize("text", ["$5", "5 €", "USD 5", "₹1.2M", "5元", "$1.2M", "R$ 5"])
def test_volume_with_a_currency_counts_money(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is an amount of money"):
        plain_number(text, volume=True)


@pytest.mark.parametrize(
    "text",
    [
        # 32nds of a bond, eighths of grains: never 11016.
        "110'16", "110'165", "110'16.5", "110'1", "455'6", "110-16", "110-165", "110 16",
        "110 16/32", "110-16+", "110'16+", "1½", "110^16", "1/2", "110:16",
        # Digits in no known order.
        "1,23", "1,2345", "1,2,345", "1,23,45", "12,345,67", "1,234,56.7", ",5", "0,123",
        "0'123.5", "0 123", "1 23", "1 2345",
        "1'23", "1'2345", "1 234'567", "1,234 567", "1.234.567", "1..5", "1.2.3",
        # No numbers.
        "5%", "NaN", "null", "-", "N/A", "", " ", "+", "(", "()", "(-5)", "--5", "$", "5 $ 6", "5p",
        "5 GBX", "5x", "K", "1_000", "0x10", "10²", "٣", "1e", "5.1K",
    ],
)  # fmt: skip
def test_text_that_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|may be) "):
        plain_number(text)


def _grouped(digits: str, sizes: list[int], sign: str) -> str:
    """Group digits from their end; the last size holds for all further groups."""
    groups: list[str] = []
    left = list(sizes)
    while digits:
        size = left.pop(0) if len(left) > 1 else left[0]
        groups.insert(0, digits[-size:])
        digits = digits[:-size]
    return sign.join(groups)


@given(
    st.integers(1, 10**14),
    st.text("0123456789", max_size=6),
    st.sampled_from(
        [([3], ","), ([3, 2], ","), ([3], " "), ([3], "\u202f"), ([3], "'"), ([3], "’")]
    ),
    st.sampled_from(["{}", "${}", "{} zł", "₹ {}", "EUR {}"]),
)
def test_grouped_digits_keep_their_value(
    whole: int, decimals: str, style: tuple[list[int], str], money: str
) -> None:
    sizes, sign = style
    text = _grouped(str(whole), sizes, sign)
    if not decimals and sign in "'’" and 4 <= len(str(whole)) <= 6:
        return  # could be a fraction, and is refused
    number = f"{text}.{decimals}" if decimals else text
    expected = Decimal(f"{whole}.{decimals}" if decimals else whole)
    assert Decimal(plain_number(money.format(number))) == expected


@given(st.from_regex(r"[0-9]{1,3}['’ -][0-9]{1,3}[+]?", fullmatch=True))
def test_fraction_of_a_price_never_becomes_a_larger_number(text: str) -> None:
    try:
        plain = plain_number(text)
    except ValueError:
        return
    assert text[-4] == " "  # the only one that groups thousands and nothing else
    assert plain == text.replace(" ", "")


@pytest.mark.parametrize(
    ("prices", "volumes", "others", "delimiter", "expected"),
    [
        # One price that can only be one of them.
        (["1,234", "5.5"], [], [], ",", "."),
        (["1,234.5"], [], [], ",", "."),
        (["1.234,5"], [], [], ",", ","),
        (["1,2345"], [], [], "\t", ","),
        (["1,23", "1,234"], [], [], ",", ","),
        (["0,123"], [], [], ",", ","),
        (["12345,678"], [], [], ",", ","),
        (["1,234,567"], [], [], ",", "."),
        (["1,02,500"], [], [], "\t", "."),
        (["1.234.567"], [], [], ",", ","),
        (["10,5 zł"], [], [], ";", ","),
        (["€ 1.234,5"], [], [], ",", ","),
        (["1 234,5"], [], [], "\t", ","),
        (["1'234,5"], [], [], "\t", ","),
        (["1.5"], [], [], ";", "."),
        (["155", "156"], [], [], ",", "."),
        # Three digits behind it, as of USD/JPY or of shares in Tokyo.
        (["155,613", "155,700"], [], [], ",", None),
        (["155,613", "155,700"], [], [], ";", ","),
        (["155,613"], [], ["1,23%"], ",", ","),
        (["155,613"], [], ["-1.23%"], ",", "."),
        (["155,613"], ["5,10K"], [], ",", ","),
        (["155,613"], ["5.10K"], [], ",", "."),
        (["155,613"], ["1,234,500"], [], ",", "."),
        (["155,613"], ["5,000"], [], ",", "."),
        (["1,613", "987"], [], [], ",", "."),
        # A point with three digits is decimal, unless the file uses commas for that.
        (["1.104", "1.105"], [], [], ",", "."),
        (["1.104"], ["5.000"], [], ",", "."),
        (["1.104"], ["5.000"], [], ";", None),
        (["1.104", "987"], [], [], ";", None),
        (["1.104"], [], [], ";", "."),
        (["155,613"], ["5,000"], [], ";", None),
        (["1.104"], [], ["1,23%"], ";", ","),
        (["1.104"], ["5,10K"], [], ";", ","),
        (["104"], ["5,10K"], [], ",", ","),
    ],
)
def test_decimal_comma_is_told_from_thousands(
    prices: list[str],
    volumes: list[str],
    others: list[str],
    delimiter: str,
    expected: str | None,
) -> None:
    assert decimal_sign(prices, volumes, others, delimiter) == expected


def test_prices_that_may_be_thousands_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "USDJPY.csv"
    path.write_text('Date,Price,Open,High,Low\n2024-01-02,"155,613","155,1","156,2","154,9"\n')
    (bar,) = CsvIngestor(path, period="1d").read_bars()
    assert bar.texts[:4] == ("155.1", "156.2", "154.9", "155.613")
    path.write_text(
        'Date,Price,Open,High,Low\n2024-01-02,"155,613","155,100","156,200","154,900"\n'
    )
    with pytest.raises(DataFileError, match="three decimals or thousands: pass decimal="):
        list(CsvIngestor(path, period="1d").read_bars())
    (bar,) = CsvIngestor(path, period="1d", decimal=",").read_bars()
    assert bar.texts[:4] == ("155.100", "156.200", "154.900", "155.613")
    (bar,) = CsvIngestor(path, period="1d", decimal=".").read_bars()
    assert bar.texts[:4] == ("155100", "156200", "154900", "155613")
    with pytest.raises(ConfigError, match="decimal is ';': pass"):
        CsvIngestor(path, decimal=";")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "volume", "note"),
    [
        ("-1", "", "volume -1 is read as not known"),
        ("-1.0", "", "volume -1 is read as not known"),
        ("nan", "", "volume 'nan' is read as not known"),
        ("NaN", "", "volume 'NaN' is read as not known"),
        ("null", "", "volume 'null' is read as not known"),
        ("-", "", "volume '-' is read as not known"),
        ("--", "", "volume '--' is read as not known"),
        ("N/A", "", "volume 'N/A' is read as not known"),
        ("#N/A", "", "volume '#N/A' is read as not known"),
        ("None", "", "volume 'None' is read as not known"),
        ("", "", None),
        (" ", "", None),
        ("0", "0", None),
        ("-0", "0", None),
        ("1", "1", None),
        ("5.1K", "5100", None),
    ],
)
def test_volume_that_is_not_known_is_none_and_counted(
    tmp_path: Path, text: str, volume: str, note: str | None
) -> None:
    path = tmp_path / "X.csv"
    rows = f"2024-01-02,10,12,9,11,{text}\n2024-01-03,10,12,9,11,{text}\n"
    path.write_text(f"Date,Open,High,Low,Close,Volume\n{rows}")
    ingestor = CsvIngestor(path, period="1d")
    assert [bar.texts.volume for bar in ingestor.read_bars()] == [volume] * 2
    found = [(n.source, n.kind, n.count, n.text) for n in ingestor.notes()]
    assert found == ([] if note is None else [("X.csv", "clipped", 2, f"line 2: {note}")])


@pytest.mark.parametrize(
    "text", ["-2", "-100", "-1.5", "(1)0", "-1K", "$5", "many", "5%", "110'16"]
)
def test_volume_that_is_none_is_a_bad_row(tmp_path: Path, text: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(f"Date,Open,High,Low,Close,Volume\n2024-01-02,10,12,9,11,{text}\n")
    with pytest.raises(DataFileError, match=r"X\.csv, line 2: volume "):
        list(CsvIngestor(path, period="1d").read_bars())


@pytest.mark.parametrize("text", ["nan", "null", "-", "N/A", "", "110'16", "110-16", "5.1K", "5%"])
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_price_that_is_none_is_a_bad_row(tmp_path: Path, text: str, place: int) -> None:
    cells = ["2024-01-03", "10", "12", "9", "11"]
    cells[place] = text
    path = tmp_path / "X.csv"
    path.write_text(f"Date,Open,High,Low,Close\n2024-01-02,10,12,9,11\n{','.join(cells)}\n")
    name = ["open", "high", "low", "close"][place - 1]
    with pytest.raises(DataFileError, match=rf"X\.csv, line 3: {name} "):
        list(CsvIngestor(path, period="1d").read_bars())
