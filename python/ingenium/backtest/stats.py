"""The figures of a backtest."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan

from ingenium.backtest import statistics as stats
from ingenium.backtest.equity_curve import EquityCurve
from ingenium.exchange import FillCounters
from ingenium.trading import Trade

__all__ = ["Statistics", "summarize"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a backtest. Rates and ratios are fractions; ``None`` means undefined.

    Ratios are of daily returns, at a risk-free rate of zero, annualized by `periods_per_year`. If
    equity was ever at zero or below there are no returns: ``cagr``, ``volatility``, ``sharpe``,
    ``sortino``, ``calmar``, ``alpha``, ``beta`` and ``turnover`` are then ``None``.

    Attributes:
        start: End of the first bar.
        end: End of the last bar.
        years: From start to end, in years of 365.25 days.
        periods_per_year: Days of this market in a year, or longer bars; see
            `ingenium.backtest.trading_days.periods_in_year`.
        starting_equity: In the account's currency, as all money here.
        final_equity: With open positions at the last price.
        peak_equity: Highest equity.
        total_return: Final over starting equity, minus one.
        cagr: Compound annual growth rate.
        volatility: Of daily returns, annual.
        sharpe: Annual.
        sortino: Annual.
        calmar: ``cagr`` over the deepest drawdown.
        max_drawdown: Largest drawdown from a former high, over all steps; negative, and below -1
            when the loss exceeds the former high.
        longest_drawdown: Longest time below a former high.
        exposure: Fraction of the steps with an open position.
        leverage: Mean gross market value of positions over equity, over the steps with equity.
        turnover: Value traded per year over mean equity.
        trades: Closed round trips; all figures of trades are after commissions.
        win_rate: Fraction of the trades with a profit.
        profit_factor: Gross profit over gross loss of trades.
        expectancy: Mean profit of a trade.
        best_trade: Highest profit.
        worst_trade: Lowest profit.
        average_holding: Mean time that a trade was open.
        longest_losing_streak: Most losing trades in a row.
        sqn: System quality number.
        commissions: Total commissions paid.
        fills: Number of fills.
        ambiguous_fills: Fills for which a bar was ambiguous, decided against the owner.
        uncapped_fills: Fills on bars without volume, where no volume cap applied.
        rejected_orders: Orders that the executor rejected.
        benchmark: Symbol held for comparison.
        benchmark_return: Return of buying the benchmark at the first close and holding it.
        benchmark_max_drawdown: Maximum drawdown of the same.
        alpha: Jensen's, annual, against the benchmark.
        beta: Against the benchmark.
    """

    start: datetime | None
    end: datetime | None
    years: float
    periods_per_year: int
    starting_equity: float
    final_equity: float
    peak_equity: float
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float | None
    longest_drawdown: timedelta
    exposure: float
    leverage: float
    turnover: float | None
    trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    best_trade: float | None
    worst_trade: float | None
    average_holding: timedelta | None
    longest_losing_streak: int
    sqn: float | None
    commissions: float
    fills: int
    ambiguous_fills: int
    uncapped_fills: int
    rejected_orders: int
    benchmark: str
    benchmark_return: float | None
    benchmark_max_drawdown: float | None
    alpha: float | None
    beta: float | None


def summarize(
    curve: EquityCurve,
    trades: Sequence[Trade],
    notes: FillCounters,
    commissions: float,
    traded_value: float,
    *,
    rejected_orders: int = 0,
) -> Statistics:
    """Compute the figures of a backtest.

    Args:
        curve: Equity step by step.
        trades: Closed round trips.
        notes: Counters of the exchange.
        commissions: Total commissions paid.
        traded_value: Sum of quantity times price over all fills.
        rejected_orders: Orders that the executor rejected.
    """
    every = array("d", [curve.starting_equity]) + curve.equity
    times = array("d", curve.timestamps[:1] or [0.0]) + curve.timestamps
    daily, prices = curve.daily()
    is_solvent = stats.is_solvent(every)
    returns = stats.simple_returns(daily) if is_solvent else []
    periods, years = curve.periods_per_year, curve.years
    growth = stats.cagr(every, years) if is_solvent else None
    deepest = stats.max_drawdown(every)
    profits = [float(trade.net_pnl) for trade in trades]
    held = [trade.exit_time - trade.entry_time for trade in trades]
    mean_equity = sum(every) / len(every)
    exposure = [part for part in curve.exposure if not isnan(part)]
    prices_of_all = curve.benchmark
    # Prices are missing only before the first one.
    begin = next((i for i, price in enumerate(prices_of_all) if not isnan(price)), len(curve))
    known = prices_of_all[begin:]
    # Both begin with the first day that follows a price.
    first = next((i for i, price in enumerate(prices) if not isnan(price)), len(prices))
    known_daily = prices[first:]
    # Prices of zero and below occur, as for oil in April 2020; returns on them are undefined.
    market = stats.simple_returns(known_daily) if stats.is_solvent(known_daily) else []
    matching = returns[first:]
    return Statistics(
        start=datetime.fromtimestamp(curve.timestamps[0], UTC) if len(curve) else None,
        end=datetime.fromtimestamp(curve.timestamps[-1], UTC) if len(curve) else None,
        years=years,
        periods_per_year=periods,
        starting_equity=curve.starting_equity,
        final_equity=every[-1],
        peak_equity=max(every),
        total_return=stats.total_return(every),
        cagr=growth,
        volatility=stats.volatility(returns, periods),
        sharpe=stats.sharpe(returns, periods),
        sortino=stats.sortino(returns, periods),
        calmar=stats.calmar(growth, deepest),
        max_drawdown=deepest,
        longest_drawdown=timedelta(seconds=stats.longest_drawdown(every, times)),
        exposure=(len(curve) - curve.exposure.count(0.0)) / max(len(curve), 1),
        leverage=sum(exposure) / max(len(exposure), 1),
        turnover=traded_value / mean_equity / years if years and is_solvent else None,
        trades=len(trades),
        win_rate=stats.win_rate(profits),
        profit_factor=stats.profit_factor(profits),
        expectancy=stats.expectancy(profits),
        best_trade=max(profits, default=None),
        worst_trade=min(profits, default=None),
        average_holding=sum(held, timedelta()) / len(held) if held else None,
        longest_losing_streak=stats.longest_losing_streak(profits),
        sqn=stats.sqn(profits),
        commissions=commissions,
        fills=notes.fills,
        ambiguous_fills=notes.ambiguous_fills,
        uncapped_fills=notes.uncapped_fills,
        rejected_orders=rejected_orders,
        benchmark=curve.benchmark_symbol or "",
        benchmark_return=stats.total_return(known),
        benchmark_max_drawdown=stats.max_drawdown(known),
        alpha=stats.alpha(matching, market, periods),
        beta=stats.beta(matching, market),
    )
