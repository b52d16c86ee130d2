"""Statistics against empyrical's own test cases, empyrical and quantstats on real prices."""

from __future__ import annotations

import csv
import json
from math import isinf, isnan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.backtest import statistics as stats

ORACLES = Path(__file__).parents[2] / "data" / "oracles"
CASES = json.loads((ORACLES / "empyrical_fixtures.json").read_text())["cases"]
PERIODS = {"daily": 252, "weekly": 52, "monthly": 12, "yearly": 1}


def _series(given_series: Any) -> list[float]:
    # empyrical passes over what is missing.
    return [float(v) for v in given_series["values"] if v is not None]


def _expected(text: str) -> float | None:
    value = float(text)
    return None if isnan(value) or isinf(value) else value


def _growth(returns: list[float]) -> list[float]:
    values = [1.0]
    for each in returns:
        values.append(values[-1] * (1 + each))
    return values


def _cases(name: str) -> list[Any]:
    return [pytest.param(case, id=str(place)) for place, case in enumerate(CASES[name])]


def _agree(got: float | None, expected: float | None) -> None:
    if expected is None:
        assert got is None
    else:
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("case", _cases("test_max_drawdown"))
def test_max_drawdown_equals_empyrical(case: list[Any]) -> None:
    returns = _series(case[0])
    if returns:
        _agree(stats.max_drawdown(_growth(returns)), _expected(case[-1]))
    else:
        assert stats.max_drawdown([]) is None


@pytest.mark.parametrize("case", _cases("test_annual_volatility"))
def test_volatility_equals_empyrical(case: list[Any]) -> None:
    _agree(stats.volatility(_series(case[0]), PERIODS[case[1]]), _expected(case[-1]))


@pytest.mark.parametrize("case", _cases("test_sharpe_ratio"))
def test_sharpe_equals_empyrical(case: list[Any]) -> None:
    texts = case[0]["values"]
    free = [case[1]] * len(texts) if isinstance(case[1], str) else case[1]["values"]
    pairs = zip(texts, free, strict=True)
    excess = [float(r) - float(f) for r, f in pairs if r is not None and f is not None]
    _agree(stats.sharpe(excess, 252), _expected(case[-1]))


@pytest.mark.parametrize("case", _cases("test_cagr"))
def test_cagr_equals_empyrical(case: list[Any]) -> None:
    returns = _series(case[0])
    years = len(case[0]["values"]) / PERIODS[case[1]]
    _agree(stats.cagr(_growth(returns), years) if returns else None, _expected(case[-1]))


@pytest.fixture(scope="module")
def closes() -> list[float]:
    with (ORACLES / "aapl_adj_close.csv").open() as file:
        return [float(row["adj_close"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    answers = json.loads((ORACLES / "buy_and_hold_real.json").read_text())["series"]
    found: dict[str, Any] = answers["open/us_equities_daily/AAPL_adj_close.csv"]
    return found


def test_buy_and_hold_of_aapl_equals_empyrical_and_quantstats(
    closes: list[float], oracle: dict[str, Any]
) -> None:
    returns = stats.simple_returns(closes)
    assert len(returns) == oracle["observations"]
    growth = stats.cagr(closes, len(returns) / 252)
    deepest = stats.max_drawdown(closes)
    assert stats.total_return(closes) == pytest.approx(oracle["total_return"])
    assert growth == pytest.approx(oracle["annual_return"])
    assert stats.volatility(returns, 252) == pytest.approx(oracle["annual_volatility"])
    assert stats.sharpe(returns, 252) == pytest.approx(oracle["sharpe_rf0"])
    assert stats.sortino(returns, 252) == pytest.approx(oracle["sortino_rf0"])
    assert deepest == pytest.approx(oracle["max_drawdown"])
    assert stats.calmar(growth, deepest) == pytest.approx(oracle["calmar"])
    for name in ("sharpe", "sortino"):
        ours = getattr(stats, name)(returns, 252)
        assert ours == pytest.approx(oracle["quantstats"][name])


def test_beta_of_a_levered_series_is_its_leverage_and_alpha_its_extra() -> None:
    market = [0.01, -0.02, 0.005, 0.03, -0.01]
    returns = [2 * r + 0.001 for r in market]
    assert stats.beta(returns, market) == pytest.approx(2)
    assert stats.alpha(returns, market, 252) == pytest.approx(1.001**252 - 1)
    assert stats.beta(returns, [0.01] * 5) is None


def test_longest_drawdown_of_values_without_times_is_refused() -> None:
    with pytest.raises(ValueError, match="3 values have 2 times"):
        stats.longest_drawdown([5, 4, 3], [0.0, 1.0])


def test_longest_drawdown_runs_from_the_high_to_its_recovery_or_the_end() -> None:
    times = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert stats.longest_drawdown([5, 4, 3, 5, 6, 7], times) == 3
    assert stats.longest_drawdown([5, 6, 5, 5, 5, 5], times) == 4
    assert stats.longest_drawdown([1, 2, 3, 4, 5, 6], times) == 0
    assert stats.longest_drawdown([], []) == 0


def test_figures_of_trades_worked_by_hand() -> None:
    profits = [10.0, -5.0, -5.0, 20.0, 0.0]
    assert stats.win_rate(profits) == pytest.approx(0.4)
    assert stats.profit_factor(profits) == pytest.approx(3)
    assert stats.expectancy(profits) == pytest.approx(4)
    assert stats.longest_losing_streak(profits) == 2
    # mean 4, sample deviation sqrt((36 + 81 + 81 + 256 + 16) / 4)
    assert stats.sqn(profits) == pytest.approx(5**0.5 * 4 / (470 / 4) ** 0.5)


def test_figures_of_nothing_are_none() -> None:
    for name in ("win_rate", "profit_factor", "expectancy", "sqn", "total_return", "max_drawdown"):
        assert getattr(stats, name)([]) is None
    for name in ("volatility", "sharpe", "sortino"):
        assert getattr(stats, name)([], 252) is None
        assert getattr(stats, name)([0.01], 252) is None
    assert stats.cagr([1.0, 2.0], 0.0) is None
    assert stats.cagr([1.0, -2.0], 1.0) is None
    assert stats.cagr([1e-300, 1e300], 0.003) is None
    assert stats.simple_returns([0.0, 1.0]) == [0.0]


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=50))
def test_drawdown_lies_between_minus_one_and_zero(values: list[float]) -> None:
    deepest = stats.max_drawdown(values)
    assert deepest is not None
    assert -1 <= deepest <= 0
    assert (deepest == 0) == (values == sorted(values))
