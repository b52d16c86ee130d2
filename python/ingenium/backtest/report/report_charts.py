"""The charts of a report, and the data for its script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from itertools import pairwise
from math import isnan
from typing import Any

from ingenium.backtest.price_track import PriceTrack
from ingenium.backtest.report.charts import Scale, chart, dots, line, span
from ingenium.backtest.report.reported_run import ReportedRun
from ingenium.backtest.report.thinning import extremes
from ingenium.backtest.statistics import underwater
from ingenium.events import Side
from ingenium.trading import Trade

__all__ = ["MOST_TRADES", "Pictures", "draw"]

MOST_TRADES = 3000
"""Most trades in a report, the last ones; more would make it slow to open."""

_MOST_POINTS = 2000
_DWARFS = 6
_MOST_STRETCHES = 6000
_FEWEST_STRETCHES = 128
_MOST_SYMBOLS = 24


@dataclass(frozen=True, slots=True)
class Pictures:
    """Charts and data of a report.

    Attributes:
        equity: Chart of equity, the benchmark and the stressed run.
        drawdown: Chart below it.
        dwarfs: Whether the benchmark's line is initially hidden, since it dwarfs the others.
        prices: Chart of prices by symbol, those with the most trades first.
        left_out: Number of symbols without a chart.
        data: Data for the script, as JSON values.
    """

    equity: str
    drawdown: str
    dwarfs: bool
    prices: dict[str, str]
    left_out: int
    data: dict[str, Any]


def draw(result: ReportedRun, stressed: ReportedRun | None) -> Pictures:
    """Draw a result, together with the stressed run."""
    curve = result.equity
    start = curve.starting_equity
    below = underwater([start, *curve.equity])[1:]
    places = sorted({*extremes(curve.equity, _MOST_POINTS), *extremes(below, _MOST_POINTS)})
    times = [curve.timestamps[i] for i in places]
    equity = [curve.equity[i] for i in places]
    drawdown = [below[i] for i in places]
    first = next((price for price in curve.benchmark if not isnan(price)), 0.0)
    held = [curve.benchmark[i] / first * start if first else float("nan") for i in places]
    rougher: list[float] = []
    # A failed stressed run covers only the first of these instants, and its line ends there.
    reached = 0 if stressed is None else len(stressed.equity)
    if stressed is not None and 0 < reached <= len(curve):
        rough = stressed.equity.equity
        rougher = [rough[i] if i < reached else float("nan") for i in places]
    scale = Scale.over(times, equity, rougher)
    beside = Scale.over(times, equity, rougher, held)
    # A benchmark that flattens the result's line is included, but initially hidden.
    dwarfs = beside.high - beside.low > _DWARFS * (scale.high - scale.low)
    if not dwarfs:
        scale = beside
    under = Scale.over(times, drawdown, [0.0])
    lines = [("held off" if dwarfs else "held", line(scale, times, held))]
    if rougher:
        lines.append(("harsher", line(scale, times, rougher)))
    lines.append(("equity", line(scale, times, equity)))
    trades = result.trades[-MOST_TRADES:]
    chosen = _chosen(result)
    names = [symbol for symbol, _ in chosen]
    series: dict[str, dict[str, list[Any]]] = {
        "equity": {
            "t": _steps(times),
            "equity": _short(equity),
            "held": _short(held),
            "harsher": _short(rougher),
        },
        "drawdown": {"t": _steps(times), "drawdown": _short(drawdown)},
    }
    prices: dict[str, str] = {}
    for number, (symbol, track) in enumerate(chosen):
        own = [trade for trade in trades if trade.symbol == symbol]
        key = f"p{number}"
        prices[symbol] = _price_chart(key, symbol, track, own, curve.zone)
        series[key] = {
            "t": _steps(track.times),
            "close": _short(track.close),
            "high": _short(track.high),
            "low": _short(track.low),
        }
    return Pictures(
        equity=chart(
            scale,
            lines,
            label=f"equity of {_name(result)} over time",
            attributes='data-series="equity"',
            zone=curve.zone,
        ),
        drawdown=chart(
            under,
            [
                ("under", span(under, times, drawdown, [0.0] * len(times))),
                ("drawdown", line(under, times, drawdown)),
            ],
            label="fall of equity below its former high over time",
            percent=True,
            attributes='data-series="drawdown"',
            zone=curve.zone,
        ),
        dwarfs=dwarfs,
        prices=prices,
        left_out=len(curve.prices.tracks) - len(chosen),
        data={
            "series": series,
            "symbols": names,
            "trades": _trades(trades),
            "zone": str(curve.zone),
        },
    )


def _name(result: ReportedRun) -> str:
    return result.manifest.app


def _chosen(result: ReportedRun) -> list[tuple[str, PriceTrack]]:
    """Return the symbols to draw, and their tracks, thinned to keep the file small."""
    traded = Counter(trade.symbol for trade in result.trades)
    tracks = result.equity.prices.tracks
    # The sort is stable: symbols with equally many trades keep their order of arrival.
    symbols = sorted(tracks, key=lambda symbol: -traded[symbol])[:_MOST_SYMBOLS]
    most = max(_MOST_STRETCHES // max(len(symbols), 1), _FEWEST_STRETCHES)
    return [(symbol, tracks[symbol].at_most(most)) for symbol in symbols]


def _price_chart(
    key: str, symbol: str, track: PriceTrack, trades: Sequence[Trade], zone: tzinfo
) -> str:
    entries = [float(trade.entry_price) for trade in trades]
    exits = [float(trade.exit_price) for trade in trades]
    scale = Scale.over(track.times, track.high, track.low, entries, exits)
    ways: dict[str, list[str]] = {"won": [], "lost": []}
    points: dict[str, list[tuple[float, float]]] = {"long": [], "short": [], "exit": []}
    for trade, entry, exit_price in zip(trades, entries, exits, strict=True):
        begin, end = trade.entry_time.timestamp(), trade.exit_time.timestamp()
        way = line(scale, (begin, end), (entry, exit_price))
        ways["won" if trade.net_pnl > 0 else "lost"].append(way)
        points["long" if trade.side is Side.BUY else "short"].append((begin, entry))
        points["exit"].append((end, exit_price))
    return chart(
        scale,
        [
            ("span", span(scale, track.times, track.low, track.high)),
            ("price", line(scale, track.times, track.close)),
            *((name, "".join(paths)) for name, paths in ways.items()),
            ("exit", dots(scale, points["exit"])),
            ("hole", dots(scale, points["exit"])),
            ("long", dots(scale, points["long"])),
            ("short", dots(scale, points["short"])),
        ],
        label=f"price of {symbol} with entries and exits over time",
        attributes=f'data-series="{key}" data-symbol="{escape(symbol)}"',
        zone=zone,
    )


def _trades(trades: Sequence[Trade]) -> list[list[Any]]:
    return [
        [
            trade.symbol,
            "long" if trade.side is Side.BUY else "short",
            trade.entry_time.timestamp(),
            trade.exit_time.timestamp(),
            float(trade.quantity),
            float(trade.entry_price),
            float(trade.exit_price),
            float(trade.net_pnl),
            float(trade.commission),
        ]
        for trade in trades
    ]


def _steps(times: Sequence[float]) -> list[float | int]:
    """Return times as differences, which are shorter."""
    whole = [int(time) if time.is_integer() else time for time in times]
    return [*whole[:1], *(after - before for before, after in pairwise(whole))]


def _short(values: Sequence[float]) -> list[float | int | None]:
    """Return values with seven digits, as many as a reader can use."""
    short = [None if isnan(value) else float(f"{value:.7g}") for value in values]
    return [int(v) if v is not None and v.is_integer() and abs(v) < 1e15 else v for v in short]
