"""Column names of a file, by vendor and language."""

# Words of other scripts.
# ruff: noqa: RUF001

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

__all__ = [
    "CHANGES",
    "CLOCKS",
    "DATES",
    "LANGUAGES",
    "NO_VOLUME",
    "PRICES",
    "RANKED",
    "SETTLEMENTS",
    "UNDECIDED_VOLUME",
    "VOLUMES",
    "WEAK_PRICES",
    "fold",
    "key_of",
]

# English and vendors' words. Each is listed once in docs/ingesting-csv.md.
_VENDORS: dict[str, str] = {
    "open": "open, o, open price, opening price, opening, day open, px open, open prc, opn pric, "
    "opnpric, ch opening price, preabe, trade open, first trade price, open index value, "
    "price open",
    "high": "high, h, high price, day high, px high, high prc, high 1, hgh pric, hghpric, "
    "ch trade high price, premax, trade high, high trade price, "
    "high index value, price high",
    "low": "low, l, low price, day low, px low, low prc, low 1, lw pric, lwpric, "
    "ch trade low price, premin, trade low, low trade price, "
    "low index value, price low",
    "close": "close, c, close price, closing price, close last, px close, close prc, cls pric, "
    "clspric, ch closing price, trade close, closing, closing index value, price close, "
    "last trade price, close close price adjusted for splits",
    "volume": "volume, vol, v, base volume, share volume, total volume, volume traded, "
    "traded volume, trade volume, trading volume, volumefrom, volume from, px volume, real volume, "
    "acvol uns, acvol 1, ttl tradg vol, number of shares, no of shares, no shares, shares traded, "
    "number of shares traded, no of shares traded, traded shares, total shares traded, "
    "total traded quantity, total traded qty, traded quantity, traded qty, quantity traded, "
    "qty traded, tottrdqty, ttl trd qnty, ch tot traded qty, contracts, contracts traded, "
    "number of contracts, no of contracts, quantity, qty, shares, tot volume, day volume",
    "date": "date, dtyyyymmdd, trade date, tradedate, trading date, trading day, trd date, tradt, "
    "traddt, trad dt, ch timestamp, date1, exchange date, quote date, pricing date, session date, "
    "index date",
    "clock": "time, minute, time of day, trade time, time bar start",
    "symbol": "symbol, ticker, sym, tic, act symbol, instrument, security, code, ts code, secid, "
    "tckr symb, tckrsymb, ric, codneg, security id, sc code, stock, pair, index name, "
    "name",
    "adj_close": "adj close, adjclose, adjusted close, close adjusted, adj close price, closeadj, "
    "adjusted close price, adjusted closing price, adjusted, adj close adjusted close price "
    "adjusted for splits and dividend and or capital gain distributions",
}
LANGUAGES: dict[str, dict[str, str]] = {
    "German": {
        "date": "Datum, Handelstag",
        "clock": "Zeit, Uhrzeit",
        "open": "Eröffnung, Eröffnungskurs, Eröffnungspreis, Eröffn., Eroeffnung, Eroeffnungskurs, "
        "Erster",
        "high": "Hoch, Höchst, Höchstkurs, Tageshoch, Hoechst, Hoechstkurs",
        "low": "Tief, Tiefst, Tiefstkurs, Tagestief",
        "close": "Schluss, Schluß, Schlusskurs, Schlußkurs, Schlusspreis",
        "volume": "Volumen, Handelsvolumen",
        "units": "Stück, Stücke, Stuecke, Stueck, Umsatz in Stück, Umsatz Stück, "
        "gehandelte Stücke, Anzahl gehandelter Aktien",
        "symbol": "Kürzel, Wertpapier",
        "adj_close": "Schluss bereinigt, bereinigter Schluss, bereinigter Schlusskurs",
    },
    "French": {
        "date": "Jour, Date de séance",
        "clock": "Heure",
        "open": "Ouverture, Ouv., Cours d'ouverture",
        "high": "Plus haut, Haut, + haut",
        "low": "Plus bas, Bas, + bas",
        "close": "Clôture, Clôt., Cours de clôture, Fermeture",
        "volume": "Volumes, Nombre de titres, Titres échangés, Quantité, Quantité échangée",
        "symbol": "Symbole, Valeur mobilière, Mnémonique",
        "adj_close": "Clôture ajustée",
    },
    "Spanish": {
        "date": "Fecha",
        "clock": "Hora",
        "open": "Apertura, Precio de apertura",
        "high": "Máximo, Máx., Precio máximo",
        "low": "Mínimo, Mín., Precio mínimo",
        "close": "Cierre, Precio de cierre",
        "volume": "Volumen, Volumen negociado",
        "units": "Títulos, Títulos negociados, Acciones negociadas",
        "symbol": "Símbolo",
        "adj_close": "Cierre ajustado",
    },
    "Italian": {
        "date": "Data",
        "clock": "Ora, Orario",
        "open": "Apertura, Prezzo di apertura",
        "high": "Massimo, Prezzo massimo",
        "low": "Minimo, Prezzo minimo",
        "close": "Chiusura, Prezzo di chiusura",
        "volume": "Volumi, Quantità, Volume scambiato",
        "symbol": "Simbolo, Titolo",
        "adj_close": "Chiusura rettificata, Chiusura aggiustata",
    },
    "Portuguese": {
        "date": "Data, Data do pregão, Pregão",
        "clock": "Hora, Horário",
        "open": "Abertura, Preço de abertura",
        "high": "Máximo, Máxima, Preço máximo",
        "low": "Mínimo, Mínima, Preço mínimo",
        "close": "Fechamento, Fecho, Preço de fechamento",
        "units": "Quantidade, Qtde, Quantidade negociada, Qtde. negociada, Quantidade de títulos, "
        "QUATOT",
        "symbol": "Símbolo, Ativo, Papel, Código, Código de negociação",
        "adj_close": "Fechamento ajustado",
    },
    "Dutch": {
        "date": "Datum",
        "clock": "Tijd, Tijdstip",
        "open": "Openingskoers, Opening",
        "high": "Hoog, Hoogste, Hoogste koers",
        "low": "Laag, Laagste, Laagste koers",
        "close": "Slot, Slotkoers, Sluiting",
        "volume": "Omvang, Aantal",
        "symbol": "Symbool, Fonds",
        "adj_close": "Aangepaste slotkoers, Slotkoers aangepast",
    },
    "Polish": {
        "date": "Data, Data sesji",
        "clock": "Czas, Godzina",
        "open": "Otwarcie, Kurs otwarcia",
        "high": "Najwyższy, Najwyzszy, Maksimum, Kurs maksymalny, Kurs max",
        "low": "Najniższy, Najnizszy, Kurs minimalny, Kurs min",
        "close": "Zamknięcie, Zamkniecie, Kurs zamknięcia",
        "volume": "Wolumen, Wol., Wolumen obrotu",
        "symbol": "Nazwa, Instrument, Walor",
        "adj_close": "Zamknięcie skorygowane",
    },
    "Russian": {
        "date": "Дата, Дата торгов",
        "clock": "Время",
        "open": "Открытие, Откр., Цена открытия",
        "high": "Максимум, Макс., Максимальная цена, Наибольшая",
        "low": "Минимум, Мин., Минимальная цена, Наименьшая",
        "close": "Закрытие, Закр., Цена закрытия",
        "volume": "Объем, Объём, Объем торгов, Количество",
        "symbol": "Тикер, Инструмент, Код, Код инструмента, Символ",
        "adj_close": "Скорректированное закрытие",
    },
    "Turkish": {
        "date": "Tarih, İşlem Tarihi",
        "clock": "Saat, Zaman",
        "open": "Açılış, Açılış Fiyatı",
        "high": "Yüksek, En Yüksek, Maksimum",
        "low": "Düşük, En Düşük",
        "close": "Kapanış, Kapanış Fiyatı",
        "volume": "Hacim, Hac., Miktar, İşlem Miktarı",
        "symbol": "Sembol, Hisse, Kod",
        "adj_close": "Düzeltilmiş Kapanış",
    },
    "Chinese": {
        "date": "日期, 交易日期, 交易日, 日期时间",
        "clock": "时间, 時間, 交易时间",
        "open": "开盘, 开盘价, 今开, 开, 開盤, 開盤價, 開市, 開市價",
        "high": "最高, 最高价, 最高價, 高",
        "low": "最低, 最低价, 最低價, 低",
        "close": "收盘, 收盘价, 收, 收盤, 收盤價, 收市, 收市價",
        "volume": "成交量, 交易量, 成交股数, 成交股數, 成交数量, 成交數量, 总手, 总量",
        "symbol": "代码, 股票代码, 证券代码, 证券简称, 合约, 合约代码, 品种, 證券代號, 名称",
        "adj_close": "复权收盘价, 后复权收盘价, 前复权收盘价",
    },
    "Japanese": {
        "date": "日付, 日付け, 年月日, 日時",
        "clock": "時刻, 時間",
        "open": "始値",
        "high": "高値",
        "low": "安値",
        "close": "終値",
        "volume": "出来高, 売買高",
        "symbol": "コード, 銘柄, 銘柄コード, 証券コード, 銘柄名",
        "adj_close": "調整後終値, 調整終値, 修正後終値, 終値調整値",
    },
    "Korean": {
        "date": "날짜, 일자, 일시, 거래일",
        "clock": "시간, 시각",
        "open": "시가",
        "high": "고가",
        "low": "저가",
        "close": "종가",
        "volume": "거래량",
        "symbol": "종목, 종목코드, 종목명, 티커, 코드",
        "adj_close": "수정종가",
    },
}
# Words that mean a field only if no column has a better name, and only one has such a word.
_WEAK: dict[str, str] = {
    "open": "first",
    "high": "highest, max, maximum",
    "low": "lowest, min, minimum",
    "close": "legal close price, hst close, last, last price, price, latest, latest price, "
    "last pric, px last, ltp, last traded price, trdprc 1, preult, letzter, letzter kurs, zuletzt, "
    "dernier, dernier cours, último, ultimo prezzo, precio, laatste, laatste koers, ostatni, "
    "ostatnio, kurs, последняя, цена, цена последней сделки, son, son fiyat, şimdi, fiyat, "
    "最新价, 最新, 现价, 現在値, 현재가",
}
_WEAK_VOLUME = (
    "tickvol, tick volume, tickvolume, ticks, size, volume ticks, lots, lot, adet, numero di titoli"
)
_SETTLEMENTS = (
    "settle, settlement, settlement price, settle price, sttlm pric, px settle, 结算价, 結算價, "
    "清算値, 정산가, abrechnungspreis, расчетная цена, prix de compensation, ajuste"
)
_TIMES = (
    "time period start, period start, time open, open time, window start, start time, bar time, "
    "bar start, bob, timestamp, datetime, date time, datum zeit, datum uhrzeit, fecha hora, data "
    "hora, data ora, date heure, data czas, data i czas, дата время, дата и время, tarih saat, ts "
    "event, gmt time, local time, utc time, time utc, unix, unix timestamp, unix time, unix ms, "
    "epoch"
)
_OTHER_TIMES = "day, ts, dt, t, begin, start, tag, giorno, día, dag, dzień, index"
_NO_VOLUME = (
    "quote volume, quote asset volume, volume quote, volume to, volumeto, volume currency, "
    "taker buy volume, taker buy base asset volume, taker buy quote asset volume, "
    "taker buy quote volume, taker volume, turnover, amount, value, money, notional, "
    "average volume, avg volume, volume average, adj volume, adjusted volume, avg vol, "
    "deliverable quantity, deliverable qty, deliv qty, deliverable volume, trades, trade count, "
    "number of trades, no of trades, count, transactions, open interest, openint, oi, "
    "relative volume, volume change"
)
_UNDECIDED_VOLUME = "umsatz, umsätze, tagesumsatz, işlem hacmi, umsatzvolumen, montante, capitaux"

_DIGITS_FIRST = re.compile(r"^\d+[a-z]?\.\s*")
_BRACKETS = re.compile(r"[(\[（【](.*?)[)\]）】]")
_SEPARATORS = re.compile(r"[\s_\-./*:,'’·]+")
_EQUAL_LETTERS = str.maketrans("łıøđ", "liod")
CHANGES = re.compile(
    r"adj|prev|avg|average|mean|settle|change|chg|%|split|diff|ref|est|yest|vortag|veille|昨|前|均"
)
"""Words that change the meaning of a price: "Close (adj.)" is no close, "Close (USD)" is one."""


def fold(name: str) -> str:
    """Return a word without case, accents and character widths."""
    text = unicodedata.normalize("NFKD", name.casefold())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", text).translate(_EQUAL_LETTERS)


@lru_cache(4096)
def key_of(name: str, *, brackets: bool = False) -> str:
    """Return a column's name as the key for a lookup.

    Args:
        name: ``"1. open"``, ``"<CLOSE>"``, ``"Adj Close**"``, ``"Schluß"``.
        brackets: Whether to keep text in brackets.
    """
    text = _DIGITS_FIRST.sub("", fold(name.strip().strip("\ufeff")).strip("<>*# "))
    if text.startswith("unnamed:"):
        return ""

    def inner(match: re.Match[str]) -> str:
        return f" {match[1]} " if brackets or CHANGES.search(match[1]) else " "

    return _SEPARATORS.sub("", _BRACKETS.sub(inner, text))


def _keys(*texts: str) -> tuple[str, ...]:
    words = (word for text in texts for word in text.split(", ") if text)
    return tuple(dict.fromkeys(key_of(word) for word in words))


def _of_all(field: str) -> list[str]:
    return [_VENDORS.get(field, ""), *(words.get(field, "") for words in LANGUAGES.values())]


DATES = frozenset(_keys(*_of_all("date")))
"""Names of a column of days, next to which a time of day may be."""
CLOCKS = frozenset(_keys(*_of_all("clock")))
"""Names of a column of times of day."""
PRICES: Mapping[str, frozenset[str]] = {
    field: frozenset(_keys(*_of_all(field))) - frozenset(_keys(words))
    for field, words in _WEAK.items()
}
"""Names of prices."""
WEAK_PRICES: Mapping[str, frozenset[str]] = {
    field: frozenset(_keys(words)) for field, words in _WEAK.items()
}
"""Names that mean a price if none of `PRICES` matches."""
SETTLEMENTS = frozenset(_keys(_SETTLEMENTS))
"""Names of settlement prices, which are used as a close only on request."""
RANKED: Mapping[str, tuple[str, ...]] = {
    # An unnamed first column is the index of pandas.
    "time": (
        *_keys(_TIMES), *_keys(*_of_all("clock")), *_keys(*_of_all("date")), *_keys(_OTHER_TIMES),
        "",
    ),
    "adj_close": _keys(*_of_all("adj_close")),
    "symbol": _keys(*_of_all("symbol")),
}  # fmt: skip
"""Names of fields of which a file may have several; the first match wins."""
VOLUMES: tuple[frozenset[str], ...] = (
    # Next to these, a column called volume is money: Ariva's Volumen, Profit's Volume.
    frozenset(_keys(*_of_all("units"))),
    frozenset(_keys(*_of_all("volume"))),
    frozenset(_keys(_WEAK_VOLUME)),
)
"""Names of the volume, most reliable first."""
NO_VOLUME = frozenset(_keys(_NO_VOLUME))
"""Names similar to a volume's for something else."""
UNDECIDED_VOLUME = frozenset(_keys(_UNDECIDED_VOLUME))
"""Names used for shares by one vendor and for money by another."""
