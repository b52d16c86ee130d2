"""The Donchian channel."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period
from ingenium.indicators.extremes import RollingHigh, RollingLow

__all__ = ["Donchian"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Donchian(Indicator):
    """Donchian channel: the highest high and the lowest low of the last ``period`` bars.

    The newest bar is part of the window, so a breakout is a bar beyond the lines as they stood
    *before* it was added.

    Args:
        period: Bars in the window.

    Attributes:
        value: The middle line, ``(upper + lower) / 2``.
        upper: The highest high; ``math.nan`` until `ready`.
        lower: The lowest low; ``math.nan`` until `ready`.

    Raises:
        ConfigError: ``period`` is below 1.

    References:
        R. D. Donchian, "High finance in copper", Financial Analysts Journal 16, 1960.
    """

    __slots__ = ("_high", "_low", "lower", "upper")
    state_fields: ClassVar[tuple[str, ...]] = ("_high", "_low", "lower", "upper")

    def __init__(self, period: Period = 20) -> None:
        period = check_period("Donchian", period)
        super().__init__(period)
        self._high = RollingHigh(period)
        self._low = RollingLow(period)
        self.upper = nan
        self.lower = nan

    @property
    def middle(self) -> float:
        """The middle line, which is `value`."""
        return self.value

    def update(self, high: float, low: float) -> float:
        """Add a bar.

        Returns:
            The middle line; ``nan`` until ``period`` bars were added.

        Raises:
            ValueError: A price is not finite, or high is below low.
        """
        if not isfinite(high + low) or high < low:
            raise bad_input(self, high=high, low=low)
        self.upper = upper = self._high.update(high)
        self.lower = lower = self._low.update(low)
        self.value = value = (upper + lower) / 2.0
        return value
