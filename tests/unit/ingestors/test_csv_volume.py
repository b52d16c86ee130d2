"""The volume is that of what is bought, or the file says that it has none."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor


def volume(
    folder: Path,
    names: list[str],
    *,
    file: str = "X.csv",
    symbol: str | None = None,
    ticker: str = "",
) -> tuple[str, list[str]]:
    """Return the volume that is read of columns that hold 1, 2, ..., and what the notes say."""
    header = ["Date", "Symbol", "Open", "High", "Low", "Close"]
    row = ["2024-01-02", ticker, "10", "12", "9", "11"]
    if not ticker:
        del header[1], row[1]
    row += [str(number) for number in range(1, len(names) + 1)]
    path = folder / file
    path.write_text(",".join(header + names) + "\n" + ",".join(row) + "\n", "utf-8")
    ingestor = CsvIngestor(path, symbol, period="1d")
    (bar,) = ingestor.read_bars()
    return bar.texts.volume, [note.text for note in ingestor.notes()]


PAIRS = [
    # What is bought, what is paid, and how the pair is called.
    ("BTC", "USD", "BTC/USD"),
    ("BTC", "USD", "BTCUSD"),
    ("BTC", "USD", "btc-usd"),
    ("BTC", "USD", "Bitstamp_BTCUSD_2023_d"),
    ("BTC", "USDT", "BTC-USDT"),
    ("BTC", "USDT", "BINANCE:BTCUSDT"),
    ("ETH", "BTC", "ETH/BTC"),
    ("ETH", "BTC", "ETHBTC"),
    ("BTC", "ETH", "BTC_ETH"),
    ("EUR", "USD", "EURUSD"),
    ("USD", "JPY", "USD/JPY"),
    ("USDT", "USD", "USDTUSD"),
    ("USDC", "USDT", "USDC/USDT"),
    ("PEPE", "USDT", "PEPEUSDT"),
    ("DOGE", "BTC", "DOGE BTC"),
    ("SOL", "EUR", "SOL.EUR"),
]


@pytest.mark.parametrize("form", ["Volume {}", "volume_{}", "Volume ({})", "{} Volume", "Vol. {}"])
@pytest.mark.parametrize(("base", "quote", "pair"), PAIRS)
def test_volume_is_of_what_is_bought_wherever_the_pair_is_named(
    tmp_path: Path, base: str, quote: str, pair: str, form: str
) -> None:
    names = {base: form.format(base), quote: form.format(quote)}
    for order in permutations([base, quote]):
        expected = str(order.index(base) + 1)
        columns = [names[unit] for unit in order]
        assert volume(tmp_path, columns, symbol=pair)[0] == expected
        assert volume(tmp_path, columns, ticker=pair)[0] == expected
        assert volume(tmp_path, columns, ticker=pair, symbol="MINE")[0] == expected
        if "/" not in pair and " " not in pair:
            assert volume(tmp_path, columns, file=f"{pair}.csv")[0] == expected


def test_symbol_that_the_user_gives_goes_before_column_and_file(tmp_path: Path) -> None:
    columns = ["Volume BTC", "Volume ETH"]
    assert volume(tmp_path, columns, symbol="ETHBTC", ticker="BTC/ETH", file="BTCETH.csv")[0] == "2"
    assert volume(tmp_path, columns, ticker="ETH/BTC", file="BTCETH.csv")[0] == "2"
    assert volume(tmp_path, columns, file="BTCETH.csv")[0] == "1"


@pytest.mark.parametrize("columns", list(permutations(["Volume USD", "Volume BTC"])))
def test_coin_is_bought_with_money_where_nothing_names_the_pair(
    tmp_path: Path, columns: tuple[str, str]
) -> None:
    found, notes = volume(tmp_path, list(columns))
    assert found == str(columns.index("Volume BTC") + 1)
    assert notes == ["'Volume BTC' is taken for the volume, by its unit"]


@pytest.mark.parametrize(
    "columns",
    [
        ["Volume BTC", "Volume ETH"],
        ["Volume EUR", "Volume USD"],
        ["Volume FOO", "Volume USDT"],
        ["Volume FOO"],
        ["Volume", "Quantity"],
        ["Volume", "No. of Shares"],
        ["Volume", "Volume"],
        ["Shares Traded", "Contracts"],
        ["Umsatz"],
        ["Tagesumsatz"],
        ["İşlem Hacmi"],
    ],
)
def test_volume_that_cannot_be_decided_is_asked_for(tmp_path: Path, columns: list[str]) -> None:
    with pytest.raises(DataFileError, match=r"columns=\{'volume': .*None\}"):
        volume(tmp_path, columns)
    text = ",".join(["Date,Open,High,Low,Close", *columns]) + "\n2024-01-02,10,12,9,11,"
    path = tmp_path / "X.csv"
    path.write_text(text + ",".join(map(str, range(1, len(columns) + 1))), "utf-8")
    for choice, expected in ((5, "1"), (None, "")):
        (bar,) = CsvIngestor(path, period="1d", columns={"volume": choice}).read_bars()
        assert bar.texts.volume == expected


@pytest.mark.parametrize(
    "column",
    [
        "Turnover", "Amount", "Value", "Money", "Quote Volume", "quote_volume",
        "Quote asset volume", "Volume (Currency)", "Volume USD", "Volume (USDT)", "Volume Quote",
        "volumeto", "Volume in Euro", "Umsatz in Euro", "Volume (Rs.)", "Hacim (TL)",
        "Taker buy base asset volume", "taker_buy_volume", "Taker Volume", "Volume Taker",
        "Average Volume", "Avg. Volume", "Volume MA", "Volume SMA", "Volume (avg)", "volume_mean",
        "Relative Volume", "Volume Change", "Volume %", "Volume Delta", "Buy Volume",
        "Sell Volume", "Bid Volume", "Up Volume", "Adj. Volume", "adjVolume", "Block Volume",
        "Trades", "No. of Trades", "trade_count", "Count", "Transactions", "Volume (trades)",
        "Open Interest", "OpenInt", "OI", "Deliverable Quantity", "Deliverable Volume",
        "% Deli. Qty to Traded Qty", "Volume (thousands)", "Total Volume (Lacs)", "成交额",
        "売買代金", "거래대금", "Оборот", "Obrót", "Volume USD 24h",
    ],
)  # fmt: skip
def test_what_is_no_volume_is_not_read_as_one_and_said(tmp_path: Path, column: str) -> None:
    found, notes = volume(tmp_path, [column], symbol="BTCUSDT")
    assert found == ""
    (note,) = notes
    assert note == f"no column is read as the volume; not read: {column}"
    for columns, expected in (([column, "Volume"], "2"), (["Volume", column], "1")):
        assert volume(tmp_path, columns, symbol="BTCUSDT") == (expected, [])


@pytest.mark.parametrize(
    "column",
    [
        "Volume (shares)", "Volume (lots)", "Volume lots", "Volume (contracts)", "Volume, units",
        "Share Volume", "Volume (BTC)", "VolumeBTC", "成交量(手)", "成交量(股)", "出来高(株)",
        "거래량(주)", "Total Volume (shares)", "Hacim (Lot)", "Volume in lots",
        "Number of Shares", "No.of Shares", "No. of Shares", "Shares Traded", "Total Traded Qty",
        "Total Traded Quantity", "TOTTRDQTY", "Qty", "Quantity", "Contracts", "No. of Contracts",
        "Stück", "<VOL>", "<TICKVOL>", "Объем", "Volumen",
    ],
)  # fmt: skip
def test_what_is_counted_in_what_is_bought_is_the_volume(tmp_path: Path, column: str) -> None:
    header = f'Date,Open,High,Low,Close,"{column}",Turnover\n'
    path = tmp_path / "X.csv"
    path.write_text(header + "2024-01-02,10,12,9,11,500,5500\n", "utf-8")
    (bar,) = CsvIngestor(path, "BTCUSDT", period="1d").read_bars()
    assert bar.texts.volume == "500"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Volumen", "Stück"], "2"),
        (["Stuecke", "Volumen"], "1"),
        (["Volume", "Quantidade"], "2"),
        (["Umsatz in Euro", "Umsatz in Stück"], "2"),
        (["<TICKVOL>", "<VOL>"], "2"),
        (["<VOL>", "<TICKVOL>"], "1"),
        (["tick_volume", "real_volume"], "2"),
        (["volumeto", "volumefrom"], "2"),
    ],
)
def test_surer_word_goes_first(tmp_path: Path, columns: list[str], expected: str) -> None:
    assert volume(tmp_path, columns)[0] == expected


def test_coinmarketcap_counts_dollars(tmp_path: Path) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text(
        "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp\n"
        "2024-01-02T00:00:00.000Z;2024-01-02T23:59:59.999Z;x;y;2781;10;12;9;11;55000;9;"
        "2024-01-02T23:59:59.999Z\n"
    )
    (bar,) = CsvIngestor(path, "BTC", period="1d").read_bars()
    assert bar.start.isoformat() == "2024-01-02T00:00:00+00:00"
    assert bar.texts[:] == ("10", "12", "9", "11", "")


def test_file_with_nothing_but_prices_has_no_note_on_its_volume(tmp_path: Path) -> None:
    assert volume(tmp_path, []) == ("", [])


# The first row trades 5 at 10.9, the second 3 at 11.9: the mean prices lie between low and high.
PAID = [
    # Poloniex, and Huobi, which calls a time "id".
    ("date,open,high,low,close,{bought},{paid},weightedAverage", "quoteVolume", "volume"),
    ("id,open,high,low,close,{bought},{paid},count", "amount", "vol"),
    ("date,open,high,low,close,{bought},{paid},count", "Turnover", "Volume"),
]


@pytest.mark.parametrize(("header", "bought", "paid"), PAID)
def test_volume_that_is_money_by_its_numbers_is_refused(
    tmp_path: Path, header: str, bought: str, paid: str
) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        header.format(bought=bought, paid=paid) + "\n"
        "1704153600,10.5,12.25,9.75,11.0,5,54.5,7\n"
        "1704240000,11.0,12.25,11.0,12.0,3,35.7,7\n"
        "1704326400,12.0,12.0,12.0,12.0,0,0,0\n"
    )
    columns: dict[str, str | int | None] = {"time": 0}
    with pytest.raises(DataFileError, match=f"'{bought}' and '{paid}' may each be the volume"):
        list(CsvIngestor(path, columns=columns).read_bars())
    bars = list(CsvIngestor(path, columns={**columns, "volume": bought}).read_bars())
    assert [bar.volume for bar in bars] == [5, 3, 0]
    # The same numbers the other way around are as the words say.
    path.write_text(
        header.format(bought=paid, paid=bought) + "\n"
        "1704153600,10.5,12.25,9.75,11.0,5,54.5,7\n"
        "1704240000,11.0,12.25,11.0,12.0,3,35.7,7\n"
    )
    bars = list(CsvIngestor(path, columns=columns).read_bars())
    assert [bar.volume for bar in bars] == [5, 3]


@pytest.mark.parametrize("rows", [["0,0"], ["5,5"], ["5,5.5", "5,4.5"], ["5,-"]])
def test_numbers_that_show_nothing_leave_the_volume_to_its_word(
    tmp_path: Path, rows: list[str]
) -> None:
    path = tmp_path / "X.csv"
    # At a price of about 1, money and what is bought look the same.
    path.write_text(
        "date,open,high,low,close,volume,turnover\n"
        + "".join(f"2024-01-0{day},1,1.25,0.75,1,{row}\n" for day, row in enumerate(rows, 2))
    )
    volumes = [bar.texts.volume for bar in CsvIngestor(path, on_bad_row="skip").read_bars()]
    assert volumes == [row.partition(",")[0] for row in rows]
