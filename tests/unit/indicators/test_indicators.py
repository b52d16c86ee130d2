"""What all indicators promise: warm-up, refusal of bad numbers, checks of arguments."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
from support.indicator_makers import BARS, MAKERS, every_indicator

from ingenium.errors import ConfigError
from ingenium.indicators import (
    Atr,
    BollingerBands,
    Donchian,
    Ema,
    Macd,
    RollingHigh,
    RollingLow,
    RollingStdev,
    RollingVwap,
    Rsi,
    Sma,
    Vwap,
)


@every_indicator
def test_indicator_is_ready_after_exactly_warm_up_updates(kind):
    make, inputs = MAKERS[kind]
    indicator = make()
    for count, bar in enumerate(BARS, 1):
        value = indicator.update(*bar[inputs])
        assert indicator.ready == (count >= indicator.warm_up)
        assert math.isnan(value) != indicator.ready
        assert indicator.value == value or not indicator.ready


@every_indicator
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("before", [0, 3, 30])
def test_number_that_is_not_finite_is_refused_and_changes_nothing(kind, bad, before):
    make, inputs = MAKERS[kind]
    indicator, clean = make(), make()
    for bar in BARS[:before]:
        indicator.update(*bar[inputs])
        clean.update(*bar[inputs])
    good = BARS[before][inputs]
    for place in range(len(good)):
        broken = list(good)
        broken[place] = bad
        with pytest.raises(ValueError, match=f"cannot update {type(indicator).__name__} with .*"):
            indicator.update(*broken)
    for bar in BARS[before:]:
        assert repr(indicator.update(*bar[inputs])) == repr(clean.update(*bar[inputs]))


@every_indicator
def test_copy_and_pickle_of_a_running_indicator_go_on_alike(kind):
    make, inputs = MAKERS[kind]
    indicator = make()
    for bar in BARS[:17]:
        indicator.update(*bar[inputs])
    others = [copy.deepcopy(indicator), pickle.loads(pickle.dumps(indicator))]
    for bar in BARS[17:]:
        value = indicator.update(*bar[inputs])
        assert [other.update(*bar[inputs]) for other in others] == [value, value]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Sma(0), "period 0 of Sma does not fit: pass a whole number from 1 up"),
        (lambda: Sma(2.5), "period 2.5 of Sma does not fit"),  # type: ignore[arg-type]
        (lambda: Sma(True), "period True of Sma does not fit"),
        (lambda: Ema(-1), "period -1 of Ema does not fit"),
        (lambda: Ema(5, seed="last"), "seed 'last' of Ema does not fit: pass 'sma' or 'first'"),  # type: ignore[arg-type]
        (lambda: Rsi("14"), "period '14' of Rsi does not fit"),  # type: ignore[arg-type]
        (lambda: Atr(0), "period 0 of Atr does not fit"),
        (lambda: BollingerBands(0), "period 0 of BollingerBands does not fit"),
        (lambda: BollingerBands(5, 0), "deviations 0 of BollingerBands does not fit"),
        (lambda: BollingerBands(5, math.nan), "deviations nan of BollingerBands does not fit"),
        (lambda: Macd(26, 12), "fast 26 of Macd is not below slow 12: pass fast < slow"),
        (lambda: Macd(signal=0), "signal 0 of Macd does not fit"),
        (lambda: Macd(seed=""), "seed '' of Macd does not fit"),  # type: ignore[arg-type]
        (lambda: Donchian(0), "period 0 of Donchian does not fit"),
        (lambda: RollingHigh(0), "period 0 of RollingHigh does not fit"),
        (lambda: RollingLow(0), "period 0 of RollingLow does not fit"),
        (lambda: RollingStdev(0), "period 0 of RollingStdev does not fit"),
        (lambda: RollingStdev(1, sample=True), "pass a whole number from 2 up"),
        (lambda: RollingVwap(0), "period 0 of RollingVwap does not fit"),
    ],
)
def test_argument_that_makes_no_sense_is_refused_with_value_and_cure(make, text):
    with pytest.raises(ConfigError) as caught:
        make()
    assert text in str(caught.value)


@pytest.mark.parametrize("indicator", [Atr(2), Donchian(2)])
def test_bar_whose_high_is_below_its_low_is_refused(indicator):
    close = [9.5] if isinstance(indicator, Atr) else []
    with pytest.raises(ValueError, match=r"high 9\.0, low 10\.0"):
        indicator.update(9.0, 10.0, *close)


@pytest.mark.parametrize("vwap", [Vwap(), RollingVwap(2)])
def test_bar_with_negative_volume_is_refused(vwap):
    with pytest.raises(ValueError, match="volume -1"):
        vwap.update(10.0, 9.0, 9.5, -1.0)


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([5.0] * 10, 50.0),
        ([float(i) for i in range(10)], 100.0),
        ([-float(i) for i in range(9)], 0.0),
    ],
)
def test_rsi_of_flat_rising_and_falling_closes_is_50_100_and_0(closes, expected):
    rsi = Rsi(3)
    assert [rsi.update(close) for close in closes][3:] == [expected] * (len(closes) - 3)


def test_atr_of_a_gap_counts_the_distance_to_the_last_close():
    up, down = Atr(1), Atr(1)
    for atr in (up, down):
        assert math.isnan(atr.update(11.0, 9.0, 10.0))
    assert up.update(15.0, 14.0, 14.5) == 5.0
    assert down.update(6.0, 5.0, 5.5) == 5.0
