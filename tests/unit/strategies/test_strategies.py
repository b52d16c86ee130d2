"""The ready strategies, on bars made by hand and on real ones."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ingenium.components import Strategy
from ingenium.errors import ConfigError, SubjectError
from ingenium.events import Signal, SignalEvent
from ingenium.strategies import RsiStrategy, SmaCross
from ingenium.testing import run
from ingenium.trading import Bar

ROOT = Path(__file__).parents[3]
DAY = timedelta(days=1)
START = datetime(2024, 1, 2, tzinfo=UTC)


def bars_of(symbol: str, closes: Sequence[float]) -> list[Bar]:
    return [
        Bar.make(symbol, START + i * DAY, open=c, high=c, low=c, close=c, period=DAY)
        for i, c in enumerate(map(str, closes))
    ]


def real_bars(symbol: str) -> list[Bar]:
    with (ROOT / "examples" / "data" / f"{symbol}.csv").open(newline="") as file:
        return [
            Bar.make(
                symbol,
                datetime.fromisoformat(row.pop("timestamp")),
                period=DAY,
                **row,
            )
            for row in csv.DictReader(file)
        ]


def signals_of(strategy: Strategy, bars: list[Bar]) -> list[tuple[int, str, Signal]]:
    """Return position of the bar, symbol and signal of all that the strategy sent."""
    places = {(bar.symbol, bar.end): place for place, bar in enumerate(bars)}
    sent: list[tuple[int, str, Signal]] = []
    for event in run(strategy, bars):
        assert isinstance(event, SignalEvent)
        assert isinstance(event.timestamp, datetime)
        sent.append((places[event.symbol, event.timestamp], event.symbol, Signal(event.signal)))
    return sent


def test_rsi_strategy_of_falling_and_rising_closes_says_long_then_short():
    # Index of period 2: 0 after two falls; 2 rises of 10 after a mean fall of 1 give 95.2 and more.
    bars = bars_of("AAPL", [100, 99, 98, 97, 107, 117, 127, 126])
    assert signals_of(RsiStrategy(["AAPL"]), bars) == [
        (2, "AAPL", Signal.LONG),
        (3, "AAPL", Signal.LONG),
        (5, "AAPL", Signal.SHORT),
        (6, "AAPL", Signal.SHORT),
    ]


def test_rsi_strategy_of_flat_closes_says_nothing():
    assert signals_of(RsiStrategy(), bars_of("AAPL", [100.0] * 20)) == []


def test_rsi_strategy_of_closes_on_the_lines_says_nothing():
    # Of period 1 the index is 0 or 100: neither is beyond these lines.
    strategy = RsiStrategy(period=1, buy_below=0, sell_above=100)
    assert signals_of(strategy, bars_of("AAPL", [1, 2, 1, 2, 3])) == []


def test_rsi_strategy_of_two_symbols_keeps_them_apart():
    falling, rising = bars_of("DOWN", [5, 4, 3]), bars_of("UP", [5, 6, 7])
    mixed = [bar for pair in zip(falling, rising, strict=True) for bar in pair]
    assert signals_of(RsiStrategy(), mixed) == [(4, "DOWN", Signal.LONG), (5, "UP", Signal.SHORT)]


def test_rsi_strategy_on_real_aapl_says_what_wilders_formula_says():
    bars = real_bars("AAPL")
    expected = []
    changes = [after.close - before.close for before, after in pairwise(bars)]
    gain = sum(max(change, 0.0) for change in changes[:2]) / 2
    loss = sum(max(-change, 0.0) for change in changes[:2]) / 2
    for place, change in enumerate(changes[1:], 2):
        if place > 2:
            gain = (gain + max(change, 0.0)) / 2
            loss = (loss + max(-change, 0.0)) / 2
        index = 100 - 100 / (1 + gain / loss) if loss else 100.0
        if index < 5:
            expected.append((place, "AAPL", Signal.LONG))
        elif index > 95:
            expected.append((place, "AAPL", Signal.SHORT))
    assert len(expected) > 300
    assert signals_of(RsiStrategy(["AAPL"]), bars) == expected


def test_sma_cross_of_a_turn_speaks_on_the_cross_only():
    closes = [10, 10, 10, 9, 8, 7, 9, 12, 13, 14, 10, 5, 4]
    # With 2 and 3 bars: below from bar 3 on, equal at 6, above at 7, below again at 10.
    assert signals_of(SmaCross(fast=2, slow=3), bars_of("AAPL", closes)) == [
        (7, "AAPL", Signal.LONG),
        (10, "AAPL", Signal.SHORT),
    ]


def test_sma_cross_of_averages_that_touch_and_part_again_says_nothing():
    # One bar and two: below, equal, below.
    assert signals_of(SmaCross(fast=1, slow=2), bars_of("AAPL", [10, 9, 9, 8, 8, 7])) == []


def test_sma_cross_of_averages_that_touch_and_go_on_speaks_once():
    assert signals_of(SmaCross(fast=1, slow=2), bars_of("AAPL", [10, 9, 9, 10, 11])) == [
        (3, "AAPL", Signal.LONG)
    ]


def test_sma_cross_of_flat_closes_after_a_rise_says_nothing():
    closes = [0.1 * i for i in range(1, 40)] + [4.1] * 200
    assert signals_of(SmaCross(fast=3, slow=7), bars_of("AAPL", closes)) == []


def test_sma_cross_on_real_ibm_trades_where_three_engines_do():
    bars = real_bars("IBM")
    with (ROOT / "tests/data/oracles/ibm_sma20_50_trades.csv").open(newline="") as file:
        trades = list(csv.DictReader(file))
    signals = signals_of(SmaCross(["IBM"], fast=20, slow=50), bars)
    # They fill at the next bar's open; a short signal before the first long one has no trade.
    ours = [(bars[place + 1].start, signal) for place, _, signal in signals]
    if ours[0][1] == Signal.SHORT:
        del ours[0]
    theirs = []
    for trade in trades:
        theirs.append((datetime.fromisoformat(trade["entry_time"]), Signal.LONG))
        # The last trade is still open at the end.
        if trade["exit_time"]:
            theirs.append((datetime.fromisoformat(trade["exit_time"]), Signal.SHORT))
    assert len(theirs) == 2 * 36 + 1
    assert ours == theirs


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RsiStrategy(period=0), "period 0 of Rsi does not fit: pass a whole number from 1"),
        (lambda: RsiStrategy(buy_below=-1), "buy_below -1 and sell_above 95 of rsi-strategy"),
        (lambda: RsiStrategy(sell_above=101), "sell_above 101 of rsi-strategy do not fit"),
        (lambda: RsiStrategy(buy_below=math.nan), "buy_below nan"),
        (lambda: RsiStrategy(buy_below=90, sell_above=10), "buy_below 90 of rsi-strategy is above"),
        (lambda: SmaCross(fast=30, slow=30), "fast 30 of sma-cross is not below slow 30: pass"),
        (lambda: SmaCross(fast=0), "period 0 of Sma does not fit"),
        (lambda: SmaCross(slow=9.5), "period 9.5 of Sma does not fit"),  # type: ignore[arg-type]
    ],
)
def test_argument_that_makes_no_sense_is_refused_with_value_and_cure(make, text):
    with pytest.raises(ConfigError) as caught:
        make()
    assert text in str(caught.value)


@pytest.mark.parametrize("kind", [RsiStrategy, SmaCross])
def test_symbol_that_no_subject_can_hold_is_refused(kind):
    with pytest.raises(SubjectError):
        kind(["A*"])
