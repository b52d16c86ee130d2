"""Counts of what happens again and again, with the first case of each kind."""

from __future__ import annotations

from datetime import UTC, datetime

from ingenium.trading.tally import Tally, counted, day_of

DAY = datetime(2024, 1, 2, tzinfo=UTC)


def test_texts_that_differ_in_numbers_and_names_only_are_one_kind() -> None:
    tally = Tally()
    assert tally.add("order 'order_1' at 10.5 is too large", DAY) == 1
    assert tally.add("order 'order_x' at 1,000 is too large") == 2
    assert tally.add("order 'order_x' at 10 is too small") == 1
    assert (len(tally), tally.count) == (2, 3)
    first, second = tally.most(5)
    assert (first.text, first.time, first.count) == ("order 'order_1' at 10.5 is too large", DAY, 2)
    assert (second.text, second.time, second.count) == (
        "order 'order_x' at 10 is too small",
        None,
        1,
    )


def test_kinds_keep_equal_texts_apart() -> None:
    tally = Tally()
    for symbol in ("AAPL", "IBM", "IBM"):
        tally.add("not enough cash", None, symbol)
    assert [(found.kind, found.count) for found in tally.most(5)] == [("IBM", 2), ("AAPL", 1)]


def test_lines_are_bounded_and_say_what_they_leave_out() -> None:
    tally = Tally()
    for word in ("one", "two", "two", "three"):
        tally.add(word)
    assert tally.lines(2) == ["two (and 1 more like it)", "one", "and 1 more of other kinds"]
    assert tally.lines(3) == ["two (and 1 more like it)", "one", "three"]
    assert Tally().lines(3) == []


def test_kinds_without_end_are_counted_and_not_kept() -> None:
    tally = Tally()
    for number in range(5_000):
        tally.add("a", None, str(number))
    assert (tally.count, len(tally)) == (5_000, 1_000)
    assert tally.add("a", None, "4999") == 0
    assert tally.add("a", None, "7") == 2


def test_words_of_numbers_and_days() -> None:
    assert [counted(n, "signal") for n in (0, 1, 2_000)] == [
        "0 signals",
        "1 signal",
        "2,000 signals",
    ]
    assert day_of(DAY) == "2024-01-02"
    assert day_of(DAY.replace(hour=9, minute=5)) == "2024-01-02 09:05"
    assert day_of(None) == "an unknown day"
