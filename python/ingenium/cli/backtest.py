"""``ingenium backtest``."""

from __future__ import annotations

import json as jsonlib
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ingenium.backtest import BacktestResult, run
from ingenium.backtest import check_lookahead as find_lookahead
from ingenium.backtest.formatting import figures, percent
from ingenium.cli.backtest_output import (
    escaped,
    make_console,
    print_problems,
    print_trades,
    printable,
)
from ingenium.cli.backtest_record import prepare_app, recorded_backtest
from ingenium.cli.checks import check_benchmark, check_report
from ingenium.cli.data_notes import print_notes
from ingenium.cli.day_options import SinceOption, UntilOption, day, time
from ingenium.cli.log_options import LogFormatOption, LogLevelOption, start_logs
from ingenium.cli.progress_bar import StepProgress
from ingenium.cli.record import DatabaseOption
from ingenium.cli.rich_tables import print_lines
from ingenium.cli.targets import AppTarget
from ingenium.components import App, load_app
from ingenium.config import Settings
from ingenium.errors import BacktestError, ConfigError
from ingenium.runtime.app_telemetry import observed
from ingenium.trading.tally import counted

__all__ = ["backtest"]


def backtest(
    app: AppTarget,
    start: Annotated[
        str | None,
        typer.Option("--start", help="First day of the result; earlier bars are the warm-up."),
    ] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last day.")] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            "--benchmark",
            help="Symbol of the buy-and-hold comparison; the first symbol if omitted.",
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            help="Time zone of days and months, such as America/New_York; the zone of the data "
            "if omitted.",
        ),
    ] = None,
    trades: Annotated[
        int, typer.Option("--trades", min=0, help="Number of recent trades to print.")
    ] = 0,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write a report to this HTML file; the app runs a second time, on a harsher "
            "exchange.",
        ),
    ] = None,
    no_stress: Annotated[
        bool, typer.Option("--no-stress", help="Leave the second run out of the report.")
    ] = False,
    no_risk: Annotated[
        bool,
        typer.Option(
            "--no-risk",
            help="Switch off the risk limits of the app; the result reports that.",
        ),
    ] = False,
    check_lookahead: Annotated[
        bool,
        typer.Option(
            "--check-lookahead",
            help="Look for look-ahead: scramble future data and compare decisions, and find bars "
            "whose timestamp is before their end.",
        ),
    ] = False,
    digest: Annotated[
        bool,
        typer.Option(
            "--digest/--no-digest",
            help="Compute the events digest, which identifies equal runs; faster without.",
        ),
    ] = True,
    record: Annotated[
        bool,
        typer.Option("--record", help="Record events and figures; see ingenium runs."),
    ] = False,
    database: DatabaseOption = None,
    from_record: Annotated[
        str | None,
        typer.Option(
            "--from-record",
            metavar="URL",
            help="Use recorded market data, of a database or the folder of an export, instead of "
            "the app's ingestors.",
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="With --from-record: the data of this run."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run an app over its history in one process, and print the result.

    Components in other languages are started and connected through an embedded server.

    A component that raises ends the backtest with code 1, and the result up to that point is
    printed.
    """
    messages, of_logs = start_logs(log_format, log_level)
    if check_lookahead and from_record is not None:
        raise ConfigError("--check-lookahead and --from-record do not go together")
    if check_lookahead:
        _check_lookahead(app, messages, json=json)
        return
    first, last = day("start", start), day("end", end)
    if database is not None and not record:
        raise ConfigError("--database goes with --record")
    prepare = prepare_app(from_record, run_id, time("since", since), time("until", until))
    if report is not None:
        check_report(report)
    if benchmark is not None:
        check_benchmark(load_app(app), benchmark)
    failure: BacktestError | None = None
    environment = Settings.from_environment().environment
    is_over = False
    with ExitStack() as stack:
        recording = (
            stack.enter_context(recorded_backtest(app, database, digest=digest)) if record else None
        )
        progress = stack.enter_context(StepProgress(messages, f"backtest of {app}"))

        def prepare_traced(loaded: App) -> None:
            prepare(loaded)
            if not is_over:  # the run on a harsher exchange is not traced
                stack.enter_context(observed(loaded, environment, with_log_context=bool(of_logs)))

        try:
            result = run(
                app,
                start=first,
                end=last,
                benchmark=benchmark,
                timezone=timezone,
                risk=not no_risk,
                digest=digest,
                on_step=progress.on_step,
                on_app=prepare_traced,
                on_line=lambda name, line: messages.print(
                    f"{name} | {printable(line)}", markup=False, highlight=False, soft_wrap=True
                ),
                on_lines=None if recording is None else recording.add,
            )
        except BacktestError as error:
            if not isinstance(error.partial, BacktestResult):
                raise
            result, failure = error.partial, error
        if recording is not None:
            recording.end(result)
            messages.print(f"recorded as {recording.run_id}", markup=False, highlight=False)
    is_over = True
    if json:
        typer.echo(jsonlib.dumps(result.to_json()))
    elif not result.hopeless:
        _print(make_console(), result, trades)
    if result.hopeless and failure is None:
        raise BacktestError(f"nothing could come of this run: {result.hopeless}")
    if report is not None:
        stressed = None if no_stress else _run_stressed(result, messages)
        file = result.report(report, stressed=stressed or False)
        if not json:
            _print_stressed(stressed)
            typer.echo(f"report: {file}")
    if failure is not None:
        raise failure


def _run_stressed(result: BacktestResult, console: Console) -> BacktestResult | None:
    if result.run_stressed is None:
        return None
    with StepProgress(console, "the same on a harsher exchange") as progress:
        return result.run_stressed(progress.on_step)


def _print_stressed(stressed: BacktestResult | None) -> None:
    if stressed is not None:
        stats = stressed.stats
        if stressed.failure:
            typer.echo(f"on a harsher exchange it did not reach its end: {stressed.failure}")
        typer.echo(
            f"on a harsher exchange: total return {percent(stats.total_return)}, max drawdown "
            f"{percent(stats.max_drawdown)}"
        )


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


def _limits(result: BacktestResult) -> list[tuple[str, str]]:
    if result.limits == "none":
        return []
    denied = counted(result.denied_orders, "order")
    return [("risk limits", "off" if result.limits == "off" else f"on, {denied} denied")]


def _print(console: Console, result: BacktestResult, trades: int) -> None:
    if trades:
        print_trades(console, result.replay, trades, result.equity.zone)
    print_lines(
        console,
        [
            *figures(result.stats, result.equity.zone),
            ("policy", result.policy or "-"),
            *_limits(result),
            ("events digest", result.events_digest or "-"),
        ],
    )
    print_notes(console, result.data_notes)
    for line in result.flattering():
        console.print(f"[yellow]flatters:[/] {escaped(line)}", highlight=False)
    print_problems(console, result.problems)
