"""Our indicators against values that other people and programs worked out."""

from __future__ import annotations

import csv
from math import isnan
from pathlib import Path

import pytest

from ingenium.indicators import Atr, BollingerBands, Ema, Macd, Rsi, Sma

ROOT = Path(__file__).parents[3]
ORACLES = ROOT / "tests" / "data" / "oracles"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check(ours: list[float], theirs: list[str], tolerance: float) -> int:
    """Compare where they have a value; ours has none where they have none. Return the count."""
    compared = 0
    for number, text in zip(ours, theirs, strict=True):
        if not text:
            assert isnan(number)
            continue
        assert number == pytest.approx(float(text), rel=0, abs=tolerance)
        compared += 1
    return compared


@pytest.mark.parametrize(
    ("file", "indicator", "tolerance", "count"),
    [
        ("stockcharts_sma10.csv", Sma(10), 0.005001, 21),
        ("stockcharts_ema10.csv", Ema(10), 0.000005001, 21),
        ("ninjatrader_sma15.csv", Sma(15), 1e-12, 236),
    ],
)
def test_average_of_published_closes_equals_published_values(file, indicator, tolerance, count):
    rows = rows_of(ORACLES / file)
    ours = [indicator.update(float(row["close"])) for row in rows]
    assert check(ours, [row["expected"] for row in rows], tolerance) == count


def test_rsi14_of_published_closes_equals_published_values():
    rows = rows_of(ORACLES / "stockcharts_rsi14.csv")
    rsi = Rsi(14)
    ours = [rsi.update(float(row["close"])) for row in rows]
    assert check(ours, [row["rsi14_8dp"] for row in rows], 0.5001e-8) == 19
    assert check(ours, [row["rsi14_published_2dp"] for row in rows], 0.005001) == 19


def test_atr14_of_published_bars_equals_published_values():
    rows = rows_of(ORACLES / "stockcharts_atr14.csv")
    atr = Atr(14, first_range=True)
    ours = [atr.update(float(row["high"]), float(row["low"]), float(row["close"])) for row in rows]
    assert check(ours, [row["atr"] for row in rows], 0.5001e-9) == 17


def test_bollinger_bands_of_published_closes_equal_published_values():
    rows = rows_of(ORACLES / "stockcharts_bbands20_2.csv")
    bands = BollingerBands(20, 2)
    lines: dict[str, list[float]] = {"middleband": [], "highband": [], "lowband": []}
    for row in rows:
        lines["middleband"].append(bands.update(float(row["close"])))
        lines["highband"].append(bands.upper)
        lines["lowband"].append(bands.lower)
    for name, ours in lines.items():
        assert check(ours, [row[name] for row in rows], 0.5001e-6) == 23


def test_macd_seeded_with_first_close_equals_published_values():
    rows = rows_of(ORACLES / "ta_ema12_ema26_macdline_firstseed.csv")
    fast, slow, macd = Ema(12, seed="first"), Ema(26, seed="first"), Macd(seed="first")
    for row in rows:
        close = float(row["close"])
        assert fast.update(close) == pytest.approx(float(row["short_ema"]), rel=0, abs=0.5001e-8)
        assert slow.update(close) == pytest.approx(float(row["long_ema"]), rel=0, abs=0.5001e-8)
        line = macd.update(close)
        # The source leaves the first line, which is 0, out.
        expected = float(row["macd_line"] or 0)
        assert line == pytest.approx(expected, rel=0, abs=0.5001e-9)


def test_all_indicators_on_thirteen_years_of_aapl_equal_talib():
    oracle = {row["timestamp"]: row for row in rows_of(ORACLES / "talib_aapl.csv")}
    sma, ema, rsi, atr, bands, macd = Sma(20), Ema(20), Rsi(14), Atr(14), BollingerBands(), Macd()
    compared = 0
    for row in rows_of(ROOT / "examples" / "data" / "AAPL.csv"):
        high, low, close = float(row["high"]), float(row["low"]), float(row["close"])
        ours = {
            "sma20": sma.update(close),
            "ema20": ema.update(close),
            "rsi14": rsi.update(close),
            "atr14": atr.update(high, low, close),
            "bb_mid20": bands.update(close),
            "bb_upper20": bands.upper,
            "bb_lower20": bands.lower,
            "macd": macd.update(close),
            "macd_signal": macd.signal,
            "macd_hist": macd.histogram,
        }
        theirs = oracle.get(row["timestamp"])
        if theirs is not None:
            for name, number in ours.items():
                compared += check([number], [theirs[name]], 1e-9)
    assert compared == 9_468
