"""A portfolio that is restored goes on as one that never stopped, whatever had happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchanging import DAY, START, D
from support.saving import Store

from ingenium.components import Portfolio, handle_of
from ingenium.errors import ComponentError, InvalidOrderError
from ingenium.events import (
    ExecutionEvent,
    OrderType,
    Side,
    Signal,
    SignalEvent,
    TradeUpdate,
    encode,
)
from ingenium.portfolios import FixedFraction, FixedQuantity, TargetWeight
from ingenium.portfolios.target import TargetPortfolio
from ingenium.trading import Bar, Order, order_tracker, state_digest

SYMBOLS = ["AAPL", "EUR/USD", "Brk.B"]


class Traced(Portfolio):
    """Keeps a state of its own."""

    def __init__(self) -> None:
        super().__init__(cash=D("50000.50"))
        self.seen: dict[str, Any] = {"count": 0}

    def on_execution(self, event: ExecutionEvent) -> None:
        self.seen = {"count": self.seen["count"] + 1, "last": self.now, "price": D("1.50")}

    def get_state(self) -> object:
        return self.seen

    def set_state(self, state: Any) -> None:
        self.seen = state


MAKERS: dict[str, Callable[[], Portfolio]] = {
    "traced": Traced,
    "fixed_quantity": lambda: FixedQuantity(D("7.5"), cash=20_000),
    "fixed_fraction": lambda: FixedFraction(D("0.3"), cash=20_000, step=D("0.01")),
    "target_weight": lambda: TargetWeight(D("0.25"), cash=20_000, tolerance=D("0.05")),
}

symbols = st.sampled_from(SYMBOLS)
cents = st.integers(8_000, 12_000).map(lambda number: D(number) / 100)
quantities = st.sampled_from([D(3), D("2.50"), D("0.0000001"), D(100)])
sides = st.sampled_from(Side)
# Most of the newest, which more can happen to.
picks = st.integers(1, 8) | st.integers(1, 200)
bars = st.tuples(st.just("bar"), symbols, cents)
signals = st.tuples(
    st.just("signal"), symbols, st.sampled_from(Signal), st.sampled_from([None, "0", "0.5", "x"])
)
orders = st.tuples(
    st.just("order"),
    symbols,
    sides,
    quantities,
    st.sampled_from(["market", "limit", "trailing", "bracket", "half a bracket"]),
)
cancels = st.tuples(st.just("cancel"), picks)
replaces = st.tuples(st.just("replace"), picks, quantities, cents)
reports = st.tuples(
    st.just("report"),
    picks,
    st.sampled_from([None, *TradeUpdate]),
    st.sampled_from(["", "1", "2.50", "100"]),
    st.sampled_from(["", "99.5", "101"]),
    st.sampled_from(["", "AAPL"]),
    sides,
)
# What keeps a history going comes more often than what is odd.
fills = st.tuples(
    st.just("report"),
    picks,
    st.sampled_from([TradeUpdate.PARTIAL_FILL, TradeUpdate.FILLED, TradeUpdate.CANCELED]),
    st.sampled_from(["1", "2.50", "3"]),
    st.sampled_from(["99.5", "101"]),
    st.just(""),
    sides,
)
ordinary = st.one_of(bars, signals, orders, fills)
odd = st.one_of(cancels, replaces, reports)
steps = st.booleans().flatmap(lambda is_odd: odd if is_odd else ordinary) | fills | orders
histories = st.lists(steps, min_size=20, max_size=60)


class Life:
    """Hands steps to a portfolio, and remembers which ids it has sent."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.ids = ["order_of_somebody_else"]
        self.number = 0

    def step(self, step: Sequence[Any]) -> list[bytes]:
        """Let it handle a step; return what can be seen of that."""
        portfolio = self.portfolio
        self.number += 1
        problems = len(portfolio.problems)
        kind, *arguments = step
        cause = f"step {self.number}"
        if kind == "signal":
            # An event without an id.
            cause = handle_of(portfolio).name_cause(b"the same", START)
        handle_of(portfolio).begin(cause, START + self.number * timedelta(minutes=1))
        try:
            getattr(self, kind)(*arguments)
        except InvalidOrderError as error:
            return [str(error).encode()]
        sent = handle_of(portfolio).take()
        self.ids += [event.id or "" for event in sent]
        seen = [encode(event) for event in sent]
        return seen + [text.encode() for text in list(portfolio.problems)[problems:]]

    def bar(self, symbol: str, price: Decimal) -> None:
        text = str(price)
        bar = Bar.make(symbol, START, open=text, high=text, low=text, close=text, period=DAY)
        handle_of(self.portfolio).handle_data(bar.event)

    def signal(self, symbol: str, signal: Signal, strength: str | None) -> None:
        handle_of(self.portfolio).handle_signal(
            SignalEvent(symbol=symbol, signal=signal, strength=strength)
        )

    def order(self, symbol: str, side: Side, quantity: Decimal, kind: str) -> None:
        fields: dict[str, Any] = {}
        if kind == "limit":
            fields = {"type": OrderType.LIMIT, "limit_price": D("100.50")}
        elif kind == "trailing":
            fields = {"type": OrderType.TRAILING_STOP, "trail_percent": D("2.5")}
        elif kind == "half a bracket":
            fields = {"stop_loss": D(100), "stop_loss_limit": D(99)}
        elif kind == "bracket":
            high, low = D(130), D(70)
            fields = {"take_profit": high, "stop_loss": low}
            if side is Side.SELL:
                fields = {"take_profit": low, "stop_loss": high}
        made = self.portfolio.send_order(symbol, side, quantity, **fields)
        self.ids += [leg.id for leg in made.protective_orders()]

    def cancel(self, pick: int) -> None:
        self.portfolio.cancel_order(self.ids[-(pick % len(self.ids))])

    def replace(self, pick: int, quantity: Decimal, price: Decimal) -> None:
        order_id = self.ids[-(pick % len(self.ids))]
        if "order" in order_id:
            self.portfolio.replace_order(order_id, quantity=quantity)

    def report(
        self, pick: int, update: str | None, quantity: str, price: str, symbol: str, side: Side
    ) -> None:
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(
                id=f"exec_{self.number}",
                timestamp=self.portfolio.now,
                order_id=self.ids[-(pick % len(self.ids))],
                update=update,
                quantity=quantity,
                price=price,
                symbol=symbol,
                side=side if symbol else None,
                commission="0.25",
            )
        )


def what_shows(portfolio: Portfolio) -> list[object]:
    account = portfolio.account
    return [
        state_digest(handle_of(portfolio).state_rows()),
        list(portfolio.orders.items()),
        [portfolio.pending(symbol) for symbol in SYMBOLS],
        list(account.positions.items()),
        [account.cash, account.equity, account.commissions, account.realized_pnl],
        [account.bookings, account.trades_before + len(account.trades)],
    ]


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@settings(deadline=None, max_examples=25)
@given(histories, st.data(), st.integers(0, 5))
def test_restored_portfolio_goes_on_as_one_that_never_stopped(
    maker: Callable[[], Portfolio],
    history: list[tuple[Any, ...]],
    data: st.DataObject,
    trades_kept: int,
) -> None:
    cut = data.draw(st.integers(0, len(history)), label="cut")
    # So few that some are forgotten.
    with patch.object(order_tracker, "REMEMBERED", 3):
        store = Store()
        life = Life(maker())
        for step in history[:cut]:
            life.step(step)
            if data.draw(st.booleans(), label="saved"):
                store.save(handle_of(life.portfolio))
        store.save(handle_of(life.portfolio))
        assert store.rows == handle_of(life.portfolio).state_rows()

        restored = maker()
        kept = {**handle_of(restored).log_kept, "ended": 3, "trade": trades_kept}
        handle_of(restored).restore_log(
            [row for kind in kept for row in store.last(kind, kept[kind])]
        )
        handle_of(restored).restore_rows(dict(sorted(store.rows.items(), reverse=True)))
        assert restored.account.trades == life.portfolio.account.trades[-trades_kept:][:trades_kept]
        for symbol in SYMBOLS:
            price = life.portfolio.price(symbol)
            if isinstance(restored, TargetPortfolio):
                assert restored.price(symbol) == price, "ready portfolios save the last prices"
            elif price is not None:
                assert restored.price(symbol) is None, "prices come with the next data"
                restored.account.mark(symbol, price)
        other = Life(restored)
        other.ids, other.number = list(life.ids), life.number
        other_store = deepcopy(store)

        assert what_shows(restored) == what_shows(life.portfolio)
        for step in history[cut:]:
            assert other.step(step) == life.step(step)
            assert what_shows(restored) == what_shows(life.portfolio)
        for each, portfolio in ((store, life.portfolio), (other_store, restored)):
            each.save(handle_of(portfolio))
            assert each.rows == handle_of(portfolio).state_rows()
        assert store.log == other_store.log


def test_second_request_to_replace_an_order_is_still_the_one_that_counts() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", START)
    old = portfolio.send_order("AAPL", "buy", 5)
    first = portfolio.replace_order(old.id, quantity=6)
    second = portfolio.replace_order(old.id, quantity=7)
    restored = Portfolio()
    handle_of(restored).restore_rows(
        dict(sorted(handle_of(portfolio).state_rows().items(), reverse=True))
    )
    for each in (portfolio, restored):
        event = ExecutionEvent(id="e", order_id=old.id, update="replaced", timestamp=START)
        handle_of(each).handle_execution(event)
        assert second.id in each.orders
        assert first.id not in each.orders


def test_portfolio_that_nobody_saves_keeps_no_account_of_changes() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", START)
    for _ in range(3):
        portfolio.send_order("AAPL", "buy", 1)
    assert handle_of(portfolio).books.orders._touched is None
    assert handle_of(portfolio).books.orders._log is None
    assert portfolio.account._touched is None


def test_changed_rows_are_only_those_of_what_has_changed() -> None:
    portfolio = Portfolio()
    life = Life(portfolio)
    for place in range(20):
        handle_of(portfolio).begin(f"start {place}", START)
        portfolio.send_order(f"S{place}", "buy", 5)
    first = handle_of(portfolio).changed_rows()
    assert len(first) == 22
    assert handle_of(portfolio).changed_rows() == {}
    order: Order = next(iter(portfolio.orders.values())).order
    event = ExecutionEvent(id="e", order_id=order.id, quantity="2", price="10", timestamp=START)
    handle_of(portfolio).handle_execution(event)
    changes = handle_of(portfolio).changed_rows()
    assert set(changes) == {"account", "holding/S0", f"order/{order.id}"}
    assert changes["holding/S0"] == (
        b'{"commission":"0","cost":"20","entry_time":"2024-01-02T00:00:00.000000Z",'
        b'"number":0,"quantity":"2","realized_pnl":"0"}'
    )
    event = ExecutionEvent(id="f", order_id=order.id, quantity="3", price="10", timestamp=START)
    handle_of(portfolio).handle_execution(event)
    assert handle_of(portfolio).changed_rows()[f"order/{order.id}"] is None
    assert [(kind, row_id) for kind, row_id, _ in handle_of(portfolio).take_log()] == [
        ("ended", order.id)
    ]
    assert handle_of(portfolio).take_log() == []
    assert life.portfolio is portfolio


def test_ready_portfolios_save_the_last_prices_beside_account_and_orders() -> None:
    for name in ("fixed_quantity", "fixed_fraction", "target_weight"):
        portfolio = MAKERS[name]()
        Life(portfolio).bar("AAPL", D("101.50"))
        rows = handle_of(portfolio).state_rows()
        assert set(rows) == {"account", "orders", "saved", "saved/prices"}
        assert rows["saved/prices"] == b'{"AAPL":"101.50"}'


def test_restoring_into_a_portfolio_that_has_worked_is_refused() -> None:
    rows = handle_of(Portfolio()).state_rows()
    used = Portfolio()
    handle_of(used).begin("a test", START)
    used.send_order("AAPL", "buy", 1)
    with pytest.raises(
        ComponentError, match="has already sent 1 orders: restore into a new portfolio"
    ):
        handle_of(used).restore_rows(rows)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"holdings": b"{}"}, "portfolio 'portfolio' does not know the saved row 'holdings'"),
        ({"account": b"{"}, "saved row 'account' is b'{', which cannot be read as _Totals"),
        ({"account": b'{"cash":"1"}'}, "missing required field"),
        ({"order/a": b'{"order":{"symbol":"A","side":"buy","quantity":"-1"}}'}, "Quantity is -1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: dict[str, bytes], text: str) -> None:
    with pytest.raises(ComponentError) as caught:
        handle_of(Portfolio()).restore_rows(rows)
    assert text in str(caught.value)


def test_log_row_of_another_kind_is_refused() -> None:
    with pytest.raises(ComponentError, match="does not know the saved row 'x' of kind 'seen'"):
        handle_of(Portfolio()).restore_log([("seen", "x", b"{}")])
