"""``make conformance``: asks every runtime about every vector, and prints how they did.

``python -m conformance write`` generates the files instead; ``--runner NAME=COMMAND`` asks a
runtime of one's own.
"""

from __future__ import annotations

import argparse
import os
import sys

from conformance.differences import Report, hold, known
from conformance.matrix import found, table
from conformance.page import VECTORS, generated
from conformance.roster import RUNNERS, MissingError, Runner, given
from conformance.vector import Vector, load
from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 130


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when nothing is unexplained."""
    parser = argparse.ArgumentParser(prog="python -m conformance")
    parser.add_argument("command", nargs="?", choices=["run", "write"], default="run")
    parser.add_argument(
        "--runner", action="append", metavar="NAME[=COMMAND]",
        help="ask this one and no others: a known runner, or a shell command of your own",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    if chosen.command == "write":
        for path, text in generated().items():
            path.write_text(text)
        return 0
    try:
        runners = _runners(chosen.runner)
    except KeyError as error:
        parser.error(f"no runner {error}: pass one of {', '.join(RUNNERS)}, or NAME=COMMAND")
    return _run(runners)


def _runners(asked: list[str] | None) -> dict[str, Runner]:
    if not asked:
        return RUNNERS
    pairs = [one.partition("=") for one in asked]
    return {
        name: given(name, command) if equals else RUNNERS[name] for name, equals, command in pairs
    }


def _run(runners: dict[str, Runner]) -> int:
    vectors = load(VECTORS)
    differences = known(vectors)
    console = Console(width=max(Console().width, WIDTH))
    reports: dict[str, Report] = {}
    missing: dict[str, MissingError] = {}
    for name, runner in runners.items():
        sys.stderr.write(f"{runner.title} ...\n")
        try:
            reports[name] = hold(runner, runner.build(), vectors, differences)
        except MissingError as error:
            missing[name] = error
    _print_matrix(console, vectors, runners, reports)
    for name, problem in missing.items():
        console.print(f"left out: {runners[name].title}: {problem}", highlight=False)
    for name, report in reports.items():
        _print_problems(console, runners[name], report)
    wrong = sum(len(report.unexplained) + len(report.gone) for report in reports.values())
    needed = [one for one in missing.values() if not one.allowed_on_ci]
    return 1 if wrong or not reports or (needed and os.environ.get("CI") == "true") else 0


def _print_matrix(
    console: Console, vectors: list[Vector], runners: dict[str, Runner], reports: dict[str, Report]
) -> None:
    groups = dict.fromkeys(vector.group for vector in vectors)
    head, *rows, sums = table(
        groups, {name: found(report) for name, report in reports.items()}, runners
    )
    shown = Table(box=box.SIMPLE_HEAD, show_footer=True)
    for title, total in zip(head, sums, strict=True):
        lines = "\n".join(title.split(", ", 1))
        shown.add_column(lines, total, justify="right" if title else "left")
    for row in rows:
        shown.add_row(*(f"[red]{cell}[/]" if "!" in cell else cell for cell in row))
    console.print(shown)
    every = list(reports.values())
    console.print(
        f"{len(vectors)} vectors, {len(every)} runtimes: "
        f"{sum(len(one.ok) for one in every):,} answers as expected, "
        f"{sum(len(one.documented) for one in every):,} documented differences (+), "
        f"{sum(len(one.unexplained) + len(one.gone) for one in every):,} unexplained (!); "
        "docs/conformance.md tells each difference",
        highlight=False,
    )


def _print_problems(console: Console, runner: Runner, report: Report) -> None:
    problems = [f"{one} {how}: {what}" for one, (how, what) in report.unexplained.items()]
    problems += [f"{one} does not differ any more" for one in report.gone]
    for problem in problems:
        console.print(f"{runner.title}: {problem}", style="red", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
