"""Words of headers: each one that the docs list, and whole headers of vendors."""

# Rows stand as vendors write them.
# ruff: noqa: E501

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.ingestors.csv import _words as words_module
from ingenium.trading import Bar

DOCS = (Path(__file__).parents[3] / "docs" / "ingesting-csv.md").read_text("utf-8")
VALUES = {
    "date": "2024-01-02",
    "time": "2024-01-02 09:30:00",
    "time of day": "09:30:00",
    "open": "10.5",
    "high": "12.25",
    "low": "9.75",
    "close": "11.0",
    "volume": "5000",
    "adjusted close": "5.5",
    "symbol": "SYM",
}
ENGLISH = {"date": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Close"}


def _documented() -> list[tuple[str, str]]:
    """Return field and word of each table under the heading for words."""
    section = DOCS.split("### Words\n")[1].split("\n## ")[0]
    found: list[tuple[str, str]] = []
    for block in section.strip().split("\n\n"):
        if not block.startswith("|"):
            continue
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        )
        for first, *cells in rows:
            by_language = head[0] == "Language"
            for field, cell in zip(head[1:] if by_language else [first], cells, strict=True):
                found += [(field, word) for word in cell.split(", ") if word]
    return found


DOCUMENTED = _documented()


def read(folder: Path, text: str, name: str = "X.csv", **arguments: object) -> list[Bar]:
    path = folder / name
    path.write_text(text, "utf-8")
    arguments.setdefault("period", "1d")
    return list(CsvIngestor(path, **arguments).read_bars())  # type: ignore[arg-type]


def test_docs_list_every_word() -> None:
    documented = {words_module.key_of(word) for _, word in DOCUMENTED}
    known = {
        *words_module.DATES, *words_module.CLOCKS, *words_module.RANKED["time"],
        *words_module.RANKED["symbol"], *words_module.RANKED["adj_close"],
        *frozenset.union(*words_module.PRICES.values(), *words_module.WEAK_PRICES.values()),
        *frozenset.union(*words_module.VOLUMES),
    }  # fmt: skip
    assert known - {""} <= documented
    assert len(DOCUMENTED) > 450


@pytest.mark.parametrize(("field", "word"), DOCUMENTED)
def test_word_of_the_docs_names_its_column(tmp_path: Path, field: str, word: str) -> None:
    columns = dict(reversed(ENGLISH.items()))
    if field == "time":
        del columns["date"]
    columns[field] = word
    header = ",".join(columns.values())
    row = ",".join(VALUES[name] for name in columns)
    (bar,) = read(tmp_path, f"{header}\n{row}\n", adjusted=field == "adjusted close")
    factor = 2 if field == "adjusted close" else 1
    assert [bar.open, bar.high, bar.low, bar.close] == [
        10.5 / factor, 12.25 / factor, 9.75 / factor, 11.0 / factor,
    ]  # fmt: skip
    assert bar.texts.volume == ("5000" if field == "volume" else "")
    assert bar.symbol == ("SYM" if field == "symbol" else "X")
    clock = (9, 30) if field in {"time", "time of day"} else (0, 0)
    assert bar.start == datetime(2024, 1, 2, *clock, tzinfo=UTC)


# Open 10.5, high 12.25, low 9.75, close 11.0, volume 5000; all other numbers are not to be read.
VENDORS = {
    "NSE": (
        "Date ,series ,OPEN ,HIGH ,LOW ,PREV. CLOSE ,ltp ,close ,vwap ,52W H,52W L ,VOLUME ,VALUE ,"
        "No of trades \n"
        '02-Jan-2024,EQ,10.5,12.25,9.75,7,8,11.0,9,99,1,"5,000","55,000",31'
    ),
    "NSE bhavcopy": (
        "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES\n"
        "X,EQ,10.5,12.25,9.75,11.0,8,7,5000,55000,02-JAN-2024,31"
    ),
    "NSE full bhavcopy": (
        "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, "
        "CLOSE_PRICE, AVG_PRICE, TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER\n"
        "X, EQ, 02-Jan-2024, 7, 10.5, 12.25, 9.75, 8, 11.0, 9, 5000, 0.55, 31, 2500, 50"
    ),
    "NSE UDiFF": (
        "TradDt,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,SttlmPric,"
        "OpnIntrst,TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd\n"
        "2024-01-02,X,EQ,10.5,12.25,9.75,11.0,8,7,6,0,5000,55000,31"
    ),
    "BSE": (
        "Date,Open Price,High Price,Low Price,Close Price,WAP,No.of Shares,No. of Trades,"
        "Total Turnover (Rs.),Deliverable Quantity,% Deli. Qty to Traded Qty,Spread High-Low\n"
        "2-January-2024,10.5,12.25,9.75,11.0,9,5000,31,55000,2500,50,2.5"
    ),
    "Euronext": (
        "Date;Open;High;Low;Last;Close;Number of Shares;Number of Trades;Turnover;vwap\n"
        "13/01/2024;10.5;12.25;9.75;8;11.0;5000;31;55000;9"
    ),
    "Nasdaq Nordic": (
        "sep=;\nDate;Bid;Ask;Opening price;High price;Low price;Closing price;Average price;"
        "Total volume;Turnover;Trades;\n2024-01-02;8;8;10,5;12,25;9,75;11,0;9;5 000;55 000;31;"
    ),
    "Moscow": (
        "BOARDID;TRADEDATE;SHORTNAME;SECID;NUMTRADES;VALUE;OPEN;LOW;HIGH;LEGALCLOSEPRICE;WAPRICE;"
        "CLOSE;VOLUME;MARKETPRICE2\nTQBR;2024-01-02;x;X;31;55000;10.5;9.75;12.25;8;9;11.0;5000;7"
    ),
    "Moscow candles": (
        "open;close;high;low;value;volume;begin;end\n"
        "10.5;11.0;12.25;9.75;55000;5000;2024-01-02 00:00:00;2024-01-02 23:59:59"
    ),
    "Finam": (
        "<TICKER>;<PER>;<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>\n"
        "X;D;20240102;000000;10.5;12.25;9.75;11.0;5000"
    ),
    "B3": (
        "DATA,CODNEG,PREABE,PREMAX,PREMIN,PREMED,PREULT,QUATOT,VOLTOT\n"
        "2024-01-02,X,10.5,12.25,9.75,9,11.0,5000,55000"
    ),
    "Profit": (
        "Ativo;Data;Hora;Abertura;Máximo;Mínimo;Fechamento;Volume;Quantidade\n"
        "X;02.01.2024;00:00;10,5;12,25;9,75;11,0;55000,00;5000"
    ),
    "Ariva": "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen\n2024-01-02;10,5;12,25;9,75;11,0;5000;55000",
    "Börse Frankfurt": (
        "Datum;Eröffnung;Schluss;Tageshoch;Tagestief;Umsatz in Euro;Umsatz in Stück\n"
        "02.01.2024;10,5;11,0;12,25;9,75;55000;5.000"
    ),
    "Tushare": (
        "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
        "X,20240102,10.5,12.25,9.75,11.0,7,4,57,5000,55000"
    ),
    "akshare": (
        "日期,股票代码,开盘,收盘,最高,最低,成交量,成交额,振幅,涨跌幅,涨跌额,换手率\n"
        "2024-01-02,X,10.5,11.0,12.25,9.75,5000,55000,1,2,3,4"
    ),
    "Taiwan": (
        "日期,成交股數,成交金額,開盤價,最高價,最低價,收盤價,漲跌價差,成交筆數\n"
        '2024/01/02,"5,000","55,000",10.5,12.25,9.75,11.0,1,31'
    ),
    "pykrx": "날짜,시가,고가,저가,종가,거래량,거래대금,등락률\n2024-01-02,10.5,12.25,9.75,11.0,5000,55000,1",
    "Japan": "日付,始値,高値,安値,終値,出来高,売買代金,終値調整値\n2024/1/2,10.5,12.25,9.75,11.0,5000,55000,5.5",
    "EODHD": "Date,Open,High,Low,Close,Adjusted_close,Volume\n2024-01-02,10.5,12.25,9.75,11.0,5.5,5000",
    "Tiingo": (
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
        "2024-01-02,11.0,12.25,9.75,10.5,5000,5.5,6,4,5,10000,0,1"
    ),
    "IEX": (
        "date,minute,label,high,low,open,close,average,volume,notional,numberOfTrades\n"
        "2024-01-02,00:00,12 AM,12.25,9.75,10.5,11.0,9,5000,55000,31"
    ),
    "Intrinio": (
        "date,intraperiod,frequency,open,high,low,close,volume,adj_open,adj_close,adj_volume\n"
        "2024-01-02,false,daily,10.5,12.25,9.75,11.0,5000,5,5.5,10000"
    ),
    "Sharadar": (
        "ticker,date,open,high,low,close,volume,closeadj,closeunadj,lastupdated\n"
        "X,2024-01-02,10.5,12.25,9.75,11.0,5000,5.5,22,2024-02-02"
    ),
    "Quandl": (
        "Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Open,Adj. Close,Adj. Volume\n"
        "2024-01-02,10.5,12.25,9.75,11.0,5000,0,1,5,5.5,10000"
    ),
    "FirstRate": "timestamp,open,high,low,close,volume\n2024-01-02 00:00:00,10.5,12.25,9.75,11.0,5000",
    "Kibot": "13/01/2024,00:00,10.5,12.25,9.75,11.0,5000",
    "NinjaTrader": "20240102 000000;10.5;12.25;9.75;11.0;5000",
    "Barchart": (
        "Time,Open,High,Low,Last,Change,%Chg,Volume,\"Open Int\"\n"
        "2024-01-02,10.5,12.25,9.75,11.0,1,2,5000,77"
    ),
    "Sierra Chart": (
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n"
        "2024/1/2, 00:00:00, 10.5, 12.25, 9.75, 11.0, 5000, 31, 2000, 3000"
    ),
    "TradeStation": (
        '"Date","Time","Open","High","Low","Close","Vol","OI"\n'
        "2024-01-02,00:00,10.5,12.25,9.75,11.0,5000,77"
    ),
    "Refinitiv": (
        "#RIC,Domain,Date-Time,GMT Offset,Type,Open,High,Low,Last,Volume,No. Trades,Open Bid,Open Ask\n"
        "X,Market Price,2024-01-02T00:00:00Z,0,Intraday 1Day,10.5,12.25,9.75,11.0,5000,31,10,11"
    ),
    "Eikon": (
        "Exchange Date,Close,Net,%Chg,Open,Low,High,Volume,Turnover - USD\n"
        "02-Jan-2024,11.0,1,2,10.5,9.75,12.25,5000,55000"
    ),
    "LSEG": (
        "Date,TRDPRC_1,HIGH_1,LOW_1,ACVOL_UNS,OPEN_PRC,BID,ASK,TRNOVR_UNS,VWAP\n"
        "2024-01-02,11.0,12.25,9.75,5000,10.5,10,12,55000,9"
    ),
    "Bloomberg": "date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME\n2024-01-02,10.5,12.25,9.75,11.0,5000",
    "Databento": (
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
        "2024-01-02T00:00:00.000000000Z,35,1,7,10.5,12.25,9.75,11.0,5000,X"
    ),
    "CryptoCompare": (
        "time,high,low,open,volumefrom,volumeto,close\n2024-01-02,12.25,9.75,10.5,5000,55000,11.0"
    ),
    "investing.com de": 'Datum,Zuletzt,Eröffn.,Hoch,Tief,Vol.,+/- %\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com fr": 'Date,Dernier,Ouv.," Plus Haut","Plus Bas",Vol.,"Variation %"\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com es": 'Fecha,Último,Apertura,Máximo,Mínimo,Vol.,"% var."\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com it": 'Data,Ultimo,Apertura,Massimo,Minimo,Vol.,"Var. %"\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com pt": 'Data,Último,Abertura,Máxima,Mínima,Vol.,Var%\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com nl": 'Datum,Laatste,Open,Hoog,Laag,Vol.,"Verschil %"\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com pl": 'Data,Ostatnio,Otwarcie,Max.,Min.,Wol.,Zmiana%\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com ru": 'Дата,Цена,Откр.,Макс.,Мин.,Объём,"Изм. %"\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com tr": 'Tarih,Şimdi,Açılış,Yüksek,Düşük,Hac.,"Fark %"\n"02.01.2024","11,0","10,5","12,25","9,75","5,00K","1%"',
    "investing.com zh": '日期,收盘,开盘,高,低,交易量,涨跌幅\n"2024-1-2","11.0","10.5","12.25","9.75","5.00K","1%"',
    "investing.com ja": '日付け,終値,始値,高値,安値,出来高,"変化率 %"\n"2024-01-02","11.0","10.5","12.25","9.75","5.00K","1%"',
    "investing.com ko": '날짜,종가,시가,고가,저가,거래량,"변동 %"\n"2024-01-02","11.0","10.5","12.25","9.75","5.00K","1%"',
    "GPW": (
        "Data,Nazwa,ISIN,Waluta,Kurs otwarcia,Kurs max,Kurs min,Kurs zamknięcia,Zmiana,Wolumen,Obrót\n"
        "2024-01-02,X,PL0,PLN,10.5,12.25,9.75,11.0,1,5000,55"
    ),
    "CoinAPI": (
        "time_period_start;time_period_end;time_open;time_close;price_open;price_high;price_low;"
        "price_close;volume_traded;trades_count\n"
        "2024-01-02T00:00:00.0000000Z;2024-01-03T00:00:00.0000000Z;2024-01-02T00:00:01.1240000Z;"
        "2024-01-02T23:59:59.9990000Z;10.5;12.25;9.75;11.0;5000;31"
    ),
    "AlgoSeek": (
        "Date,TimeBarStart,FirstTradePrice,HighTradePrice,LowTradePrice,LastTradePrice,"
        "VolumeWeightPrice,Volume,TotalTrades\n20240102,09:30,10.5,12.25,9.75,11.0,10.9,5000,31"
    ),
    "Hong Kong": "日期,開市,最高,最低,收市,成交股數\n2024/01/02,10.5,12.25,9.75,11.0,5000",
    "Yahoo's page": (
        "Date\tOpen\tHigh\tLow\tClose Close price adjusted for splits.\tAdj Close Adjusted close "
        "price adjusted for splits and dividend and/or capital gain distributions.\tVolume\n"
        "Jan 2, 2024\t10.5\t12.25\t9.75\t11.0\t10.9\t5,000"
    ),
    "investing.com in Korea": '날짜,종가,시가,고가,저가,거래량,"변동 %"\n"2024- 01- 02","11.0","10.5","12.25","9.75","5.00K","1%"',
    "Boursorama": "date\touv\thaut\tbas\tclot\tvol\tdevise\n2024-01-02\t10.5\t12.25\t9.75\t11.0\t5000\tEUR",
}  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_header_of_a_vendor_names_its_columns(tmp_path: Path, vendor: str) -> None:
    (bar,) = read(tmp_path, VENDORS[vendor] + "\n")
    assert bar.symbol == "X"
    assert bar.start.day in {2, 13}
    assert (bar.open, bar.high, bar.low, bar.close) == (10.5, 12.25, 9.75, 11.0)
    assert bar.volume == 5000


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Previous Close,Volume",
        "Date,Open,High,Low,Prev. Close,Volume",
        "Date,Open,High,Low,VWAP,Volume",
        "Date,Open,High,Low,Average,Volume",
        "Date,Open,High,Low,Avg Price,Volume",
        "Date,Open,High,Low,Change,Volume",
        "Date,Open,High,Low,% Close,Volume",
        "Date,Open,High,Low,Close (adj.),Volume",
        "Date,Open,High,Low,Close (prev),Volume",
        "Date,Open,High,Low,Adj Close,Volume",
        "Date,Open,High,Low,Settle,Volume",
        "Date,Open,High,Low,Settlement Price,Volume",
        "Date,Open Interest,High,Low,Close,Volume",
        "Date,Open Int,High,Low,Close,Volume",
        "Date,Open,52 Week High,Low,Close,Volume",
        "Date,Open,High,52W L,Close,Volume",
        "日期,开盘,最高,最低,昨收,成交量",
        "日期,开盘,最高,最低,前收盘,成交量",
        "日期,开盘,最高,最低,均价,成交量",
        "Close Time,Open,High,Low,Close,Volume",
    ],
)
def test_word_that_is_like_another_is_not_taken_for_it(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataFileError, match=r"has no column for (close|open|high|low|time): .*"):
        read(tmp_path, f"{header}\n2024-01-02,10.5,12.25,9.75,11.0,5000\n")
