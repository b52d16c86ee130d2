"""Figures of extreme accounts: none raises, none is infinite, and none flatters who lost all."""

from __future__ import annotations

import json
import math
import statistics as oracle
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite, isnan, sqrt
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ingenium import App, Ingestor, Portfolio, backtest
from ingenium.backtest import BacktestResult, EquityCurve, Statistics
from ingenium.backtest import statistics as stats
from ingenium.backtest.report.months import month_table
from ingenium.backtest.stats import summarize
from ingenium.backtest.sweep.overfitting import deflated_sharpe, expected_best_sharpe, moments
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillCounters, FillPolicy
from ingenium.trading import Account, Bar

START = datetime(2024, 1, 1, tzinfo=UTC)
RATIOS = ("cagr", "volatility", "sharpe", "sortino", "calmar", "alpha", "beta", "turnover")
"""What rests on returns, which an account at zero or below does not have."""

amounts = st.one_of(
    st.floats(-1e15, 1e15),
    st.floats(1e-9, 1e15),
    st.sampled_from([0.0, -0.0, 1e-300, 5e-324, -1e-300, 1e300, -1e300, 1.0, 100.0]),
)
equities = st.lists(amounts, min_size=0, max_size=30)
sound = st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=40)


def is_known(value: float | None) -> bool:
    return value is None or isfinite(value)


@given(equities, equities, st.sampled_from([1, 12, 52, 252, 365]))
@example([1e-9, 1e15, 1e-9], [1e15, 1e-9, 1e15], 365)
@example([5e-324, 1e300, 5e-324], [1.0, 2.0, 1.0], 252)
def test_figures_of_any_values_are_numbers_or_none(
    values: list[float], others: list[float], periods: int
) -> None:
    for returns, market in (
        (stats.simple_returns(values), stats.simple_returns(others)),
        (values, others),
    ):
        assert is_known(stats.volatility(returns, periods))
        assert is_known(stats.sharpe(returns, periods))
        assert is_known(stats.sortino(returns, periods))
        count = min(len(returns), len(market))
        assert is_known(stats.beta(returns[:count], market[:count]))
        assert is_known(stats.alpha(returns[:count], market[:count], periods))
        assert all(map(isfinite, moments(returns)))
        sharpe, skewness, kurtosis = moments(returns)
        chance = deflated_sharpe(sharpe, skewness, kurtosis, len(returns), 0.1)
        assert chance is None or 0 <= chance <= 1
    for figure in (stats.total_return, stats.max_drawdown, stats.profit_factor, stats.sqn):
        assert is_known(figure(values))
    for figure in (stats.expectancy, stats.win_rate):
        assert is_known(figure(values))
    for years in (0.0, 1e-9, 0.003, 1.0, 30.0):
        growth = stats.cagr(values, years)
        assert is_known(growth)
        assert is_known(stats.calmar(growth, stats.max_drawdown(values)))
    times = [0.0] * len(values)
    assert stats.longest_drawdown(values, times) == 0
    assert isfinite(expected_best_sharpe([v for v in values if abs(v) < 1e100]))


@given(sound)
def test_ratios_of_returns_equal_numpy(values: list[float]) -> None:
    series = np.array(values)
    returns = series[1:] / series[:-1] - 1
    assert stats.simple_returns(values) == pytest.approx(returns.tolist())
    deviation = float(returns.std(ddof=1))
    assume(deviation > 1e-6)
    assert stats.volatility(returns.tolist(), 252) == pytest.approx(deviation * sqrt(252))
    sharpe = stats.sharpe(returns.tolist(), 252)
    assert sharpe == pytest.approx(
        float(returns.mean()) / deviation * sqrt(252), rel=1e-9, abs=1e-9
    )
    below = np.minimum(returns, 0)
    downside = float(np.sqrt((below**2).mean()))
    if downside > 1e-9:
        assert stats.sortino(returns.tolist(), 252) == pytest.approx(
            float(returns.mean()) / downside * sqrt(252), rel=1e-9, abs=1e-9
        )
    peaks = np.maximum.accumulate(series)
    assert stats.max_drawdown(values) == pytest.approx(float((series / peaks - 1).min()))
    assert stats.total_return(values) == pytest.approx(values[-1] / values[0] - 1)


@given(st.integers(3, 40), st.integers())
def test_beta_equals_numpy(count: int, seed: int) -> None:
    chance = Random(seed)
    returns = [chance.uniform(-0.1, 0.1) for _ in range(count)]
    market = [chance.uniform(-0.1, 0.1) for _ in range(count)]
    covariance = np.cov(returns, market)
    assert stats.beta(returns, market) == pytest.approx(covariance[0, 1] / covariance[1, 1])


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_longest_drawdown_equals_every_pair_of_times(levels: list[int], chance: Any) -> None:
    times: list[float] = []
    for _ in levels:
        times.append((times[-1] if times else 0.0) + chance.choice([0.0, 1.0, 2.0, 30.0]))
    longest = 0.0
    for first, high in enumerate(levels):
        if first and high < max(levels[:first]):
            continue  # no high
        back = next((i for i in range(first + 1, len(levels)) if levels[i] >= high), None)
        if back is None:
            back = len(levels) - 1
        elif back == first + 1:
            continue  # never below it
        longest = max(longest, times[back] - times[first])
    assert stats.longest_drawdown(levels, times) == longest


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # The longest first, in the middle, and last; and one that ends with the data.
        ([10, 9, 9, 9, 11, 10, 12], 4),
        ([10, 9, 11, 10, 10, 10, 12, 11, 13], 4),
        ([10, 9, 12, 11, 11, 11, 13], 4),
        ([10, 9, 9, 11, 10, 10, 10, 10], 4),
        ([10, 9, 9, 9, 9, 11, 10, 10], 5),
        # A value equal to the high ends it.
        ([10, 9, 10, 9, 9, 10], 3),
    ],
)
def test_longest_drawdown_of_several(values: list[float], expected: float) -> None:
    times = [float(place) for place in range(len(values))]
    assert stats.longest_drawdown(values, times) == expected
    later = [1.7e9 + 86_400 * time for time in times]
    assert stats.longest_drawdown(values, later) == 86_400 * expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_figures_of_trades_equal_the_statistics_module(profits: list[float]) -> None:
    assert stats.expectancy(profits) == pytest.approx(oracle.fmean(profits))
    assert stats.win_rate(profits) == sum(p > 0 for p in profits) / len(profits)
    deviation = oracle.stdev(profits)
    if deviation > 1e-9 * abs(oracle.fmean(profits)) and deviation > 1e-100:
        expected = sqrt(len(profits)) * oracle.fmean(profits) / deviation
        assert stats.sqn(profits) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    runs = "".join("l" if p < 0 else " " for p in profits).split()
    assert stats.longest_losing_streak(profits) == max(map(len, runs), default=0)


def test_rounding_of_constant_returns_makes_no_ratio() -> None:
    for value in (0.1, 0.01, 1 / 3, 1e-5):
        constant = [value] * 7
        assert stats.sharpe(constant, 252) is None
        assert stats.beta([0.01, 0.02, 0.03, 0.01, 0.02, 0.03, 0.01], constant) is None
        assert stats.sqn(constant) is None
    assert stats.sortino([0.01, 0.02, -1e-17], 252) is None
    assert stats.calmar(0.1, -1e-17) is None


def test_swings_beyond_any_float_make_no_ratio() -> None:
    wild = [-1e200, 1.0, 1e200]
    assert stats.volatility(wild, 252) is None
    assert stats.sharpe(wild, 252) is None
    assert stats.sortino(wild, 252) is None
    assert stats.sqn([1e300, -1e300, 1e308]) is None
    assert stats.profit_factor([1e308, 1e308, -1.0]) is None
    assert stats.expectancy([1e308, 1e308]) is None


def test_returns_on_nothing_are_none() -> None:
    assert stats.simple_returns([100, 0, 50, -50, -800, 10]) == [-1, 0, -2, 0, 0]
    assert stats.total_return([0, 5]) is None
    assert stats.total_return([-5, -50]) is None
    assert stats.total_return([100, -800]) == -9
    assert stats.max_drawdown([0, -5]) is None
    assert stats.max_drawdown([-5, 0]) is None
    assert stats.max_drawdown([10, -5, 20]) == -1.5
    assert stats.is_solvent([1, 2, 0.001])
    assert not stats.is_solvent([1, 0, 2])
    assert not stats.is_solvent([1, -1, 2])


@pytest.mark.parametrize(
    ("returns", "market"),
    [
        # (1 + 1)**252 is beyond what is a rate, and (1 - 3)**252 is no rate at all.
        ([1.0, 1.1, 0.9], [0.0, 0.01, -0.01]),
        ([-3.0, -3.1, -2.9], [0.0, 0.01, -0.01]),
        ([1e3, 1e5, 1e4], [0.0, 0.01, -0.01]),
    ],
)
def test_alpha_that_compounds_to_nonsense_is_none(
    returns: list[float], market: list[float]
) -> None:
    assert stats.beta(returns, market) is not None
    assert stats.alpha(returns, market, 252) is None


def figures_of(values: Sequence[float], step: timedelta = timedelta(days=1)) -> Statistics:
    """Return the figures of an account that is worth so much, step by step."""
    curve = EquityCurve(values[0])
    for number, value in enumerate(values[1:]):
        curve.record(START + number * step, Account(Decimal(value)))
    found = summarize(curve, [], FillCounters(fills=1), 0.0, 1e6)
    json.dumps(list(vars_of(found).values()), allow_nan=False)
    month_table(curve)
    return found


def vars_of(found: Statistics) -> dict[str, float | None]:
    return {
        name: value
        for name in Statistics.__dataclass_fields__
        if isinstance(value := getattr(found, name), int | float | None)
    }


@given(
    st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=20),
    st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(days=1), timedelta(days=400)]),
)
def test_summary_of_any_account_is_of_numbers_and_nones(
    values: list[float], step: timedelta
) -> None:
    found = figures_of(values, step)
    assert all(map(is_known, vars_of(found).values()))
    if any(value <= 0 for value in values):
        assert [getattr(found, name) for name in RATIOS] == [None] * len(RATIOS)


def test_lost_account_keeps_the_figures_that_mean_something() -> None:
    found = figures_of([1000, 1100, -500, -8000, -2000])
    assert found.total_return == -3
    assert found.max_drawdown == pytest.approx(-8000 / 1100 - 1)
    assert found.final_equity == -2000
    assert found.peak_equity == 1100
    assert found.longest_drawdown == timedelta(days=3)


class Swings(Ingestor):
    def __init__(self, closes: Sequence[float]) -> None:
        super().__init__(name="swings")
        self.closes = closes

    def read_bars(self) -> Iterator[Bar]:
        for number, close in enumerate(self.closes):
            price = f"{close:.8f}"
            yield Bar.make(
                "X",
                START + timedelta(days=number),
                open=price,
                high=price,
                low=price,
                close=price,
                volume="",
                period=timedelta(days=1),
            )


class Opens(Portfolio):
    """Sends one order at the first bar."""

    def __init__(self, quantity: float, cash: float) -> None:
        super().__init__(Decimal(cash))
        self.quantity, self.count = quantity, 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.count == 1:
            side = "buy" if self.quantity > 0 else "sell"
            self.send_order(bar.symbol, side=side, quantity=abs(self.quantity))


class OpensSeen(Opens):
    """The same, but no step is quick, as a look of its own is taken at each bar."""

    def look(self, bar: Bar) -> bool:
        return True


def run(
    closes: Sequence[float], quantity: float, cash: float, kind: type[Opens] = Opens
) -> BacktestResult:
    return backtest.run(
        App(
            ingestors=[Swings(closes)],
            portfolio=kind(quantity, cash),
            executor=PaperExecutor(policy=FillPolicy(volume_cap=None)),
        )
    )


@pytest.mark.parametrize("kind", [Opens, OpensSeen])
def test_equity_of_exactly_zero_at_a_close_is_no_error(kind: type[Opens]) -> None:
    """20 bought at 100 with 1,000: at 50 nothing is left, and at 40 a debt of 200."""
    result = run([100, 100, 50, 75, 40, 100], 20, 1000, kind)
    assert list(result.equity.equity) == [1000, 1000, 0, 500, -200, 1000]
    exposure = list(result.equity.exposure)
    assert exposure[:2] == [0, 2]
    assert isnan(exposure[2])
    assert exposure[3] == 3
    assert isnan(exposure[4])
    assert exposure[5] == 2
    # Of six steps it was held in five; three of these had equity to hold it with.
    assert result.stats.exposure == pytest.approx(5 / 6)
    assert result.stats.leverage == pytest.approx((0 + 2 + 3 + 2) / 4)
    assert result.stats.total_return == 0
    assert [getattr(result.stats, name) for name in RATIOS] == [None] * len(RATIOS)
    assert "equity fell to zero or below, where a broker would have ended it" in result.flattering()
    assert any("up to 3.0 times equity" in line for line in result.flattering())
    json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.parametrize("quantity", [20, -20])
def test_report_of_a_lost_account_is_a_page(quantity: int, tmp_path: Any) -> None:
    closes = [100, 100, 50, 20, 10] if quantity > 0 else [100, 100, 200, 800, 900]
    result = run(closes, quantity, 1000)
    assert result.stats.max_drawdown is not None
    assert result.stats.max_drawdown < -1
    assert "<html" in result.report(tmp_path / "lost.html").read_text()
    result.to_pandas()


@given(
    st.lists(st.floats(1e-8, 1e9), min_size=2, max_size=12),
    st.sampled_from([-1e6, -3.0, 0.5, 4.0, 1e6]),
)
def test_backtest_of_any_prices_gives_figures(closes: list[float], quantity: float) -> None:
    result = run(closes, quantity, 10_000)
    assert all(map(is_known, vars_of(result.stats).values()))
    json.dumps(result.to_json(), allow_nan=False)


def test_benchmark_below_zero_has_no_beta_and_does_not_raise() -> None:
    curve = EquityCurve(100.0, "CL")
    for number, (equity, price) in enumerate([(101, 18.0), (102, -37.0), (101, 10.0), (104, 12.0)]):
        bar = Bar.make(
            "CL",
            START + timedelta(days=number),
            open="1",
            high="1",
            low="1",
            close="1",
            period=timedelta(days=1),
        )
        curve.record(bar.end, Account(Decimal(equity)), [bar])
        curve.benchmark[-1] = price
    found = summarize(curve, [], FillCounters(), 0.0, 0.0)
    assert (found.alpha, found.beta) == (None, None)
    assert found.sharpe is not None
    assert found.benchmark_return == pytest.approx(12 / 18 - 1)
    assert found.benchmark_max_drawdown == pytest.approx(-37 / 18 - 1)


def test_moments_beyond_any_float_are_those_of_no_skill() -> None:
    assert moments([1e200, -1e200, 1e150, 3.0]) == (0.0, 0.0, 3.0)
    assert moments([1e90, -1e90, 1e80, 3.0]) == (0.0, 0.0, 3.0)
    assert deflated_sharpe(1e200, 1.0, 5.0, 100, 0.0) is None
    assert deflated_sharpe(math.inf, 1.0, 5.0, 100, 0.0) is None


def test_turnover_leverage_and_exposure_worked_by_hand() -> None:
    """5 bought at 100 with 1,000, at the open of the second day; days are those after the first."""
    closes = [90.0, 100.0, 120.0, 80.0, 100.0, 100.0]
    result = run(closes, 5, 1000)
    equity = [1000.0, 1000.0, 1000.0, 1100.0, 900.0, 1000.0, 1000.0]
    assert list(result.equity.equity) == equity[1:]
    years = 5 / 365.25
    found = result.stats
    assert found.years == pytest.approx(years)
    assert found.turnover == pytest.approx(500 / (sum(equity) / 7) / years)
    exposures = [0, 500 / 1000, 600 / 1100, 400 / 900, 500 / 1000, 500 / 1000]
    assert list(result.equity.exposure) == pytest.approx(exposures)
    assert found.exposure == pytest.approx(5 / 6)
    assert found.leverage == pytest.approx(sum(exposures) / 6)
    assert (found.peak_equity, found.starting_equity, found.final_equity) == (1100, 1000, 1000)
    assert found.max_drawdown == pytest.approx(900 / 1100 - 1)
    # From the high on the third day to the end.
    assert found.longest_drawdown == timedelta(days=3)
