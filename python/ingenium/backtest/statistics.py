"""Statistics of returns and trades: one small function each, over plain numbers.

Returns are simple: ``value / previous value - 1``, as fractions: 0.01 is one percent. Where a
figure is undefined, such as the ratio of a constant series, or exceeds the range of a float, the
result is ``None``: no function raises an arithmetic error or returns infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, inf, isfinite, sqrt
from statistics import fmean

__all__ = [
    "alpha",
    "beta",
    "cagr",
    "calmar",
    "expectancy",
    "is_solvent",
    "longest_drawdown",
    "longest_losing_streak",
    "max_drawdown",
    "profit_factor",
    "sharpe",
    "simple_returns",
    "sortino",
    "sqn",
    "total_return",
    "underwater",
    "volatility",
    "win_rate",
]


_NOISE = 1e-14
"""A deviation up to this is rounding error."""
_MOST_GROWTH = 1e6
"""Annual rates beyond it, 100,000,000 percent, come from a few days or an account near zero."""


def is_solvent(values: Sequence[float]) -> bool:
    """Return whether all values are above zero, so that returns between them are defined."""
    return all(value > 0 for value in values)


def simple_returns(values: Sequence[float]) -> list[float]:
    """Return ``v[i] / v[i-1] - 1``; a value that follows zero or less gives zero.

    There is no return on zero or negative equity; see `is_solvent`.

    Args:
        values: Equity or prices, n of them.

    Returns:
        n - 1 fractions.
    """
    return [(after / before - 1.0) if before > 0 else 0.0 for before, after in pairwise(values)]


def total_return(values: Sequence[float]) -> float | None:
    """Return ``last / first - 1``; ``None`` when the first is zero or below."""
    if len(values) < 2 or values[0] <= 0:
        return None
    return _finite(values[-1] / values[0] - 1.0)


def cagr(values: Sequence[float], years: float) -> float | None:
    """Return the compound annual growth rate, ``(last / first) ** (1 / years) - 1``.

    Args:
        values: Equity or prices.
        years: Length of the period. Under a day there is no annual rate.
    """
    if len(values) < 2 or values[0] <= 0 or values[-1] <= 0 or years < 1 / 365.25:
        return None
    return _annual(values[-1] / values[0], 1.0 / years)


def _annual(growth: float, power: float) -> float | None:
    """Return ``growth ** power - 1``; ``None`` beyond the limit of a rate."""
    if growth <= 0:
        return None
    try:
        rate = growth**power - 1.0
    except OverflowError:
        return None
    return rate if rate <= _MOST_GROWTH else None


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _deviation(returns: Sequence[float]) -> float:
    """Return the sample standard deviation; infinity beyond the range of a float."""
    try:
        mean = fmean(returns)
        return sqrt(fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    except (OverflowError, ValueError):
        return inf


def volatility(returns: Sequence[float], periods_per_year: int) -> float | None:
    """Return the annual volatility: sample standard deviation times ``sqrt(periods_per_year)``."""
    if len(returns) < 2:
        return None
    return _finite(_deviation(returns) * sqrt(periods_per_year))


def sharpe(returns: Sequence[float], periods_per_year: int) -> float | None:
    """Return the annual Sharpe ratio, at a risk-free rate of zero.

    ``mean / sample standard deviation * sqrt(periods_per_year)``.

    References:
        W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management, 1994.
    """
    if len(returns) < 2:
        return None
    deviation = _deviation(returns)
    # The rounding error of a constant series is not a deviation.
    if deviation == inf or deviation <= _NOISE * max(1.0, abs(fmean(returns))):
        return None
    return _finite(fmean(returns) / deviation * sqrt(periods_per_year))


def sortino(returns: Sequence[float], periods_per_year: int) -> float | None:
    """Return the annual Sortino ratio, at a target of zero.

    ``mean / sqrt(mean(min(r, 0) ** 2)) * sqrt(periods_per_year)``; the mean is over all returns.

    References:
        F. A. Sortino, L. N. Price, "Performance Measurement in a Downside Risk Framework",
        Journal of Investing, 1994.
    """
    if len(returns) < 2:
        return None
    try:
        downside = sqrt(fsum(r * r for r in returns if r < 0) / len(returns))
        mean = fmean(returns)
    except (OverflowError, ValueError):
        return None
    if downside == inf or downside <= _NOISE:
        return None
    return _finite(mean / downside * sqrt(periods_per_year))


def underwater(values: Sequence[float]) -> list[float]:
    """Return the drawdown of each value from the highest so far, as fractions of that: 0 to -1."""
    result: list[float] = []
    peak = float("-inf")
    for value in values:
        peak = max(peak, value)
        result.append(value / peak - 1.0 if peak > 0 else 0.0)
    return result


def max_drawdown(values: Sequence[float]) -> float | None:
    """Return the maximum drawdown from a former high, as a fraction: -0.25 is a quarter.

    Below -1 the loss exceeds the former high. ``None`` when no value is above zero.
    """
    deepest, peak = 0.0, float("-inf")
    for value in values:
        if value > peak:
            peak = value
        elif peak > 0 and value / peak - 1.0 < deepest:
            deepest = value / peak - 1.0
    return _finite(deepest) if peak > 0 else None


def longest_drawdown(values: Sequence[float], times: Sequence[float]) -> float:
    """Return the longest time from a high to the next value at or above it, or to the end.

    Args:
        values: Equity or prices.
        times: Their times, in seconds.

    Returns:
        Seconds.
    """
    longest = since = 0.0
    peak = float("-inf")
    is_under = False
    if len(values) != len(times):
        raise ValueError(
            f"{len(values)} values have {len(times)} times: pass one time for each value"
        )
    for place, value in enumerate(values):
        if value < peak:
            is_under = True
            continue
        time = times[place]
        if is_under and time - since > longest:
            longest = time - since
        is_under = False
        peak, since = value, time
    return max(longest, times[-1] - since) if is_under else longest


def calmar(annual_return: float | None, drawdown: float | None) -> float | None:
    """Return ``annual return / |max drawdown|``.

    References:
        T. W. Young, "Calmar Ratio: A Smoother Tool", Futures, 1991.
    """
    if annual_return is None or drawdown is None or abs(drawdown) <= _NOISE:
        return None
    return _finite(annual_return / abs(drawdown))


def beta(returns: Sequence[float], benchmark: Sequence[float]) -> float | None:
    """Return ``cov(returns, benchmark) / var(benchmark)``.

    References:
        W. F. Sharpe, "Capital Asset Prices", Journal of Finance, 1964.
    """
    if len(returns) < 2 or len(returns) != len(benchmark):
        return None
    try:
        mean, mean_benchmark = fmean(returns), fmean(benchmark)
        variance = fsum((b - mean_benchmark) ** 2 for b in benchmark)
        if variance <= len(returns) * (_NOISE * max(1.0, abs(mean_benchmark))) ** 2:
            return None
        pairs = zip(returns, benchmark, strict=True)
        return _finite(fsum((r - mean) * (b - mean_benchmark) for r, b in pairs) / variance)
    except (OverflowError, ValueError):
        return None


def alpha(
    returns: Sequence[float], benchmark: Sequence[float], periods_per_year: int
) -> float | None:
    """Return Jensen's annual alpha, at a risk-free rate of zero.

    ``(1 + mean(returns) - beta * mean(benchmark)) ** periods_per_year - 1``; ``None`` where the
    base is zero or below, or the mean of wild swings compounds to more than a millionfold.

    References:
        M. C. Jensen, "The Performance of Mutual Funds", Journal of Finance, 1968.
    """
    slope = beta(returns, benchmark)
    if slope is None:
        return None
    excess = fmean(returns) - slope * fmean(benchmark)
    return _annual(1.0 + excess, float(periods_per_year))


def win_rate(profits: Sequence[float]) -> float | None:
    """Return the fraction of trades with a profit."""
    return sum(p > 0 for p in profits) / len(profits) if profits else None


def profit_factor(profits: Sequence[float]) -> float | None:
    """Return gross profit over gross loss of trades; ``None`` without a loss."""
    try:
        lost = -fsum(p for p in profits if p < 0)
        return _finite(fsum(p for p in profits if p > 0) / lost) if lost else None
    except OverflowError:
        return None


def expectancy(profits: Sequence[float]) -> float | None:
    """Return the mean profit of a trade, in the account's currency."""
    try:
        return fmean(profits) if profits else None
    except OverflowError:
        return None


def sqn(profits: Sequence[float]) -> float | None:
    """Return the system quality number, ``sqrt(n) * mean / sample standard deviation``.

    References:
        V. K. Tharp, "Definitive Guide to Position Sizing", 2008.
    """
    if len(profits) < 2:
        return None
    deviation = _deviation(profits)
    if deviation == inf or deviation <= _NOISE * abs(fmean(profits)):
        return None
    return _finite(sqrt(len(profits)) * fmean(profits) / deviation)


def longest_losing_streak(profits: Sequence[float]) -> int:
    """Return the most losing trades in a row."""
    longest = streak = 0
    for profit in profits:
        streak = streak + 1 if profit < 0 else 0
        longest = max(longest, streak)
    return longest
