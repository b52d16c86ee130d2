"""Limits of risk: what makes sense, what is on, and the counters behind them."""

from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.components import App, External
from ingenium.errors import ConfigError
from ingenium.risk import OrderBalance, RiskLimits
from ingenium.risk.daily_loss import DailyLoss
from ingenium.risk.order_rate import Breaches, OrderRate, TokenBucket

NOW = datetime(2024, 1, 2, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_limits_that_fit_any_account_are_on_and_those_in_money_are_off() -> None:
    limits = RiskLimits()
    assert limits.price_collar == Decimal("0.05")
    assert (limits.max_orders_per_second, limits.burst) == (5, 20)
    assert (limits.symbol_burst, limits.symbol_seconds) == (2, 10)
    assert (limits.max_breaches, limits.breach_window_seconds) == (3, 60)
    assert limits.duplicate_seconds == 1
    for name in (
        "max_order_quantity",
        "max_order_notional",
        "max_symbol_notional",
        "max_gross_notional",
        "max_open_orders",
        "allowed_symbols",
        "stale_data_seconds",
        "is_open",
        "max_daily_loss",
    ):
        assert getattr(limits, name) is None, name


@pytest.mark.parametrize("value", [100, 100.0, "100", Decimal(100)])
def test_money_is_decimal_however_it_is_passed(value: Any) -> None:
    limits = RiskLimits(max_order_quantity=value, max_daily_loss=value)
    assert limits.max_order_quantity == Decimal(100)
    assert type(limits.max_order_quantity) is type(limits.max_daily_loss) is Decimal
    assert RiskLimits(price_collar=0.1).price_collar == Decimal("0.1")


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("max_order_quantity", 0, "above 0, or None"),
        ("max_order_quantity", float("nan"), "pass a finite decimal"),
        ("max_order_notional", -1, "above 0, or None"),
        ("max_symbol_notional", "many", "pass a finite decimal"),
        ("max_gross_notional", float("inf"), "pass a finite decimal"),
        ("max_daily_loss", -500, "above 0, or None"),
        ("price_collar", 5, "0.05 for 5 %"),
        ("price_collar", 0, "0.05 for 5 %"),
        ("price_collar", 1, "0.05 for 5 %"),
        ("max_orders_per_second", 0, "above 0"),
        ("max_orders_per_second", True, "above 0"),
        ("max_orders_per_second", float("nan"), "above 0"),
        ("burst", 0, "at least 1"),
        ("burst", 2.5, "at least 1"),
        ("symbol_burst", -1, "at least 0"),
        ("symbol_burst", None, "at least 0"),
        ("symbol_seconds", 0, "above 0"),
        ("max_breaches", None, "at least 1"),
        ("breach_window_seconds", float("inf"), "above 0"),
        ("duplicate_seconds", -1, "above 0"),
        ("max_open_orders", 0, "at least 1"),
        ("allowed_symbols", "AAPL", "['AAPL']"),
        ("allowed_symbols", [], "name symbols"),
        ("allowed_symbols", ["A*"], "use letters"),
        ("stale_data_seconds", 0, "above 0"),
        ("is_open", "9:30", "pass a function"),
        ("day_zone", "New York", "such as 'America/New_York'"),
        ("day_zone", "", "such as 'America/New_York'"),
        ("day_zone", None, "such as 'America/New_York'"),
        ("session_start", "5 pm", "such as '17:00'"),
        ("session_start", "25:00", "such as '17:00'"),
        ("session_start", 17, "such as '17:00'"),
        ("session_start", "17:00+01:00", "day_zone sets the zone"),
        ("exit_burst", 0, "at least 1"),
    ],
)
def test_limit_that_makes_no_sense_is_refused_with_value_and_cure(
    name: str, value: Any, cure: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        RiskLimits(**{name: value})
    assert name in str(caught.value)
    assert cure in str(caught.value)


def test_limits_are_frozen_equal_by_value_and_can_be_replaced() -> None:
    limits = RiskLimits(max_order_quantity=10)
    with pytest.raises(FrozenInstanceError):
        limits.burst = 1  # type: ignore[misc]
    assert limits == RiskLimits(max_order_quantity="10")
    assert replace(limits, burst=1) == RiskLimits(max_order_quantity=10, burst=1)


def test_executor_gets_room_for_orders_that_arrive_together() -> None:
    assert RiskLimits().for_executor() == RiskLimits(burst=31, symbol_burst=3)
    alone = RiskLimits(symbol_burst=0)
    assert alone.for_executor() == RiskLimits(burst=31, symbol_burst=0)
    off = RiskLimits(max_orders_per_second=None)
    assert off.for_executor() is off


def test_app_takes_limits_and_refuses_anything_else() -> None:
    feed = External("ingestor", reports=True)
    assert App(ingestors=[feed]).risk == RiskLimits()
    limits = RiskLimits(max_order_quantity=1)
    assert App(ingestors=[feed], risk=limits).risk is limits
    with pytest.raises(ConfigError, match="risk is 5: pass limits"):
        App(ingestors=[feed], risk=5)  # type: ignore[arg-type]


def test_bucket_gives_its_burst_then_the_rate_and_holds_no_more_than_the_burst() -> None:
    bucket = TokenBucket(5, 3)
    assert [bucket.take(at(0)) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(at(0.19))
    assert bucket.take(at(0.21))
    assert not bucket.take(at(0.21))
    assert [bucket.take(at(1000)) for _ in range(4)] == [True, True, True, False]


def test_bucket_is_not_filled_by_a_clock_that_goes_back_and_forth() -> None:
    bucket = TokenBucket(1, 1)
    assert bucket.take(at(10))
    assert not any(bucket.take(at(second)) for second in (0, 10, 0, 10.9))
    assert bucket.take(at(11))


@given(
    st.lists(st.integers(0, 400), max_size=200),
    st.sampled_from([0.5, 1.0, 5.0]),
    st.integers(1, 5),
)
def test_bucket_never_lets_more_through_in_any_stretch_than_burst_and_rate(
    steps: list[int], rate: float, burst: int
) -> None:
    bucket, now, passed = TokenBucket(rate, burst), 0.0, []
    for step in steps:
        now += step / 1000
        if bucket.take(at(now)):
            passed.append(now)
    for first, start in enumerate(passed):
        for count, end in enumerate(passed[first:], 1):
            assert count <= burst + rate * (end - start) + 1e-6


def test_orders_of_many_symbols_pass_at_once_and_those_of_one_do_not() -> None:
    rate = OrderRate(5, 20, 2, 10)
    assert all(rate.take(f"S{number}", at(0)) for number in range(5_000) for _ in range(2))
    again = [rate.take(f"S{number}", at(0)) for number in range(30)]
    assert again == [True] * 20 + [False] * 10, "what goes beyond them shares one burst"
    # Some are a symbol's own again, the others come at the rate of all.
    assert [rate.take("S0", at(5)) for _ in range(22)] == [True] * 21 + [False]
    assert [rate.take("S1", at(15)) for _ in range(23)] == [True] * 22 + [False]


def test_symbols_without_an_end_have_no_orders_of_their_own() -> None:
    rate = OrderRate(1, 3, 1, 10, symbols=100)
    taken = [rate.take(f"S{number}", at(0)) for number in range(200)]
    assert taken == [True] * 103 + [False] * 97
    assert rate.take("S0", at(9)), "of the three a second that all share"
    assert all(rate.take(f"T{number}", at(30)) for number in range(100)), "the others are idle"


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.sampled_from("ABC")), max_size=200),
    st.integers(1, 5),
    st.integers(0, 3),
)
def test_no_symbol_gets_more_than_its_own_and_all_that_is_shared(
    steps: list[tuple[int, str]], burst: int, own: int
) -> None:
    rate, now = OrderRate(1, burst, own, 10), 0.0
    passed: list[tuple[float, str]] = []
    for step, symbol in steps:
        now += step / 1000
        if rate.take(symbol, at(now)):
            passed.append((now, symbol))
    for first, (start, _) in enumerate(passed):
        counts: Counter[str] = Counter()
        for end, symbol in passed[first:]:
            counts[symbol] += 1
            of_their_own = own + own / 10 * (end - start)
            beyond = sum(max(0.0, count - of_their_own) for count in counts.values())
            assert beyond <= burst + (end - start) + 1e-6


def test_breaches_are_too_many_only_within_the_window_and_count_anew_then() -> None:
    breaches = Breaches(3, 60)
    assert [breaches.add(at(second)) for second in (0, 30, 61)] == [False, False, False]
    assert breaches.add(at(90))
    assert breaches.times == []
    assert [breaches.add(at(second)) for second in (91, 92, 93)] == [False, False, True]


def test_breach_at_the_end_of_the_window_still_counts() -> None:
    breaches = Breaches(2, 60)
    breaches.add(at(0))
    assert breaches.add(at(60))


def test_day_begins_with_the_last_equity_of_the_day_before() -> None:
    loss = DailyLoss()
    assert loss.observe(Decimal(1000), at(0)) == 0
    assert loss.observe(Decimal(900), at(60)) == 100
    day = 86_400
    assert loss.observe(Decimal(850), at(day - 1)) == 150
    assert loss.observe(Decimal(700), at(day)) == 150, "a gap over night is a loss of the new day"
    assert loss.observe(Decimal(600), at(day - 60)) == 250, "a clock that goes back begins no day"
    assert loss.observe(Decimal(650), at(day + 60)) == 200


NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("zone", "start", "begins"),
    [
        # UTC times at which a day begins, by hand: New York is UTC-5 in winter and -4 in summer.
        ("UTC", "00:00", ["2024-01-03T00:00", "2024-07-03T00:00"]),
        (NEW_YORK, "00:00", ["2024-01-03T05:00", "2024-07-03T04:00"]),
        (NEW_YORK, "17:00", ["2024-01-02T22:00", "2024-07-02T21:00"]),
        (NEW_YORK, "17:00", ["2024-03-08T22:00", "2024-03-09T22:00", "2024-03-10T21:00"]),
        (NEW_YORK, "17:00", ["2024-11-01T21:00", "2024-11-02T21:00", "2024-11-03T22:00"]),
        ("America/Chicago", time(17), ["2024-01-02T23:00", "2024-07-02T22:00"]),
        ("Asia/Kolkata", "09:15", ["2024-01-03T03:45", "2024-07-03T03:45"]),
        ("Europe/London", "23:30:30", ["2024-01-02T23:30:30", "2024-07-02T22:30:30"]),
        # The clock goes from 2:00 to 3:00, and from 2:00 back to 1:00.
        (NEW_YORK, "02:30", ["2024-03-10T07:00"]),
        (NEW_YORK, "01:30", ["2024-11-03T05:30"]),
    ],
)
def test_day_begins_at_a_time_of_a_zone_in_summer_and_winter(
    zone: str, start: Any, begins: list[str]
) -> None:
    limits = RiskLimits(day_zone=zone, session_start=start)
    for text in begins:
        begin = datetime.fromisoformat(text).replace(tzinfo=UTC)
        loss = DailyLoss(limits.zone, limits.session_start)
        for hours in range(-20, 0):
            loss.observe(Decimal(1000), begin + timedelta(hours=hours))
        assert loss.observe(Decimal(900), begin - timedelta(seconds=1)) == 100
        assert loss.observe(Decimal(850), begin) == 50, "a day that begins with 900"
        for minutes in range(0, 23 * 60, 10):
            now = begin + timedelta(minutes=minutes)
            assert loss.observe(Decimal(800), now) == 100, now


def test_limits_say_when_the_day_begins() -> None:
    assert RiskLimits().day_text == "this UTC day"
    assert RiskLimits(day_zone=NEW_YORK).day_text == "this America/New_York day"
    limits = RiskLimits(day_zone=NEW_YORK, session_start="17:00")
    assert limits.session_start == time(17)
    assert limits.day_text == "the day since 17:00 America/New_York"


def test_balance_counts_each_order_once() -> None:
    balance = OrderBalance()
    balance.enter("a")
    balance.enter("a")
    balance.enter("b")
    assert balance.submit("a") is None
    assert balance.submit("a") is None, "sent again under its own id"
    assert (balance.entered, balance.submitted) == (2, 1)
    assert balance.submit("b") is None
    assert balance.problem() is None


def test_balance_names_an_order_that_leaves_and_never_came_in() -> None:
    balance = OrderBalance()
    balance.enter("a")
    balance.enter("b")
    problem = balance.submit("c")
    assert problem == (
        "order 'c' was sent to the broker without being received: 1 sent, 2 received"
    )
    assert balance.submit("a") == balance.problem() is not None
    balance.reset()
    assert balance.problem() is None
    assert balance.submit("a") is not None


def test_balance_forgets_old_ids_and_still_counts_them() -> None:
    balance = OrderBalance(remembered=1)
    for number in range(5):
        balance.enter(str(number))
        assert balance.submit(str(number)) is None
    assert (balance.entered, balance.submitted) == (5, 5)
    # An id that was forgotten on both sides is a new one: more were sent than received.
    assert "received" in str(balance.submit("0"))
