"""The highest and the lowest number of a window."""

from __future__ import annotations

from collections import deque
from math import isfinite, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["RollingHigh", "RollingLow"]


@mypyc_attr(allow_interpreted_subclasses=True)
class RollingHigh(Indicator):
    """The highest of the last ``period`` numbers, the newest included.

    A queue holds the numbers that may still become the highest, falling from front to back; each
    enters and leaves it once, so an update takes constant time on average, whatever the period.

    Args:
        period: Numbers in the window.

    Raises:
        ConfigError: ``period`` is below 1.

    References:
        D. Lemire, "Streaming Maximum-Minimum Filter Using No More than Three Comparisons per
        Element", Nordic Journal of Computing 13, 2006.
    """

    __slots__ = ("_count", "_numbers", "_period", "_places")
    state_parameters: ClassVar[tuple[str, ...]] = ("_period",)
    state_fields: ClassVar[tuple[str, ...]] = ("_count", "_numbers", "_places")

    def __init__(self, period: Period) -> None:
        period = check_period("RollingHigh", period)
        super().__init__(period)
        self._period = period
        self._count = 0
        self._numbers: deque[float] = deque()
        self._places: deque[int] = deque()

    def update(self, number: float) -> float:
        """Add a number, such as a high.

        Returns:
            The highest; ``nan`` until ``period`` numbers were added.

        Raises:
            ValueError: The number is not finite.
        """
        if not isfinite(number):
            raise bad_input(self, number=number)
        numbers, places = self._numbers, self._places
        count = self._count
        while numbers and numbers[-1] <= number:
            numbers.pop()
            places.pop()
        numbers.append(number)
        places.append(count)
        if places[0] <= count - self._period:
            numbers.popleft()
            places.popleft()
        self._count = count = count + 1
        if count < self._period:
            return nan
        self.value = value = numbers[0]
        return value


@mypyc_attr(allow_interpreted_subclasses=True)
class RollingLow(Indicator):
    """The lowest of the last ``period`` numbers, the newest included; see `RollingHigh`.

    Args:
        period: Numbers in the window.

    Raises:
        ConfigError: ``period`` is below 1.
    """

    __slots__ = ("_count", "_numbers", "_period", "_places")
    state_parameters: ClassVar[tuple[str, ...]] = ("_period",)
    state_fields: ClassVar[tuple[str, ...]] = ("_count", "_numbers", "_places")

    def __init__(self, period: Period) -> None:
        period = check_period("RollingLow", period)
        super().__init__(period)
        self._period = period
        self._count = 0
        self._numbers: deque[float] = deque()
        self._places: deque[int] = deque()

    def update(self, number: float) -> float:
        """Add a number, such as a low.

        Returns:
            The lowest; ``nan`` until ``period`` numbers were added.

        Raises:
            ValueError: The number is not finite.
        """
        if not isfinite(number):
            raise bad_input(self, number=number)
        numbers, places = self._numbers, self._places
        count = self._count
        while numbers and numbers[-1] >= number:
            numbers.pop()
            places.pop()
        numbers.append(number)
        places.append(count)
        if places[0] <= count - self._period:
            numbers.popleft()
            places.popleft()
        self._count = count = count + 1
        if count < self._period:
            return nan
        self.value = value = numbers[0]
        return value
