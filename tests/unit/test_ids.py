"""Ids are functions of their cause."""

from __future__ import annotations

import re

import pytest

from ingenium.ids import BORDER, ID_LENGTH, make_id, make_ids


def test_make_id_same_cause_gives_same_id() -> None:
    assert make_id("order", "rsi", "signal_1", "0") == make_id("order", "rsi", "signal_1", "0")


def test_make_id_has_prefix_and_27_letters_or_digits() -> None:
    assert re.fullmatch(rf"exec_[0-9A-Za-z]{{{ID_LENGTH}}}", make_id("exec", "x"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a",), ("a", "")),
        (("1:a",), ("a",)),
        (("a", "b"), ("b", "a")),
    ],
)
def test_make_id_border_or_order_of_cause_moved_gives_another_id(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert make_id("data", *one) != make_id("data", *other)


def test_make_id_lone_surrogate_in_cause_gives_an_id() -> None:
    assert make_id("data", "\ud800").startswith("data_")


def test_make_id_hundred_thousand_causes_give_distinct_ids() -> None:
    assert len({make_id("data", str(i)) for i in range(100_000)}) == 100_000


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_make_ids_are_those_that_make_id_makes_one_by_one(count: int) -> None:
    causes = [("csv", f"É{number}", "") for number in range(count)]
    ids = make_ids("data", [BORDER.join(cause).encode() for cause in causes])
    assert ids == [make_id("data", *cause) for cause in causes]
