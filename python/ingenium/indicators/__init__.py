"""Streaming indicators: one number in, one number out, in constant time per bar.

All indicators have the same interface. ``update(...)`` takes what one bar adds, as floats, and
returns ``value``: ``math.nan`` until the indicator is ``ready``, which is after ``warm_up``
updates. An indicator with several lines returns the main line and has the others as attributes. A
number that is not finite raises ``ValueError`` and leaves the indicator unchanged.
"""

from ingenium.indicators._base import Indicator
from ingenium.indicators.atr import Atr
from ingenium.indicators.bollinger import BollingerBands
from ingenium.indicators.donchian import Donchian
from ingenium.indicators.ema import Ema
from ingenium.indicators.extremes import RollingHigh, RollingLow
from ingenium.indicators.macd import Macd
from ingenium.indicators.rsi import Rsi
from ingenium.indicators.sma import Sma
from ingenium.indicators.stdev import RollingStdev
from ingenium.indicators.vwap import RollingVwap, Vwap

__all__ = [
    "Atr",
    "BollingerBands",
    "Donchian",
    "Ema",
    "Indicator",
    "Macd",
    "RollingHigh",
    "RollingLow",
    "RollingStdev",
    "RollingVwap",
    "Rsi",
    "Sma",
    "Vwap",
]
