"""How pandas reads each file of tests/data/vendors, said file by file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

NEW_YORK = "America/New_York"
OHLCV = ["Open", "High", "Low", "Close", "Volume"]
LOWER = [name.lower() for name in OHLCV]

Read = Callable[[Path], pd.DataFrame]
"""Returns the bars of a file: symbol, time of the start in UTC, open, high, low, close, volume."""


def bars(
    symbol: Any,
    time: Any,
    prices: pd.DataFrame,
    zone: str = "UTC",
) -> pd.DataFrame:
    """Put a frame of bars together, of the times and of five columns in the usual order."""
    times = pd.DatetimeIndex(pd.to_datetime(time))
    times = times.tz_localize(zone) if times.tz is None else times
    made = prices.set_axis(["open", "high", "low", "close", "volume"], axis=1).astype(float)
    made = made.reset_index(drop=True)
    made.insert(0, "time", times.tz_convert("UTC").as_unit("ns"))
    made.insert(0, "symbol", symbol if isinstance(symbol, str) else list(symbol))
    return made.sort_values(["time", "symbol"], kind="stable").reset_index(drop=True)


def plain(symbol: str, time: str = "Date", columns: list[str] = OHLCV, **options: Any) -> Read:
    """Return a reader of files whose times and numbers pandas understands as they are."""
    zone = options.pop("zone", "UTC")

    def read(path: Path) -> pd.DataFrame:
        data = pd.read_csv(path, **options)
        return bars(symbol, data[time], data[columns], zone)

    return read


def epochs(symbol: str, time: str, unit: str, columns: list[str], **options: Any) -> Read:
    """Return a reader of files whose times are counts since 1970."""

    def read(path: Path) -> pd.DataFrame:
        data = pd.read_csv(path, **options)
        return bars(symbol, pd.to_datetime(data[time], unit=unit, utc=True), data[columns])

    return read


def formatted(symbol: str, time: list[str], form: str, columns: list[str], **options: Any) -> Read:
    """Return a reader of files whose times need a format; columns of time are joined by a space."""
    zone = options.pop("zone", "UTC")

    def read(path: Path) -> pd.DataFrame:
        data = pd.read_csv(path, dtype=dict.fromkeys(time, str), **options)
        texts = data[time[0]].str.strip()
        for name in time[1:]:
            texts = texts + " " + data[name].str.strip()
        return bars(symbol, pd.to_datetime(texts, format=form), data[columns], zone)

    return read


def headless(symbol: str, form: str, *, clock: bool = False, **options: Any) -> Read:
    """Return a reader of files without header: one or two columns of time, then the five."""
    time = ["date", "time"] if clock else ["date"]
    return formatted(symbol, time, form, LOWER, header=None, names=[*time, *LOWER], **options)


def yfinance(path: Path) -> pd.DataFrame:
    """Three rows of header: fields, tickers, the index's name."""
    data = pd.read_csv(path, header=[0, 1], index_col=0)
    return bars(str(data.columns[0][1]), data.index, data.droplevel(1, axis=1)[OHLCV])


def dollars(path: Path) -> pd.DataFrame:
    """Nasdaq writes its prices with a dollar sign."""
    data = pd.read_csv(path)
    columns = ["Open", "High", "Low", "Close/Last"]
    prices = data[columns].apply(lambda column: column.str.lstrip("$").astype(float))
    times = pd.to_datetime(data["Date"], format="%m/%d/%Y")
    return bars("AAPL", times, prices.assign(volume=data["Volume"]))


def investing(symbol: str, form: str, decimal: str = ".") -> Read:
    """Return a reader of Investing.com: date, close, open, high, low, volume such as 58.03M."""

    def read(path: Path) -> pd.DataFrame:
        thousands = "," if decimal == "." else "."
        texts = {"Date": str, "Datum": str, "Data": str}
        data = pd.read_csv(path, decimal=decimal, thousands=thousands, dtype=texts)
        data.columns = pd.Index(["date", "close", "open", "high", "low", "volume", "change"])
        if data["volume"].isna().all():
            volume = data["volume"]
        else:
            digits = data["volume"].str.rstrip("M").str.replace(thousands, "", regex=False)
            volume = digits.str.replace(decimal, ".", regex=False).astype(float) * 1e6
        prices = data[["open", "high", "low", "close"]].assign(volume=volume)
        return bars(symbol, pd.to_datetime(data["date"], format=form), prices)

    return read


def flat_file(path: Path) -> pd.DataFrame:
    """Polygon's flat files hold all tickers of a day, one after the other."""
    data = pd.read_csv(path)
    return bars(
        data["ticker"], pd.to_datetime(data["window_start"], unit="ns", utc=True), data[LOWER]
    )


def indian(path: Path) -> pd.DataFrame:
    """NSE groups digits by lakh and crore and ends its header's words with a space."""
    data = pd.read_csv(path, encoding="utf-8-sig", dtype=str)
    columns = ["OPEN ", "HIGH ", "LOW ", "close ", "VOLUME "]
    prices = data[columns].apply(lambda column: column.str.replace(",", "").astype(float))
    return bars("RELIANCE", pd.to_datetime(data["Date "], format="%d-%b-%Y"), prices)


def bhavcopy(folder: Path) -> pd.DataFrame:
    """NSE's daily files hold one row for each of its stocks."""
    data = pd.concat(pd.read_csv(file) for file in sorted(folder.glob("*.zip")))
    prices = data[["OpnPric", "HghPric", "LwPric", "ClsPric", "TtlTradgVol"]]
    return bars(data["TckrSymb"], data["TradDt"], prices)


def bse(path: Path) -> pd.DataFrame:
    """BSE ends each row, but not its header, with a comma."""
    data = pd.read_csv(path, index_col=False)
    columns = ["Open Price", "High Price", "Low Price", "Close Price", "No.of Shares"]
    return bars("500325", pd.to_datetime(data["Date"], format="%d-%B-%Y"), data[columns])


def kraken(path: Path) -> pd.DataFrame:
    """Seconds, four prices, volume, number of trades, no header."""
    data = pd.read_csv(path, header=None, names=["time", *LOWER, "trades"])
    return bars("XBTUSD", pd.to_datetime(data["time"], unit="s", utc=True), data[LOWER])


def coinbase(path: Path) -> pd.DataFrame:
    """Lists of seconds, low, high, open, close and volume."""
    data = pd.DataFrame(
        json.loads(path.read_text()), columns=["time", "low", "high", "open", "close", "volume"]
    )
    return bars("BTC-USD", pd.to_datetime(data["time"], unit="s", utc=True), data[LOWER])


def bitstamp(path: Path) -> pd.DataFrame:
    """Records within an object within an object; numbers are texts."""
    data = pd.DataFrame(json.loads(path.read_text())["data"]["ohlc"])
    times = pd.to_datetime(data["timestamp"].astype(int), unit="s", utc=True)
    return bars("BTCUSD", times, data[LOWER])


def polygon(path: Path) -> pd.DataFrame:
    """One object with a list of results."""
    data = pd.DataFrame(json.loads(path.read_text())["results"])
    return bars("AAPL", pd.to_datetime(data["t"], unit="ms", utc=True), data[list("ohlcv")])


def oanda(path: Path) -> pd.DataFrame:
    """Prices are a record within each record."""
    data = pd.json_normalize(json.loads(path.read_text())["candles"])
    columns = ["mid.o", "mid.h", "mid.l", "mid.c", "volume"]
    return bars("EUR_USD", data["time"], data[columns])


def binance_lines(path: Path) -> pd.DataFrame:
    """A list of values on each line."""
    data = pd.DataFrame(map(json.loads, path.read_text().splitlines()))
    return bars("BNBUSDT", pd.to_datetime(data[0], unit="ms", utc=True), data[[1, 2, 3, 4, 5]])


def kline(symbol: str, unit: str) -> Read:
    """Return a reader of Binance's twelve columns without header."""

    def read(path: Path) -> pd.DataFrame:
        data = pd.read_csv(path, header=None)
        times = pd.to_datetime(data[0], unit=unit, utc=True)
        return bars(symbol, times, data[[1, 2, 3, 4, 5]])

    return read


def lean(path: Path) -> pd.DataFrame:
    """LEAN counts prices in ten-thousandths."""
    with zipfile.ZipFile(path) as archive, archive.open("spy.csv") as file:
        data = pd.read_csv(file, header=None, names=["time", *LOWER])
    data[LOWER[:4]] = data[LOWER[:4]] / 10_000
    times = pd.to_datetime(data["time"], format="%Y%m%d %H:%M")
    return bars("SPY", times, data[LOWER], NEW_YORK)


def ninjatrader(path: Path) -> pd.DataFrame:
    """NinjaTrader stamps bars with their end, in UTC."""
    data = pd.read_csv(path, sep=";", header=None, names=["time", *LOWER])
    times = pd.to_datetime(data["time"], format="%Y%m%d %H%M%S") - timedelta(minutes=1)
    return bars("ES", times, data[LOWER])


def barchart(path: Path) -> pd.DataFrame:
    """The last row says when the file was made."""
    data = pd.read_csv(path, skipfooter=1, engine="python")
    columns = ["Open", "High", "Low", "Latest", "Volume"]
    return bars("ESH24", data["Time"], data[columns], "America/Chicago")


def refinitiv(path: Path) -> pd.DataFrame:
    """Volumes are quoted and grouped."""
    data = pd.read_csv(path, thousands=",")
    return bars("AAPL", pd.to_datetime(data["Exchange Date"], format="%d-%b-%Y"), data[OHLCV])


def pandas_parquet(path: Path) -> pd.DataFrame:
    """Times are the index."""
    data = pd.read_parquet(path)
    return bars("AAPL", data.index, data[OHLCV])


def pandas_feather(path: Path) -> pd.DataFrame:
    """Times have a zone, and the symbol is categorical."""
    data = pd.read_feather(path)
    return bars(data["symbol"], data["timestamp"], data[LOWER])


def pandas_lines(path: Path) -> pd.DataFrame:
    """Records on lines, times in milliseconds."""
    data = pd.DataFrame(map(json.loads, path.read_text().splitlines()))
    times = pd.to_datetime(data["timestamp"], unit="ms", utc=True)
    return bars(data["symbol"], times, data[LOWER])


def without_volume(symbol: str, time: str, columns: list[str], form: str) -> Read:
    """Return a reader of files that have no volume."""

    def read(path: Path) -> pd.DataFrame:
        data = pd.read_csv(path)
        times = pd.to_datetime(data[time], format=form)
        return bars(symbol, times, data[columns].assign(volume=float("nan")))

    return read
