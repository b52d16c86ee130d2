"""States of indicators: what is saved and taken back goes on as if nothing had been."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest
from support.indicator_makers import BARS, MAKERS, every_indicator

from ingenium.errors import StateError
from ingenium.indicators import Donchian, Ema, Indicator, Rsi, Sma, Vwap

LINES = ("value", "upper", "lower", "signal", "histogram", "mean")


def lines_of(indicator: Any) -> list[str]:
    """Return all lines of an indicator, to the last bit; a nan is equal to a nan."""
    return [float(getattr(indicator, name)).hex() for name in LINES if hasattr(indicator, name)]


def walk(seed: int, count: int) -> list[tuple[float, ...]]:
    """Make bars of prices with many digits, some flat and some without volume."""
    random = Random(seed)
    bars: list[tuple[float, ...]] = []
    price = 100.0
    for _ in range(count):
        price *= math.exp(random.gauss(0, 0.02) if random.random() < 0.9 else 0.0)
        high, low = price * (1 + random.random() / 50), price * (1 - random.random() / 50)
        bars.append((high, low, price, float(random.choice([0, 1000, 12345.678]))))
    return bars


@every_indicator
def test_state_taken_back_at_every_bar_changes_no_value(kind):
    make, inputs = MAKERS[kind]
    whole, broken = make(), make()
    for bar in walk(7, 60):
        whole.update(*bar[inputs])
        broken.update(*bar[inputs])
        state = json.loads(json.dumps(broken.state(), allow_nan=False))
        broken = make()
        broken.restore(state)
        assert lines_of(broken) == lines_of(whole)
        assert broken.state() == state


@every_indicator
def test_state_of_other_parameters_is_refused_and_changes_nothing(kind):
    make, inputs = MAKERS[kind]
    other: Any = {
        "sma": lambda: Sma(6),
        "ema": lambda: Ema(6),
        "donchian": lambda: Donchian(6),
        "rsi": lambda: Rsi(6),
    }.get(kind, lambda: Sma(6))()
    indicator, clean = make(), make()
    for bar in BARS[:9]:
        indicator.update(*bar[inputs])
        clean.update(*bar[inputs])
    with pytest.raises(StateError):
        indicator.restore(other.state())
    for bar in BARS[9:]:
        assert indicator.update(*bar[inputs]) == clean.update(*bar[inputs]) or not clean.ready


@every_indicator
def test_damaged_state_is_refused_and_changes_nothing(kind):
    make, inputs = MAKERS[kind]
    indicator = make()
    for bar in BARS[:9]:
        indicator.update(*bar[inputs])
    before = indicator.state()
    longer = make()
    for bar in BARS:
        longer.update(*bar[inputs])
    state = longer.state()
    damaged: list[Any] = [None, [], {}, state | {"version": 2}, state | {"fields": {}}]
    damaged += [state | {"kind": "Other"}, state | {"parameters": None}]
    damaged += [
        state | {"fields": state["fields"] | {name: {"no": "number"}}} for name in state["fields"]
    ]
    for each in damaged:
        with pytest.raises(StateError):
            indicator.restore(each)
        assert indicator.state() == before


def test_error_names_both_parameters():
    saved = Sma(20).state()
    with pytest.raises(StateError, match=r"saved state of Sma is of .*period 20.*has .*period 30"):
        Sma(30).restore(saved)


@pytest.mark.parametrize(
    "session",
    [None, "morning", 7, date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC), ("AAPL", 3)],
)
def test_session_of_a_vwap_is_the_same_one_after_a_restart(session):
    vwap, again = Vwap(), Vwap()
    vwap.update(12, 10, 11, 100, session)
    again.restore(json.loads(json.dumps(vwap.state())))
    # (11 * 100 + 14 * 300) / 400; a new session would begin with 14.
    assert again.update(15, 13, 14, 300, session) == pytest.approx(13.25)


def test_session_that_cannot_be_saved_is_named():
    vwap = Vwap()
    vwap.update(12, 10, 11, 100, frozenset({1}))
    with pytest.raises(StateError, match="session frozenset"):
        vwap.state()


def test_indicator_of_a_users_class_says_what_it_keeps_or_is_refused():
    class Silent(Sma):
        pass

    class Double(Indicator):
        state_fields = ("total",)

        def __init__(self) -> None:
            super().__init__(1)
            self.total = 0.0

        def update(self, number: float) -> float:
            self.total += number
            self.value = 2 * self.total
            return self.value

    with pytest.raises(StateError, match="Silent does not declare its state"):
        Silent(3).state()
    double, again = Double(), Double()
    double.update(5.0)
    again.restore(json.loads(json.dumps(double.state())))
    assert again.update(1.5) == 13.0
