"""The files of tests/data/vendors, what CsvIngestor is told for each, and the table of them.

``python -m vendors`` in this folder writes the table of docs/ingesting-csv.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import support.vendor_readers as by
from support.vendor_readers import LOWER, NEW_YORK, OHLCV, Read

from ingenium.ingestors import CsvIngestor
from ingenium.trading import Bar

DATA = Path(__file__).parents[1] / "data" / "vendors"
PAGE = Path(__file__).parents[2] / "docs" / "ingesting-csv.md"
BEGIN, END = "<!-- vendors: begin -->\n", "<!-- vendors: end -->"


@dataclass(frozen=True)
class VendorFile:
    """One file, or folder, of a vendor.

    Attributes:
        path: Below the folder of all.
        read: Reads it by pandas.
        period: Length of its bars.
        arguments: What CsvIngestor is told.
    """

    path: str
    read: Read
    period: timedelta
    arguments: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """Where it is."""
        return DATA / self.path

    def bars(self) -> list[Bar]:
        """Read it by CsvIngestor."""
        return list(CsvIngestor(self.file, **self.arguments).read_bars())


def _of(path: str, read: Read, length: str, **arguments: Any) -> VendorFile:
    unit = {"m": "minutes", "h": "hours", "d": "days"}[length[-1]]
    return VendorFile(path, read, timedelta(**{unit: int(length[:-1])}), arguments)


_ANGLED = ["<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"]
_BLOOMBERG = ["PX_OPEN", "PX_HIGH", "PX_LOW", "PX_LAST", "PX_VOLUME"]
_MOEX = ["OPEN", "HIGH", "LOW", "LEGALCLOSEPRICE", "VOLUME"]
_LAST = ["Open", "High", "Low", "Last", "Volume"]
_SETTLE = ["Open", "High", "Low", "Settle", "Volume"]
_TUSHARE = ["open", "high", "low", "close", "vol"]
_SHARES = ["Open", "High", "Low", "Close", "Number of Shares"]
_BITSTAMP = ["open", "high", "low", "close", "Volume BTC"]
_BINANCE = ["Open", "High", "Low", "Close", "Volume ETH"]
_TV = ["open", "high", "low", "close", "Volume"]
_CHINESE = ["开盘", "最高", "最低", "收盘", "成交量"]
_VIX = ["OPEN", "HIGH", "LOW", "CLOSE"]
_CLOCK = ["<DATE>", "<TIME>"]

# fmt: off
FILES = (
    _of("akshare/600519.csv", by.plain("600519", "日期", _CHINESE), "1d"),
    _of("alpha_vantage/daily_adjusted_IBM.csv", by.plain("IBM", "timestamp", LOWER), "1d",
        symbol="IBM", newest_first=True),
    _of("alpha_vantage/intraday_5min_IBM.csv", by.plain("IBM", "timestamp", LOWER, zone=NEW_YORK),
        "5m", symbol="IBM", newest_first=True, timezone=NEW_YORK),
    _of("barchart/esh24_intraday-15min_historical-data-02-01-2024.csv", by.barchart, "15m",
        symbol="ESH24", newest_first=True, timezone="America/Chicago", on_bad_row="skip"),
    _of("binance/BTCUSDT-1m-2024-01.zip", by.kline("BTCUSDT", "ms"), "1m", symbol="BTCUSDT"),
    _of("binance/ETHUSDT-1h-2025-01.csv", by.kline("ETHUSDT", "us"), "1h", symbol="ETHUSDT"),
    _of("binance/klines_BNBUSDT_1d.jsonl", by.binance_lines, "1d", symbol="BNBUSDT"),
    _of("binance_futures/BTCUSDT-4h-2024-01.csv",
        by.epochs("BTCUSDT", "open_time", "ms", LOWER), "4h", symbol="BTCUSDT"),
    _of("bitstamp/ohlc_btcusd_1800.json", by.bitstamp, "30m", symbol="BTCUSD"),
    _of("bloomberg/AAPL US Equity.csv",
        by.formatted("AAPL", ["Date"], "%m/%d/%Y", _BLOOMBERG), "1d", symbol="AAPL"),
    _of("bse/500325.csv", by.bse, "1d", newest_first=True),
    _of("cboe/VIX_History.csv", by.without_volume("VIX", "DATE", _VIX, "%m/%d/%Y"), "1d",
        symbol="VIX"),
    _of("coinbase/BTC-USD_3600.json", by.coinbase, "1h", symbol="BTC-USD", newest_first=True,
        columns={"time": 0, "low": 1, "high": 2, "open": 3, "close": 4, "volume": 5}),
    _of("cryptodatadownload/Binance_ETHUSDT_1h.csv",
        by.epochs("ETHUSDT", "Unix", "ms", _BINANCE, skiprows=1), "1h", newest_first=True),
    _of("cryptodatadownload/Bitstamp_BTCUSD_d.csv",
        by.epochs("BTC/USD", "unix", "s", _BITSTAMP, skiprows=1), "1d", newest_first=True),
    _of("databento/glbx-mdp3-20240102.ohlcv-1m.csv", by.plain("ESH4", "ts_event", LOWER), "1m"),
    _of("dukascopy/EURUSD_Candlestick_1_h_BID_02.01.2024-03.01.2024.csv",
        by.formatted("EURUSD", ["Gmt time"], "%d.%m.%Y %H:%M:%S.%f", OHLCV), "1h",
        symbol="EURUSD"),
    _of("eodhd/AAPL.US.csv", by.plain("AAPL.US"), "1d"),
    _of("eodhd/AAPL.US_5m.csv", by.plain("AAPL.US", "Datetime"), "5m", symbol="AAPL.US"),
    _of("euronext/AC_XPAR.csv",
        by.formatted("AC", ["Date"], "%d/%m/%Y", _SHARES, sep=";", skiprows=3), "1d",
        symbol="AC", newest_first=True),
    _of("finam/SBER_240103_240103.csv",
        by.formatted("SBER", _CLOCK, "%Y%m%d %H%M%S", _ANGLED, sep=";", zone="Europe/Moscow"),
        "5m", timezone="Europe/Moscow"),
    _of("firstrate/AAPL_1min.txt", by.headless("AAPL", "%Y-%m-%d %H:%M:%S", zone=NEW_YORK), "1m",
        symbol="AAPL", timezone=NEW_YORK),
    _of("gemini/Gemini_ETHUSD_1hr.csv",
        by.epochs("ETHUSD", "Unix Timestamp", "ms", OHLCV, skiprows=1), "1h", newest_first=True),
    _of("histdata/DAT_ASCII_EURUSD_M1_202401.csv",
        by.headless("EURUSD", "%Y%m%d %H%M%S", sep=";", zone="Etc/GMT+5"), "1m",
        symbol="EURUSD", timezone="Etc/GMT+5"),
    _of("interactive_brokers/AAPL_5mins.csv", by.plain("AAPL", "date", LOWER), "5m",
        symbol="AAPL"),
    _of("investing/AAPL Historical Data.csv", by.investing("AAPL", "%m/%d/%Y"), "1d",
        symbol="AAPL", newest_first=True),
    _of("investing/DAX Historische Daten.csv", by.investing("DAX", "%d.%m.%Y", ","), "1d",
        symbol="DAX", newest_first=True),
    _of("investing/PETR4 Dados Historicos.csv", by.investing("PETR4", "%d.%m.%Y", ","), "1d",
        symbol="PETR4", newest_first=True),
    _of("investing/USD_JPY Kako Deta.csv", by.investing("USDJPY", "%Y年%m月%d日"), "1d",
        symbol="USDJPY", newest_first=True),
    _of("jquants/prices_daily_quotes.csv", by.plain("86970"), "1d"),
    _of("kibot/IBM_30min.txt",
        by.headless("IBM", "%m/%d/%Y %H:%M", clock=True, zone=NEW_YORK), "30m", symbol="IBM",
        timezone=NEW_YORK),
    _of("kraken/XBTUSD_60.csv", by.kraken, "1h", symbol="XBTUSD",
        columns={"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}),
    _of("metatrader4/EURUSD60.csv", by.headless("EURUSD", "%Y.%m.%d %H:%M", clock=True), "1h",
        symbol="EURUSD"),
    _of("metatrader5/XAUUSD_M15.csv",
        by.formatted("XAUUSD", _CLOCK, "%Y.%m.%d %H:%M:%S", _ANGLED, sep="\t"), "15m",
        symbol="XAUUSD"),
    _of("moex/GAZP_24.csv",
        by.plain("GAZP", "begin", LOWER, sep=";", skiprows=2, zone="Europe/Moscow"), "1d",
        symbol="GAZP", timezone="Europe/Moscow"),
    _of("moex/history_SBER.csv",
        by.plain("SBER", "TRADEDATE", _MOEX, sep=";", skiprows=2, encoding="cp1251"), "1d",
        columns={"close": "LEGALCLOSEPRICE"}),
    _of("nasdaq/HistoricalData_1707000000000.csv", by.dollars, "1d", symbol="AAPL",
        newest_first=True),
    _of("ninjatrader/ES 03-24.Last.txt", by.ninjatrader, "1m", symbol="ES", stamp="end"),
    _of("nse/Quote-Equity-RELIANCE-EQ.csv", by.indian, "1d", symbol="RELIANCE",
        newest_first=True),
    _of("nse/bhavcopy", by.bhavcopy, "1d"),
    _of("oanda/EUR_USD_H4.json", by.oanda, "4h", symbol="EUR_USD",
        columns={"open": "mid.o", "high": "mid.h", "low": "mid.l", "close": "mid.c"}),
    _of("pandas/AAPL.csv", by.plain("AAPL"), "1d"),
    _of("pandas/AAPL.parquet", by.pandas_parquet, "1d"),
    _of("pandas/IBM.jsonl", by.pandas_lines, "5m"),
    _of("pandas/bars.feather", by.pandas_feather, "5m"),
    _of("polygon/2024-01-02.csv.gz", by.flat_file, "1m"),
    _of("polygon/aggs_AAPL_day.json", by.polygon, "1d", symbol="AAPL"),
    _of("quandl/CHRIS-CME_CL1.csv", by.plain("CL1", "Date", _SETTLE), "1d", symbol="CL1",
        newest_first=True, columns={"close": "Settle"}),
    _of("quandl/WIKI-IBM.csv", by.plain("IBM"), "1d", symbol="IBM", newest_first=True),
    _of("quantconnect_lean/daily/spy.zip", by.lean, "1d", symbol="SPY", timezone=NEW_YORK,
        scale="0.0001"),
    _of("refinitiv/Price History_AAPL.O.csv", by.refinitiv, "1d", symbol="AAPL",
        newest_first=True),
    _of("sierra_chart/ESH24-CME.txt",
        by.formatted("ESH24", ["Date", "Time"], "%Y/%m/%d %H:%M:%S", _LAST,
                     skipinitialspace=True, zone=NEW_YORK),
        "30m", symbol="ESH24", timezone=NEW_YORK),
    _of("stooq/aapl_us_d.csv", by.plain("aapl_us_d"), "1d"),
    _of("stooq/ibm.us.txt",
        by.formatted("IBM.US", ["<DATE>"], "%Y%m%d", _ANGLED), "1d"),
    _of("stooq/spy.us_5.txt",
        by.formatted("SPY.US", _CLOCK, "%Y%m%d %H%M%S", _ANGLED, zone="Europe/Warsaw"), "5m",
        timezone="Europe/Warsaw"),
    _of("tiingo/AAPL.csv", by.plain("AAPL", "date", LOWER), "1d"),
    _of("tradingview/BATS_AAPL, 1D.csv", by.epochs("AAPL", "time", "s", _TV), "1d",
        symbol="AAPL"),
    _of("tradingview/CME_MINI_ES1!, 15.csv", by.plain("ES", "time", _TV), "15m", symbol="ES"),
    _of("tushare/000001.SZ.csv", by.formatted("000001.SZ", ["trade_date"], "%Y%m%d", _TUSHARE),
        "1d", newest_first=True),
    _of("yahoo/AAPL.csv", by.plain("AAPL"), "1d"),
    _of("yfinance/MSFT.csv", by.yfinance, "1d"),
    _of("yfinance/SPY_1h.csv", by.plain("SPY", "Datetime"), "1h", symbol="SPY"),
)
# fmt: on


def table() -> str:
    """Return the table of docs/ingesting-csv.md, from what CsvIngestor reads."""
    lines = [
        "| File | Arguments beside it | Bars | First | Last | Sum of closes | Sum of volumes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for file in FILES:
        read = file.bars()
        arguments = ", ".join(f"{name}={_written(v)}" for name, v in file.arguments.items())
        cells = (
            f"`{file.path}`",
            f"`{arguments}`" if arguments else "",
            str(len(read)),
            f"{read[0].start:%Y-%m-%d %H:%M}",
            f"{read[-1].start:%Y-%m-%d %H:%M}",
            _total([bar.texts.close for bar in read]),
            _total([bar.texts.volume for bar in read]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value).replace("'", '"')


def _total(texts: list[str]) -> str:
    if not any(texts):
        return "-"
    return f"{sum(map(Decimal, filter(None, texts)), Decimal(0)).normalize():f}"


def page(text: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
