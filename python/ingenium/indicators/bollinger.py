"""Bollinger Bands."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar, SupportsFloat

from ingenium._native import mypyc_attr
from ingenium.errors import ConfigError
from ingenium.indicators._base import Indicator, Period, bad_input, check_period
from ingenium.indicators.stdev import RollingStdev

__all__ = ["BollingerBands"]


@mypyc_attr(allow_interpreted_subclasses=True)
class BollingerBands(Indicator):
    """Bollinger Bands: a simple moving average, and lines some standard deviations off it.

    The deviation is that of the population, over ``period``, as in Bollinger, TA-Lib and
    StockCharts.

    Args:
        period: Closes in the window.
        deviations: Distance of the bands from the middle, in standard deviations.

    Attributes:
        value: The middle line, a simple moving average.
        upper: Middle plus ``deviations`` standard deviations; ``math.nan`` until `ready`.
        lower: Middle minus ``deviations`` standard deviations; ``math.nan`` until `ready`.

    Raises:
        ConfigError: ``period`` is below 1, or ``deviations`` is not a positive number.

    References:
        J. Bollinger, "Bollinger on Bollinger Bands", 2001; TA-Lib, ``ta_BBANDS.c``.
    """

    __slots__ = ("_deviations", "_stdev", "lower", "upper")
    state_parameters: ClassVar[tuple[str, ...]] = ("_deviations",)
    state_fields: ClassVar[tuple[str, ...]] = ("_stdev", "lower", "upper")

    def __init__(self, period: Period = 20, deviations: SupportsFloat = 2.0) -> None:
        period = check_period("BollingerBands", period)
        super().__init__(period)
        if not (isfinite(deviations) and float(deviations) > 0):
            raise ConfigError(
                f"deviations {deviations!r} of BollingerBands does not fit: pass a number > 0"
            )
        self._deviations = float(deviations)
        self._stdev = RollingStdev(period)
        self.upper = nan
        self.lower = nan

    @property
    def middle(self) -> float:
        """The middle line, which is `value`."""
        return self.value

    def update(self, close: float) -> float:
        """Add a close.

        Returns:
            The middle line; ``nan`` until ``period`` closes were added.

        Raises:
            ValueError: The close is not finite.
        """
        if not isfinite(close):
            raise bad_input(self, close=close)
        stdev = self._stdev
        distance = self._deviations * stdev.update(close)
        self.value = middle = stdev.mean
        self.upper = middle + distance
        self.lower = middle - distance
        return middle
