"""Accounts: cash, positions and trades, exact to the last digit."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ingenium.errors import ConfigError, DecodeError
from ingenium.events import Side
from ingenium.trading import Account, Fill
from ingenium.trading.recent_ids import RecentIds

ORACLE = Path(__file__).parents[2] / "data" / "oracles" / "lean_cash_fills.csv"
START = datetime(2024, 1, 2, tzinfo=UTC)


def fill(
    signed: int | str, price: str, *, commission: str = "0", day: int = 0, id: str = ""
) -> Fill:
    quantity = Decimal(signed)
    return Fill(
        id=id,
        symbol="AAPL",
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=quantity.copy_abs(),
        price=Decimal(price),
        commission=Decimal(commission),
        time=START + timedelta(days=day),
    )


def test_account_equity_after_the_fills_of_lean_is_that_of_lean() -> None:
    account = Account(Decimal(100_000))
    rows = list(csv.DictReader(ORACLE.read_text().splitlines()))
    assert len(rows) == 13
    for row in rows:
        account.book(fill(row["fill_quantity"], row["fill_price"]))
        account.mark("AAPL", row["market_price_after"])
        assert account.equity == Decimal(row["expected_equity_after"]), row


def test_account_long_round_trip_makes_one_trade() -> None:
    account = Account(Decimal(1_000))
    account.book(fill(10, "50", commission="1"))
    account.book(fill(-10, "55", commission="2", day=3))
    [trade] = account.trades
    assert trade.side is Side.BUY
    assert trade.quantity == 10
    assert trade.entry_price == 50
    assert trade.exit_price == 55
    assert trade.entry_time == START
    assert trade.exit_time == START + timedelta(days=3)
    assert trade.pnl == 50
    assert trade.commission == 3
    assert trade.net_pnl == 47
    assert account.cash == 1_047
    assert account.equity == 1_047
    assert account.positions == {}


def test_account_short_round_trip_earns_when_the_price_falls() -> None:
    account = Account(Decimal(1_000))
    account.book(fill(-10, "50"))
    assert account.cash == 1_500
    assert account.equity == 1_000
    account.mark("AAPL", "45")
    assert account.unrealized_pnl == 50
    account.book(fill(10, "40"))
    [trade] = account.trades
    assert trade.side is Side.SELL
    assert trade.pnl == 100


def test_account_position_averages_its_cost_over_several_buys() -> None:
    account = Account()
    account.book(fill(10, "50"))
    account.book(fill(30, "70", day=1))
    position = account.position("AAPL")
    assert position.quantity == 40
    assert position.average_price == 65
    account.book(fill(-20, "66", day=2))
    assert account.position("AAPL").average_price == 65
    assert account.trades[0].pnl == 20
    assert account.trades[0].entry_time == START


def test_account_fill_through_zero_closes_and_opens_and_splits_the_commission() -> None:
    account = Account()
    account.book(fill(10, "50"))
    account.book(fill(-25, "60", commission="5", day=1))
    [trade] = account.trades
    assert trade.quantity == 10
    assert trade.pnl == 100
    assert trade.commission == 2
    position = account.position("AAPL")
    assert position.quantity == -15
    assert position.average_price == 60
    account.book(fill(15, "60", day=2))
    assert account.trades[1].commission == 3
    assert account.trades[1].entry_time == START + timedelta(days=1)


def test_account_fill_with_a_known_id_is_booked_once() -> None:
    account = Account()
    assert account.book(fill(10, "50", id="exec_1"))
    assert not account.book(fill(10, "50", id="exec_1"))
    assert account.has_booked("exec_1")
    assert account.position("AAPL").quantity == 10


def test_account_fills_without_id_are_all_booked() -> None:
    account = Account()
    account.book(fill(10, "50"))
    account.book(fill(10, "50"))
    assert account.position("AAPL").quantity == 20


def test_account_price_is_the_last_mark_not_the_last_fill() -> None:
    account = Account()
    assert account.price("AAPL") is None
    account.book(fill(10, "50"))
    assert account.price("AAPL") == 50
    account.mark("AAPL", "52.50")
    account.book(fill(10, "51"))
    assert account.price("AAPL") == Decimal("52.50")
    account.mark("AAPL", Decimal(53))
    assert account.position("AAPL").market_value == 20 * 53


@pytest.mark.parametrize("text", ["", "abc", "NaN", "inf", "1_0", "٣", "1.2.3", "1e15", " 5"])
def test_account_mark_that_is_no_price_is_refused_and_the_last_one_stays(text: str) -> None:
    account = Account()
    account.mark("AAPL", "50")
    with pytest.raises(DecodeError, match=r"Ohlc\.Close"):
        account.mark("AAPL", text)
    assert account.price("AAPL") == 50


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("1e-05", "0.00001"),
        ("1.5E3", "1500"),
        (".5", "0.5"),
        ("-37.63", "-37.63"),
        ("0.0000123456789012345678", "0.0000123456789012345678"),
    ],
)
def test_account_mark_takes_what_market_data_may_hold(text: str, price: str) -> None:
    account = Account()
    account.mark("AAPL", text)
    assert account.price("AAPL") == Decimal(price)
    assert "E" not in str(account.price("AAPL"))


@pytest.mark.parametrize("cash", ["many", "", "1e15", float("nan"), True, None])
def test_account_cash_that_is_no_number_is_refused(cash: Any) -> None:
    with pytest.raises(ConfigError, match="cash is"):
        Account(cash)


@pytest.mark.parametrize(
    "cash", [Decimal(100000), 100_000, "100000", 100_000.0, Decimal("1E+5"), "1e5"]
)
def test_account_cash_of_any_kind_of_number_is_exact(cash: Any) -> None:
    assert str(Account(cash).cash).removesuffix(".0") == "100000"


class Model:
    """Average cost in fractions, written as a person would explain it."""

    def __init__(self) -> None:
        self.cash = Fraction(100_000)
        self.quantity = Fraction(0)
        self.average = Fraction(0)
        self.realized = Fraction(0)

    def book(self, signed: Fraction, price: Fraction, commission: Fraction) -> None:
        self.cash -= signed * price + commission
        if self.quantity * signed >= 0:
            total = self.quantity * self.average + signed * price
            self.quantity += signed
            self.average = total / self.quantity
            return
        closing = min(abs(signed), abs(self.quantity))
        sign = 1 if self.quantity > 0 else -1
        self.realized += closing * (price - self.average) * sign
        crosses = abs(signed) > abs(self.quantity)
        self.quantity += signed
        if crosses:
            self.average = price


quantities = st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(1_000), places=4)
prices = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(500), places=2)
fees = st.decimals(min_value=Decimal("-0.5"), max_value=Decimal(5), places=3)
Move = tuple[bool, Decimal, Decimal, Decimal, Decimal]
moves = st.lists(st.tuples(st.booleans(), quantities, prices, fees, prices), max_size=30)


@given(moves)
def test_account_random_fills_agree_with_average_cost_in_fractions(steps: list[Move]) -> None:
    account, model = Account(), Model()
    for is_buy, quantity, price, fee, mark in steps:
        signed = quantity if is_buy else -quantity
        account.book(fill(str(signed), str(price), commission=str(fee)))
        account.mark("AAPL", str(mark))
        model.book(Fraction(signed), Fraction(price), Fraction(fee))
        position = account.position("AAPL")
        assert Fraction(account.cash) == model.cash
        assert Fraction(position.quantity) == model.quantity
        assert Fraction(account.equity) == model.cash + model.quantity * Fraction(mark)
        assert abs(Fraction(account.realized_pnl) - model.realized) < Fraction(1, 10**15)
        if position.quantity:
            assert abs(Fraction(position.average_price) - model.average) < Fraction(1, 10**15)


@given(moves)
def test_account_identity_of_equity_holds_to_the_last_digit(steps: list[Move]) -> None:
    account = Account(Decimal(100_000))
    for is_buy, quantity, price, fee, mark in steps:
        signed = quantity if is_buy else -quantity
        account.book(fill(str(signed), str(price), commission=str(fee)))
        account.mark("AAPL", str(mark))
        start = Fraction(account.starting_cash)
        assert Fraction(account.equity) == start + Fraction(account.realized_pnl) + Fraction(
            account.unrealized_pnl
        ) - Fraction(account.commissions)
        values = sum(Fraction(p.market_value) for p in account.positions.values())
        assert Fraction(account.equity) == Fraction(account.cash) + values
        assert sum(Fraction(trade.pnl) for trade in account.trades) == Fraction(
            account.realized_pnl
        )
    if not account.positions:
        paid = sum(Fraction(trade.commission) for trade in account.trades)
        assert paid == Fraction(account.commissions)


def test_account_tiny_and_huge_numbers_are_not_rounded() -> None:
    account = Account(Decimal("0.000000000000000001"))
    account.book(fill("999999999999999.000000000000000001", "0.000000000000000001"))
    account.book(fill("-999999999999999.000000000000000001", "999999999999999.000000000000000001"))
    expected = Fraction("999999999999999.000000000000000001") * (
        Fraction("999999999999999.000000000000000001") - Fraction("0.000000000000000001")
    )
    assert Fraction(account.realized_pnl) == expected
    assert Fraction(account.cash) == expected + Fraction("0.000000000000000001")


def test_recent_ids_are_known_and_old_ones_are_given_up() -> None:
    ids = RecentIds(100)
    assert all(ids.add(str(number)) for number in range(1_000))
    assert not any(ids.add(str(number)) for number in range(900, 1_000))
    assert "799" not in ids
    assert ids.add("799")
    ids.clear()
    assert "999" not in ids


def test_trades_that_are_saved_are_held_in_part_only() -> None:
    account = Account(0)
    saved = [row for row, _, _ in account.take_log()]
    for number in range(50_000):
        account.book(fill(1 if number % 2 == 0 else -1, "100", id=str(number)))
        if number % 100 == 99:
            saved += [id for _, id, _ in account.take_log()]
    assert saved == [str(number) for number in range(1, 25_001)]
    assert 1_000 <= len(account.trades) <= 2_000
    # Ids that left it are known by the file; those of late are known here, too.
    assert account.has_booked("49999")
    assert account.has_booked("40000")
    assert not account.has_booked("0")
    assert account.trades_before + len(account.trades) == 25_000
    assert account.rows_of("")["account"].count(b'"trades":25000') == 1
    unsaved = Account(0)
    for number in range(50_000):
        unsaved.book(fill(1 if number % 2 == 0 else -1, "100"))
    assert len(unsaved.trades) == 25_000, "nobody else has them"


def row(*values: object) -> tuple[object, ...]:
    """Numbers of any type, to compare."""
    return values


def of_order(order_id: str, signed: int | str, price: str, *, fee: str = "0", day: int = 0) -> Fill:
    return structs.replace(fill(signed, price, commission=fee, day=day), order_id=order_id)


def test_exit_order_in_ten_fills_is_one_trade_at_its_average_price() -> None:
    account = Account()
    account.book(of_order("entry", 100, "50", fee="1"))
    for day in range(10):
        account.book(of_order("exit", -10, str(60 + day), fee="0.10", day=day + 1))
    [trade] = account.trades
    assert row(trade.quantity, trade.entry_price, trade.exit_price) == (100, 50, Decimal("64.5"))
    assert row(trade.pnl, trade.commission) == (1450, 2)
    assert (trade.entry_time, trade.exit_time) == (START, START + timedelta(days=10))
    assert trade.exit_fills == 10
    assert account.realized_pnl == 1450


def test_fills_of_two_exit_orders_in_turn_are_two_trades() -> None:
    account = Account()
    account.book(of_order("entry", 100, "50"))
    for day, (order_id, price) in enumerate([("a", "51"), ("b", "52"), ("a", "53"), ("b", "54")]):
        account.book(of_order(order_id, -20, price, day=day))
    account.book(of_order("c", -20, "40", day=9))
    assert [row(t.quantity, t.exit_price) for t in account.trades] == [(40, 52), (40, 53), (20, 40)]
    assert [t.exit_time.day for t in account.trades] == [4, 5, 11]


def test_entry_between_the_fills_of_an_exit_order_moves_its_average_entry() -> None:
    account = Account()
    account.book(of_order("first", 20, "50"))
    account.book(of_order("exit", -10, "60", day=1))
    account.book(of_order("second", 30, "70", day=2))
    account.book(of_order("exit", -40, "80", day=3))
    [trade] = account.trades
    # 10 of a cost of 50, then 40 of a cost of (10 * 50 + 30 * 70) / 40 = 65.
    assert row(trade.quantity, trade.entry_price) == (50, 62)
    assert row(trade.exit_price, trade.pnl) == (76, 10 * 10 + 40 * 15)


def test_order_through_zero_closes_one_trade_and_opens_the_next_position() -> None:
    account = Account()
    account.book(of_order("entry", 10, "50"))
    for day, quantity in enumerate((-6, -6, -8), 1):
        account.book(of_order("turn", quantity, "55", fee="6", day=day))
    account.book(of_order("cover", 10, "45", day=5))
    long, short = account.trades
    assert row(long.side, long.quantity, long.exit_fills, long.commission) == (Side.BUY, 10, 2, 10)
    assert row(short.side, short.quantity, short.pnl, short.commission) == (Side.SELL, 10, 100, 8)
    assert short.entry_time == START + timedelta(days=2)


def test_order_that_closes_a_second_position_makes_a_second_trade() -> None:
    account = Account()
    account.book(of_order("one", 6, "50"))
    account.book(of_order("exit", -6, "55", day=1))
    account.book(of_order("two", 4, "60", day=2))
    account.book(of_order("exit", -4, "65", day=3))
    assert [row(t.quantity, t.entry_price, t.pnl) for t in account.trades] == [
        (6, 50, 30),
        (4, 60, 20),
    ]


def test_fills_that_name_no_order_are_a_trade_each() -> None:
    account = Account()
    account.book(fill(10, "50"))
    for _ in range(5):
        account.book(fill(-2, "51"))
    assert [row(t.quantity, t.exit_fills) for t in account.trades] == [(2, 1)] * 5


orders_and_fills = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), quantities, prices, st.decimals(0, 5, places=2)),
    max_size=40,
)


@given(orders_and_fills)
def test_trades_are_the_fills_grouped_by_position_and_exit_order(
    steps: list[tuple[int, bool, Decimal, Decimal, Decimal]],
) -> None:
    """Beside a ledger of every reducing fill, in fractions, that is grouped with pandas."""
    account = Account()
    held, cost, fees, opened = Fraction(0), Fraction(0), Fraction(0), 0
    rows = []
    for step, (order, is_buy, quantity, price, fee) in enumerate(steps):
        signed = quantity if is_buy else -quantity
        account.book(of_order(f"o{order}", str(signed), str(price), fee=str(fee), day=step))
        amount, each = Fraction(signed), Fraction(price)
        if held * amount < 0:
            closing = min(abs(amount), abs(held))
            part, own = closing / abs(held), closing / abs(amount)
            sign = 1 if held > 0 else -1
            rows.append(
                {
                    "position": opened,
                    "order": f"o{order}",
                    "quantity": closing,
                    "cost": cost * part,
                    "value": sign * closing * each,
                    "commission": fees * part + Fraction(fee) * own,
                    "time": START + timedelta(days=step),
                }
            )
            held, cost, fees = held + sign * -closing, cost * (1 - part), fees * (1 - part)
            amount, fee_left = amount + sign * closing, Fraction(fee) * (1 - own)
        else:
            fee_left = Fraction(fee)
        if amount:
            opened += not held
            held, cost, fees = held + amount, cost + amount * each, fees + fee_left
    pandas = pytest.importorskip("pandas")
    expected = []
    if rows:
        groups = pandas.DataFrame(rows).groupby(["position", "order"], sort=False)
        expected = [
            (
                group["quantity"].sum(),
                group["value"].sum() - group["cost"].sum(),
                group["commission"].sum(),
                len(group),
                group["time"].max().to_pydatetime(),
                abs(group["value"].sum()) / group["quantity"].sum(),
            )
            for _, group in groups
        ]
    assert len(account.trades) == len(expected)
    for trade, (quantity, pnl, commission, fills, time, price) in zip(
        account.trades, expected, strict=True
    ):
        assert (trade.exit_fills, trade.exit_time) == (fills, time)
        assert Fraction(trade.quantity) == quantity
        assert abs(Fraction(trade.pnl) - pnl) < Fraction(1, 10**15)
        assert abs(Fraction(trade.commission) - commission) < Fraction(1, 10**15)
        assert abs(Fraction(trade.exit_price) - price) < Fraction(1, 10**15)


def test_trade_grows_on_after_a_restart() -> None:
    """Restored between two fills of an exit order, the account goes on with the same trade."""
    account = Account()
    account.book(of_order("entry", 100, "50"))
    account.book(of_order("exit", -40, "60", day=1))
    rows = {k: v for section in account.sections() for k, v in account.rows_of(section).items()}
    [(kind, number, data)] = account.take_log()
    assert (kind, number) == ("trade", "1")

    restored = Account()
    restored.restore(rows)
    with_trade = Account()
    with_trade.restore_trades([(kind, number, data)])
    with_trade.restore(rows)
    for each in (account, restored, with_trade):
        each.book(of_order("exit", -60, "70", day=2))
        assert each.trades_before + len(each.trades) == 1
        [(_, number, data)] = each.take_log()
        assert number == "1"
        assert b'"quantity":"100"' in data
        assert b'"exit_price":"66"' in data
        assert b'"pnl":"1600"' in data
    assert list(with_trade.trades) == list(account.trades)
    assert restored.trades == []


def test_rows_of_an_older_version_can_be_read() -> None:
    account = Account()
    account.restore(
        {
            "account": b'{"bookings":2,"cash":"99900","commissions":"0","realized_pnl":"0",'
            b'"starting_cash":"100000","trades":0}',
            "holding/AAPL": b'{"commission":"0","cost":"100","entry_time":'
            b'"2024-01-02T00:00:00.000000Z","number":0,"quantity":"2","realized_pnl":"0"}',
        }
    )
    account.restore_trades([])
    account.book(of_order("exit", -2, "60", day=2))
    assert account.trades[0].pnl == 20
    old = Account()
    old.restore_trades(
        [
            (
                "trade",
                "1",
                (
                    b'{"commission":"0","entry_price":"50",'
                    b'"entry_time":"2024-01-02T00:00:00.000000Z","exit_price":"51",'
                    b'"exit_time":"2024-01-03T00:00:00.000000Z","pnl":"1",'
                    b'"quantity":"1","side":"buy","symbol":"AAPL"}'
                ),
            )
        ]
    )
    assert row(old.trades[0].pnl, old.trades[0].exit_fills) == (1, 1)


def test_a_position_remembers_its_last_sixteen_exit_orders() -> None:
    account = Account()
    account.book(of_order("entry", 1000, "50"))
    for number in range(40):
        account.book(of_order(f"exit {number}", -1, "51"))
    account.book(of_order("exit 30", -1, "51"))
    account.book(of_order("exit 2", -1, "51"))
    assert len(account.trades) == 41
    assert account.trades[30].quantity == 2
    assert account.rows_of("AAPL")["holding/AAPL"].count(b'"fills"') == 16
