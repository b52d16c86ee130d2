"""The standard deviation over a window."""

from __future__ import annotations

from math import fsum, isfinite, nan, sqrt
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["RollingStdev"]


@mypyc_attr(allow_interpreted_subclasses=True)
class RollingStdev(Indicator):
    """Standard deviation of the last ``period`` numbers.

    ``sqrt(sum((x - mean) ** 2) / period)``, or over ``period - 1`` for ``sample=True``. The
    indicator keeps the sums of ``x - shift`` and of its square, with the shift close to the mean,
    so that prices of 1e9 that move by cents lose no digits (Chan, Golub and LeVeque). Shift and
    sums are recomputed once per window length, and when the sum of squares has fallen far below its
    earlier value, where rounding would show; the cost per update is constant on average.

    Args:
        period: Numbers in the window.
        sample: Whether to divide by ``period - 1``, as for a sample of a larger population.

    Attributes:
        mean: Mean of the window; ``math.nan`` until `ready`.

    Raises:
        ConfigError: ``period`` is below 1, or below 2 for a sample.

    References:
        T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for Computing the Sample Variance",
        The American Statistician 37, 1983.
    """

    __slots__ = (
        "_divisor",
        "_full",
        "_next",
        "_peak",
        "_period",
        "_shift",
        "_squares",
        "_sum",
        "_window",
        "mean",
    )
    state_parameters: ClassVar[tuple[str, ...]] = ("_divisor", "_period")
    state_fields: ClassVar[tuple[str, ...]] = (
        "_full",
        "_next",
        "_peak",
        "_shift",
        "_squares",
        "_sum",
        "_window",
        "mean",
    )

    def __init__(self, period: Period, *, sample: bool = False) -> None:
        period = check_period("RollingStdev", period, least=2 if sample else 1)
        super().__init__(period)
        self._period = period
        self._divisor = period - 1 if sample else period
        self._window = [0.0] * period
        self._next = 0
        self._full = False
        self._shift = self._sum = self._squares = self._peak = 0.0
        self.mean = nan

    def update(self, number: float) -> float:
        """Add a number, such as a close.

        Returns:
            The deviation; ``nan`` until ``period`` numbers were added.

        Raises:
            ValueError: The number is not finite.
        """
        if not isfinite(number):
            raise bad_input(self, number=number)
        window = self._window
        place = self._next
        shift = self._shift
        new = number - shift
        old = window[place] - shift
        window[place] = number
        total = self._sum + (new - old)
        squares = self._squares + (new - old) * (new + old)
        place += 1
        if place == self._period:
            self._next = 0
            self._full = True
            return self._anew()
        self._next = place
        if not self._full:
            return nan
        rest = squares - total * total / self._period
        if squares > self._peak:  # noqa: PLR1730  max() costs a call per bar
            self._peak = squares
        if rest < 1e-4 * self._peak:
            return self._anew()
        self._sum = total
        self._squares = squares
        self.mean = shift + total / self._period
        self.value = value = sqrt(rest / self._divisor)
        return value

    def _anew(self) -> float:
        window = self._window
        period = self._period
        # Computing the mean relative to one of the numbers gives a flat window a deviation of 0,
        # not 1e-17.
        first = window[0]
        self._shift = shift = first + fsum([number - first for number in window]) / period
        offsets = [number - shift for number in window]
        self._sum = total = fsum(offsets)
        squares = fsum([offset * offset for offset in offsets])
        self._squares = self._peak = squares
        self.mean = shift + total / period
        self.value = sqrt(max(squares - total * total / period, 0.0) / self._divisor)
        return self.value
