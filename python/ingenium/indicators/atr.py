"""The average true range."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["Atr"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Atr(Indicator):
    """Average true range after Wilder, in the price's unit.

    The true range is ``max(high - low, |high - last close|, |low - last close|)``. Its average
    starts at the simple mean of the first ``period`` ranges and continues as
    ``atr += (range - atr) / period``. The first bar has no last close: TA-Lib omits its range,
    StockCharts uses ``high - low``.

    Args:
        period: Length, in bars.
        first_range: Whether to count the first bar's ``high - low``, as StockCharts does.

    Raises:
        ConfigError: ``period`` is below 1.

    References:
        J. W. Wilder, "New Concepts in Technical Trading Systems", 1978, section III; TA-Lib,
        ``ta_ATR.c``; StockCharts ChartSchool, "Average True Range (ATR)".
    """

    __slots__ = ("_last", "_missing", "_period", "_started", "_total")
    state_parameters: ClassVar[tuple[str, ...]] = ("_period",)
    state_fields: ClassVar[tuple[str, ...]] = ("_last", "_missing", "_started", "_total")

    def __init__(self, period: Period = 14, *, first_range: bool = False) -> None:
        period = check_period("Atr", period)
        super().__init__(period + (0 if first_range else 1))
        self._period = period
        self._missing = self.warm_up
        self._last = nan
        self._total = 0.0
        self._started = first_range

    def update(self, high: float, low: float, close: float) -> float:
        """Add a bar.

        Returns:
            The average; ``nan`` until `warm_up` bars were added.

        Raises:
            ValueError: A price is not finite, or high is below low.
        """
        # A nan or an infinity among them makes their sum one, too.
        if not isfinite(high + low + close) or high < low:
            raise bad_input(self, high=high, low=low, close=close)
        last = self._last
        self._last = close
        # Comparisons with the nan of the first bar are false, so its range is high - low.
        range_ = (high if not last > high else last) - (low if not last < low else last)
        if not self._missing:
            value = self.value
            period = self._period
            self.value = value = (value * (period - 1) + range_) / period
            return value
        self._missing -= 1
        if self._started:
            self._total += range_
        self._started = True
        if self._missing:
            return nan
        self.value = self._total / self._period
        return self.value
