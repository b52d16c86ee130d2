"""``ingenium sweep``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingenium.backtest.parameters import Point, grid, parse_parameter, sample
from ingenium.backtest.pool import Pool
from ingenium.backtest.search import search
from ingenium.backtest.sweep import OnRun, Sweep, SweepRun
from ingenium.backtest.sweep_run import FIGURES
from ingenium.backtest.walk_forward import WalkForward, make_windows
from ingenium.backtest.walk_forward import walk_forward as walk
from ingenium.cli.data_notes import print_notes
from ingenium.cli.output import escaped, make_console
from ingenium.cli.sweep_output import print_failures, print_folds, print_runs
from ingenium.components import DataNote
from ingenium.config import Settings
from ingenium.errors import BacktestError, BusClosedError, ConfigError

__all__ = ["sweep"]


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
    seed: Annotated[int, typer.Option("--seed", help="Of what is chosen at random.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core if not given.")
    ] = None,
    bayesian: Annotated[
        int | None,
        typer.Option(
            "--bayesian", min=1, help="Run only so many, each chosen by what the others gave."
        ),
    ] = None,
    walk_forward: Annotated[
        int | None,
        typer.Option(
            "--walk-forward",
            min=1,
            help="Choose parameters on the past and judge them on what came after, so many times.",
        ),
    ] = None,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Walk forward with all history before each split.")
    ] = False,
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
    messages = make_console(stderr=True)
    if by not in FIGURES:
        raise ConfigError(f"there is no figure {by!r} to rank by: use one of {', '.join(FIGURES)}")
    parameters = dict(parse_parameter(text) for text in param)
    if len(parameters) < len(param):
        raise ConfigError("a parameter is named twice: give all its values in one --param")
    kinds = {"--random": random, "--bayesian": bayesian, "--walk-forward": walk_forward}
    given = [name for name, value in kinds.items() if value is not None]
    if (bayesian is not None and len(given) > 1) or (nats and given not in ([], ["--random"])):
        raise ConfigError(f"{' and '.join([*given, *['--nats'] * nats])} do not go together")
    points = grid(parameters) if random is None else sample(parameters, random, seed)
    run = partial(_run_remotely, messages) if nats else partial(_run_here, workers)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    folds: WalkForward | None = None
    with (
        Pool(workers or os.cpu_count() or 1) as pool,
        Progress(
            *columns, console=messages, transient=True, disable=not messages.is_terminal
        ) as bar,
    ):
        task = bar.add_task("backtests", total=None)

        def on_run(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        try:
            if bayesian is not None:
                runs = search(
                    parameters,
                    lambda points: Sweep(app, points, folder).run(pool=pool),
                    by=by,
                    count=bayesian,
                    at_once=workers or os.cpu_count() or 1,
                    seed=seed,
                    on_run=on_run,
                )
            elif walk_forward is not None:
                way = "anchored" if anchored else "rolling"
                folds = _walk(app, points, folder, pool, walk_forward, way, by, on_run)
                runs = [fold.outside for fold in folds.folds]
            else:
                runs = run(Sweep(app, points, folder), on_run)
        except KeyboardInterrupt:
            path = escaped(str(folder / "runs.jsonl"))
            messages.print(f"[yellow]stopped; the same command goes on from {path}[/]")
            raise
    if folds is not None:
        print_failures(messages, folds)
    if not json:
        # All runs read the same data, the one that was stored as well.
        noted = next((each.manifest for each in runs if each.manifest.get("notes")), {})
        print_notes(messages, [DataNote(**row) for row in noted.get("notes", ())])
    if json:
        for each in runs:
            row: dict[str, Any] = {
                "point": dict(each.point),
                "figures": each.figures,
                "error": each.error,
                "events_digest": each.events_digest,
                "bust": each.is_bust,
                "problems": list(each.problems),
            }
            typer.echo(jsonlib.dumps(row, allow_nan=False))
    elif folds is not None:
        print_folds(make_console(), messages, folds, by)
    else:
        print_runs(make_console(), messages, runs, list(parameters), by, top)
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
    from ingenium.bus.credentials import options_for
    from ingenium.bus.work_queue import WorkQueue

    async with AsyncExitStack() as stack:
        server: EmbeddedServer | None = None
        where = "with the same NATS_SERVER, where the app is"
        if not settings.nats_server:
            server = await stack.enter_async_context(
                EmbeddedServer(settings.data_directory, binary=settings.server_binary)
            )
            settings, where = settings.with_server(server.url), "in this directory"
        options = options_for(settings, "sweep")
        queue = await stack.enter_async_context(
            WorkQueue.connect(settings.nats_server, name="ingenium sweep", options=options)
        )
        messages.print(f"for workers on {queue.url}: run ingenium worker {where}", highlight=False)
        was_connected = True

        def on_idle() -> None:
            nonlocal was_connected
            if server is not None and not server.is_running:
                raise BusClosedError("the embedded server has ended: the same command goes on")
            if was_connected and not queue.is_connected:
                messages.print(f"[yellow]lost {queue.url}; waiting for it[/]", highlight=False)
            was_connected = queue.is_connected

        return await run_remotely(
            work,
            queue,
            on_run=on_run,
            on_worker=lambda name: messages.print(f"worker {escaped(name)}", highlight=False),
            on_idle=on_idle,
        )


def _walk(
    app: str,
    points: list[Point],
    folder: Path,
    pool: Pool,
    folds: int,
    way: str,
    by: str,
    on_run: OnRun,
) -> WalkForward:
    done = 0

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        nonlocal done
        before, of = done, folds * (len(grid_points) + 1)
        done += len(points)
        work = Sweep(app, points, folder, end=end, figures_from=start)
        return work.run(pool=pool, on_run=lambda count, _of: on_run(before + count, of))

    grid_points = points
    first, last = _history(app, points, folder, pool)
    return walk(points, make_windows(first, last, folds, way=way), run_window, by=by)


def _history(app: str, points: list[Point], folder: Path, pool: Pool) -> tuple[datetime, datetime]:
    """Return the first and the last instant of the data, as a run of any of the points has it."""
    runs = Sweep(app, points[:1], folder).run(pool=pool)
    if runs[0].error and len(points) > 1:
        runs = Sweep(app, points, folder).run(pool=pool)
    whole = next((run for run in runs if not run.error), None)
    if whole is None:
        raise BacktestError(
            f"all {len(points):,} choices of parameters fail over all of history, the first one, "
            f"{dict(runs[0].point)}: {runs[0].error}"
        )
    first, last = whole.figures["start"], whole.figures["end"]
    if first is None or first == last:
        raise BacktestError("there is too little history to walk forward: it needs several bars")
    return datetime.fromisoformat(first), datetime.fromisoformat(last)
