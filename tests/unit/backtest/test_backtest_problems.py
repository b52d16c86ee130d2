"""What never happened, or was not done, is said in a line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.problem_runs import BUY, Prices, Says, Sends, run

from ingenium import Bar, Portfolio, Signal, SignalEvent, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.components import arm, handle_of
from ingenium.errors import BacktestError
from ingenium.events import OrderType
from ingenium.indicators import Sma
from ingenium.portfolios import FixedFraction, FixedQuantity, TargetWeight
from ingenium.risk import RiskLimits
from ingenium.strategies import SmaCross


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
        "1 replacing order of AAA was rejected, so the old order kept working on 2"
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
    assert "sent 1 signal only in the warm-up, which is not traded" in result.problems[0]


def test_end_before_the_data_is_said() -> None:
    result = run(strategy=Says({2: Signal.LONG}), end=datetime(2023, 6, 1, tzinfo=UTC))
    assert result.problems == (
        "end 2023-06-01 is before the first bar, which is known on 2024-01-02",
    )


def test_ingestor_without_data_is_said() -> None:
    [line] = run(Prices([]), strategy=Says({1: Signal.LONG})).problems
    assert line.startswith("no data arrived, so nothing was traded")


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        (
            ["APPL"],
            "waits for APPL, which no ingestor sent; did you mean AAPL?: the data has AAPL, IBM",
        ),
        (
            ["aapl"],
            "waits for aapl, which no ingestor sent; AAPL differs in case: the data has AAPL, IBM",
        ),
        (["ZZZZ"], "waits for ZZZZ, which no ingestor sent: the data has AAPL, IBM"),
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
    assert result.problems[-1] == "strategy 'says' waits for 492 more symbols that no ingestor sent"


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
                "sent no signal in 7 bars: its Sma has no value before 20 updates, so use more "
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
    assert line.startswith("portfolio 'fixed-quantity' sent no order for 1 signal: a flat signal")


def test_portfolio_without_strategies_that_sends_nothing_is_said() -> None:
    assert run(portfolio=Sends({})).problems == ("portfolio 'sends' sent no order",)


def test_signal_of_an_unknown_word_is_said_once_with_its_count() -> None:
    class Foreign(Says):
        """Sends what `send_signal` refuses, as a program in another language may."""

        def send_signal(self, symbol: str, signal: Any, **_: Any) -> SignalEvent:
            return handle_of(self).send(SignalEvent(symbol=symbol, signal=signal), "signal")

    [line] = run(strategy=Foreign(dict.fromkeys(range(1, 5), "buy"))).problems
    assert "is 'buy', which is unknown: use one of ingenium.signal.long" in line
    assert line.endswith("(and 3 more like it)")


def test_signal_that_is_none_is_refused_with_the_right_word() -> None:
    with pytest.raises(BacktestError, match=r"signal 'buy' .* is unknown: .*to buy is Signal.LONG"):
        run(strategy=Says({1: "buy"}))
    long, short = (run(strategy=Says({1: each})) for each in ("long", Signal.LONG))
    assert long.events_digest == short.events_digest
