"""What a sweep prints."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, OverflowMethod
from rich.table import Table

from ingenium.backtest.figures import percent
from ingenium.backtest.sweep import SweepRun, luck
from ingenium.backtest.walk_forward import WalkForward
from ingenium.cli.output import escaped, print_problems

__all__ = ["print_folds", "print_runs"]

_FIGURES = ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "profit_factor")
_HEADS = {"total_return": "return", "max_drawdown": "drawdown", "profit_factor": "factor"}
_SHADES = ("#7f1d1d", "#b45309", "#a16207", "#4d7c0f", "#15803d", "#065f46")
_LIKELY = 0.95
_EFFICIENT = 0.5


def print_runs(
    console: Console,
    messages: Console,
    runs: list[SweepRun],
    names: list[str],
    by: str,
    top: int,
) -> None:
    """Print the best runs, a heat map for two parameters, what failed, and how much is luck."""
    scored = [(value, run) for run in runs if (value := run.score(by)) is not None]
    failed = [run for run in runs if run.error]
    busts = [run for run in runs if run.is_bust and not run.error]
    without = [run for run in runs if not run.error and not run.is_bust and run.figure(by) is None]
    scored.sort(key=lambda item: -item[0])
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"best of {len(runs):,} by {by}")
    for name in (*names, *dict.fromkeys((by, *_FIGURES))):
        table.add_column(_HEADS.get(name, name), justify="right", no_wrap=True)
    for run in [*(run for _, run in scored), *without, *busts][:top]:
        figures = [_text(run.figure(name)) for name in dict.fromkeys((by, *_FIGURES))]
        table.add_row(*(escaped(str(run.point[name])) for name in names), *figures)
    if top:
        console.print(table)
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
    if len(names) == 2 and scored:
        _print_heat_map(console, scored, names, by)
    for run in failed[:3]:
        messages.print(f"[red]failed:[/] {escaped(str(dict(run.point)))}: {escaped(run.error)}")
    if len(failed) > 3:
        messages.print(f"[red]failed:[/] {len(failed)} runs in all")
    _print_problems(messages, runs, scored[0][1] if scored else None)
    if len(scored) > 1:
        _warn_of_luck(messages, runs, scored[0][1])


def _print_problems(console: Console, runs: list[SweepRun], best: SweepRun | None) -> None:
    """Print the problems of the best run, and how many other runs have some."""
    if best is not None and best.problems:
        print_problems(console, best.problems)
    count = sum(bool(run.problems) for run in runs)
    if count:
        console.print(
            f"[yellow]problems:[/] {count:,} of {len(runs):,} runs have some, which --json lists",
            highlight=False,
        )


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
        table.add_column(escaped(f"{column!s:>7}"), justify="right", no_wrap=True)
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
        table.add_row(escaped(f"{row!s} "), *cells)
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


def print_failures(console: Console, walk: WalkForward) -> None:
    """Name the folds that failed or say little; what is said of all is of those that did not."""
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
    """Print what each fold chose and gave, and what that says of the choice."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"walk-forward by {by}")
    for name in ("chosen until", "judged until", "chosen", f"{by} in", "out", "return in", "out"):
        is_chosen = name == "chosen"
        overflow: OverflowMethod = "fold" if is_chosen else "ellipsis"
        table.add_column(name, justify="right", no_wrap=not is_chosen, overflow=overflow)
    for fold in walk.folds:
        window = fold.window
        chosen = [escaped(f"{name}={value}") for name, value in fold.point.items()]
        table.add_row(
            *(f"{time:%Y-%m-%d}" for time in (window.split, window.end)),
            "\n".join(chosen) or "-",
            _text(fold.inside.figure(by)),
            _text(fold.outside.figure(by)),
            percent(fold.inside.figure("total_return")),
            percent(fold.outside.figure("total_return")),
        )
    console.print(table)
    inside, outside = walk.mean(by)
    judged = len(walk.judged)
    of = f" of {judged} of {len(walk.folds)} folds" if judged < len(walk.folds) else ""
    console.print(
        f"out of sample{of}: total return {percent(walk.total_return)}; mean {by} "
        f"{_text(outside)}, in sample {_text(inside)}",
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
