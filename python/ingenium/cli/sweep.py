"""``ingenium sweep``."""

from __future__ import annotations

import json as jsonlib
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingenium.backtest import run
from ingenium.backtest.sweep.bayesian import search
from ingenium.backtest.sweep.conditions import Condition, parse_conditions
from ingenium.backtest.sweep.parameters import Point, Value, grid, parse_parameter, sample
from ingenium.backtest.sweep.pool import Pool
from ingenium.backtest.sweep.sweep import OnRun, Sweep, SweepRun
from ingenium.backtest.sweep.sweep_run import FIGURES
from ingenium.backtest.sweep.walk_forward import Fold, WalkForward, make_windows
from ingenium.backtest.sweep.walk_forward import walk_forward as walk
from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.backtest_record import record_runs
from ingenium.cli.checks import check_report
from ingenium.cli.data_notes import print_notes
from ingenium.cli.day_options import day
from ingenium.cli.progress_bar import StepProgress
from ingenium.cli.record import DatabaseOption
from ingenium.cli.stop import INTERRUPTED, asked_to_stop, ignored_signals
from ingenium.cli.sweep_output import all_failed, print_failures, print_folds, print_runs
from ingenium.cli.sweep_remote import run_remotely
from ingenium.components import DataNote, load_factory
from ingenium.errors import BacktestError, ConfigError
from ingenium.recorder import require

__all__ = ["sweep"]


def sweep(
    app: Annotated[
        str,
        typer.Argument(
            metavar="APP",
            help="file.py:function; the function is called with the parameters and returns an App",
        ),
    ],
    param: Annotated[
        list[str],
        typer.Option(
            "--param",
            metavar="NAME=VALUES",
            help="fast=5:50:5 (from, to, step) or kind=a,b; repeat for more parameters.",
        ),
    ],
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="FIGURE",
            help=f"Statistic to rank by, highest first: {', '.join(FIGURES)}.",
        ),
    ] = "sharpe",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Run only combinations that meet the condition, such as 'fast < slow'; repeat "
            "for more.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="DAY", help="First day of the result; earlier bars are the warm-up."
        ),
    ] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="DAY", help="Last day.")] = None,
    random: Annotated[
        int | None,
        typer.Option("--random", min=1, help="Run this many combinations, chosen at random."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random choice.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Number of processes; one per core if omitted."),
    ] = None,
    bayesian: Annotated[
        int | None,
        typer.Option(
            "--bayesian", min=1, help="Run this many combinations, chosen by Bayesian search."
        ),
    ] = None,
    walk_forward: Annotated[
        int | None,
        typer.Option(
            "--walk-forward",
            min=1,
            help="Walk forward over this many folds: choose parameters in sample, judge them out "
            "of sample.",
        ),
    ] = None,
    anchored: Annotated[
        bool,
        typer.Option(
            "--anchored", help="Walk forward with all history before each split in sample."
        ),
    ] = False,
    nats: Annotated[
        bool,
        typer.Option(
            "--nats",
            help="Let workers (ingenium worker) on any machine run the backtests, over the "
            "server that NATS_SERVER names, or an embedded one.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write a report of the best run to this HTML file; that run is repeated twice, "
            "once on a harsher exchange.",
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the results.")] = Path(
        ".ingenium/sweep"
    ),
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Record parameters and figures of the runs; see ingenium runs."
        ),
    ] = False,
    database: DatabaseOption = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Number of best runs to print.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON lines.")] = False,
) -> None:
    """Run many backtests of an app with different parameters, on all cores.

    Each result is stored as soon as the run is done, so a stopped sweep continues with the
    remaining runs.
    """
    messages = make_console(stderr=True)
    _check_figure(by)
    if database is not None and not record:
        raise ConfigError("--database goes with --record")
    if record:
        require()
    parameters = dict(parse_parameter(text) for text in param)
    if len(parameters) < len(param):
        raise ConfigError("a parameter is named twice: give all its values in one --param")
    kinds = {"--random": random, "--bayesian": bayesian, "--walk-forward": walk_forward}
    given = [name for name, value in kinds.items() if value is not None]
    if (bayesian is not None and len(given) > 1) or (nats and given not in ([], ["--random"])):
        raise ConfigError(f"{' and '.join([*given, *['--nats'] * nats])} do not go together")
    if report is not None and walk_forward is not None:
        raise ConfigError(
            "--walk-forward and --report do not go together: each fold has a best run of its own"
        )
    days = day("start", start), day("end", end)
    condition = parse_conditions(where, list(parameters)) if where else None
    points = _points(parameters, random, seed, condition)
    if report is not None:
        check_report(report)
    make = partial(Sweep, app, folder=folder, start=days[0], end=days[1], elsewhere=nats)
    first = make(points)
    first.check_folder()
    pieces = [first]
    folds: WalkForward | None = None
    judged: list[Fold] = []
    is_stopped = False
    with (
        asked_to_stop(),
        Pool(workers or os.cpu_count() or 1) as pool,
        _progress(messages) as bar,
    ):
        task = bar.add_task("backtests", total=None)

        def on_run(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        def run_points(chosen: Sequence[Point]) -> list[SweepRun]:
            pieces.append(make(chosen))
            return pieces[-1].run(pool=pool)

        try:
            if bayesian is not None:
                pieces = []
                runs = search(
                    parameters,
                    run_points,
                    by=by,
                    count=bayesian,
                    at_once=workers or os.cpu_count() or 1,
                    seed=seed,
                    where=condition,
                    on_run=on_run,
                )
            elif walk_forward is not None:
                way = "anchored" if anchored else "rolling"
                folds = _walk(make, points, pool, walk_forward, way, by, on_run, judged.append)
                runs = [fold.outside for fold in folds.folds]
            elif nats:
                runs = run_remotely(messages, first, on_run)
            else:
                runs = first.run(workers=workers, on_run=on_run)
        except KeyboardInterrupt:
            with ignored_signals():
                is_stopped = True
                pool.end_now()
                folds = WalkForward(judged) if judged else None
                runs = _each_once(pieces) if walk_forward is None else [f.outside for f in judged]
    if runs and all(each.error for each in runs) and not is_stopped:
        if json:
            typer.echo(_as_json(runs, by, folds, is_complete=True))
        raise BacktestError(all_failed(runs))
    if folds is not None:
        print_failures(messages, folds)
    if not json:
        # All runs read the same data, including the stored one.
        noted = next((each.manifest for each in runs if each.manifest.get("notes")), {})
        print_notes(messages, [DataNote(**row) for row in noted.get("notes", ())])
    if json:
        typer.echo(_as_json(runs, by, folds, is_complete=not is_stopped))
    elif folds is not None:
        print_folds(make_console(), messages, folds, by)
    elif runs:
        print_runs(make_console(), messages, runs, list(parameters), by, top)
    if is_stopped:
        _say_stopped(messages, first, None if walk_forward is None else (len(judged), walk_forward))
        raise typer.Exit(INTERRUPTED)
    if record:
        count = record_runs(app, database, runs)
        messages.print(f"recorded {count:,} runs", markup=False, highlight=False)
    if report is not None:
        _report(app, runs, by, days, report, messages)


def _check_figure(by: str) -> None:
    if by in FIGURES:
        return
    near = get_close_matches(by, FIGURES, n=1)
    meant = f", perhaps {near[0]}" if near else ""
    raise ConfigError(
        f"there is no figure {by!r} to rank by{meant}: use one of {', '.join(FIGURES)}"
    )


def _points(
    parameters: Mapping[str, Sequence[Value]],
    random: int | None,
    seed: int,
    condition: Condition | None,
) -> list[Point]:
    if random is not None:
        points = sample(parameters, random, seed, condition)
    else:
        points = [each for each in grid(parameters) if condition is None or condition(each)]
    if not points:
        raise ConfigError("no combination of the parameters meets every --where: widen one of them")
    return points


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _each_once(pieces: Sequence[Sweep]) -> list[SweepRun]:
    runs = {tuple(run.point.items()): run for piece in pieces for run in piece.done()}
    return list(runs.values())


def _say_stopped(console: Console, work: Sweep, folds: tuple[int, int] | None) -> None:
    done, of = folds or (work.count, work.total)
    console.print(
        f"stopped after {done:,} of {of:,} {'runs' if folds is None else 'folds'}: finished runs "
        f"are kept in {printable(str(work.path))}; to continue: {printable(_command())}",
        style="yellow",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _command() -> str:
    """Return the command line as it was given, quoted for a shell."""
    is_module = Path(sys.argv[0]).name == "__main__.py"
    return shlex.join([*(["python", "-m"] if is_module else []), "ingenium", *sys.argv[1:]])


def _as_json(
    runs: Sequence[SweepRun], by: str, folds: WalkForward | None, *, is_complete: bool
) -> str:
    rows: list[dict[str, Any]] = [
        {
            "point": dict(each.point),
            "figures": each.figures,
            "error": each.error,
            "events_digest": each.events_digest,
            "bust": each.is_bust,
            "problems": list(each.problems),
            "denied_orders": each.denied_orders,
        }
        for each in runs
    ]
    answer: dict[str, Any] = {"complete": is_complete, "by": by, "runs": rows}
    if folds is not None:
        answer["walk_forward"] = {
            "total_return": folds.total_return,
            "efficiency": folds.efficiency,
        }
    return jsonlib.dumps(answer, allow_nan=False)


def _report(
    app: str,
    runs: Sequence[SweepRun],
    by: str,
    days: tuple[date | None, date | None],
    path: Path,
    console: Console,
) -> None:
    """Write a report of the best run."""
    scored = [(value, -i) for i, run in enumerate(runs) if (value := run.score(by)) is not None]
    if not scored:
        raise BacktestError(f"no run has a figure {by!r}, so there is no best one to report on")
    point = dict(runs[-max(scored)[1]].point)
    factory = load_factory(app, point)
    with StepProgress(console, "the best run once more") as progress:
        result = run(lambda: factory(**point), start=days[0], end=days[1], on_step=progress.on_step)
    with StepProgress(console, "the same on a harsher exchange") as progress:
        stressed = result.run_stressed(progress.on_step) if result.run_stressed else False
    file = result.report(path, stressed=stressed)
    console.print(
        f"report of the best run, {printable(str(point))}: {printable(str(file))}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _walk(
    make: Callable[..., Sweep],
    points: list[Point],
    pool: Pool,
    folds: int,
    way: str,
    by: str,
    on_run: OnRun,
    on_fold: Callable[[Fold], None],
) -> WalkForward:
    done = 0

    def run_window(chosen: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        nonlocal done
        before, of = done, folds * (len(points) + 1)
        done += len(chosen)
        work = make(chosen, end=end, figures_from=start)
        return work.run(pool=pool, on_run=lambda count, _of: on_run(before + count, of))

    first, last = _history(make, points, pool)
    windows = make_windows(first, last, folds, way=way)
    return walk(points, windows, run_window, by=by, on_fold=on_fold)


def _history(
    make: Callable[..., Sweep], points: list[Point], pool: Pool
) -> tuple[datetime, datetime]:
    """Return the first and the last instant of the data, equal for all points."""
    runs = make(points[:1]).run(pool=pool)
    if runs[0].error and len(points) > 1:
        runs = make(points).run(pool=pool)
    whole = next((run for run in runs if not run.error), None)
    if whole is None:
        raise BacktestError(all_failed(runs))
    first, last = whole.figures["start"], whole.figures["end"]
    if first is None or first == last:
        raise BacktestError("there is too little history to walk forward: it needs several bars")
    return datetime.fromisoformat(first), datetime.fromisoformat(last)
