"""At which price, and at which end of a bar, an order is filled: the exact borders of each rule."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices, submit

from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange import AlwaysOpen, FillPolicy, PaperExchange
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.matching import Match, match_limit, match_stop, match_trailing_stop
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Bar

STRICT, TOUCH = FillPolicy(), FillPolicy(touch_fills=True)
AT_LIMIT = FillPolicy(price_improvement=False)


def exact(shape: str, side: Side) -> ExactBar:
    """A bar for a buy, or that bar around 100 upside down for a sell."""
    return ExactBar(bar(1, shape if side is Side.BUY else mirrored(shape)))


def described(match: Match | None, side: Side) -> tuple[str, str] | None:
    """Return the price as for a buy, and the place in the bar."""
    if match is None:
        return None
    price = match.price if side is Side.BUY else 200 - match.price
    is_buy = side is Side.BUY
    ahead = "lower" if (match.low_ahead if is_buy else match.high_ahead) else ""
    ahead += "upper" if (match.high_ahead if is_buy else match.low_ahead) else ""
    place = "open" if match.at_open else "close" if match.at_close else "within"
    return f"{price:f}", f"{place} {ahead}".strip()


# A buy at 100, by shape of the bar.
LIMITS = [
    ("101 102 100.5 101", STRICT, None),
    ("101 102 100 101", STRICT, None),
    ("101 102 100 101", TOUCH, ("100", "within lower")),
    ("101 102 99 101", STRICT, ("100", "within lower")),
    ("100 101 99 100", STRICT, ("100", "within lower")),
    ("100 101 99 100", TOUCH, ("100", "within lowerupper")),
    ("100 101 100 100", STRICT, None),
    ("100 101 100 100", TOUCH, ("100", "within lowerupper")),
    ("99 101 98 100", STRICT, ("99", "open lowerupper")),
    ("99 101 98 100", AT_LIMIT, ("100", "open lowerupper")),
    ("99.99 101 98 100", STRICT, ("99.99", "open lowerupper")),
]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("shape", "policy", "expected"), LIMITS)
def test_limit_order(
    shape: str, policy: FillPolicy, expected: tuple[str, str] | None, side: Side
) -> None:
    resting = RestingOrder(order(side, type=OrderType.LIMIT, limit_price="100"), START)
    match = match_limit(resting, exact(shape, side), policy)
    assert described(match, side) == expected
    assert match is None or not match.slips


# A buy stop at 100.
STOPS = [
    ("98 99.99 97 99", None),
    ("98 100 97 99", ("100", "within upper")),
    ("98 101 97 99", ("100", "within upper")),
    ("100 101 97 99", ("100", "open lowerupper")),
    ("103 104 97 99", ("103", "open lowerupper")),
]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("shape", "expected"), STOPS)
def test_stop_order(shape: str, expected: tuple[str, str] | None, side: Side) -> None:
    resting = RestingOrder(order(side, type=OrderType.STOP, stop_price="100"), START)
    match = match_stop(resting, exact(shape, side), STRICT)
    assert described(match, side) == expected
    assert resting.is_triggered == (expected is not None)
    assert match is None or match.slips


# A buy that trails 5 above the lowest price; the first open sets the stop to 105.
TRAILS = [
    ("100 104.99 100 102", None, False),
    # Touched, and nothing lower came that could have moved the stop.
    ("100 105 100 102", "105", False),
    # Touched, or moved to 104 before.
    ("100 105 99 102", "105", True),
    # The close is beyond the stop of 104: somewhere up to the high.
    ("100 104.5 99 104", "104.5", True),
    ("100 104.5 99 103.99", None, False),
]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("shape", "price", "is_ambiguous"), TRAILS)
def test_trailing_stop(shape: str, price: str | None, is_ambiguous: bool, side: Side) -> None:
    resting = RestingOrder(order(side, type=OrderType.TRAILING_STOP, trail_price="5"), START)
    match = match_trailing_stop(resting, exact(shape, side), STRICT)
    if price is None:
        assert match is None
        assert not resting.is_triggered
    else:
        assert match is not None
        assert match.price == (D(price) if side is Side.BUY else 200 - D(price))
        assert match.is_ambiguous is is_ambiguous
        assert resting.is_triggered


@pytest.mark.parametrize(("day", "is_filled"), [(2, True), (3, False)])
def test_order_of_a_day_without_a_bar_does_not_wait_for_the_next(day: int, is_filled: bool) -> None:
    """The session is the first that opens after the order: the second day, until the third."""
    exchange = PaperExchange(calendar=AlwaysOpen())
    exchange.on_bar(bar(0, "100 100 100 100"))
    sent = order(Side.BUY, time_in_force=TimeInForce.DAY)
    exchange.submit(sent, START + DAY + timedelta(hours=10))
    reports = exchange.on_bar(bar(day, "100 101 99 100"))
    assert [report.update.value for report in reports] == (["filled"] if is_filled else ["expired"])


def test_bar_of_another_length_has_the_hours_of_its_start() -> None:
    exchange = PaperExchange(calendar=AlwaysOpen())
    minute = timedelta(minutes=1)
    midnight = START + 3 * DAY
    for start in (midnight - minute, midnight, midnight + minute):
        exchange.on_bar(
            Bar.make("AAPL", start, open="100", high="100", low="100", close="100", period=minute)
        )
    sent = order(Side.BUY, type=OrderType.LIMIT, limit_price="50", time_in_force=TimeInForce.DAY)
    exchange.submit(sent, midnight + 2 * minute)
    assert len(exchange.working) == 1
    late = Bar.make(
        "AAPL", midnight + DAY, open="100", high="100", low="100", close="100", period=minute
    )
    assert [report.update.value for report in exchange.on_bar(late)] == ["expired"]


def test_market_order_takes_the_open_of_the_next_bar() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY))
    assert prices(exchange.on_bar(bar(1, "103 109 101 102"))) == [D(103)]


@pytest.mark.parametrize(("quantity", "update"), [("31", "replaced"), ("30", "rejected")])
def test_replacement_has_to_leave_something_to_fill(quantity: str, update: str) -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, "100", type=OrderType.LIMIT, limit_price="101"))
    # A tenth of the volume of 300.
    assert prices(exchange.on_bar(bar(1, "100 100 100 100", volume="300"))) == [D(100)]
    [old] = exchange.working
    reports = exchange.replace(old.id, replace(old, id="new", quantity=D(quantity)), START + DAY)
    assert reports[0].update.value == update
    assert exchange.left_of("new") == (1 if update == "replaced" else 0)
