"""A paper account that is restored goes on as one that never stopped, whatever had happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.exchanging import DAY, D, bar, opened, order, submit, told
from support.saving import Store

from ingenium.brokers import PaperExecutor
from ingenium.components import handle_of
from ingenium.errors import ComponentError
from ingenium.events import (
    CancelEvent,
    OrderEvent,
    OrderType,
    ReplaceEvent,
    Side,
    StopLoss,
    TimeInForce,
    TradeUpdate,
    encode,
)
from ingenium.exchange import (
    FeeBasisPoints,
    FeePerShare,
    FillPolicy,
    PaperExchange,
    RegularHours,
    SlippageTicks,
)
from ingenium.trading import Bar, state_digest

SYMBOLS = ["AAPL", "EUR/USD"]
HOUR = timedelta(hours=1)
# 10:00 in New York, so that some bars come before the open and some after the close.
START = datetime(2024, 1, 2, 15, tzinfo=UTC)
NEW_YORK = RegularHours("America/New_York", time(9, 30), time(16), extended_close=time(18))

OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": lambda: {"policy": FillPolicy(volume_cap=D("0.10"))},
    "limited": lambda: {"cash": 50_000, "allow_short": False, "fees": FeeBasisPoints(D("1.5"))},
    "calendar": lambda: {
        "calendar": {"AAPL": NEW_YORK},
        "policy": FillPolicy(touch_fills=True, volume_cap=None),
        "slippage": SlippageTicks(1),
    },
}
PRICES = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("stop_price", "limit_price"),
    "trailing_stop": (),
}

symbols = st.sampled_from(SYMBOLS)
cents = st.integers(9_000, 11_000).map(lambda number: D(number) / 100)
# Most of the newest, which more can happen to.
picks = st.integers(1, 6) | st.integers(1, 200)
bars = st.tuples(
    st.just("bar"),
    symbols,
    st.tuples(cents, cents, cents, cents),
    st.sampled_from(["", "9", "300", "100000"]),
    st.sampled_from([1, 1, 1, 5, 24]),
)
orders = st.tuples(
    st.just("order"),
    symbols,
    st.sampled_from(Side),
    st.sampled_from(["10", "2.50", "150"]),
    st.sampled_from(OrderType),
    st.tuples(cents, cents, cents, cents),
    st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce]),
    st.sampled_from(["trail_price", "trail_percent"]),
    st.sampled_from(["", "", "profit", "loss", "both", "both with a limit"]),
    st.booleans(),
)
cancels = st.tuples(st.just("cancel"), picks)
replaces = st.tuples(
    st.just("replace"),
    picks,
    st.sampled_from(["", "5", "200"]),
    cents,
    st.sampled_from(["limit_price", "stop_price", "trail_price"]),
)
again = st.tuples(st.just("again"), picks)
histories = st.lists(
    st.one_of(bars, bars, orders, orders, cancels, replaces, again), min_size=15, max_size=45
)


class Life:
    """Hands steps to an executor, and remembers the events that it has handed in."""

    def __init__(self, executor: PaperExecutor) -> None:
        self.executor = executor
        self.events: list[OrderEvent | ReplaceEvent] = []
        self.ids: list[str] = ["order_of_somebody_else"]
        self.number = 0
        self.now = START
        for symbol in SYMBOLS:
            self.step(("bar", symbol, (D(100), D(100), D(100), D(100)), "", 1))

    def copy(self, executor: PaperExecutor) -> Life:
        other = Life.__new__(Life)
        other.executor, other.events, other.ids = executor, list(self.events), list(self.ids)
        other.number, other.now = self.number, self.now
        return other

    def step(self, step: Sequence[Any]) -> list[bytes]:
        """Let it handle a step; return what it sends."""
        self.number += 1
        handle_of(self.executor).begin(f"step {self.number}", self.now)
        kind, *arguments = step
        getattr(self, kind)(*arguments)
        return [encode(event) for event in handle_of(self.executor).take()]

    def bar(self, symbol: str, prices: tuple[Decimal, ...], volume: str, hours: int) -> None:
        made = Bar.make(
            symbol,
            self.now,
            open=str(prices[0]),
            high=str(max(prices)),
            low=str(min(prices)),
            close=str(prices[3]),
            volume=volume,
            period=hours * HOUR,
        )
        if symbol == SYMBOLS[1]:
            self.now += hours * HOUR
        handle_of(self.executor).begin(f"step {self.number}", self.now)
        if self.number % 2:
            handle_of(self.executor).handle_bar(made)
        else:
            self.executor.on_data(made.event)

    def order(
        self,
        symbol: str,
        side: Side,
        quantity: str,
        kind: OrderType,
        prices: tuple[Decimal, ...],
        time_in_force: TimeInForce,
        trail: str,
        legs: str,
        extended_hours: bool,
    ) -> None:
        event = OrderEvent(
            id=f"order_{self.number}",
            symbol=symbol,
            side=side.value,
            quantity=quantity,
            type=kind.value,
            time_in_force=time_in_force.value,
            extended_hours=extended_hours,
        )
        up = D(2) if side is Side.BUY else D(-2)
        for name, price in zip(PRICES[kind.value], prices, strict=False):
            # On the side where stops may be, most of the time.
            setattr(event, name, str(price + 3 * up if name == "stop_price" else price))
        if kind is OrderType.TRAILING_STOP:
            setattr(event, trail, "1.50")
        if legs in {"profit", "both", "both with a limit"}:
            event.take_profit = str(100 + up)
        if legs in {"loss", "both", "both with a limit"}:
            event.stop_loss = StopLoss(
                stop_price=str(100 - up), limit_price=str(100 - up) if "limit" in legs else ""
            )
        self.hand_in(event)
        self.ids += [leg for leg in self.legs() if leg not in self.ids]

    def legs(self) -> list[str]:
        return [order.id for order in self.executor.exchange.working]

    def hand_in(self, event: OrderEvent | ReplaceEvent) -> None:
        self.events.append(event)
        self.ids.append(event.id)
        handle_of(self.executor).handle_request(event)

    def pick(self, pick: int) -> str:
        return self.ids[-(pick % len(self.ids))]

    def cancel(self, pick: int) -> None:
        order = self.executor.exchange.order(self.pick(pick))
        symbol = "AAPL" if order is None else order.symbol
        handle_of(self.executor).handle_request(
            CancelEvent(id=f"cancel_{self.number}", order_id=self.pick(pick), symbol=symbol)
        )

    def replace(self, pick: int, quantity: str, price: Decimal, name: str) -> None:
        order = self.executor.exchange.order(self.pick(pick))
        event = ReplaceEvent(
            id=f"order_{self.number}",
            order_id=self.pick(pick),
            symbol="AAPL" if order is None else order.symbol,
            quantity=quantity,
        )
        if order is None or getattr(order, name) is not None:
            setattr(event, name, "2.50" if name == "trail_price" else str(price))
        self.hand_in(event)

    def again(self, pick: int) -> None:
        """Hand in an event that has been handed in before."""
        if self.events:
            handle_of(self.executor).handle_request(self.events[-(pick % len(self.events))])


def what_shows(executor: PaperExecutor) -> list[object]:
    exchange = executor.exchange
    working = exchange.working
    return [
        state_digest(handle_of(executor).state_rows()),
        # Between symbols, those of a restored exchange may stand in another order.
        [[order for order in working if order.symbol == symbol] for symbol in SYMBOLS],
        exchange.notes,
    ]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@settings(deadline=None, max_examples=40)
@given(histories, st.data())
def test_restored_executor_goes_on_as_one_that_never_stopped(
    options: Callable[[], dict[str, Any]], history: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)), label="cut")
    store = Store()
    life = Life(PaperExecutor(**options()))
    for step in history[:cut]:
        life.step(step)
        if data.draw(st.booleans(), label="saved"):
            store.save(handle_of(life.executor))
            assert store.rows == handle_of(life.executor).state_rows()
    store.save(handle_of(life.executor))
    assert store.rows == handle_of(life.executor).state_rows()

    restored = PaperExecutor(**options())
    handle_of(restored).restore_rows(dict(sorted(store.rows.items(), reverse=True)))
    handle_of(restored).restore_log(store.last("seen", 1_000))
    other, other_store = life.copy(restored), deepcopy(store)
    assert what_shows(restored) == what_shows(life.executor)
    for step in history[cut:]:
        assert other.step(step) == life.step(step)
        assert what_shows(restored) == what_shows(life.executor)
    for each, executor in ((store, life.executor), (other_store, restored)):
        each.save(handle_of(executor))
        assert each.rows == handle_of(executor).state_rows()
    assert store.log == other_store.log


def both(exchange: PaperExchange, **options: Any) -> list[PaperExchange]:
    """Return an exchange, and one that is restored from it."""
    restored = PaperExchange(**options)
    restored.restore_rows(dict(sorted(exchange.state_rows().items())))
    return [exchange, restored]


def test_restored_order_still_expires_with_the_session_that_it_was_for() -> None:
    exchange = PaperExchange()
    hours = [START + place * HOUR for place in (0, 1, 24)]
    bars = [
        Bar.make("AAPL", start, open="100", high="101", low="99", close="100", period=HOUR)
        for start in hours
    ]
    exchange.on_bar(bars[0])
    waiting = order(Side.BUY, type=OrderType.LIMIT, limit_price="50", time_in_force=TimeInForce.DAY)
    exchange.submit(waiting, hours[1])
    assert exchange.on_bar(bars[1]) == []
    for each in both(exchange):
        [report] = each.on_bar(bars[2])
        assert (report.update, report.time) == (
            TradeUpdate.EXPIRED,
            datetime(2024, 1, 3, tzinfo=UTC),
        )


def test_restored_exchange_still_knows_what_time_its_bars_have_covered() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, take_profit="110"))
    assert exchange.on_bar(bar(1, "100 101 99 100"))[0].price == 100
    week = Bar.make(
        "AAPL",
        bar(1, "100 100 100 100").start,
        open="100",
        high="111",
        low="99",
        close="100",
        period=7 * DAY,
    )
    for each in both(exchange):
        assert told(each.on_bar(week)) == []
        assert told(each.on_bar(bar(1, "100 111 99 100"))) == []  # the same bar again
        assert each.notes.overlapping_bars == 2
        assert told(each.on_bar(bar(2, "100 111 99 100"))) == [("sell", "filled", "110")]


def test_restored_brackets_protect_what_is_left_in_the_order_in_which_they_came() -> None:
    exchange = opened()
    limit = order(Side.BUY, "10", id="c", type=OrderType.LIMIT, limit_price="100", stop_loss="50")
    submit(exchange, limit, order(Side.BUY, "5", id="b", stop_loss="50"))
    # The volume cap leaves a part of the one open, and its successor stands behind the other.
    exchange.on_bar(bar(1, "99 101 98 100", volume="60"))
    exchange.replace("c", replace(limit, id="a", quantity=D(8)), START + DAY)
    submit(exchange, order(Side.SELL, "6", id="d"))
    for each in both(exchange):
        reports = each.on_bar(bar(2, "102 103 101 102"))
        assert [report.order.id for report in reports] == ["d"]
        assert [made.quantity for made in each.working if made.stop_price] == [5], "that of b"


def test_bar_without_orders_changes_the_last_close_only() -> None:
    life = Life(PaperExecutor())
    assert set(handle_of(life.executor).changed_rows()) == {
        "exchange",
        "close/AAPL",
        "close/EUR/USD",
    }
    life.step(("bar", "AAPL", (D(100), D(101), D(99), D("100.50")), "", 1))
    assert handle_of(life.executor).changed_rows() == {"close/AAPL": b'"100.50"'}
    assert handle_of(life.executor).changed_rows() == {}


def test_exchange_that_nobody_saves_keeps_no_account_of_changes() -> None:
    life = Life(PaperExecutor())
    life.step(orders_of("plain"))
    assert life.executor.exchange._books.working.touched is None


def test_order_that_waits_for_cash_is_saved_when_the_bar_of_another_symbol_pays_for_it() -> None:
    exchange = opened(cash=1000, policy=FillPolicy(volume_cap=D("0.5")))
    exchange.on_bar(replace(bar(0, "100 100 100 100"), symbol="IBM"))
    buy, sell = order(Side.BUY, id="held"), order(Side.SELL, id="pays")
    exchange.submit(replace(order(Side.BUY, id="first"), symbol="IBM"), START)
    exchange.on_bar(replace(bar(1, "100 100 100 100", volume="1000"), symbol="IBM"))
    submitted = START + 2 * DAY
    exchange.submit(replace(sell, symbol="IBM"), submitted)
    exchange.submit(buy, submitted)
    exchange.changed_rows()
    assert exchange.on_bar(bar(60, "100 100 100 100", volume="8")) == []
    rows = exchange.state_rows()
    exchange.changed_rows()
    reports = exchange.on_bar(replace(bar(60, "100 100 100 100", volume="1000"), symbol="IBM"))
    assert [(each.order.id, each.quantity) for each in reports] == [("pays", D(10)), ("held", D(4))]
    for key, data in exchange.changed_rows().items():
        if data is None:
            del rows[key]
        else:
            rows[key] = data
    assert rows == exchange.state_rows()
    assert rows["position/AAPL"] == b'"4"'


def orders_of(kind: str) -> tuple[Any, ...]:
    prices = (D(100), D(100), D(100), D(100))
    legs = "both" if kind == "bracket" else ""
    gtc = TimeInForce.GTC
    return ("order", "AAPL", Side.BUY, "10", OrderType.MARKET, prices, gtc, "", legs, False)


def test_order_that_came_before_the_kill_is_known_after_it() -> None:
    life = Life(PaperExecutor())
    life.step(orders_of("bracket"))
    store = Store()
    store.save(handle_of(life.executor))
    restored = PaperExecutor()
    handle_of(restored).restore_log(store.last("seen", handle_of(restored).log_kept["seen"]))
    handle_of(restored).restore_rows(store.rows)
    other = life.copy(restored)
    assert other.step(("again", 1)) == []
    assert restored.exchange.notes.repeated_orders == 1


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"account": b"{}"}, "exchange does not know the saved row 'account'"),
        ({"close/AAPL": b"1"}, "saved row 'close/AAPL' is b'1', which cannot be read as str"),
        (
            PaperExchange(cash=5).state_rows(),
            "exchange was saved with a limit on cash or shorts, and this exchange differs",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: dict[str, bytes], text: str) -> None:
    with pytest.raises(ComponentError) as caught:
        handle_of(PaperExecutor()).restore_rows(rows)
    assert text in str(caught.value)


def test_restoring_into_an_exchange_that_has_worked_is_refused() -> None:
    life = Life(PaperExecutor())
    with pytest.raises(ComponentError, match="restore into a new exchange"):
        handle_of(life.executor).restore_rows(handle_of(life.executor).state_rows())


def test_log_row_of_another_kind_is_refused() -> None:
    with pytest.raises(ComponentError, match="does not know the saved row 'x' of kind 'trade'"):
        handle_of(PaperExecutor()).restore_log([("trade", "x", b"{}")])


def test_restored_order_remembers_that_its_minimum_was_charged() -> None:
    fees = FeePerShare(D("0.005"), minimum=D(1))
    exchange = opened(fees=fees)
    submit(exchange, order(Side.BUY, "30"))
    assert exchange.on_bar(bar(1, "100 100 100 100", volume="100"))[0].commission == 1
    rows = exchange.state_rows()
    assert b'"value":"1000"' in rows["order/order_1"]
    # Rows of before there was such a field load too.
    old = {k: data.replace(b',"value":"1000"', b"") for k, data in rows.items() if k[:4] != "bar/"}
    assert old["order/order_1"] != rows["order/order_1"]
    for each in (rows, old):
        restored = PaperExchange(fees=fees)
        restored.restore_rows(each)
        [report] = restored.on_bar(bar(2, "100 100 100 100", volume="100"))
        assert (report.quantity, report.commission) == (D(10), D(0))


def test_restored_notes_of_before_there_were_more_of_them() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY))
    rows = exchange.state_rows()
    names = ["rejected_orders", "reduced_orders", "untaken_targets"]
    names += ["bars_without_volume", "overlapping_bars"]
    for name in names:
        rows["exchange"] = rows["exchange"].replace(f',"{name}":0'.encode(), b"")
    assert b"rejected" not in rows["exchange"]
    restored = PaperExchange()
    restored.restore_rows(rows)
    assert restored.notes == exchange.notes


def test_closes_of_several_symbols_are_saved_as_those_of_single_bars() -> None:
    exchange = PaperExchange()
    exchange.is_waiting("AAPL", "1.50")
    assert set(exchange.changed_rows()) == {"exchange", "close/AAPL"}
    exchange.set_closes({"AAPL": "1.75", "EUR/USD": "2"})
    assert exchange.changed_rows() == {"close/AAPL": b'"1.75"', "close/EUR/USD": b'"2"'}
    exchange.set_closes({"EUR/USD": "2.5"})
    exchange.is_waiting("AAPL", "1.80")
    assert exchange.changed_rows() == {"close/AAPL": b'"1.80"', "close/EUR/USD": b'"2.5"'}
    assert exchange.changed_rows() == {}


def test_views_of_waiting_symbols_are_live_and_cannot_change_the_exchange() -> None:
    exchange = PaperExchange()
    views = exchange.waiting_symbols()
    exchange.is_waiting("AAPL", "100")
    exchange.changed_rows()
    assert not any("AAPL" in view for view in views)
    submit(exchange, order(Side.BUY))
    assert any("AAPL" in view for view in views)
    # None of the ways to change a dictionary is there, so no change can be missed.
    changing = {"update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__delitem__"}
    assert not [name for view in views for name in changing | {"__ior__"} if hasattr(view, name)]
