"""The price weighted by volume."""

from __future__ import annotations

from collections.abc import Hashable
from math import isfinite, nan

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period
from ingenium.indicators.sma import Sma

__all__ = ["RollingVwap", "Vwap"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Vwap(Indicator):
    """Volume-weighted average price since a start: of the session, or of any event.

    ``sum(typical price * volume) / sum(volume)``, with the typical price ``(high + low + close) /
    3``. It starts anew when the ``session`` of an update differs from the last one's, and on
    `reset`. Bars without volume leave it as it is.

    References:
        S. A. Berkowitz, D. E. Logue, E. A. Noser, "The Total Cost of Transactions on the NYSE", The
        Journal of Finance 43, 1988; StockCharts ChartSchool, "Volume-Weighted Average Price".
    """

    __slots__ = ("_money", "_session", "_volume")

    def __init__(self) -> None:
        super().__init__(1)
        self._money = 0.0
        self._volume = 0.0
        self._session: Hashable = None

    def reset(self) -> None:
        """Start anew: the next bar is the first one."""
        self._money = 0.0
        self._volume = 0.0
        self.value = nan

    def update(
        self, high: float, low: float, close: float, volume: float, session: Hashable = None
    ) -> float:
        """Add a bar.

        Args:
            high: Highest price.
            low: Lowest price.
            close: Last price.
            volume: Quantity traded, 0 or more.
            session: What tells sessions apart, such as ``bar.start.date()``; none: no session ends.

        Returns:
            The average; ``nan`` until there has been volume.

        Raises:
            ValueError: A number is not finite, high is below low, or the volume is negative.
        """
        if not isfinite(high + low + close + volume) or high < low or volume < 0:
            raise bad_input(self, high=high, low=low, close=close, volume=volume)
        if session != self._session:
            self._session = session
            self.reset()
        if volume:
            self._money += (high + low + close) / 3.0 * volume
            self._volume += volume
            self.value = self._money / self._volume
        return self.value


@mypyc_attr(allow_interpreted_subclasses=True)
class RollingVwap(Indicator):
    """Volume-weighted average price of the last ``period`` bars; see `Vwap`.

    Args:
        period: Bars in the window.

    Raises:
        ConfigError: ``period`` is below 1.
    """

    __slots__ = ("_money", "_volume")

    def __init__(self, period: Period) -> None:
        period = check_period("RollingVwap", period)
        super().__init__(period)
        self._money = Sma(period)
        self._volume = Sma(period)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Add a bar.

        Returns:
            The average; ``nan`` until ``period`` bars have come, and for a window without volume.

        Raises:
            ValueError: A number is not finite, high is below low, or the volume is negative.
        """
        if not isfinite(high + low + close + volume) or high < low or volume < 0:
            raise bad_input(self, high=high, low=low, close=close, volume=volume)
        money = self._money.update((high + low + close) / 3.0 * volume)
        mean_volume = self._volume.update(volume)
        self.value = value = money / mean_volume if mean_volume else nan
        return value
