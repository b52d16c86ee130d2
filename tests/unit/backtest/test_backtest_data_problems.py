"""Problems of the data of a backtest: early ends, splits, currencies and margin."""

from __future__ import annotations

import io
import json
import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from support.problem_runs import BUY, DAY, START, Prices, Row, Says, Sends, row, run

from ingenium import Bar, Signal
from ingenium.backtest import BacktestResult
from ingenium.backtest.instruments import is_currency_pair, point_value, quote_currencies
from ingenium.backtest.price_jumps import find_jumps
from ingenium.backtest.price_track import PriceHistory
from ingenium.backtest.report import render
from ingenium.backtest.sweep.sweep_run import SweepRun, Task
from ingenium.brokers import PaperExecutor
from ingenium.cli.backtest_output import print_problems
from ingenium.cli.sweep_output import print_runs
from ingenium.events import TimeInForce
from ingenium.exchange import FillPolicy
from ingenium.portfolios import FixedQuantity

SELL = {"side": "sell", "quantity": 10}


def test_symbol_that_ends_early_while_held_is_said() -> None:
    result = run(
        Prices([10, 10, 3.65], "LEH"), Prices([100] * 20, "SPY"),
        strategy=Says({1: Signal.LONG}, ["LEH"]),
    )  # fmt: skip
    [line] = result.problems
    assert line == (
        "LEH has no bars after 2024-01-03, and others go on to 2024-01-20: 10 are still held, "
        "counted at the last price 3.65; if the symbol was delisted, the position was worth "
        "something else"
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
    assert line.startswith("futures are booked at 1 a point, but their point values differ")
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
