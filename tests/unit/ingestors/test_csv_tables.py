"""Any table of bars, however it is written, reads back to the same decimals or is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor

FIELDS = ("date", "open", "high", "low", "close", "volume")
# Date, open, high, low, close, volume.
WORDS = [
    ("Date", "Open", "High", "Low", "Close", "Volume"),
    ("timestamp", "o", "h", "l", "c", "v"),
    ("<DTYYYYMMDD>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
    ("date", "1. open", "2. high", "3. low", "4. close", "5. volume"),
    ("Date", "Open Price", "High Price", "Low Price", "Close Price", "No.of Shares"),
    ("Exchange Date", "PX_OPEN", "PX_HIGH", "PX_LOW", "PX_LAST", "PX_VOLUME"),
    ("Datum", "Eröffnung", "Hoch", "Tief", "Schlusskurs", "Stück"),
    ("Date", "Ouverture", "Plus haut", "Plus bas", "Clôture", "Volume"),
    ("Fecha", "Apertura", "Máximo", "Mínimo", "Cierre", "Volumen"),
    ("Data", "Apertura", "Massimo", "Minimo", "Chiusura", "Volume"),
    ("Data", "Abertura", "Máxima", "Mínima", "Fechamento", "Quantidade"),
    ("Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"),
    ("Дата", "Открытие", "Максимум", "Минимум", "Закрытие", "Объем"),
    ("Tarih", "Açılış", "Yüksek", "Düşük", "Kapanış", "Hacim"),
    ("日期", "开盘", "最高", "最低", "收盘", "成交量"),
    ("日付", "始値", "高値", "安値", "終値", "出来高"),
    ("날짜", "시가", "고가", "저가", "종가", "거래량"),
]
DECOYS = [
    "Turnover", "VWAP", "Prev. Close", "Change %", "Open Interest", "Average Volume", "Trades",
    "Adj Close", "Quote Volume", "Deliverable Qty", "均价", "Mittelkurs", "Spread", "ISIN",
]  # fmt: skip
UNKNOWN_WORDS = [
    ("Aika", "Avaus", "Ylin", "Alin", "Päätös", "Vaihto"),
    ("t0", "p1", "p2", "p3", "p4", "n"),
    ("Ngày", "Mở", "Đỉnh", "Đáy", "Đóng", "KL"),
]

Style = tuple[str, Callable[[Decimal], str]]


def _grouped(number: Decimal, thousands: str, point: str) -> str:
    return f"{number:,f}".translate({ord(","): thousands, ord("."): point})


def _indian(number: Decimal) -> str:
    whole, _, decimals = f"{number:f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*groups, tail]) + (f".{decimals}" if decimals else "")


STYLES: list[Style] = [
    ("plain", lambda number: f"{number:f}"),
    ("grouped", lambda number: _grouped(number, ",", ".")),
    ("swiss", lambda number: _grouped(number, "’", ".")),
    ("spaced", lambda number: _grouped(number, "\u202f", ".")),
    ("indian", _indian),
    ("german", lambda number: _grouped(number, ".", ",")),
    ("french", lambda number: _grouped(number, "\u00a0", ",")),
    ("comma", lambda number: f"{number:f}".replace(".", ",")),
    ("wide", lambda number: f"{number:f}".translate({48 + d: 0xFF10 + d for d in range(10)})),
    ("scientific", lambda number: f"{number:.17e}"),
]
MONEY = ["{}", "${}", "{} €", "₹ {}", "USD {}"]


@st.composite
def bars(draw: st.DrawFn) -> list[tuple[Decimal, ...]]:
    places = draw(st.integers(0, 5))
    prices = st.decimals(Decimal(1).scaleb(-places), 9_999_999, places=places)
    made: list[tuple[Decimal, ...]] = []
    for _ in range(draw(st.integers(2, 6))):
        low, *inner, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
        open_, close = draw(st.permutations(inner))
        made.append((open_, high, low, close, Decimal(draw(st.integers(0, 10**9)))))
    return made


def _table(rows: list[list[str]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "X.csv"


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_table_of_bars_reads_back_to_the_same_decimals(path: Path, data: st.DataObject) -> None:
    draw = data.draw
    table = draw(bars())
    words = draw(st.sampled_from(WORDS))
    order = draw(st.permutations(range(6)))
    name, style = draw(st.sampled_from(STYLES))
    money = draw(st.sampled_from(MONEY))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decoys = draw(st.lists(st.sampled_from(DECOYS), max_size=3, unique=True))
    preamble = draw(st.sampled_from(["", "# by hand\n", "Prices of X\n\n"]))
    # 1.234 is taken for a number with decimals, as most files have it, unless something else shows.
    assume(name != "german" or any("," in style(price) for bar in table for price in bar[:4]))

    rows = [[*(words[place] for place in order), *decoys]]
    for day, bar in enumerate(table, 1):
        cells = [f"2024-01-{day:02}", *(money.format(style(price)) for price in bar[:4])]
        cells.append(style(bar[4]))
        rows.append([*(cells[place] for place in order), *("7" for _ in decoys)])
    path.write_text(preamble + _table(rows, delimiter), "utf-8")
    try:
        read = list(CsvIngestor(path, period="1d").read_bars())
    except DataFileError as error:
        reason = str(error)
    else:
        reason = ""
    if reason:
        # Digits in threes may be thousands or decimals, or 32nds behind an apostrophe.
        event(f"refused: {name}")
        # A volume whose numbers are those of money beside it is asked for, too.
        is_asked = "decimal=" in reason or "may each be the volume" in reason
        assert is_asked or name == "swiss", reason
        return
    event(f"read: {name}")
    assert [tuple(map(Decimal, bar.texts)) for bar in read] == table


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_table_under_unknown_words_is_refused_or_told_by_columns(
    path: Path, data: st.DataObject
) -> None:
    draw = data.draw
    table = draw(bars())
    words = draw(st.sampled_from(UNKNOWN_WORDS))
    order = draw(st.permutations(range(6)))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    by_name = draw(st.booleans())
    rows = [[words[place] for place in order]]
    for day, bar in enumerate(table, 1):
        cells = [f"2024-01-{day:02}", *(f"{number:f}" for number in bar)]
        rows.append([cells[place] for place in order])
    path.write_text(_table(rows, delimiter), "utf-8")
    with pytest.raises(DataFileError, match="columns="):
        list(CsvIngestor(path, period="1d").read_bars())
    names: dict[str, str | int | None] = {}
    for place, field in enumerate(FIELDS):
        key = "time" if field == "date" else field
        names[key] = words[place] if by_name else order.index(place)
    read = list(CsvIngestor(path, period="1d", columns=names).read_bars())
    assert [tuple(map(Decimal, bar.texts)) for bar in read] == table
