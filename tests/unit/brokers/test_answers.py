"""Every field of an adapter's answer, with every fault that it may have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from support.broker_fake import FakeBroker

from ingenium.brokers import BrokerFill, BrokerOrder
from ingenium.brokers.answers import (
    BadAnswerError,
    CheckedBroker,
    check_adapter,
    fill_fault,
    order_fault,
    shown,
)
from ingenium.errors import ConfigError
from ingenium.events import Side, TradeUpdate

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
FILL = BrokerFill(
    id="f1",
    client_order_id="o1",
    symbol="A",
    side=Side.BUY,
    quantity=Decimal(4),
    price=Decimal(100),
    commission=Decimal("0.5"),
    time=NOW,
)
ORDER = BrokerOrder(
    client_order_id="o1", venue_order_id="b1", symbol="A", side=Side.SELL, quantity=Decimal(10)
)

BAD_NUMBERS = [
    (4, "is 4: expected a Decimal"),
    (4.0, "is 4.0: expected a Decimal"),
    ("4", "is '4': expected a Decimal"),
    (None, "is None: expected a Decimal"),
    (Decimal("NaN"), "expected a finite number"),
    (Decimal("Infinity"), "expected a finite number"),
    (Decimal("1e15"), "expected a number below 10"),
    (Decimal("1e-29"), "expected a number below 10"),
]
GOOD_NUMBERS = [Decimal(999999999999999), Decimal("1e-28"), Decimal(-1), Decimal(0)]
BAD_TEXTS = [
    (7, "is 7: expected a string"),
    (None, "is None: expected a string"),
    ("a\nb", "printable letters"),
    ("\ud800", "printable letters"),
]
BAD_SYMBOLS = [(7, "symbol is 7: expected a string"), ("", "symbol"), ("A\ud800", "symbol")]
BAD_TIMES = [
    ("2024-01-02", "expected a datetime"),
    (datetime(2024, 1, 2), "without a time zone"),  # noqa: DTZ001 - the fault
    (datetime(1969, 12, 31, tzinfo=UTC), "expected a year from"),
    (datetime(9998, 1, 1, tzinfo=UTC), "expected a year from"),
]


@pytest.mark.parametrize("name", ["quantity", "price", "commission"])
@pytest.mark.parametrize(("value", "fault"), BAD_NUMBERS)
def test_number_of_a_fill(name: str, value: object, fault: str) -> None:
    found = fill_fault(replace(FILL, **{name: value}))
    assert found.startswith(name)
    assert fault in found


@pytest.mark.parametrize("name", ["quantity", "filled"])
@pytest.mark.parametrize(("value", "fault"), BAD_NUMBERS)
def test_number_of_an_order(name: str, value: object, fault: str) -> None:
    found = order_fault(replace(ORDER, **{name: value}))
    assert found.startswith(name)
    assert fault in found


@pytest.mark.parametrize("value", GOOD_NUMBERS)
def test_number_at_the_edge_of_what_is_kept_is_taken(value: Decimal) -> None:
    assert fill_fault(replace(FILL, price=value)) == ""
    assert order_fault(replace(ORDER, quantity=value)) == ""


@pytest.mark.parametrize("name", ["id", "client_order_id"])
@pytest.mark.parametrize(("value", "fault"), BAD_TEXTS)
def test_text_of_a_fill(name: str, value: object, fault: str) -> None:
    found = fill_fault(replace(FILL, **{name: value}))
    assert found.startswith(f"{name} is ")
    assert fault in found


@pytest.mark.parametrize("name", ["client_order_id", "venue_order_id"])
@pytest.mark.parametrize(("value", "fault"), BAD_TEXTS)
def test_text_of_an_order(name: str, value: object, fault: str) -> None:
    found = order_fault(replace(ORDER, **{name: value}))
    assert found.startswith(f"{name} is ")
    assert fault in found


def test_only_the_id_of_a_fill_may_not_be_empty() -> None:
    assert fill_fault(replace(FILL, id="")) == "id is empty"
    assert fill_fault(replace(FILL, client_order_id="")) == ""
    assert order_fault(replace(ORDER, client_order_id="", venue_order_id="")) == ""


@pytest.mark.parametrize(("value", "fault"), BAD_SYMBOLS)
def test_symbol(value: object, fault: str) -> None:
    assert fault in fill_fault(replace(FILL, symbol=value))
    assert fault in order_fault(replace(ORDER, symbol=value))


@pytest.mark.parametrize("value", ["buy", None, TradeUpdate.NEW])
def test_side_has_to_be_a_member(value: object) -> None:
    expected = f"side is {value!r}: expected a member of Side"
    assert fill_fault(replace(FILL, side=value)) == expected
    assert order_fault(replace(ORDER, side=value)) == expected


@pytest.mark.parametrize("value", ["new", None, Side.BUY])
def test_update_has_to_be_a_member(value: object) -> None:
    expected = f"update is {value!r}: expected a member of TradeUpdate"
    assert order_fault(replace(ORDER, update=value)) == expected


@pytest.mark.parametrize(("value", "fault"), BAD_TIMES)
def test_time_of_a_fill(value: object, fault: str) -> None:
    assert fault in fill_fault(replace(FILL, time=value))


def test_time_in_another_zone_is_taken() -> None:
    assert fill_fault(replace(FILL, time=NOW.astimezone(timezone(timedelta(hours=5))))) == ""


@pytest.mark.parametrize("value", [None, 3, "x" * 10_000, "\ud800"])
def test_reason_of_an_order(value: object) -> None:
    assert "reason is " in order_fault(replace(ORDER, reason=value))
    assert order_fault(replace(ORDER, reason="no\nfunds")) == ""


def test_filled_quantity_below_zero() -> None:
    assert order_fault(replace(ORDER, filled=Decimal(-1))) == "filled is -1: expected 0 or more"
    assert order_fault(replace(ORDER, filled=Decimal(0))) == ""


def test_what_is_no_fill_or_order_at_all() -> None:
    assert fill_fault(ORDER).endswith("not a BrokerFill")
    assert order_fault(FILL).endswith("not a BrokerOrder")
    assert order_fault({"id": 1}) == "it is {'id': 1}, not a BrokerOrder"


def test_value_is_shown_short_and_the_same_in_each_run() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise KeyError(1)

    assert shown(Broken()) == "a Broken that cannot be printed (KeyError)"
    assert " at 0x" not in shown(object())
    assert shown("é") == "'\\xe9'"
    assert shown("x" * 5_000).startswith("'xxx")
    assert shown("x" * 5_000).endswith("x...")
    assert len(shown("x" * 5_000)) < 500


@pytest.mark.parametrize("account", ["", None, 7, "a\tb"])
def test_account_that_names_none_is_refused(account: object) -> None:
    broker = FakeBroker()
    broker.account = account  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="the broker's account"):
        check_adapter(broker)


@pytest.mark.parametrize("name", ["idempotent", "lists_positions"])
@pytest.mark.parametrize("value", ["no", None, 1])
def test_switch_of_an_adapter_has_to_be_a_bool(name: str, value: object) -> None:
    broker = FakeBroker()
    check_adapter(broker)
    setattr(broker, name, value)
    with pytest.raises(ConfigError, match=f"the broker's {name} is {value!r}"):
        check_adapter(broker)


@pytest.mark.parametrize("answer", [3, "abc", b"abc", {"a": 1}])
async def test_answer_that_is_no_list_is_refused_whole(answer: object) -> None:
    broker = FakeBroker()
    broker.faults = {"fills": [answer], "open_orders": [answer]}
    checked = CheckedBroker(broker)
    with pytest.raises(BadAnswerError, match=r"fills\(\) returned .*expected a list of BrokerFill"):
        await checked.fills("")
    with pytest.raises(BadAnswerError, match=r"expected a list of BrokerOrder"):
        await checked.open_orders()


async def test_bad_fill_in_a_list_is_set_apart_with_its_order_and_symbol() -> None:
    broker = FakeBroker()
    bad = replace(FILL, price=Decimal("NaN"))
    nameless = replace(FILL, id="f3", client_order_id=7, symbol="", side="buy")
    broker.faults = {"fills": [[FILL, bad, nameless, 5], [bad]]}
    checked = CheckedBroker(broker)
    listed = await checked.fills("")
    assert listed.fills == [FILL]
    first, second, third = listed.bad
    assert (first.order_id, first.symbol) == ("o1", "A")
    assert first.text == "fill 'f1' cannot be booked: price is NaN: expected a finite number"
    assert (second.order_id, second.symbol) == ("", "")
    assert (third.order_id, third.symbol) == ("", "")
    assert len({first.key, second.key, third.key}) == 3
    assert (await checked.fills("")).bad == [first]


async def test_bad_order_in_a_list_is_set_apart_by_its_id() -> None:
    broker = FakeBroker()
    broker.faults = {"open_orders": [[ORDER, replace(ORDER, client_order_id="o2", side=None)]]}
    listed = await CheckedBroker(broker).open_orders()
    assert listed.orders == [ORDER]
    assert listed.bad == {
        "o2": "open_orders returned an order: side is None: expected a member of Side"
    }


async def test_positions_are_read_one_by_one() -> None:
    broker = FakeBroker()
    held = {"A": Decimal(4), "B": 4, "": Decimal(1), 7: Decimal(1), "\ud800": Decimal(1)}
    broker.faults = {"positions": [held, [("A", 4)]]}
    checked = CheckedBroker(broker)
    found = await checked.positions()
    assert found.held == {"A": Decimal(4)}
    assert found.bad["B"] == "the quantity is 4: expected a Decimal"
    assert set(found.bad) == {"B", "", "7", "\\ud800"}
    with pytest.raises(BadAnswerError, match="expected a mapping"):
        await checked.positions()


async def test_single_order_is_refused_with_the_method() -> None:
    broker = FakeBroker()
    bad = replace(ORDER, symbol="")
    other = replace(ORDER, client_order_id="o9")
    broker.faults = {"find": [None, bad, other, ORDER]}
    checked = CheckedBroker(broker)
    assert await checked.find("o1") is None
    with pytest.raises(BadAnswerError, match=r"the adapter's find\(\) returned an order: symbol"):
        await checked.find("o1")
    with pytest.raises(BadAnswerError, match=r"find\('o1'\) returned order 'o9'"):
        await checked.find("o1")
    assert await checked.find("o1") == ORDER


async def test_updates_are_checked_one_by_one() -> None:
    broker = FakeBroker()
    broker.news = [ORDER, replace(ORDER, filled=Decimal(-1)), ORDER]
    told = []
    updates = CheckedBroker(broker).updates()
    async for each in updates:
        told.append(each)
        if len(told) == 3:
            break
    await updates.aclose()
    bad = "updates yielded an order: filled is -1: expected 0 or more"
    assert told == [ORDER, bad, ORDER]


class NoIterator(FakeBroker):
    def updates(self) -> AsyncIterator[Any]:
        """Return what cannot be iterated over."""
        return None  # type: ignore[return-value]


async def test_updates_that_are_no_iterator_are_refused() -> None:
    with pytest.raises(BadAnswerError, match="None: expected an async iterator"):
        async for _ in CheckedBroker(NoIterator()).updates():
            pass
