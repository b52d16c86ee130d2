"""The exponential moving average."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar, Literal

from ingenium._native import mypyc_attr
from ingenium.errors import ConfigError
from ingenium.indicators._base import Indicator, Period, bad_input, check_period

__all__ = ["Ema", "Seed"]

Seed = Literal["sma", "first"]
"""Initial value of an average: the mean of its first numbers, or the first number."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Ema(Indicator):
    """Exponential moving average: ``ema += 2 / (period + 1) * (number - ema)``.

    Libraries differ in the initial value, and therefore in early values. ``seed="sma"`` starts at
    the simple mean of the first ``period`` numbers, as TA-Lib and StockCharts do. ``seed="first"``
    starts at the first number, as pandas does with ``ewm(span=period, adjust=False)``; its values
    depend heavily on that one number for about three periods.

    Args:
        period: Length, in updates.
        seed: ``"sma"`` or ``"first"``.

    Raises:
        ConfigError: ``period`` is below 1, or ``seed`` is invalid.

    References:
        TA-Lib, ``ta_EMA.c``, default compatibility; StockCharts ChartSchool, "Moving Averages -
        Simple and Exponential".
    """

    __slots__ = ("_alpha", "_missing", "_total")
    state_parameters: ClassVar[tuple[str, ...]] = ("_alpha",)
    state_fields: ClassVar[tuple[str, ...]] = ("_missing", "_total")

    def __init__(self, period: Period, *, seed: Seed = "sma") -> None:
        period = check_period("Ema", period)
        check_seed("Ema", seed)
        super().__init__(period if seed == "sma" else 1)
        self._alpha = 2.0 / (period + 1)
        self._missing = self.warm_up
        self._total = 0.0

    def update(self, number: float) -> float:
        """Add a number, such as a close.

        Returns:
            The average; ``nan`` until `warm_up` numbers were added.

        Raises:
            ValueError: The number is not finite.
        """
        if not isfinite(number):
            raise bad_input(self, number=number)
        if not self._missing:
            value = self.value
            self.value = value = value + self._alpha * (number - value)
            return value
        self._missing -= 1
        self._total += number
        if self._missing:
            return nan
        self.value = self._total / self.warm_up
        return self.value


def check_seed(owner: str, seed: str) -> None:
    """Check that a seed is one of `Seed`.

    Raises:
        ConfigError: The seed is invalid.
    """
    if seed not in {"sma", "first"}:
        raise ConfigError(f"seed {seed!r} of {owner} does not fit: pass 'sma' or 'first'")
