"""The values of an account with a long, a short and a closed position, added up by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ingenium.errors import DecodeError
from ingenium.events import Side
from ingenium.trading import Account, Bar, Fill
from ingenium.trading.bar_length import Distances, kind_of

D = Decimal
START = datetime(2024, 1, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def fill(symbol: str, signed: int, price: str, id: str = "", commission: str = "0") -> Fill:
    return Fill(
        id=id,
        symbol=symbol,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=D(abs(signed)),
        price=D(price),
        commission=D(commission),
        time=START,
    )


@pytest.fixture
def account() -> Account:
    """10 long at 50 and now 55; 4 short at 20 and now 17; 3 bought at 8 and sold at 9."""
    account = Account(D(1_000))
    for each in (
        fill("L", 10, "50", "f1", "1"),
        fill("S", -4, "20", "f2", "2"),
        fill("C", 3, "8", "f3"),
        fill("C", -3, "9", "f4"),
    ):
        assert account.book(each)
    account.mark("L", "55")
    account.mark("S", D(17))
    account.mark("C", "1000")
    return account


def test_values_of_long_short_and_closed_positions(account: Account) -> None:
    # 1000 - 500 + 80 - 24 + 27 - 3
    assert account.cash == 580
    assert account.commissions == 3
    assert account.realized_pnl == 3
    # 10 * 5 + 4 * 3
    assert account.unrealized_pnl == 62
    # 580 + 550 - 68
    assert account.equity == 1_062
    assert account.gross_value == 618
    assert account.quantities == {"L": D(10), "S": D(-4)}
    assert list(account.positions) == ["L", "S"]
    assert account.bookings == 4
    assert repr(account) == "<Account cash 580, 2 open positions>"


def test_position_says_what_it_is_worth(account: Account) -> None:
    long, short, closed = (account.position(symbol) for symbol in "LSC")
    assert [each.quantity for each in (long, short, closed)] == [10, -4, 0]
    assert [each.last_price for each in (long, short, closed)] == [55, 17, 1000]
    assert closed.realized_pnl == 3
    assert account.position("X").quantity == 0
    assert account.price("X") is None


def test_fill_is_booked_once(account: Account) -> None:
    assert not account.book(fill("L", 10, "50", "f1", "1"))
    assert account.cash == 580
    assert account.has_booked("f1")
    assert not account.has_booked("f9")
    # Those without an id cannot be told apart.
    assert account.book(fill("L", 1, "10"))
    assert account.book(fill("L", 1, "10"))
    assert account.cash == 560


def test_first_price_of_a_symbol_is_that_of_its_fill_and_then_its_mark() -> None:
    account = Account(D(1_000))
    account.book(fill("L", 1, "50"))
    account.book(fill("L", 1, "60"))
    assert account.price("L") == 50
    account.mark("L", "0.5e1")
    assert account.price("L") == 5
    for wrong in ("", "x", "1_000", "٥", "NaN", "1e40"):
        with pytest.raises(DecodeError):
            account.mark("L", wrong)
        assert account.price("L") == 5


@pytest.mark.parametrize("close", ["12.50", "100000000000000"])
def test_bar_marks_with_its_close(close: str) -> None:
    account = Account(D(1_000))
    account.mark_bar(Bar.make("L", START, open=close, high=close, low=close, close=close))
    assert account.price("L") == D(close)


def test_numbers_of_a_bar_are_written_as_they_came() -> None:
    made = Bar.make(
        "A", START, open="1.50", high="2.0", low="1", close="1.250", volume="10.00", period=DAY
    )
    read = Bar.from_event(made.event)
    for bar in (made, read):
        assert bar.number_texts == ("1.50", "2.0", "1", "1.250", "10.00")
        assert bar.texts.close == bar.close_text == "1.250"
        assert (bar.open, bar.close, bar.exact("close")) == (1.5, 1.25, D("1.25"))


# Holidays move the first and last business day, and days have 23 to 25 hours.
@pytest.mark.parametrize(
    ("gap", "kind"),
    [
        (5 * HOUR, 5 * HOUR),
        (22 * HOUR, 22 * HOUR),
        (23 * HOUR, DAY),
        (DAY, DAY),
        (25 * HOUR, DAY),
        (26 * HOUR, 26 * HOUR),
        (2 * DAY, 2 * DAY),
        (2 * DAY + HOUR, 2 * DAY),
        (3 * DAY - HOUR, 3 * DAY),
        (4 * DAY, 4 * DAY),
        (5 * DAY, 7 * DAY),
        (9 * DAY + HOUR, 7 * DAY),
        (10 * DAY, 10 * DAY),
        (26 * DAY, 26 * DAY),
        (27 * DAY, 31 * DAY),
        (34 * DAY + HOUR, 31 * DAY),
        (35 * DAY, 35 * DAY),
        (88 * DAY, 92 * DAY),
        (95 * DAY + HOUR, 92 * DAY),
        (179 * DAY, 184 * DAY),
        (187 * DAY + HOUR, 184 * DAY),
        (361 * DAY, 366 * DAY),
        (370 * DAY + HOUR, 366 * DAY),
        (371 * DAY, 371 * DAY),
    ],
)
def test_bar_length_that_a_distance_indicates(gap: timedelta, kind: timedelta) -> None:
    assert kind_of(gap) == kind


@pytest.mark.parametrize(("run", "expected"), [(1, False), (2, False), (3, True)])
def test_two_long_distances_in_a_row_among_few_rows_are_no_missing_rows(
    run: int, expected: bool
) -> None:
    # Ten rows: three in a row that are each sixty bars apart come by chance less than once in a
    # thousand files, since (59/60)^59 / 60 = 0.0062, and 10 * 0.0062^2 = 0.0004.
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    distances = Distances()
    for number in range(run):
        distances.add(START + number * hour, hour)
    assert distances.contradicts(hour, minute, 10) is expected
    assert not distances.contradicts(hour, hour, 10)


def test_thin_series_has_the_length_that_divides_its_distances() -> None:
    # Minutes, of which most are missing: one minute comes twice in a row only twice.
    minute = timedelta(minutes=1)
    distances = Distances()
    time = START
    for gap in (1, 1, 1, 7, 2, 5, 3, 11, 4, 1, 6, 2, 13, 8, 3, 5, 9):
        distances.add(time, gap * minute)
        time += gap * minute
    assert distances.length() == minute
