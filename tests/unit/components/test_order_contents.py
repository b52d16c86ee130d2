"""Which orders count as the same, and which bars as old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingenium.components import order_contents
from ingenium.components.data_age import DataAge
from ingenium.components.order_contents import CONTENT, OrderContents, content_of
from ingenium.events import OrderEvent, ReplaceEvent, StopLoss
from ingenium.trading import Bar

START = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)


def order(id: str = "o1", **fields: Any) -> OrderEvent:
    return OrderEvent(id=id, **({"symbol": "A", "side": "buy", "quantity": "10"} | fields))


TEXT = "Quantity 10, Side buy, Symbol A"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, TEXT),
        ({"quantity": "10.00"}, TEXT),
        ({"quantity": "1e1"}, TEXT),
        ({"timestamp": START}, TEXT),
        ({"quantity": "11"}, "Quantity 11, Side buy, Symbol A"),
        ({"quantity": "NaN"}, "Quantity NaN, Side buy, Symbol A"),
        ({"quantity": "1e39"}, f"Quantity 1{'0' * 39}, Side buy, Symbol A"),
        ({"quantity": "1e40"}, "Quantity 1e40, Side buy, Symbol A"),
        ({"quantity": "-1e-39"}, f"Quantity -0.{'0' * 38}1, Side buy, Symbol A"),
        ({"extended_hours": True}, f"ExtendedHours True, {TEXT}"),
        ({"extended_hours": False}, TEXT),
        (
            {"stop_loss": StopLoss(stop_price="95.0", limit_price="94")},
            "Quantity 10, Side buy, StopLoss LimitPrice 94 StopPrice 95, Symbol A",
        ),
    ],
)
def test_content_is_the_same_however_it_is_written(fields: dict[str, Any], text: str) -> None:
    assert content_of(order(**fields)) == text


def test_other_order_under_a_known_id_is_told_from_a_repeated_one() -> None:
    contents = OrderContents()
    assert contents.note(order()) == ""
    assert "o1" in contents
    assert contents.note(order(quantity="10.0")) == ""
    assert contents.note(order(quantity="11")) == TEXT
    # The first content stays.
    assert contents.note(order(quantity="11")) == TEXT
    assert contents.take_log() == [(CONTENT, "o1", f'"{TEXT}"'.encode())]
    assert contents.take_log() == []
    replaced = ReplaceEvent(id="r1", order_id="o1", symbol="A")
    assert contents.note(replaced) == ""
    assert contents.note(order("r1")) != ""


def test_order_without_an_id_is_not_remembered() -> None:
    contents = OrderContents()
    assert contents.note(order("")) == ""
    assert contents.note(order("", quantity="11")) == ""
    assert contents.take_log() == []
    assert "" not in contents


def test_contents_outlive_a_restart_and_other_rows_are_left() -> None:
    contents = OrderContents()
    contents.note(order())
    again = OrderContents()
    other = ("fill", "x", b"1")
    assert again.restore_log([*contents.take_log(), other]) == [other]
    assert again.note(order(quantity="11")) == TEXT
    # What is restored is saved already.
    assert again.take_log() == []


def test_only_the_newest_orders_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_contents, "KEPT", 2)
    contents = OrderContents()
    for name in ("o1", "o2", "o3"):
        contents.note(order(name))
    assert ["o1" in contents, "o2" in contents, "o3" in contents] == [False, True, True]


# Old bars.

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def observe(ages: DataAge, symbol: str, age: timedelta, period: timedelta = MINUTE) -> str | None:
    bar = Bar.make(symbol, START - period, open="1", high="1", low="1", close="1", period=period)
    return ages.observe(bar, START + age, "no order is sent")


@pytest.mark.parametrize(
    ("age", "period", "words"),
    [
        (HOUR, MINUTE, None),
        (HOUR + MINUTE, MINUTE, "1 hour"),
        (2 * HOUR, HOUR, None),
        (2 * HOUR + MINUTE, HOUR, "2 hours"),
        (2 * DAY, DAY, None),
        (23 * HOUR + 59 * MINUTE, MINUTE, "23 hours"),
        (DAY, MINUTE, "1 day"),
        (13 * DAY, MINUTE, "13 days"),
        (14 * DAY, MINUTE, "2 weeks"),
        (59 * DAY, MINUTE, "8 weeks"),
        (60 * DAY, MINUTE, "2 months"),
        (364 * DAY, MINUTE, "12 months"),
        (365 * DAY, MINUTE, "1 year"),
        (729 * DAY, MINUTE, "1 year"),
        (730 * DAY, MINUTE, "2 years"),
    ],
)
def test_age_from_which_bars_are_old(age: timedelta, period: timedelta, words: str | None) -> None:
    expected = None
    if words is not None:
        expected = (
            f"bars of A are {words} old: the first one ended 2024-01-03T14:30:00Z; no order is sent"
        )
    assert observe(DataAge(), "A", age, period) == expected


def test_five_symbols_with_old_bars_are_named_and_one_line_stands_for_the_others() -> None:
    ages = DataAge()
    assert not ages.knows("A")
    texts = [observe(ages, symbol, 2 * HOUR) for symbol in "ABCDEFGH"]
    assert all(text is not None and "are 2 hours old" in text for text in texts[:5])
    assert texts[5:] == ["bars of more symbols are old", None, None]
    assert ages.knows("A")
    assert ages.knows("H")
    assert not ages.knows("I")
