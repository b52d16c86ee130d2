"""Format the figures of a backtest as text, for tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from ingenium.backtest.stats import Statistics

__all__ = ["figure_text", "figures", "percent", "ratio", "session"]

_PERCENT = frozenset(
    {
        "total_return",
        "cagr",
        "volatility",
        "max_drawdown",
        "exposure",
        "win_rate",
        "benchmark_return",
        "benchmark_max_drawdown",
        "alpha",
    }
)
_COUNTS = frozenset(
    {
        "trades",
        "longest_losing_streak",
        "fills",
        "ambiguous_fills",
        "uncapped_fills",
        "rejected_orders",
        "periods_per_year",
    }
)
_SECONDS = frozenset({"longest_drawdown", "average_holding"})


def percent(value: float | None) -> str:
    """Format a fraction in percent; a dash for ``None``."""
    return "-" if value is None else _unsigned_zero(f"{value:.2%}")


def ratio(value: float | None) -> str:
    """Format a number with two decimals; a dash for ``None``."""
    return "-" if value is None else _unsigned_zero(f"{value:,.2f}")


def _unsigned_zero(text: str) -> str:
    """Remove the sign of a text rounded to zero."""
    return text[1:] if text.startswith("-") and not any(c in "123456789" for c in text) else text


def figure_text(name: str, value: float | None) -> str:
    """Format a figure of `Statistics` as a backtest prints it.

    Args:
        name: Name of the figure, such as ``"cagr"``.
        value: Value as in ``to_json``: fractions, and durations in seconds.
    """
    if value is None:
        return "-"
    if name in _PERCENT:
        return percent(value)
    if name in _SECONDS:
        return _days(timedelta(seconds=value))
    return f"{value:,.0f}" if name in _COUNTS else ratio(value)


def _days(value: timedelta | None) -> str:
    return "-" if value is None else f"{value / timedelta(days=1):,.1f} days"


def session(time: datetime, zone: tzinfo) -> str:
    """Format the day of a bar from its end: a bar that ends at midnight is of the day before."""
    return f"{time.astimezone(zone) - timedelta.resolution:%Y-%m-%d}"


def figures(stats: Statistics, zone: tzinfo = UTC) -> list[tuple[str, str]]:
    """Return names and texts of the figures, for a table.

    Args:
        stats: The figures.
        zone: Time zone of the days.
    """
    return [
        ("period", _period(stats, zone)),
        ("final equity", f"{stats.final_equity:,.2f} of {stats.starting_equity:,.2f}"),
        ("total return", percent(stats.total_return)),
        (f"holding {stats.benchmark or '-'}", percent(stats.benchmark_return)),
        ("CAGR", percent(stats.cagr)),
        ("volatility", percent(stats.volatility)),
        ("Sharpe", ratio(stats.sharpe)),
        ("Sortino", ratio(stats.sortino)),
        ("Calmar", ratio(stats.calmar)),
        ("alpha, beta", f"{percent(stats.alpha)}, {ratio(stats.beta)}"),
        ("max drawdown", percent(stats.max_drawdown)),
        ("longest drawdown", _days(stats.longest_drawdown)),
        ("exposure", f"{percent(stats.exposure)} of the time, {ratio(stats.leverage)} x equity"),
        ("turnover", "-" if stats.turnover is None else f"{stats.turnover:,.2f} x equity a year"),
        ("trades", f"{stats.trades:,}, {percent(stats.win_rate)} won"),
        ("profit factor", ratio(stats.profit_factor)),
        ("expectancy", f"{ratio(stats.expectancy)} a trade, SQN {ratio(stats.sqn)}"),
        ("best, worst trade", f"{ratio(stats.best_trade)}, {ratio(stats.worst_trade)}"),
        ("average holding", _days(stats.average_holding)),
        ("losing streak", f"{stats.longest_losing_streak} trades"),
        ("commissions", f"{stats.commissions:,.2f}"),
        ("fills", f"{stats.fills:,}, {stats.ambiguous_fills:,} ambiguous"),
        ("orders rejected", f"{stats.rejected_orders:,}"),
    ]


def _period(stats: Statistics, zone: tzinfo) -> str:
    if stats.start is None or stats.end is None:
        return "no data"
    start, end = session(stats.start, zone), session(stats.end, zone)
    return f"{start} to {end}, {stats.years:.1f} years"
