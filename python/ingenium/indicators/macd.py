"""Moving average convergence/divergence."""

from __future__ import annotations

from math import isfinite, nan
from typing import ClassVar

from ingenium._native import mypyc_attr
from ingenium.errors import ConfigError
from ingenium.indicators._base import Indicator, Period, bad_input, check_period
from ingenium.indicators.ema import Ema, Seed, check_seed

__all__ = ["Macd"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Macd(Indicator):
    """Moving average convergence/divergence after Appel: a fast EMA minus a slow one.

    The signal line is an EMA of that difference, the histogram the difference minus the signal.
    With ``seed="sma"`` all three begin together and equal TA-Lib's: both averages begin at the same
    bar, so the fast one starts at the mean of the ``fast`` closes up to it. With ``seed="first"``
    all averages start at the first close and there are values at once.

    Args:
        fast: Period of the fast average.
        slow: Period of the slow average, above ``fast``.
        signal: Period of the signal line.
        seed: See `Ema`.

    Attributes:
        value: The MACD line, in the price's unit.
        signal: The signal line; ``math.nan`` until `ready`.
        histogram: Line minus signal; ``math.nan`` until `ready`.

    Raises:
        ConfigError: A period is below 1, or ``fast`` is not below ``slow``.

    References:
        G. Appel, "The Moving Average Convergence-Divergence Trading Method", 1979; TA-Lib,
        ``ta_MACD.c``, default compatibility.
    """

    __slots__ = ("_fast", "_signal_average", "_skip", "_slow", "histogram", "signal")
    state_fields: ClassVar[tuple[str, ...]] = (
        "_fast",
        "_signal_average",
        "_skip",
        "_slow",
        "histogram",
        "signal",
    )

    def __init__(
        self, fast: Period = 12, slow: Period = 26, signal: Period = 9, *, seed: Seed = "sma"
    ) -> None:
        fast = check_period("Macd", fast, name="fast")
        slow = check_period("Macd", slow, name="slow")
        signal = check_period("Macd", signal, name="signal")
        check_seed("Macd", seed)
        if fast >= slow:
            raise ConfigError(
                f"fast {fast} of Macd is not below slow {slow}: pass fast < slow, such as 12 and 26"
            )
        super().__init__(slow + signal - 1 if seed == "sma" else 1)
        self._fast = Ema(fast, seed=seed)
        self._slow = Ema(slow, seed=seed)
        self._signal_average = Ema(signal, seed=seed)
        self._skip = slow - fast if seed == "sma" else 0
        self.signal = nan
        self.histogram = nan

    def update(self, close: float) -> float:
        """Add a close.

        Returns:
            The MACD line; ``nan`` until the signal line is known, too.

        Raises:
            ValueError: The close is not finite.
        """
        if not isfinite(close):
            raise bad_input(self, close=close)
        slow = self._slow.update(close)
        if self._skip:
            self._skip -= 1
            return nan
        line = self._fast.update(close) - slow
        # Only nan differs from itself: the slow average is still warming up.
        if line != line:  # noqa: PLR0124
            return nan
        signal = self._signal_average.update(line)
        if signal != signal:  # noqa: PLR0124
            return nan
        self.value = line
        self.signal = signal
        self.histogram = line - signal
        return line
