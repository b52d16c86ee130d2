"""``ingenium backtest``."""

from __future__ import annotations

import json as jsonlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingenium.backtest import BacktestResult, Statistics, run
from ingenium.backtest import check_lookahead as find_lookahead
from ingenium.cli.output import print_trades, printable
from ingenium.cli.progress import StepProgress
from ingenium.errors import BacktestError, ConfigError

__all__ = ["backtest"]


def backtest(
    app: Annotated[str, typer.Argument(help="file.py, file.py:name or package.module:name")],
    start: Annotated[
        str | None,
        typer.Option("--start", help="First day that counts; earlier bars are a warm-up."),
    ] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last day.")] = None,
    benchmark: Annotated[
        str | None,
        typer.Option("--benchmark", help="Symbol to hold for comparison; the first one if not."),
    ] = None,
    trades: Annotated[
        int, typer.Option("--trades", min=0, help="How many of the last trades to print.")
    ] = 0,
    check_lookahead: Annotated[
        bool,
        typer.Option(
            "--check-lookahead",
            help="Look for components that know the future, by scrambling it, and print them.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run an app over its history in one process, and print what came out.

    A component that raises ends the backtest with code 1; what came out until then is printed all
    the same.
    """
    messages = Console(stderr=True)
    if check_lookahead:
        _check_lookahead(app, messages, json=json)
        return
    first, last = _day("start", start), _day("end", end)
    failure: BacktestError | None = None
    with StepProgress(messages, f"backtest of {app}") as progress:
        try:
            result = run(
                app,
                start=first,
                # A day's last bar ends at midnight.
                end=None if last is None else last + timedelta(days=1),
                benchmark=benchmark,
                on_step=progress.on_step,
            )
        except BacktestError as error:
            if not isinstance(error.partial, BacktestResult):
                raise
            result, failure = error.partial, error
    if json:
        typer.echo(jsonlib.dumps(result.to_json()))
    else:
        _print(Console(), result, trades)
    if failure is not None:
        raise failure


def _check_lookahead(app: str, console: Console, *, json: bool) -> None:
    with console.status("") as status:
        found = find_lookahead(
            app, on_run=lambda run, of: status.update(f"looking for look-ahead: run {run} of {of}")
        )
    if json:
        rows = [{"component": each.component, "problem": each.problem} for each in found]
        typer.echo(jsonlib.dumps({"lookahead": rows}))
    elif not found:
        typer.echo("no look-ahead found")
    else:
        for each in found:
            typer.echo(f"look-ahead: {each}")
    if found:
        raise typer.Exit(1)


def _day(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"--{name} {text!r} is no day: write it as 2024-01-31") from None


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _days(value: timedelta | None) -> str:
    return "-" if value is None else f"{value / timedelta(days=1):,.1f} days"


def figures(stats: Statistics) -> list[tuple[str, str]]:
    """Return names and texts of the figures, for a table."""
    return [
        ("period", _period(stats)),
        ("final equity", f"{stats.final_equity:,.2f} of {stats.starting_equity:,.2f}"),
        ("total return", _percent(stats.total_return)),
        (f"holding {stats.benchmark or '-'}", _percent(stats.benchmark_return)),
        ("CAGR", _percent(stats.cagr)),
        ("volatility", _percent(stats.volatility)),
        ("Sharpe", _ratio(stats.sharpe)),
        ("Sortino", _ratio(stats.sortino)),
        ("Calmar", _ratio(stats.calmar)),
        ("alpha, beta", f"{_percent(stats.alpha)}, {_ratio(stats.beta)}"),
        ("max drawdown", _percent(stats.max_drawdown)),
        ("longest drawdown", _days(stats.longest_drawdown)),
        ("exposure", f"{_percent(stats.exposure)} of the time, {_ratio(stats.leverage)} x equity"),
        ("turnover", "-" if stats.turnover is None else f"{stats.turnover:,.2f} x equity a year"),
        ("trades", f"{stats.trades:,}, {_percent(stats.win_rate)} won"),
        ("profit factor", _ratio(stats.profit_factor)),
        ("expectancy", f"{_ratio(stats.expectancy)} a trade, SQN {_ratio(stats.sqn)}"),
        ("best, worst trade", f"{_ratio(stats.best_trade)}, {_ratio(stats.worst_trade)}"),
        ("average holding", _days(stats.average_holding)),
        ("losing streak", f"{stats.longest_losing_streak} trades"),
        ("commissions", f"{stats.commissions:,.2f}"),
        ("fills", f"{stats.fills:,}, {stats.ambiguous_fills:,} ambiguous"),
    ]


def _period(stats: Statistics) -> str:
    if stats.start is None or stats.end is None:
        return "no data"
    return f"{stats.start:%Y-%m-%d} to {stats.end:%Y-%m-%d}, {stats.years:.1f} years"


def _print(console: Console, result: BacktestResult, trades: int) -> None:
    if trades:
        print_trades(console, result.trades, trades)
    table = Table.grid(padding=(0, 2))
    for name, text in figures(result.stats):
        table.add_row(f"[dim]{name}[/]", printable(text))
    table.add_row("[dim]policy[/]", printable(result.policy or "-"))
    console.print(table)
    # Not in the table, whose columns would cut it off on a common terminal.
    console.print(f"[dim]events digest[/]  {result.events_digest}", highlight=False)
    for line in result.flattering():
        console.print(f"[yellow]flatters:[/] {line}", highlight=False)
    for problem in result.replay.problems[:5]:
        console.print(f"[yellow]not booked:[/] {printable(problem)}", highlight=False)
