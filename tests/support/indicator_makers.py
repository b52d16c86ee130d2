"""All indicators, each with a way to make it, and bars to feed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingenium.indicators import (
    Atr,
    BollingerBands,
    Donchian,
    Ema,
    Macd,
    RollingHigh,
    RollingLow,
    RollingStdev,
    RollingVwap,
    Rsi,
    Sma,
    Vwap,
)

__all__ = ["BARS", "MAKERS", "every_indicator"]

# A way to make each, and what its update takes of (high, low, close, volume).
MAKERS: dict[str, tuple[Callable[[], Any], slice]] = {
    "sma": (lambda: Sma(5), slice(2, 3)),
    "ema": (lambda: Ema(5), slice(2, 3)),
    "ema first": (lambda: Ema(5, seed="first"), slice(2, 3)),
    "rsi": (lambda: Rsi(5), slice(2, 3)),
    "atr": (lambda: Atr(5), slice(0, 3)),
    "atr first": (lambda: Atr(5, first_range=True), slice(0, 3)),
    "bollinger": (lambda: BollingerBands(5), slice(2, 3)),
    "macd": (lambda: Macd(3, 6, 4), slice(2, 3)),
    "macd first": (lambda: Macd(3, 6, 4, seed="first"), slice(2, 3)),
    "donchian": (lambda: Donchian(5), slice(0, 2)),
    "high": (lambda: RollingHigh(5), slice(2, 3)),
    "low": (lambda: RollingLow(5), slice(2, 3)),
    "stdev": (lambda: RollingStdev(5), slice(2, 3)),
    "vwap": (Vwap, slice(0, 4)),
    "rolling vwap": (lambda: RollingVwap(5), slice(0, 4)),
}
BARS: list[tuple[float, ...]] = [
    (13.0 + i % 7, 8.0 + i % 5, 9.0 + (i * i) % 4, 100.0 + i) for i in range(40)
]

every_indicator = pytest.mark.parametrize("kind", MAKERS)
