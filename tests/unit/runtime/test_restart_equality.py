"""Restarts at random bars: what a component says is what it says without a restart."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ingenium import BySymbol, Portfolio, Signal, SignalEvent, StateError, Strategy, indicators
from ingenium.components import Component, handle_of
from ingenium.errors import ConfigError
from ingenium.events import ExecutionEvent, OrderEvent, encode
from ingenium.portfolios import FixedFraction, FixedQuantity, TargetWeight
from ingenium.runtime.durable.store import Change, Store
from ingenium.strategies import RsiStrategy, SmaCross
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SYMBOLS = ("AAPL", "BTC/USD", "MSFT")
RESTARTS = 200

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "rsi": lambda: RsiStrategy(period=3, buy_below=30, sell_above=70),
    "sma cross": lambda: SmaCross(fast=3, slow=9),
}
PORTFOLIOS: dict[str, Callable[[], Portfolio]] = {
    "fixed quantity": lambda: FixedQuantity(10),
    "fixed fraction": lambda: FixedFraction("0.2"),
    "target weight": lambda: TargetWeight("0.3", tolerance="0.001"),
}


def walk(seed: int, count: int) -> list[Bar]:
    """Make bars of several symbols, in the order of time."""
    random = Random(seed)
    prices = dict.fromkeys(SYMBOLS, 100.0)
    bars: list[Bar] = []
    for minute in range(count):
        symbol = random.choice(SYMBOLS)
        prices[symbol] *= math.exp(random.gauss(0, 0.02))
        price = f"{prices[symbol]:.4f}"
        bars.append(
            Bar.make(
                symbol,
                START + minute * MINUTE,
                open=price,
                high=price,
                low=price,
                close=price,
                period=MINUTE,
            )
        )
    return bars


class Disk:
    """The file of a component, and what is told of its changes."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        # No power fails here.
        connection.execute("PRAGMA synchronous = OFF")
        self.store = Store(connection, str(path))

    def save(self, component: Component) -> None:
        self.store.commit(
            Change(rows=handle_of(component).changed_rows(), log=handle_of(component).take_log())
        )

    def restored(self, make: Callable[[], Any]) -> Any:
        component = make()
        handle = handle_of(component)
        for kind, count in handle.log_kept.items():
            handle.restore_log([(kind, i, v) for i, v in self.store.log(kind, count)])
        handle.restore_rows(self.store.rows())
        assert not handle.state_refused
        return component


def says(strategy: Strategy, bar: Bar, number: int) -> list[bytes]:
    handle_of(strategy).begin(f"bar {number}", bar.end)
    handle_of(strategy).handle_bar(bar)
    return [encode(event) for event in handle_of(strategy).take()]


def cuts_of(seed: int, count: int) -> set[int]:
    return set(Random(seed).sample(range(1, count), RESTARTS))


@pytest.mark.parametrize("kind", STRATEGIES)
def test_strategy_restarted_at_random_bars_says_what_one_that_never_was_says(kind, tmp_path):
    make = STRATEGIES[kind]
    bars = walk(11, 1200)
    cuts = cuts_of(1, len(bars))
    disk = Disk(tmp_path / "s.db")
    whole, broken = make(), make()
    said = 0
    for number, bar in enumerate(bars):
        if number in cuts:
            disk.save(broken)
            broken = disk.restored(make)
        expected = says(whole, bar, number)
        assert says(broken, bar, number) == expected
        said += len(expected)
    assert said > 50


def trade(portfolio: Portfolio, bar: Bar, signal: Signal | None, number: int) -> list[bytes]:
    """Show a portfolio a bar, fill what it orders, and return all that it sent."""
    handle_of(portfolio).begin(f"bar {number}", bar.end)
    handle_of(portfolio).handle_data(bar.event)
    if signal is None:
        return []
    handle_of(portfolio).begin(f"signal {number}", bar.end)
    # Of another symbol than the bar, so that its size rests on prices of bars before.
    symbol = SYMBOLS[number % len(SYMBOLS)]
    handle_of(portfolio).handle_signal(SignalEvent(symbol=symbol, signal=signal))
    sent = handle_of(portfolio).take()
    for place, order in enumerate(sent):
        assert isinstance(order, OrderEvent)
        handle_of(portfolio).begin(f"fill {number} {place}", bar.end)
        handle_of(portfolio).handle_execution(
            ExecutionEvent(
                id=f"fill_{number}_{place}",
                order_id=order.id,
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                price=bar.close_text,
                update="filled",
                timestamp=bar.end,
            )
        )
    return [encode(event) for event in sent]


@pytest.mark.parametrize("kind", PORTFOLIOS)
def test_portfolio_restarted_at_random_bars_orders_what_one_that_never_was_orders(kind, tmp_path):
    make = PORTFOLIOS[kind]
    random = Random(5)
    bars = walk(12, 1200)
    cuts = cuts_of(2, len(bars))
    disk = Disk(tmp_path / "p.db")
    whole, broken = make(), make()
    ordered = 0
    for number, bar in enumerate(bars):
        if number in cuts:
            disk.save(broken)
            broken = disk.restored(make)
        signal = random.choice([None, *Signal])
        expected = trade(whole, bar, signal, number)
        assert trade(broken, bar, signal, number) == expected
        assert broken.account.equity == whole.account.equity
        ordered += len(expected)
    assert ordered > 50


class Channel(Strategy):
    """A user's own: indicators of one symbol and of all, and a number beside them."""

    def __init__(self, period: int = 5) -> None:
        super().__init__()
        self.average = self.saved("average", BySymbol(lambda: indicators.Ema(period)))
        self.width = self.saved("width", indicators.Atr(period))
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        width = self.width.update(bar.high, bar.low, bar.close)
        if bar.close > self.average[bar.symbol].update(bar.close) and width > 1:
            self.send_signal(bar.symbol, Signal.LONG, strength=str(self.bars % 10 / 10))

    def get_state(self) -> object:
        return {"bars": self.bars}

    def set_state(self, state: Any) -> None:
        self.bars = state["bars"]


def test_strategy_of_a_user_is_saved_with_one_word_for_each_indicator(tmp_path):
    bars = walk(13, 600)
    disk = Disk(tmp_path / "s.db")
    whole, broken = Channel(), Channel()
    said = 0
    for number, bar in enumerate(bars):
        if number % 3 == 1:
            disk.save(broken)
            broken = disk.restored(Channel)
        expected = says(whole, bar, number)
        assert says(broken, bar, number) == expected
        said += len(expected)
    assert said > 50


def test_only_symbols_that_have_moved_are_written_again():
    strategy = RsiStrategy(period=2)
    bars = [next(bar for bar in walk(14, 100) if bar.symbol == symbol) for symbol in SYMBOLS]
    for number, bar in enumerate(bars):
        says(strategy, bar, number)
    assert set(handle_of(strategy).changed_rows()) == {
        "saved",
        *(f"saved/rsi/{each}" for each in SYMBOLS),
    }
    says(strategy, bars[1], 4)
    assert set(handle_of(strategy).changed_rows()) == {"saved/rsi/BTC/USD"}
    assert handle_of(strategy).changed_rows() == {}


def test_part_that_a_strategy_holds_on_to_is_saved_each_time_it_changes():
    strategy = Channel()
    held = strategy.average["AAPL"]
    handle_of(strategy).changed_rows()
    for _ in range(3):
        held.update(100.0)
        assert "saved/average/AAPL" in handle_of(strategy).changed_rows()


def test_looking_into_a_mapping_makes_no_part_and_sees_all():
    mapping = BySymbol(lambda: indicators.Sma(2))
    assert "AAPL" not in mapping
    assert mapping.get("AAPL") is None
    mapping["AAPL"].update(1.0)
    mapping.take_touched()
    mapping["MSFT"].update(2.0)
    assert sorted(mapping) == ["AAPL", "MSFT"]
    assert len(mapping.values()) == len(mapping) == 2
    assert mapping["AAPL"].update(2.0) == 1.5


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (lambda: RsiStrategy(period=4), "period 3.*period 4"),
        (
            lambda: SmaCross(name="rsi-strategy"),
            "the saved parts are rsi, but the class saves aver",
        ),
    ],
)
def test_state_of_other_parameters_is_refused_and_the_next_restart_has_the_new_ones(
    changed, word, tmp_path
):
    disk = Disk(tmp_path / "s.db")
    strategy = RsiStrategy(period=3)
    for number, bar in enumerate(walk(15, 60)):
        says(strategy, bar, number)
    disk.save(strategy)
    other = changed()
    handle_of(other).restore_rows(disk.store.rows())
    assert re.search(word, handle_of(other).state_refused)
    # It starts as a new one would.
    fresh = changed()
    for number, bar in enumerate(walk(16, 60)):
        assert says(other, bar, number) == says(fresh, bar, number)
    disk.save(other)
    again = disk.restored(changed)
    rows = handle_of(again).state_rows()
    assert rows == handle_of(other).state_rows() == disk.store.rows()


def test_refused_part_takes_nothing_of_the_others_with_it(tmp_path):
    disk = Disk(tmp_path / "s.db")
    strategy = Channel(5)
    for number, bar in enumerate(walk(17, 60)):
        says(strategy, bar, number)
    disk.save(strategy)
    other = Channel(6)
    handle_of(other).restore_rows(disk.store.rows())
    assert "period" in handle_of(other).state_refused or "alpha" in handle_of(other).state_refused
    assert (len(other.average), other.bars, other.width.ready) == (0, 0, False)


def test_users_own_state_can_be_refused_by_a_state_error(tmp_path):
    class Strict(Channel):
        def set_state(self, state: Any) -> None:
            raise StateError("written by another program")

    disk = Disk(tmp_path / "s.db")
    strategy = Channel()
    for number, bar in enumerate(walk(18, 60)):
        says(strategy, bar, number)
    disk.save(strategy)
    other = Strict()
    handle_of(other).restore_rows(disk.store.rows())
    assert handle_of(other).state_refused == "written by another program"
    assert not other.width.ready
    disk.save(other)
    assert disk.store.rows()["user"] == b'{"bars":0}'


@pytest.mark.parametrize("part", [3, indicators.Sma, object()])
def test_what_cannot_be_saved_is_refused_when_it_is_given(part):
    strategy = Strategy()
    with pytest.raises(ConfigError, match="cannot be saved: pass an indicator"):
        strategy.saved("part", part)


def test_two_parts_of_one_name_are_refused():
    strategy = Strategy()
    strategy.saved("average", indicators.Sma(2))
    with pytest.raises(ConfigError, match="saves two parts as 'average'"):
        strategy.saved("average", indicators.Sma(3))
    with pytest.raises(ConfigError, match="without a slash"):
        strategy.saved("a/b", indicators.Sma(3))
