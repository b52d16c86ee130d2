"""Estimate how much of the best result of many trials is luck."""

from __future__ import annotations

from collections.abc import Sequence
from math import e, fsum, inf, sqrt
from statistics import NormalDist, fmean

__all__ = ["deflated_sharpe", "expected_best_sharpe", "moments"]

_EULER = 0.5772156649015329
_NORMAL = NormalDist()


def moments(returns: Sequence[float]) -> tuple[float, float, float]:
    """Return Sharpe ratio per period, skewness and kurtosis of returns.

    Args:
        returns: Simple returns; fewer than three, or a constant series, have no moments.

    Returns:
        Mean over sample standard deviation; third and fourth standardized moments, 0 and 3 for a
        normal distribution.
    """
    count = len(returns)
    if count < 3:
        return 0.0, 0.0, 3.0
    try:
        mean = fmean(returns)
        second = fsum((r - mean) ** 2 for r in returns) / count
        third = fsum((r - mean) ** 3 for r in returns) / count
        fourth = fsum((r - mean) ** 4 for r in returns) / count
        if not 1e-28 < second < inf:
            return 0.0, 0.0, 3.0
        return mean / sqrt(second * count / (count - 1)), third / second**1.5, fourth / second**2
    except (OverflowError, ValueError):
        return 0.0, 0.0, 3.0  # beyond any float


def expected_best_sharpe(sharpes: Sequence[float]) -> float:
    """Return the Sharpe ratio to expect from the best of some trials without any skill.

    Args:
        sharpes: Sharpe ratios of all trials, per period.

    References:
        D. H. Bailey, M. Lopez de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio
        Management, 2014, equation 1.
    """
    count = len(sharpes)
    if count < 2:
        return 0.0
    mean = fmean(sharpes)
    deviation = sqrt(fsum((s - mean) ** 2 for s in sharpes) / (count - 1))
    first = _NORMAL.inv_cdf(1.0 - 1.0 / count)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (count * e))
    return deviation * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(
    sharpe: float, skewness: float, kurtosis: float, observations: int, benchmark: float
) -> float | None:
    """Return the probability that a true Sharpe ratio exceeds the one expected from luck alone.

    Args:
        sharpe: Sharpe ratio of the chosen trial, per period.
        skewness: Skewness of its returns.
        kurtosis: Kurtosis of its returns; 3 for a normal distribution.
        observations: Number of returns.
        benchmark: `expected_best_sharpe` of all trials.

    Returns:
        A probability; below 0.95 the result is likely to be luck. ``None`` if undefined.

    References:
        See `expected_best_sharpe`; equation 2.
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * (sharpe * sharpe)
    if observations < 3 or not 0 < variance < inf:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * sqrt(observations - 1) / sqrt(variance))
