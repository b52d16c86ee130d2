"""Text output of sweeps and walk-forward runs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingenium.backtest.formatting import figure_text, percent
from ingenium.backtest.sweep.parameters import Value
from ingenium.backtest.sweep.sweep import SweepRun, luck
from ingenium.backtest.sweep.walk_forward import WalkForward
from ingenium.cli.backtest_output import escaped, print_problems, printable
from ingenium.cli.rich_tables import Column, print_table
from ingenium.trading.tally import Tally

__all__ = ["all_failed", "print_failures", "print_folds", "print_runs"]

_FIGURES = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "profit_factor")
_HEADS = {"total_return": "return", "max_drawdown": "drawdown", "profit_factor": "factor"}
_SHADES = ("#7f1d1d", "#b45309", "#a16207", "#4d7c0f", "#15803d", "#065f46")
_LIKELY = 0.95
_EFFICIENT = 0.5
_REASONS = 3


def all_failed(runs: Sequence[SweepRun]) -> str:
    """Summarize in one line that all runs failed, with counted reasons."""
    tally = Tally()
    for run in runs:
        tally.add(run.error)
    reasons = tally.most(_REASONS)
    what = f"all {len(runs):,} runs failed" if len(runs) > 1 else "the only run failed"
    if len(tally) == 1:
        return f"{what}: {reasons[0].text}"
    said = [f"{each.count:,} with {each.text}" for each in reasons]
    left = len(runs) - sum(each.count for each in reasons)
    return f"{what}: {'; '.join([*said, *([f'{left:,} with others'] if left else [])])}"


def print_runs(
    console: Console,
    messages: Console,
    runs: list[SweepRun],
    names: list[str],
    by: str,
    top: int,
) -> None:
    """Print the best runs, a heat map of two parameters, failures, and the odds of luck."""
    scored = [(value, run) for run in runs if (value := run.score(by)) is not None]
    failed = [run for run in runs if run.error]
    busts = [run for run in runs if run.is_bust and not run.error]
    without = [run for run in runs if not run.error and not run.is_bust and run.figure(by) is None]
    scored.sort(key=lambda item: -item[0])
    shown = tuple(dict.fromkeys((by, *_FIGURES)))
    columns = [Column(name, right=True) for name in names]
    columns += [
        Column(_HEADS.get(name, name), right=True, rank=place if name != by else 0)
        for place, name in enumerate(shown)
    ]
    rows = [
        [
            *(str(run.point[name]) for name in names),
            *(figure_text(name, run.figure(name)) for name in shown),
        ]
        for run in [*(run for _, run in scored), *without, *busts][:top]
    ]
    if rows:
        print_table(console, columns, rows, title=f"best of {len(runs):,} by {by}")
    if without:
        messages.print(
            f"[yellow]{len(without):,} of {len(runs):,} runs have no {by}[/], and rank behind "
            "those that have one",
            highlight=False,
        )
    if busts:
        messages.print(
            f"[yellow]{len(busts):,} of {len(runs):,} runs lost all[/]: their equity was at zero "
            "or below, so they rank last",
            highlight=False,
        )
    if len(names) == 2 and len(scored) > 1:
        _print_heat_map(console, messages, scored, names, by)
    for run in failed[:3]:
        messages.print(f"[red]failed:[/] {escaped(str(dict(run.point)))}: {escaped(run.error)}")
    if len(failed) > 3:
        messages.print(f"[red]failed:[/] {len(failed)} runs in all")
    _print_problems(messages, runs, scored[0][1] if scored else None)
    if len(scored) > 1:
        _warn_of_luck(messages, runs, scored[0][1])


def _print_problems(console: Console, runs: list[SweepRun], best: SweepRun | None) -> None:
    """Print the problems of the best run, and the number of runs with problems."""
    if best is not None and best.problems:
        print_problems(console, best.problems)
    count = sum(bool(run.problems) for run in runs)
    if count:
        console.print(
            f"[yellow]problems:[/] {count:,} of {len(runs):,} runs have some, which --json lists",
            highlight=False,
        )
    denied = sum(bool(run.denied_orders) for run in runs)
    if denied:
        console.print(
            f"[yellow]risk limits[/] denied orders in {denied:,} of {len(runs):,} runs",
            highlight=False,
        )


def _print_heat_map(
    console: Console,
    messages: Console,
    scored: list[tuple[float, SweepRun]],
    names: list[str],
    by: str,
) -> None:
    values = {tuple(run.point[name] for name in names): value for value, run in scored}
    across, down = (_values(scored, name) for name in names)
    cells = {key: figure_text(by, value) for key, value in values.items()}
    low, high = scored[-1][0], scored[0][0]
    is_turned = _map_width(across, down, cells) > console.width
    if is_turned:
        across, down, names = down, across, names[::-1]
        cells = {key[::-1]: text for key, text in cells.items()}
        values = {key[::-1]: value for key, value in values.items()}
    needed = _map_width(across, down, cells)
    if needed > console.width:
        messages.print(
            f"heat map left out: it needs {needed} columns, and the terminal has {console.width}",
            style="dim",
            highlight=False,
        )
        return
    width = max(map(len, (*cells.values(), *map(str, across)))) + 1
    table = Table(box=None, pad_edge=False, padding=(0, 0))
    table.add_column("", justify="right", no_wrap=True)
    for column in across:
        table.add_column(Text(printable(f"{column!s:>{width}}")), justify="right", no_wrap=True)
    for row in down:
        line = []
        for column in across:
            value = values.get((column, row))
            if value is None:
                line.append(Text(f"{'-':>{width}}"))
                continue
            place = 0.0 if high == low else (value - low) / (high - low)
            shade = _SHADES[min(int(place * len(_SHADES)), len(_SHADES) - 1)]
            line.append(Text(f"{cells[column, row]:>{width}}", style=f"white on {shade}"))
        table.add_row(Text(printable(f"{row!s} ")), *line)
    console.print(f"{by}: {names[0]} across, {names[1]} down", markup=False, highlight=False)
    console.print(table)


def _values(scored: list[tuple[float, SweepRun]], name: str) -> list[Value]:
    return sorted(dict.fromkeys(run.point[name] for _, run in scored), key=_sort_key)


def _map_width(across: list[Value], down: list[Value], cells: dict[tuple[Value, ...], str]) -> int:
    width = max(map(len, (*cells.values(), *map(str, across)))) + 1
    return max(len(str(each)) for each in down) + 1 + len(across) * width


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


def print_failures(console: Console, walk: WalkForward) -> None:
    """Print the folds that failed or traded nothing; summaries leave the failed ones out."""
    for number, fold in enumerate(walk.folds, 1):
        if fold.error:
            text = escaped(fold.error)
            console.print(f"[red]failed:[/] fold {number}: {text}", highlight=False)
            continue
        if fold.failed:
            first = fold.failed[0]
            console.print(
                f"[yellow]fold {number}:[/] {len(fold.failed)} of the choices failed in sample, "
                f"the first one {escaped(str(dict(first.point)))}: {escaped(first.error)}",
                highlight=False,
            )
        for run, where in ((fold.inside, "in sample"), (fold.outside, "out of sample")):
            if run.is_idle:
                console.print(
                    f"[yellow]fold {number}:[/] nothing was traded or held {where}",
                    highlight=False,
                )


def print_folds(console: Console, messages: Console, walk: WalkForward, by: str) -> None:
    """Print the choice and the result of each fold, and the walk-forward efficiency."""
    columns = [
        Column("chosen until", right=True, rank=1),
        Column("judged until", right=True),
        Column("chosen", right=True),
        Column(f"{by} in", right=True),
        Column("out", right=True),
        Column("return in", right=True, rank=2),
        Column("out", right=True),
    ]
    rows: list[list[str | Text]] = [
        [
            *(f"{time:%Y-%m-%d}" for time in (fold.window.split, fold.window.end)),
            # One per line, so that parameter names are not broken.
            Text("\n".join(printable(f"{name}={value}") for name, value in fold.point.items())),
            figure_text(by, fold.inside.figure(by)),
            figure_text(by, fold.outside.figure(by)),
            percent(fold.inside.figure("total_return")),
            percent(fold.outside.figure("total_return")),
        ]
        for fold in walk.folds
    ]
    print_table(console, columns, rows, title=f"walk-forward by {by}")
    inside, outside = walk.mean(by)
    judged = len(walk.judged)
    of = f" of {judged} of {len(walk.folds)} folds" if judged < len(walk.folds) else ""
    console.print(
        f"out of sample{of}: total return {percent(walk.total_return)}; mean {by} "
        f"{figure_text(by, outside)}, in sample {figure_text(by, inside)}",
        highlight=False,
    )
    messages.print(
        "what is held when a stretch begins is held in it, at its price then; to change over to "
        "other parameters is taken to cost nothing",
        highlight=False,
    )
    efficiency = walk.efficiency
    if efficiency is None:
        messages.print("[yellow]no gain in sample, so there is nothing to keep[/]")
    elif efficiency == 0:
        messages.print("[yellow]likely overfitted:[/] nothing is left out of sample of the gain")
    elif efficiency < 0:
        messages.print("[yellow]likely overfitted:[/] the gain in sample was a loss out of sample")
    elif efficiency < _EFFICIENT:
        messages.print(
            f"[yellow]likely overfitted:[/] out of sample {efficiency:.0%} of the annual return in "
            "sample is left (walk-forward efficiency; below 50 % is too little)",
            highlight=False,
        )
    else:
        messages.print(f"walk-forward efficiency {efficiency:.0%}", highlight=False)
