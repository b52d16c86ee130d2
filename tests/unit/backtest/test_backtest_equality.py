"""Trade for trade the same as backtesting.py on real prices, with the options set to match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.equality import check_equal
from support.matching import CASES, Case, ingenium_app

from ingenium import Side, Trade, backtest
from ingenium.backtest import BacktestResult
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FillPolicy
from ingenium.ingestors import CsvIngestor

DATA = Path(__file__).parents[2] / "data"
GOOG = DATA / "GOOG.csv"
PEER: dict[str, Any] = json.loads((DATA / "oracles" / "backtesting_py_goog.json").read_text())
BY_NAME = [pytest.param(case, id=case.name) for case in CASES]


def run(case: Case, policy: FillPolicy | None = None) -> BacktestResult:
    app = ingenium_app(case, GOOG, 100, 2)
    assert isinstance(app.executor, PaperExecutor)
    if policy is not None:
        app.executor.exchange.policy = policy
    return backtest.run(app)


def trades_of(result: BacktestResult) -> set[Trade]:
    return set(result.trades)


@pytest.mark.parametrize("case", BY_NAME)
def test_trades_and_equity_equal_backtesting_py(case: Case) -> None:
    result = run(case)
    assert len(result.trades) > 50
    check_equal(result, PEER[case.name], GOOG)


@pytest.mark.parametrize("case", [case for case in BY_NAME if case.id != "breakout"])
def test_default_policy_changes_nothing_where_no_limit_is_just_touched(case: Case) -> None:
    assert trades_of(run(case, FillPolicy())) == trades_of(run(case))


def test_default_policy_differs_where_a_target_is_touched_and_not_passed() -> None:
    [case] = [case for case in CASES if case.name == "breakout"]
    ours, matched = run(case, FillPolicy()), run(case)
    extremes = {
        (bar.high, bar.low) for event in CsvIngestor(GOOG).read() if (bar := event.ohlc) is not None
    }
    highs, lows = {high for high, _ in extremes}, {low for _, low in extremes}
    only_matched = trades_of(matched) - trades_of(ours)
    assert len(only_matched) == len(trades_of(ours) - trades_of(matched)) == 4
    touched = [
        trade
        for trade in only_matched
        if f"{trade.exit_price:f}" in (highs if trade.side is Side.BUY else lows)
    ]
    # The other two follow: with the position held on, the next is entered a bar later.
    assert len(touched) == 2
    assert ours.stats.final_equity < matched.stats.final_equity
