"""``ingenium parity``."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.checks import check_report
from ingenium.cli.day_options import SinceOption, UntilOption, time
from ingenium.cli.progress_bar import StepProgress
from ingenium.cli.rich_tables import Column, print_lines, print_table
from ingenium.cli.targets import AppTarget, JsonFlag
from ingenium.components import load_app
from ingenium.config import Settings

if TYPE_CHECKING:
    from ingenium.recorder.parity_result import Parity

__all__ = ["parity"]

_FOLDS = {"why": 30}


def parity(
    app: AppTarget,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Database of the recording; record.db in the app's folder when left out.",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Only this live run, or a recorded backtest; all that was recorded of the live "
            "app when left out.",
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="own|URL",
            help="Backtest on other data and compare its bars, too: the app's own history, a "
            "database or the folder of an export.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="How many divergences to print at most.")
    ] = 20,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write the report of the backtest, with the comparison."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Run a recorded live run again as a backtest, and show where the two part.

    Signals, orders and fills are paired by their symbol, the bar that caused them, and their order.
    The exit code is 1 when anything differs.
    """
    from ingenium.recorder import require

    require()
    from ingenium.recorder.live_recording import default_url
    from ingenium.recorder.parity_run import ParityOptions, run_parity
    from ingenium.recorder.parity_tables import parity_section

    if report is not None:
        check_report(report)
    url = place or default_url(Settings.from_environment(), load_app(app).name)
    options = ParityOptions(url, run, time("since", since), time("until", until), data)
    messages = make_console(stderr=True)
    with StepProgress(messages, f"backtest of {app}") as progress:
        found, result = run_parity(
            app,
            options,
            on_step=progress.on_step,
            on_line=lambda name, line: messages.print(
                f"{name} | {printable(line)}", markup=False, highlight=False, soft_wrap=True
            ),
        )
    if json:
        typer.echo(jsonlib.dumps(found.to_json()))
    else:
        _print(make_console(), found, limit)
    if report is not None:
        file = result.report(report, stressed=False, sections=[parity_section(found)])
        if not json:
            typer.echo(f"report: {file}")
    if not found.is_equal:
        raise typer.Exit(1)


def _print(console: Console, found: Parity, limit: int) -> None:
    from ingenium.recorder.parity_tables import (
        CAUSE_HEADS,
        COUNT_HEADS,
        DIVERGENCE_HEADS,
        cause_rows,
        count_rows,
        divergence_rows,
        parity_lines,
    )

    print_lines(console, parity_lines(found))
    console.print()
    print_table(console, _numbers(COUNT_HEADS), count_rows(found))
    if found.divergences:
        console.print()
        print_table(console, _numbers(CAUSE_HEADS), cause_rows(found))
        if limit:
            console.print()
            columns = [Column(name, folds=_FOLDS.get(name, 0)) for name in DIVERGENCE_HEADS]
            print_table(console, columns, divergence_rows(found, limit))
        if left := len(found.divergences) - min(limit, len(found.divergences)):
            console.print(f"and {left:,} more: --limit, or --json", markup=False, highlight=False)
    for note in found.notes:
        console.print(f"note: {printable(note)}", markup=False, highlight=False, soft_wrap=True)


def _numbers(heads: Sequence[str]) -> list[Column]:
    """Return columns of numbers behind one of text."""
    return [Column(name, right=place > 0) for place, name in enumerate(heads)]
