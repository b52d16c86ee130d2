"""The simple moving average."""

from __future__ import annotations

from math import fsum, inf, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["Sma"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Sma(Indicator):
    """Simple moving average: the mean of the last ``period`` numbers.

    A running sum accumulates rounding errors. The sum is therefore recomputed once per window
    length, and when it has fallen far below its earlier value, where rounding would show; the cost
    per update is constant on average.

    Args:
        period: Numbers in the window.

    Raises:
        ConfigError: ``period`` is below 1.
    """

    __slots__ = ("_missing", "_next", "_peak", "_period", "_total", "_window")
    state_parameters: ClassVar[tuple[str, ...]] = ("_period",)
    state_fields: ClassVar[tuple[str, ...]] = ("_missing", "_next", "_peak", "_total", "_window")

    def __init__(self, period: Period) -> None:
        period = check_period("Sma", period)
        super().__init__(period)
        self._period = period
        self._window = [0.0] * period
        self._next = 0
        self._missing = period
        self._total = self._peak = 0.0

    def update(self, number: float) -> float:
        """Add a number, such as a close.

        Returns:
            The mean; ``nan`` until ``period`` numbers were added.

        Raises:
            ValueError: The number is not finite.
        """
        if not -inf < number < inf:
            raise bad_input(self, number=number)
        window = self._window
        place = self._next
        old = window[place]
        window[place] = number
        total = self._total + number - old
        place += 1
        if place == self._period:
            place = 0
            total = fsum(window)
            self._peak = abs(total)
        else:
            size = abs(total)
            if size > self._peak:
                self._peak = size
            elif size < 1e-3 * self._peak:
                total = fsum(window)
                self._peak = abs(total)
        self._next = place
        self._total = total
        if self._missing:
            self._missing -= 1
            if self._missing:
                return nan
        self.value = value = total / self._period
        return value
