"""Rolling indicators against the plain formula over the window, and over very long runs."""

from __future__ import annotations

import math
import random
import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingenium.indicators import (
    BollingerBands,
    Donchian,
    RollingHigh,
    RollingLow,
    RollingStdev,
    RollingVwap,
    Sma,
    Vwap,
)

PRICES = st.floats(min_value=1e-8, max_value=1e9)
NUMBERS = st.one_of(PRICES, st.floats(min_value=-1e6, max_value=1e6), st.just(100.0))
SERIES = st.lists(NUMBERS, min_size=1, max_size=60)
PERIODS = st.integers(min_value=1, max_value=12)


def exact_mean(window: list[float]) -> Fraction:
    return sum(map(Fraction, window), Fraction(0)) / len(window)


def exact_variance(window: list[float], divisor: int) -> Fraction:
    mean = exact_mean(window)
    return sum(((Fraction(x) - mean) ** 2 for x in window), Fraction(0)) / divisor


@given(SERIES, PERIODS)
def test_sma_of_any_numbers_equals_mean_of_window(series, period):
    sma = Sma(period)
    for end, number in enumerate(series, 1):
        value = sma.update(number)
        if end < period:
            assert math.isnan(value)
            assert not sma.ready
        else:
            window = series[end - period : end]
            # What numbers of both signs cancel is lost in their own rounding already.
            size = sum(map(abs, window)) / period
            assert value == pytest.approx(float(exact_mean(window)), rel=1e-10, abs=1e-11 * size)
            assert sma.ready
            assert sma.value == value


@given(SERIES, PERIODS, st.booleans())
def test_stdev_of_any_numbers_equals_two_pass_formula(series, period, sample):
    period = max(period, 2)
    stdev = RollingStdev(period, sample=sample)
    for end, number in enumerate(series, 1):
        value = stdev.update(number)
        if end < period:
            assert math.isnan(value)
        else:
            window = series[end - period : end]
            expected = math.sqrt(exact_variance(window, period - 1 if sample else period))
            # The mean itself cannot be held closer than its last place.
            last_place = math.ulp(max(map(abs, window)))
            assert value == pytest.approx(expected, rel=1e-7, abs=4 * last_place)
            assert stdev.mean == pytest.approx(
                float(exact_mean(window)), rel=1e-12, abs=4 * last_place
            )


@given(SERIES, PERIODS)
def test_high_and_low_of_any_numbers_equal_max_and_min_of_window(series, period):
    high, low, channel = RollingHigh(period), RollingLow(period), Donchian(period)
    for end, number in enumerate(series, 1):
        values = high.update(number), low.update(number)
        middle = channel.update(number, number)
        if end < period:
            assert all(map(math.isnan, (*values, middle, channel.upper, channel.lower)))
        else:
            window = series[end - period : end]
            assert values == (max(window), min(window))
            assert (channel.upper, channel.lower) == values
            assert channel.middle == middle == (max(window) + min(window)) / 2


@given(
    st.lists(st.tuples(st.floats(0.01, 1e6), st.sampled_from([0.0, 1.0, 250.5, 1e9])), max_size=40),
    PERIODS,
)
def test_rolling_vwap_of_any_bars_equals_formula_over_window(bars, period):
    vwap = RollingVwap(period)
    for end in range(1, len(bars) + 1):
        price, volume = bars[end - 1]
        value = vwap.update(price, price, price, volume)
        window = bars[max(0, end - period) : end]
        traded = math.fsum(v for _, v in window)
        if end < period or not traded:
            assert math.isnan(value)
        else:
            expected = math.fsum(p * v for p, v in window) / traded
            assert value == pytest.approx(expected, rel=1e-9)


def test_sma_of_window_that_drops_from_1e9_to_1e_minus_8_keeps_its_digits():
    sma = Sma(5)
    for number in [1e9] * 7 + [1e-8] * 5:
        value = sma.update(number)
    assert value == pytest.approx(1e-8, rel=1e-12)


def test_stdev_after_a_crash_from_1e9_keeps_its_digits():
    stdev = RollingStdev(6)
    tail = [1.0, 1.5, 1.25, 1.0, 1.75, 1.5, 1.25]
    for number in [1e9, 1.1e9, 0.9e9, 1e9, 1e9, 1e9, 1e9, *tail]:
        value = stdev.update(number)
    assert value == pytest.approx(statistics.pstdev(tail[-6:]), rel=1e-9)


def test_stdev_of_flat_prices_is_exactly_zero():
    stdev = RollingStdev(7)
    values = [stdev.update(number) for number in [0.3, 0.7, 0.5, *[0.1] * 30]]
    assert set(values[9:]) == {0.0}


def test_stdev_over_a_million_updates_at_1e9_equals_two_pass_formula():
    generator = random.Random(20)
    period = 20
    stdev, bands, sma = RollingStdev(period), BollingerBands(period), Sma(period)
    window: list[float] = []
    for count in range(1_000_000):
        price = 1e9 + generator.gauss(0.0, 0.01)
        value = stdev.update(price)
        bands.update(price)
        mean = sma.update(price)
        window.append(price)
        if len(window) > period:
            del window[0]
        if count % 9_973 == 0 and count > period:
            expected = math.sqrt(exact_variance(window, period))
            assert value == pytest.approx(expected, rel=1e-9)
            assert bands.upper - bands.lower == pytest.approx(4 * expected, rel=1e-4)
            assert bands.middle == pytest.approx(float(exact_mean(window)), rel=2e-16)
            assert mean == pytest.approx(float(exact_mean(window)), rel=3e-15)


def test_vwap_with_sessions_starts_anew_at_each():
    vwap = Vwap()
    assert vwap.update(12, 9, 9, 100, "monday") == 10.0
    assert vwap.update(21, 18, 21, 300, "monday") == 17.5
    assert vwap.update(6, 3, 3, 10, "tuesday") == 4.0
    vwap.reset()
    assert not vwap.ready
    assert vwap.update(3, 3, 3, 10, "tuesday") == 3.0


def test_vwap_of_bars_without_volume_keeps_its_value():
    vwap = Vwap()
    assert math.isnan(vwap.update(12, 9, 9, 0))
    assert vwap.update(12, 9, 9, 5) == 10.0
    assert vwap.update(30, 30, 30, 0) == 10.0


@settings(max_examples=30)
@given(st.integers(min_value=2, max_value=400))
def test_high_of_falling_prices_holds_no_more_than_its_window(period):
    high = RollingHigh(period)
    for number in range(1_000, 0, -1):
        high.update(float(number))
    assert len(high._numbers) == len(high._places) <= period
