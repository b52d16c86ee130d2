"""Backtests: an app in, an honest result out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingenium import (
    Account,
    App,
    BacktestError,
    Bar,
    ConfigError,
    DataEvent,
    Ingestor,
    Signal,
    Strategy,
    backtest,
)
from ingenium.backtest import BacktestResult
from ingenium.brokers import PaperExecutor
from ingenium.exchange import FeePerShare, FillPolicy, SlippageBasisPoints
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

TOP = Path(__file__).parents[3]
START = datetime(2024, 1, 1, tzinfo=UTC)


class Prices(Ingestor):
    def __init__(self, *closes: str, symbol: str = "A", volume: str = "1000000") -> None:
        super().__init__(name=f"prices-{symbol.lower()}")
        self.closes, self.symbol, self.volume = closes, symbol, volume

    def read(self) -> Iterator[DataEvent]:
        for day, close in enumerate(self.closes):
            yield Bar.make(
                self.symbol, START + timedelta(days=day),
                open=close, high=close, low=close, close=close, volume=self.volume,
                period=timedelta(days=1),
            ).event  # fmt: skip


class Buys(Strategy):
    def __init__(self, *days: int, raise_on: int = 0) -> None:
        super().__init__()
        self.days, self.raise_on, self.count = days, raise_on, 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.count == self.raise_on:
            raise ZeroDivisionError("no more")
        if self.count in self.days:
            self.send_signal(bar.symbol, Signal.LONG)


def make(*closes: str, days: tuple[int, ...] = (1,), **options: Any) -> App:
    return App(
        ingestors=[Prices(*closes, volume=options.pop("volume", "1000000"))],
        strategies=[Buys(*days, raise_on=options.pop("raise_on", 0))],
        portfolio=FixedQuantity(10, cash=Decimal(1000)),
        executor=PaperExecutor(**options),
    )


def test_run_buy_and_hold_gives_its_figures() -> None:
    result = backtest.run(make("50", "50", "60", "45", "75"))
    stats = result.stats
    # Ten shares at 50 from the second bar on.
    assert list(result.equity.equity) == [1000, 1000, 1100, 950, 1250]
    assert stats.total_return == pytest.approx(0.25)
    assert stats.max_drawdown == pytest.approx(-150 / 1100)
    assert stats.longest_drawdown == timedelta(days=2)
    assert stats.exposure == pytest.approx(4 / 5)
    assert (stats.trades, stats.fills) == (0, 1)
    assert stats.benchmark == "A"
    assert stats.benchmark_return == pytest.approx(0.5)
    assert stats.periods_per_year == 252
    assert result.complete
    assert "no fees were paid" in result.flattering()


def test_run_commissions_are_paid_and_counted() -> None:
    result = backtest.run(make("50", "50", "60", fees=FeePerShare(Decimal("0.5"))))
    assert result.stats.commissions == 5
    assert result.stats.final_equity == 1095
    assert "no fees were paid" not in result.flattering()


def test_run_flattering_options_are_said() -> None:
    policy = FillPolicy(touch_fills=True, volume_cap=None)
    said = " ".join(backtest.run(make("50", "50", "60", policy=policy)).flattering())
    assert "touched" in said
    assert "whatever the volume" in said
    unknown = backtest.run(make("50", "50", "60", volume="0"))
    assert "1 of 1 fills are on bars without a volume" in " ".join(unknown.flattering())


def test_run_flattering_options_are_those_of_the_policy_whatever_its_name() -> None:
    policy = FillPolicy(touch_fills=True, volume_cap=None, name="house rules with slippage")
    said = backtest.run(make("50", "50", "60", policy=policy)).flattering()
    assert "limit orders fill when they are only touched" in said
    assert "orders fill whatever the volume of the bar" in said
    assert "fills at the market do not slip" in said
    named = FillPolicy(name="never touch_fills=True, never volume_cap=None")
    slips = make("50", "50", "60", policy=named, slippage=SlippageBasisPoints(Decimal(5)))
    said = backtest.run(slips).flattering()
    assert not {line for line in said if "touched" in line or "volume" in line or "slip" in line}


def test_run_of_a_few_days_says_that_annual_figures_mean_little() -> None:
    closes = [str(50 + i % 7) for i in range(120)]
    said = "the period is 9 days: annual figures of less than three months say little"
    assert said in backtest.run(make(*closes[:10])).flattering()
    assert not any("annual" in line for line in backtest.run(make(*closes)).flattering())


def test_result_is_short_in_a_prompt_and_a_table_in_a_notebook() -> None:
    result = backtest.run(make("50", "50", "60", "45", "75"))
    assert repr(result) == (
        "<BacktestResult 2024-01-01 to 2024-01-05, total return 25.00%, "
        f"Sharpe {result.stats.sharpe:.2f}, max drawdown -13.64%, 0 trades>"
    )
    table = result._repr_html_()
    assert table.startswith("<table><tr><th>period</th><td>2024-01-01 to 2024-01-05, 0.0 years")
    assert "<tr><th>total return</th><td>25.00%</td></tr>" in table


def test_run_start_makes_what_comes_before_a_warm_up() -> None:
    closes = [str(50 + i) for i in range(10)]
    whole = backtest.run(make(*closes, days=(1,)))
    late = backtest.run(make(*closes, days=(1, 6)), start=START + timedelta(days=5))
    assert whole.stats.fills == late.stats.fills == 1
    assert len(late.equity) == 6
    assert late.equity.times[0] == START + timedelta(days=5)
    # The sixth bar's signal is the first that counts, filled at the seventh's open.
    assert late.account.position("A").average_price == 56


def test_run_end_is_the_last_instant() -> None:
    result = backtest.run(make("50", "50", "60", "70"), end=START + timedelta(days=3))
    assert len(result.equity) == 3
    assert result.equity.times[-1] == START + timedelta(days=3)


@pytest.mark.parametrize(
    ("step_days", "bars", "expected"),
    [(1, 400, 365), (7, 60, 52), (30.4375, 15, 12), (1, 5, 252), (2, 200, 183)],
)
def test_periods_per_year_follow_from_the_spacing(
    step_days: float, bars: int, expected: int
) -> None:
    curve = backtest.EquityCurve(1000.0)
    for number in range(bars):
        time = START + timedelta(days=1 + number * step_days)
        curve.record(time, Account(Decimal(1000)))
    assert curve.periods_per_year == expected


def test_run_times_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="no zone"):
        backtest.run(make("1"), start=datetime(2024, 1, 1))  # noqa: DTZ001
    with pytest.raises(ConfigError, match="before start"):
        backtest.run(make("1"), start=START, end=START - timedelta(days=1))


def test_run_strategy_that_raises_keeps_what_came_out_until_then() -> None:
    closes = [str(50 + i % 7) for i in range(1200)]
    with pytest.raises(BacktestError, match="strategy 'buys' failed on DataEvent of A") as caught:
        backtest.run(make(*closes, raise_on=1000))
    partial = caught.value.partial
    assert isinstance(partial, BacktestResult)
    assert not partial.complete
    assert len(partial.equity) == 999
    assert partial.stats.fills == 1


@pytest.mark.parametrize("closes", [(), ("50",)])
def test_run_no_bar_or_one_gives_a_result_without_figures(closes: tuple[str, ...]) -> None:
    stats = backtest.run(make(*closes)).stats
    assert stats.final_equity == 1000
    assert stats.sharpe is None
    assert stats.benchmark_return is None
    assert stats.trades == 0


@pytest.mark.parametrize("scale", ["0.00000001", "1000000000"])
def test_run_tiny_and_huge_prices_keep_every_digit(scale: str) -> None:
    closes = [str(Decimal(scale) * n) for n in (5, 5, 6)]
    result = backtest.run(make(*[f"{Decimal(c):f}" for c in closes]))
    assert result.account.equity == 1000 + 10 * Decimal(scale)


def test_run_benchmark_without_bars_names_those_that_have_some() -> None:
    with pytest.raises(BacktestError, match="'a' has no bars: use one of A") as caught:
        backtest.run(make("50", "50", "60"), benchmark="a")
    assert isinstance(caught.value.partial, BacktestResult)
    assert caught.value.partial.stats.final_equity == 1100


def test_run_app_function_and_target_give_equal_results(tmp_path: Path) -> None:
    one = backtest.run(lambda: make("50", "51", "52"))
    assert one.events_digest == backtest.run(make("50", "51", "52")).events_digest
    demo = str(TOP / "examples" / "demo" / "app.py")
    assert backtest.run(demo).stats == backtest.run(demo).stats


def test_run_equal_bytes_whatever_the_hash_seed() -> None:
    code = (
        "from ingenium import backtest; import sys; r = backtest.run(sys.argv[1]);"
        "print(r.events_digest, r.stats)"
    )
    demo = str(TOP / "examples" / "demo" / "app.py")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, demo],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1


def test_run_real_prices_equal_three_engines() -> None:
    """SMA 20/50 on IBM, long and short for the reference's long only: entries are the same."""
    result = backtest.run(
        App(
            ingestors=[CsvIngestor(TOP / "examples" / "data" / "IBM.csv")],
            strategies=[SmaCross(["IBM"], fast=20, slow=50)],
            portfolio=FixedQuantity(100, cash=Decimal(1_000_000), allow_short=False),
            executor=PaperExecutor(FillPolicy(volume_cap=None)),
        )
    )
    # tests/data/oracles/ibm_sma20_50_trades.csv: plain Python, backtesting.py and backtrader agree.
    assert result.stats.trades == 36
    assert result.account.realized_pnl == Decimal(-2336)
    assert result.account.equity == Decimal(998546)


def test_result_json_holds_plain_values() -> None:
    answer = backtest.run(make("50", "50", "60")).to_json()
    again = json.loads(json.dumps(answer))
    assert again["stats"]["fills"] == 1
    assert again["stats"]["start"] == "2024-01-02T00:00:00+00:00"
    assert again["events_digest"]
