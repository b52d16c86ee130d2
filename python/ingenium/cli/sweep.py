"""``ingenium sweep``."""

from __future__ import annotations

import asyncio
import json as jsonlib
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingenium.backtest.parameters import grid, parse_parameter, sample
from ingenium.backtest.sweep import OnRun, Sweep, SweepRun, luck
from ingenium.cli.output import printable
from ingenium.config import Settings
from ingenium.errors import BacktestError, ConfigError

__all__ = ["sweep"]

_FIGURES = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "profit_factor")
_HEADS = {"total_return": "return", "max_drawdown": "drawdown", "profit_factor": "factor"}
_SHADES = ("#7f1d1d", "#b45309", "#a16207", "#4d7c0f", "#15803d", "#065f46")
_LIKELY = 0.95


def sweep(
    app: Annotated[str, typer.Argument(help="file.py:function, called with the parameters")],
    param: Annotated[
        list[str],
        typer.Option("--param", help="fast=5:50:5 (from, to, step) or kind=a,b; again for more."),
    ],
    by: Annotated[
        str, typer.Option("--by", help="The figure that is looked for, the higher the better.")
    ] = "sharpe",
    random: Annotated[
        int | None,
        typer.Option("--random", min=1, help="Run only so many, chosen at random."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random choice.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core if not given.")
    ] = None,
    nats: Annotated[
        bool,
        typer.Option(
            "--nats",
            help="Let workers (ingenium worker) run them, on any machine: over the server that "
            "NATS_SERVER names, or an embedded one.",
        ),
    ] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where the runs are kept.")] = Path(
        ".ingenium/sweep"
    ),
    top: Annotated[int, typer.Option("--top", min=0, help="How many of the best to print.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON lines.")] = False,
) -> None:
    """Backtest an app with many choices of its parameters, on all cores.

    Each run is kept as soon as it is done: a sweep that was stopped goes on where it was.
    """
    messages = Console(stderr=True)
    parameters = dict(parse_parameter(text) for text in param)
    if len(parameters) < len(param):
        raise ConfigError("a parameter is named twice: give all its values in one --param")
    points = grid(parameters) if random is None else sample(parameters, random, seed)
    work = Sweep(app, points, folder)
    run = partial(_run_remotely, messages) if nats else partial(_run_here, workers)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=messages, transient=True, disable=not messages.is_terminal
    ) as bar:
        task = bar.add_task("backtests", total=len(points))
        try:
            runs = run(work, lambda done, of: bar.update(task, completed=done, total=of))
        except KeyboardInterrupt:
            messages.print(f"[yellow]stopped; the same command goes on from {work.path}[/]")
            raise
    if json:
        for each in runs:
            row = {"point": dict(each.point), "figures": each.figures, "error": each.error}
            typer.echo(jsonlib.dumps(row | {"events_digest": each.events_digest}))
    else:
        _print(Console(), messages, runs, list(parameters), by, top)
    if all(each.error for each in runs):
        raise BacktestError(f"all {len(runs):,} runs failed, the first one: {runs[0].error}")


def _run_here(workers: int | None, work: Sweep, on_run: OnRun) -> list[SweepRun]:
    return work.run(workers=workers, on_run=on_run)


def _run_remotely(messages: Console, work: Sweep, on_run: OnRun) -> list[SweepRun]:
    return asyncio.run(_coordinate(messages, work, on_run, Settings.from_environment()))


async def _coordinate(
    messages: Console, work: Sweep, on_run: OnRun, settings: Settings
) -> list[SweepRun]:
    from ingenium.backtest.remote import run_remotely
    from ingenium.bus import EmbeddedServer
    from ingenium.bus.work_queue import WorkQueue

    async with AsyncExitStack() as stack:
        url = settings.nats_server
        where = "with the same NATS_SERVER, where the app is"
        if not url:
            server = await stack.enter_async_context(EmbeddedServer(settings.data_directory))
            url, where = server.url, "in this directory"
        queue = await stack.enter_async_context(WorkQueue.connect(url, name="ingenium sweep"))
        messages.print(f"for workers on {queue.url}: run ingenium worker {where}", highlight=False)
        return await run_remotely(
            work,
            queue,
            on_run=on_run,
            on_worker=lambda name: messages.print(f"worker {printable(name)}", highlight=False),
        )


def _print(
    console: Console,
    messages: Console,
    runs: list[SweepRun],
    names: list[str],
    by: str,
    top: int,
) -> None:
    scored = [(value, run) for run in runs if (value := run.figure(by)) is not None]
    failed = [run for run in runs if run.error]
    if not scored and not failed:
        raise ConfigError(f"no run has a figure {by!r}: use --by with one such as {_FIGURES[2]!r}")
    scored.sort(key=lambda item: -item[0])
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"best of {len(runs):,} by {by}")
    for name in (*names, *dict.fromkeys((by, *_FIGURES))):
        table.add_column(_HEADS.get(name, name), justify="right", no_wrap=True)
    for _, run in scored[:top]:
        figures = [_text(run.figure(name)) for name in dict.fromkeys((by, *_FIGURES))]
        table.add_row(*(printable(str(run.point[name])) for name in names), *figures)
    if top:
        console.print(table)
    if len(names) == 2:
        _print_heat_map(console, scored, names, by)
    for run in failed[:3]:
        messages.print(f"[red]failed:[/] {printable(str(dict(run.point)))}: {printable(run.error)}")
    if len(failed) > 3:
        messages.print(f"[red]failed:[/] {len(failed)} runs in all")
    if len(scored) > 1:
        _warn_of_luck(messages, runs, scored[0][1])


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:,.3f}"


def _print_heat_map(
    console: Console, scored: list[tuple[float, SweepRun]], names: list[str], by: str
) -> None:
    across, down = names
    values = {(run.point[across], run.point[down]): value for value, run in scored}
    columns = list(dict.fromkeys(run.point[across] for _, run in scored))
    rows = list(dict.fromkeys(run.point[down] for _, run in scored))
    columns.sort(key=_sort_key)
    rows.sort(key=_sort_key)
    if len(columns) * 7 > console.width - 12:
        return
    low, high = scored[-1][0], scored[0][0]
    table = Table(box=None, pad_edge=False, padding=(0, 0))
    table.add_column("", justify="right")
    for column in columns:
        table.add_column(f"{column!s:>7}", justify="right", no_wrap=True)
    for row in rows:
        cells = []
        for column in columns:
            value = values.get((column, row))
            if value is None:
                cells.append("      -")
                continue
            place = 0.0 if high == low else (value - low) / (high - low)
            shade = _SHADES[min(int(place * len(_SHADES)), len(_SHADES) - 1)]
            cells.append(f"[white on {shade}]{value:7.2f}[/]")
        table.add_row(f"{row!s} ", *cells)
    console.print(f"{by}: {across} across, {down} down", highlight=False)
    console.print(table)


def _sort_key(value: object) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return False, float(value), ""
    return True, 0.0, str(value)


def _warn_of_luck(console: Console, runs: list[SweepRun], best: SweepRun) -> None:
    chance = luck(runs, best)
    if chance is None:
        return
    tried = sum(not run.error for run in runs)
    text = (
        f"with {tried:,} runs tried, the best has a probability of {chance:.0%} to be more than "
        "luck (deflated Sharpe ratio)"
    )
    if chance < _LIKELY:
        console.print(f"[yellow]likely overfitted:[/] {text}", highlight=False)
    else:
        console.print(text, highlight=False)
