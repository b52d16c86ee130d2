"""The relative strength index."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["Rsi"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Rsi(Indicator):
    """Relative strength index after Wilder, from 0 to 100.

    ``100 * gain / (gain + loss)``, which is ``100 - 100 / (1 + gain / loss)``. ``gain`` and
    ``loss`` are the mean rise and the mean fall from close to close: simple means of the first
    ``period`` changes, then smoothed as ``mean += (new - mean) / period``. A market that has not
    moved at all has 50; TA-Lib returns 0, which a strategy would read as the deepest fall.

    Args:
        period: Length, in closes.

    Raises:
        ConfigError: ``period`` is below 1.

    References:
        J. W. Wilder, "New Concepts in Technical Trading Systems", 1978, section VI; TA-Lib,
        ``ta_RSI.c``.
    """

    __slots__ = ("_gain", "_last", "_loss", "_missing", "_period")
    state_parameters: ClassVar[tuple[str, ...]] = ("_period",)
    state_fields: ClassVar[tuple[str, ...]] = ("_gain", "_last", "_loss", "_missing")

    def __init__(self, period: Period = 14) -> None:
        period = check_period("Rsi", period)
        super().__init__(period + 1)
        self._period = period
        self._missing = period + 1
        self._last = 0.0
        # Sums of the first changes until the first value, means from there on.
        self._gain = 0.0
        self._loss = 0.0

    def update(self, close: float) -> float:
        """Add a close.

        Returns:
            The index; ``nan`` until ``period + 1`` closes were added.

        Raises:
            ValueError: The close is not finite.
        """
        if not isfinite(close):
            raise bad_input(self, close=close)
        change = close - self._last
        self._last = close
        period = self._period
        if self._missing:
            return self._warm(change)
        keep = period - 1
        if change > 0.0:
            self._gain = gain = (self._gain * keep + change) / period
            self._loss = loss = self._loss * keep / period
        else:
            self._gain = gain = self._gain * keep / period
            self._loss = loss = (self._loss * keep - change) / period
        total = gain + loss
        self.value = value = 100.0 * gain / total if total else 50.0
        return value

    def _warm(self, change: float) -> float:
        self._missing -= 1
        # The first close has no predecessor, so no change.
        if self._missing < self._period:
            if change > 0.0:
                self._gain += change
            else:
                self._loss -= change
        if self._missing:
            return nan
        self._gain /= self._period
        self._loss /= self._period
        total = self._gain + self._loss
        self.value = 100.0 * self._gain / total if total else 50.0
        return self.value
