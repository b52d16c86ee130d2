"""Bars in exact numbers: parsed when asked for, and held to the rules all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium import Bar
from ingenium.errors import DecodeError
from ingenium.exchange.exact_bar import ExactBar

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# Some differ by less than a float shows.
PRICES = st.one_of(
    st.sampled_from(["1", "1.0", "1.5", "2", "0", "-1", "1e2", "999999999999999.9"]),
    st.integers(0, 3).map(lambda last: f"1.10000000000000000{last}"),
    st.decimals("-5", "5", places=2).map(str),
)


def make(open: str, high: str, low: str, close: str, volume: str = "10") -> Bar:
    return Bar.make(
        "A", NOON, open=open, high=high, low=low, close=close, volume=volume, period=MINUTE
    )


@given(PRICES, PRICES, PRICES, PRICES, st.sampled_from(["", "0", "7", "1e3"]))
def test_exact_bar_has_the_decimals_and_holds_open_and_close(
    open: str, high: str, low: str, close: str, volume: str
) -> None:
    bar = ExactBar(make(open, high, low, close, volume))
    first, most, least, last = (Decimal(text) for text in (open, high, low, close))
    assert (bar.open, bar.close) == (first, last)
    assert bar.is_consistent == (least <= first <= most and least <= last <= most)
    if bar.is_consistent:
        assert (bar.high, bar.low) == (most, least)
    else:
        assert bar.high == max(first, most, least, last)
        assert bar.low == min(first, most, least, last)
    assert bar.volume == Decimal(volume or 0)
    assert (bar.start, bar.end) == (NOON, NOON + MINUTE)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_exact_bar_refuses_a_number_too_large_before_any_order_is_touched(name: str) -> None:
    texts = {"open": "2", "high": "3", "low": "1", "close": "2", "volume": "1"}
    with pytest.raises(DecodeError, match=f"Ohlc.{name.title()}"):
        ExactBar(make(**texts | {name: "1e15"}))
