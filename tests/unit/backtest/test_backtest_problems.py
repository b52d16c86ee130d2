"""What never happened, or was not done, is said in a line each."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ingenium import App, Bar, Ingestor, Portfolio, Signal, SignalEvent, Strategy, backtest
from ingenium.backtest import BacktestResult
from ingenium.backtest.instruments import is_currency_pair, point_value, quote_currencies
from ingenium.backtest.price_jumps import find_jumps
from ingenium.backtest.price_track import PriceHistory
from ingenium.backtest.report import render
from ingenium.backtest.sweep.sweep_run import SweepRun, Task
from ingenium.brokers import PaperExecutor
from ingenium.cli.backtest_output import print_problems
from ingenium.cli.sweep_output import print_runs
from ingenium.components import arm, handle_of
from ingenium.errors import BacktestError
from ingenium.events import OrderType, TimeInForce
from ingenium.exchange import FillPolicy
from ingenium.indicators import Sma
from ingenium.portfolios import FixedFraction, FixedQuantity, TargetWeight
from ingenium.risk import RiskLimits
from ingenium.strategies import SmaCross

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Row = tuple[float, float]
"""Open and close; high and low are those."""


class Prices(Ingestor):
    """Days, or other bars, of one symbol."""

    def __init__(
        self,
        rows: Sequence[float | Row],
        symbol: str = "AAA",
        *,
        period: timedelta = DAY,
        volume: str = "1000000",
    ) -> None:
        super().__init__("prices-" + "".join(c for c in symbol.lower() if c.isalnum())[:20])
        self.rows = [row if isinstance(row, tuple) else (row, row) for row in rows]
        self.symbol, self.period, self.volume = symbol, period, volume

    def read_bars(self) -> Iterator[Bar]:
        for place, (first, last) in enumerate(self.rows):
            yield Bar.make(
                self.symbol, START + place * self.period, open=str(first), close=str(last),
                high=str(max(first, last)), low=str(min(first, last)), volume=self.volume,
                period=self.period,
            )  # fmt: skip


class Says(Strategy):
    """Sends signals at numbered bars of each symbol."""

    def __init__(self, plan: dict[int, Any], symbols: Sequence[str] | None = None) -> None:
        super().__init__(symbols)
        self.plan, self.seen = plan, dict[str, int]()

    def on_bar(self, bar: Bar) -> None:
        count = self.seen[bar.symbol] = self.seen.get(bar.symbol, 0) + 1
        if (signal := self.plan.get(count)) is not None:
            self.send_signal(bar.symbol, signal)


class Sends(Portfolio):
    """Sends orders at numbered bars of any symbol."""

    def __init__(self, plan: dict[int, dict[str, Any]], cash: int = 100_000) -> None:
        super().__init__(cash)
        self.plan, self.count = plan, 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if order := self.plan.get(self.count):
            self.send_order(**{"symbol": bar.symbol, **order})


def row(*values: object) -> tuple[object, ...]:
    """Numbers of any type, to compare."""
    return values


def run(
    *prices: Ingestor,
    strategy: Strategy | None = None,
    portfolio: Portfolio | None = None,
    executor: PaperExecutor | None = None,
    **options: Any,
) -> BacktestResult:
    app = App(
        ingestors=prices or [Prices([100] * 5)],
        strategies=[] if strategy is None else [strategy],
        portfolio=portfolio or FixedQuantity(10),
        executor=executor or PaperExecutor(),
    )
    return backtest.run(app, **options)


BUY = {"side": "buy", "quantity": 10}
SELL = {"side": "sell", "quantity": 10}


def test_a_run_in_order_has_no_problems() -> None:
    result = run(strategy=Says({1: Signal.LONG, 3: Signal.FLAT}))
    assert len(result.trades) == 1
    assert result.problems == ()
    assert result.stats.rejected_orders == 0


def test_a_position_that_is_open_at_the_end_is_no_problem() -> None:
    assert run(strategy=Says({1: Signal.LONG})).problems == ()


def test_rejected_orders_are_counted_and_named_with_reason_symbol_and_day() -> None:
    plan: dict[int, dict[str, Any]] = {n: {"side": "sell", "quantity": 7} for n in (1, 2, 3)}
    result = run(portfolio=Sends(plan), executor=PaperExecutor(allow_short=False))
    assert result.stats.rejected_orders == 3
    rejected, unfilled = result.problems
    assert rejected == (
        "3 orders of AAA were rejected, first on 2024-01-02: not enough shares: 7 AAA to sell, 0 "
        "are held and free, and the account may not sell short; pass allow_short=False to the "
        "portfolio, or allow_short=True to the executor"
    )
    assert unfilled == "none of 3 orders was filled: 3 rejected"


def test_rejections_of_many_kinds_are_put_together_by_symbol_and_reason() -> None:
    plan = {
        1: {"side": "sell", "quantity": 5},
        2: {"side": "sell", "quantity": 6},
        3: {"side": "buy", "quantity": 1, "symbol": "NONE"},
        4: {"side": "buy", "quantity": 1},
    }
    result = run(portfolio=Sends(plan), executor=PaperExecutor(allow_short=False))
    assert result.stats.rejected_orders == 3
    first, second = result.problems
    assert first.startswith(
        "2 orders of AAA were rejected, first on 2024-01-02: not enough shares: 5"
    )
    assert second.startswith(
        "1 order of NONE was rejected on 2024-01-04: order Symbol 'NONE' has had"
    )


def test_orders_that_a_risk_limit_stops_are_said_by_limit() -> None:
    portfolio = Sends({n: {**BUY, "quantity": n} for n in (1, 2, 3, 4)})
    arm(portfolio, RiskLimits(max_order_quantity=2))
    result = run(portfolio=portfolio)
    assert (result.stats.fills, result.stats.rejected_orders) == (2, 0)
    [line] = result.problems
    assert line == (
        "2 orders were denied by the risk limit max_order_quantity, first AAA on 2024-01-04: "
        "quantity 3 is above 2"
    )


def test_request_to_cancel_that_comes_too_late_is_no_rejected_order() -> None:
    class Cancels(Sends):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if self.count == 1:
                self.order = self.send_order("AAA", "buy", 1)
            if self.count == 3:
                with pytest.raises(Exception, match="unknown"):
                    self.cancel_order("none")
                assert self.cancel_order(self.order.id) is None

    result = run(portfolio=Cancels({}))
    assert (result.stats.rejected_orders, result.problems) == (0, ())


def test_replacing_order_that_is_rejected_is_told_apart() -> None:
    class Replaces(Sends):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            if self.count == 1:
                self.send_order(
                    "AAA", "buy", 1, type=OrderType.STOP, stop_price=110, time_in_force="gtc"
                )
            if self.count == 2:
                [order_id] = self.orders
                self.replace_order(order_id, stop_price=90)

    result = run(Prices([100, 100, 100, (100, 120)]), portfolio=Replaces({}))
    assert result.stats.fills == 1
    assert result.stats.rejected_orders == 0
    [line] = result.problems
    assert line.startswith(
        "1 replacing order of AAA was rejected, so that the old one worked on on 2"
    )


def test_orders_that_all_expire_are_said_with_the_first_reason() -> None:
    limit = {**BUY, "type": "limit", "limit_price": 50}
    result = run(portfolio=Sends({1: limit, 2: limit, 5: limit}))
    [line] = result.problems
    assert line == (
        "none of 3 orders was filled: 2 expired, 1 still working at the end; the first expired on "
        "2024-01-03: day: the session is over"
    )


def test_orders_that_expire_beside_others_that_fill_are_no_problem() -> None:
    limit = {**BUY, "type": "limit", "limit_price": 50}
    assert run(portfolio=Sends({1: limit, 2: BUY})).problems == ()


def test_position_smaller_than_a_share_is_said_with_the_numbers() -> None:
    portfolio = FixedFraction("0.2", cash=1_000)
    result = run(Prices([1250] * 5, "AAPL"), strategy=Says(dict.fromkeys((1, 2, 3), Signal.LONG)),
                 portfolio=portfolio)  # fmt: skip
    assert result.replay.orders == 0
    [line] = result.problems
    assert line == (
        "3 signals of AAPL opened no position, the first on 2024-01-02: 20 % of 1,000.00 is less "
        "than 1 at 1250; use more cash, a larger part of it or a smaller step"
    )


@pytest.mark.parametrize("kind", [FixedFraction, TargetWeight])
def test_turn_that_opens_nothing_is_said_though_it_closes(
    kind: type[FixedFraction | TargetWeight],
) -> None:
    result = run(
        Prices([60, 60, 150, 150, 150]),
        strategy=Says({1: Signal.LONG, 2: Signal.FLAT, 4: Signal.SHORT}),
        portfolio=kind(1, cash=100),
    )
    # Bought at 60, sold at 150: 190 now, of which a share at 150 is a whole one.
    assert [trade.pnl for trade in result.trades] == [90]
    assert result.problems == ()
    result = run(
        Prices([60, 60, 80, 110, 150, 150]),
        strategy=Says({1: Signal.LONG, 5: Signal.SHORT}),
        portfolio=kind(1, cash=100, cash_buffer="0.4"),
    )
    # 100 of cash less 40 % buy one share at 60. Of 190 then 114 may be used, less than one at 150.
    assert [trade.quantity for trade in result.trades] == [1]
    assert dict(result.account.quantities) == {}
    [line] = result.problems
    assert line.startswith(
        "1 signal of AAA opened no position, the first on 2024-01-06: 60 % of 190"
    )


@pytest.mark.parametrize(
    ("buffer", "option", "bought", "said"),
    [
        ("0.02", "reject", 98, ""),
        ("0", "reduce", 99, "1 order got only what the account could pay, or had to sell, and the"),
        ("0", "reject", 0, "1 order of AAA was rejected on 2024-01-03: not enough cash"),
    ],
)
def test_all_in_after_a_gap(buffer: str, option: Any, bought: int, said: str) -> None:
    """Sized at 100, filled at 101: 100 shares cost more than there is, 98 and 99 do not."""
    result = run(
        Prices([100, 101, 101]), strategy=Says({1: Signal.LONG}),
        portfolio=FixedFraction(1, cash=10_000, cash_buffer=buffer),
        executor=PaperExecutor(cash=10_000, on_insufficient_cash=option),
    )  # fmt: skip
    assert result.account.position("AAA").quantity == bought
    assert result.account.cash == 10_000 - 101 * bought
    assert bool(result.problems) == bool(said)
    assert not said or result.problems[0].startswith(said) or result.problems[-1].startswith(said)
    assert ("cash_buffer" in "".join(result.problems)) == (bought == 0)


def test_cap_below_one_share_is_said() -> None:
    result = run(Prices([100] * 5, volume="9"), strategy=Says({1: Signal.LONG}),
                 portfolio=FixedQuantity(1))  # fmt: skip
    assert result.stats.fills == 0
    assert any("than its smallest step (one share): raise" in line for line in result.problems)
    assert any(p.startswith("the only order was not filled: 1 ") for p in result.problems)


def test_start_behind_the_data_is_said() -> None:
    result = run(strategy=Says({2: Signal.LONG}), start=datetime(2025, 1, 1, tzinfo=UTC))
    assert len(result.equity) == 0
    assert result.problems[-1] == (
        "start 2025-01-01 is behind the data, which ends on 2024-01-06: all 5 bars were the "
        "warm-up, and nothing was traded"
    )
    assert "sent 1 signal in the warm-up only, which does not count" in result.problems[0]


def test_end_before_the_data_is_said() -> None:
    result = run(strategy=Says({2: Signal.LONG}), end=datetime(2023, 6, 1, tzinfo=UTC))
    assert result.problems == (
        "end 2023-06-01 is before the first bar, which is known on 2024-01-02",
    )


def test_ingestor_without_data_is_said() -> None:
    [line] = run(Prices([]), strategy=Says({1: Signal.LONG})).problems
    assert line.startswith("no data came, so nothing could happen")


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        (["APPL"], "waits for APPL, which nobody sent; did you mean AAPL?: there was AAPL, IBM"),
        (["aapl"], "waits for aapl, which nobody sent; AAPL differs in case: there was AAPL, IBM"),
        (["ZZZZ"], "waits for ZZZZ, which nobody sent: there was AAPL, IBM"),
    ],
)
def test_symbol_that_nobody_sends_is_named_with_the_likely_one(
    symbols: list[str], said: str
) -> None:
    result = run(
        Prices([100] * 5, "AAPL"), Prices([50] * 5, "IBM"), strategy=Says({1: Signal.LONG}, symbols)
    )
    assert result.problems == (f"strategy 'says' {said}",)


def test_many_symbols_that_nobody_sends_are_few_lines() -> None:
    result = run(strategy=Says({}, [f"S{n}" for n in range(500)]))
    assert len(result.problems) == 9
    assert result.problems[-1] == "strategy 'says' waits for 492 more symbols that nobody sent"


class Named(Strategy):
    def on_bars(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG)


NAMED = Named.on_bars.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (
            SmaCross(fast=5, slow=20),
            (
                "sent no signal in 7 bars: its Sma has no value before 20 updates, so give it more "
                "history or a shorter period"
            ),
        ),
        (Says({}), "sent no signal in 7 bars"),
        (
            Named(),
            (
                "sent no signal: Named overrides neither on_bar(self, bar) nor on_data(self, "
                f"event); it has on_bars (test_backtest_problems.py, line {NAMED}); did you mean "
                "on_bar?"
            ),
        ),
    ],
    ids=lambda value: getattr(value, "name", "said"),
)
def test_strategy_without_signals_is_named_with_the_likely_cause(
    strategy: Strategy, said: str
) -> None:
    result = run(Prices(range(100, 107)), strategy=strategy)
    assert result.problems == (f"strategy {strategy.name!r} {said}",)


def test_indicators_are_found_as_attributes_and_in_lists() -> None:
    class Cold(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.pairs = [(Sma(3), Sma(50))]
            self.warm = Sma(1)

        def on_bar(self, bar: Bar) -> None:
            for sma in (*self.pairs[0], self.warm):
                sma.update(bar.close)

    [line] = run(strategy=Cold()).problems
    assert "its Sma has no value before 50 updates" in line


def test_strategies_that_hear_some_of_the_symbols_are_told_their_bars() -> None:
    result = run(Prices([1] * 4, "A"), Prices([1] * 6, "B"), strategy=Says({}, ["B"]))
    assert result.problems == ("strategy 'says' sent no signal in 6 bars",)


def test_signals_that_no_portfolio_takes_are_said() -> None:
    class Deaf(Portfolio):
        def on_signals(self, event: SignalEvent) -> None:
            self.send_order(event.symbol, "buy", 1)

    signals = Says(dict.fromkeys((1, 2), Signal.LONG))
    [line] = run(strategy=signals, portfolio=Deaf()).problems
    assert line == (
        "portfolio 'deaf' sent no order for 2 signals: Deaf does not override on_signal(self, "
        "event)"
    )
    [line] = run(strategy=Says({1: Signal.FLAT})).problems
    assert line.startswith(
        "portfolio 'fixed-quantity' sent no order for 1 signal: signals to be flat"
    )


def test_portfolio_without_strategies_that_sends_nothing_is_said() -> None:
    assert run(portfolio=Sends({})).problems == ("portfolio 'sends' sent no order",)


def test_signal_of_an_unknown_word_is_said_once_with_its_count() -> None:
    class Foreign(Says):
        """Sends what `send_signal` refuses, as a program in another language may."""

        def send_signal(self, symbol: str, signal: Any, **_: Any) -> SignalEvent:
            return handle_of(self).send(SignalEvent(symbol=symbol, signal=signal), "signal")

    [line] = run(strategy=Foreign(dict.fromkeys(range(1, 5), "buy"))).problems
    assert "is 'buy', which is unknown: use one of ingenium.signal.long" in line
    assert line.endswith("(and 3 more such)")


def test_signal_that_is_none_is_refused_with_the_right_word() -> None:
    with pytest.raises(BacktestError, match=r"signal 'buy' .* is none: .*to buy is Signal.LONG"):
        run(strategy=Says({1: "buy"}))
    long, short = (run(strategy=Says({1: each})) for each in ("long", Signal.LONG))
    assert long.events_digest == short.events_digest


def test_symbol_that_ends_early_while_held_is_said() -> None:
    result = run(
        Prices([10, 10, 3.65], "LEH"), Prices([100] * 20, "SPY"),
        strategy=Says({1: Signal.LONG}, ["LEH"]),
    )  # fmt: skip
    [line] = result.problems
    assert line == (
        "LEH has no bars after 2024-01-03, and others go on to 2024-01-20: 10 are still held, "
        "counted at the last price 3.65; if it was delisted, that is not what was paid for them"
    )


def test_symbol_that_ends_early_and_is_not_held_is_no_problem() -> None:
    result = run(
        Prices([10] * 4, "LEH"), Prices([100] * 20, "SPY"),
        strategy=Says({1: Signal.LONG, 2: Signal.FLAT}, ["LEH"]),
    )  # fmt: skip
    assert (len(result.trades), result.problems) == (1, ())


def test_months_that_end_before_days_do_are_no_problem() -> None:
    months = Prices([10] * 12, "SLOW", period=timedelta(days=30))
    days = Prices([100] * 380, "FAST")
    assert run(months, days, strategy=Says({1: Signal.LONG}, ["SLOW"])).problems == ()


# Splits.


def walk(count: int, seed: int, sigma: float = 0.015, price: float = 100.0) -> list[Row]:
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        first = price * (1 + generator.gauss(0, sigma / 3))
        price = first * (1 + generator.gauss(0, sigma))
        rows.append((round(first, 4), round(price, 4)))
        price = rows[-1][1]
    return rows


def split(rows: list[Row], at: int, ratio: float) -> list[Row]:
    return [
        (a, b) if i < at else (round(a * ratio, 4), round(b * ratio, 4))
        for i, (a, b) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1 / 2, "a split of 2 for 1"),
        (1 / 3, "a split of 3 for 1"),
        (2 / 3, "a split of 3 for 2"),
        (1 / 4, "a split of 4 for 1"),
        (1 / 7, "a split of 7 for 1"),
        (1 / 20, "a split of 20 for 1"),
        (2, "a reverse split of 1 for 2"),
        (10, "a reverse split of 1 for 10"),
    ],
)
@pytest.mark.parametrize("side", [Signal.LONG, Signal.SHORT])
def test_split_of_a_held_position_is_said(ratio: float, words: str, side: Signal) -> None:
    rows = split(walk(60, 7), 40, ratio)
    [line] = run(Prices(rows), strategy=Says({10: side})).problems
    before, after = rows[39][1], rows[40][0]
    assert line.startswith(
        f"AAA opened at {after:g} on {START + 40 * DAY:%Y-%m-%d} after {before:g} "
    )
    assert f"that looks like {words}, or is a real move" in line
    gain = (after - before) * (10 if side is Signal.LONG else -10)
    held = "10" if side is Signal.LONG else "-10"
    assert f"with {held} held, a {'gain' if gain > 0 else 'loss'} of {abs(gain):,.2f}: " in line


def test_split_while_nothing_is_held_is_no_problem() -> None:
    rows = split(walk(60, 7), 40, 0.5)
    for plan in ({10: Signal.LONG, 30: Signal.FLAT}, {45: Signal.LONG}):
        assert run(Prices(rows), strategy=Says(plan)).problems == ()


def test_order_that_works_over_a_split_is_said() -> None:
    rows = split(walk(60, 7), 40, 0.5)
    limit = {**BUY, "type": "limit", "limit_price": 60, "time_in_force": TimeInForce.GTC}
    [line] = run(Prices(rows), portfolio=Sends({20: limit})).problems
    assert "that looks like a split of 2 for 1" in line
    assert "sent before and filled after: that looks" in line


def test_split_of_minutes_is_found_between_two_sessions() -> None:
    """A history so long that its prices are thinned."""
    rows = split(walk(20_000, 3, sigma=0.0005), 11_111, 0.5)
    minutes = Prices(rows, period=timedelta(minutes=1))
    [line] = run(minutes, strategy=Says({10: Signal.LONG})).problems
    assert "that looks like a split of 2 for 1" in line


@pytest.mark.parametrize("seed", range(20))
def test_walks_without_a_split_are_not_taken_for_one(seed: int) -> None:
    for sigma in (0.01, 0.04):
        assert run(Prices(walk(500, seed, sigma)), strategy=Says({2: Signal.LONG})).problems == ()


@pytest.mark.parametrize("fall", [0.80, 0.75, 0.6, 0.42])
def test_falls_far_from_any_split_are_not_taken_for_one(fall: float) -> None:
    rows = split(walk(60, 7), 40, fall)
    assert run(Prices(rows), strategy=Says({10: Signal.LONG})).problems == ()


def test_prices_that_jump_all_the_time_have_no_splits() -> None:
    generator = random.Random(1)
    history = PriceHistory()
    price = 100.0
    for day in range(400):
        price *= generator.choice([0.5, 2.0])
        bar = Bar.make(
            "A", START + day * DAY, open=f"{price:f}", high=f"{price:f}", low=f"{price:f}",
            close=f"{price:f}", period=DAY,
        )  # fmt: skip
        history.see(bar.end.timestamp(), bar)
    assert find_jumps(history.tracks["A"]) == []


def test_many_splits_are_few_lines() -> None:
    rows = walk(4_000, 7)
    for place in range(200, 4_000, 250):
        rows = split(rows, place, 0.5 if place % 500 else 2)
    result = run(Prices(rows), strategy=Says({10: Signal.LONG}))
    assert len(result.problems) == 7
    assert result.problems[-1] == "10 more jumps of prices look like splits"


# Currencies, contracts and margin.


def test_currencies_that_are_added_up_are_said() -> None:
    result = run(
        Prices([1.1] * 4, "EUR/USD"),
        Prices([150.5] * 4, "USD/JPY"),
        strategy=Says({1: Signal.LONG}),
    )
    [line] = result.problems
    assert line.startswith(
        "2 currencies are added up as if they were one: EUR/USD in USD, USD/JPY in JPY; nothing is"
    )


def test_symbols_that_are_not_traded_do_not_count() -> None:
    result = run(
        Prices([1.1] * 4, "EUR/USD"), Prices([150.5] * 4, "USD/JPY"),
        strategy=Says({1: Signal.LONG}, ["EUR/USD"]),
    )  # fmt: skip
    assert result.problems == ()


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ({"BTC/USDT": "USD", "ETH/BTC": "BTC"}, 2),
        ({"BTCUSDT": "USD", "ETH-USD": "USD"}, 1),
        ({"EURUSD=X": "USD", "EURGBP=X": "GBP"}, 2),
        ({"VOD.L": "GBX", "SAP.DE": "EUR", "AAPL": "USD"}, 3),
        ({"7203.T": "JPY", "AC.V": "CAD", "6488.TWO": "TWD", "PTT.BK": "THB"}, 4),
    ],
)
def test_quote_currency_follows_from_the_symbol(symbols: dict[str, str], expected: int) -> None:
    assert quote_currencies(symbols) == symbols
    assert len(set(symbols.values())) == expected


@pytest.mark.parametrize(
    "symbol", ["AAPL", "BRK.B", "US30", "SPX500", "USDT", "EURN", "X", "RDS-A"]
)
def test_symbols_that_name_no_currency(symbol: str) -> None:
    assert quote_currencies([symbol]) == {}
    assert point_value(symbol) is None


def test_pairs_of_currencies() -> None:
    assert is_currency_pair("EUR/USD")
    assert is_currency_pair("USDJPY")
    assert not is_currency_pair("BTC/USD")
    assert not is_currency_pair("AAPL")


@pytest.mark.parametrize(
    ("symbol", "value"),
    [("ESZ4", 50), ("ESH25", 50), ("CL=F", 1000), ("6EM5", 125_000), ("MESM2024", 5)],
)
def test_future_is_booked_at_one_a_point_and_that_is_said(symbol: str, value: float) -> None:
    assert point_value(symbol) == value
    [line] = run(Prices([100] * 4, symbol), strategy=Says({1: Signal.LONG})).problems
    assert line.startswith("futures are booked at 1 a point, and their points are worth more or")
    assert f"({symbol} {value:,g})" in line


def test_equity_below_zero_is_said_with_the_day() -> None:
    result = run(
        Prices([100, 100, 40, 20, 60]), strategy=Says({1: Signal.LONG}),
        portfolio=FixedQuantity(20, cash=1_000),
    )  # fmt: skip
    # 1,000 less 20 * 100, and 20 * 40, 20 * 20.
    said = [line for line in result.problems if line.startswith("equity was")]
    assert len(said) == 1
    assert said[0] == (
        "equity was -200.00 on 2024-01-03, and -600.00 at its lowest: a broker would have closed "
        "all positions before; here the run went on"
    )


@pytest.mark.parametrize(("price", "times"), [("60", "6.0"), ("59", "")])
def test_positions_far_beyond_equity_are_said(price: str, times: str) -> None:
    # 20 at 100 with 1,000: at 60 equity is 200, and 1,200 are held.
    closes = [100, 100, float(price), 100]
    result = run(
        Prices(closes), strategy=Says({1: Signal.LONG}), portfolio=FixedQuantity(20, cash=1_000)
    )
    [line] = result.problems
    expected = times or f"{20 * 59 / 180:.1f}"
    assert line.startswith(f"positions were {expected} times equity on 2024-01-03, and {expected} ")


def test_currencies_may_be_held_on_a_small_margin() -> None:
    result = run(
        Prices([1, 1, 1], "EUR/USD"), strategy=Says({1: Signal.LONG}),
        portfolio=FixedQuantity(20_000, cash=1_000),
    )  # fmt: skip
    assert max(result.equity.exposure) == 20
    assert result.problems == ()


# Where they are shown.


def test_problems_are_in_json_and_in_the_report() -> None:
    result = run(portfolio=Sends({1: SELL}), executor=PaperExecutor(allow_short=False))
    values = json.loads(json.dumps(result.to_json()))
    assert values["problems"] == list(result.problems)
    assert values["stats"]["rejected_orders"] == 1
    text = render(result)
    assert "1 order of AAA was rejected on 2024-01-02: not enough shares" in text
    assert '<th scope="row">orders rejected</th><td>1</td>' in text


def test_fills_are_listed_beside_the_trades_that_they_make() -> None:
    # A cap of 10 shares a bar: 30 are bought in three fills, and sold in three.
    result = run(
        Prices([100, 100, 101, 102, 103, 104, 105, 106], volume="100"),
        portfolio=Sends(
            {
                1: {"side": "buy", "quantity": 30, "time_in_force": "gtc"},
                4: {"side": "sell", "quantity": 30, "time_in_force": "gtc"},
            }
        ),
        executor=PaperExecutor(FillPolicy(volume_cap=Decimal("0.1"))),
    )
    [trade] = result.trades
    assert row(trade.quantity, trade.entry_price, trade.exit_price) == (30, 101, 104)
    assert row(trade.pnl, trade.exit_fills, result.stats.trades) == (90, 3, 1)
    assert [row(f.side, f.quantity, f.price) for f in result.fills] == [
        ("buy", 10, 100), ("buy", 10, 101), ("buy", 10, 102),
        ("sell", 10, 103), ("sell", 10, 104), ("sell", 10, 105),
    ]  # fmt: skip
    assert len({fill.order_id for fill in result.fills}) == 2
    listed = result.to_json()["fills"]
    assert [row["price"] for row in listed] == ["100", "101", "102", "103", "104", "105"]
    assert "fills" not in result.to_json(trades=False)
    pandas = pytest.importorskip("pandas")
    _, frame = result.to_pandas(each_fill=True)
    assert list(frame["price"]) == [100, 101, 102, 103, 104, 105]
    assert frame["commission"].dtype == float
    _, trades = result.to_pandas()
    assert list(trades["exit_fills"]) == [3]
    signed = frame["quantity"].where(frame["side"] == "sell", -frame["quantity"])
    assert (signed * frame["price"]).sum() == trades["pnl"].sum()
    assert isinstance(frame, pandas.DataFrame)


def test_target_and_stop_that_each_close_a_part_are_two_trades() -> None:
    """Of 30, the target at 110 sells 10 a bar by the cap, twice; then the stop sells the rest."""
    result = run(
        Prices([100, 100, 100, 100, 112, 111, 90, 90], volume="100"),
        portfolio=Sends({1: {**BUY, "quantity": 30, "time_in_force": "gtc", "take_profit": 110,
                             "stop_loss": 95}}),
        executor=PaperExecutor(FillPolicy(volume_cap=Decimal("0.1"))),
    )  # fmt: skip
    target, stop = result.trades
    assert row(target.quantity, target.exit_price, target.exit_fills) == (20, Decimal("111.5"), 2)
    assert row(stop.quantity, stop.exit_price, stop.exit_fills) == (10, 90, 1)
    # By the fills alone, grouped by the order that made them.
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        [(f.order_id, f.side, float(f.quantity), float(f.price)) for f in result.fills],
        columns=["order", "side", "quantity", "price"],
    )
    frame["value"] = frame["quantity"] * frame["price"]
    sold = frame[frame["side"] == "sell"].groupby("order", sort=False)[["quantity", "value"]].sum()
    assert [float(trade.quantity) for trade in result.trades] == list(sold["quantity"])
    assert [float(trade.pnl) for trade in result.trades] == list(
        sold["value"] - 100 * sold["quantity"]
    )
    won = (sold["value"] - 100 * sold["quantity"] > 0).mean()
    assert (result.stats.trades, result.stats.win_rate) == (2, won)


def figures_of(result: BacktestResult) -> SweepRun:
    values = result.to_json(trades=False)
    return SweepRun(
        {"fast": 3}, values["stats"], "", "", (0.0, 0.0, 3.0, 0), problems=result.problems
    )


def test_sweep_keeps_and_shows_the_problems_of_its_best_run(tmp_path: Path) -> None:
    good = figures_of(run(Prices(range(100, 120)), strategy=Says({1: Signal.LONG})))
    bad = figures_of(run(portfolio=Sends({1: SELL}), executor=PaperExecutor(allow_short=False)))
    task = Task("app.py:app", "", {"fast": 3})
    assert SweepRun.from_json(json.loads(json.dumps(bad.to_json(task))))[1].problems == bad.problems
    old = bad.to_json(task)
    del old["problems"]
    assert SweepRun.from_json(old)[1].problems == ()

    def printed(*runs: SweepRun) -> str:
        console = Console(file=io.StringIO(), width=200)
        print_runs(console, console, list(runs), ["fast"], "final_equity", 3)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text

    assert "problem" not in printed(good)
    said = printed(bad, good)
    assert "problem: " not in said
    assert "problems: 1 of 2 runs have some, which --json lists" in said
    assert "problem: 1 order of AAA was rejected on 2024-01-02: not enough shares" in printed(bad)


def test_terminal_shows_problems_as_they_are_written() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_problems(console, ["order [1] of 'a\x1b[31m'", *["x"] * 30])
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "problem: order [1] of 'a\\x1b[31m'"
    assert len(lines) == 13
    assert lines[-1] == "problem: and 19 more, with --json"
