"""The matrix of runtimes and classes of vectors, as numbers and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.differences import Difference, Report, of_runner
from conformance.roster import RUNNERS, Runner
from conformance.vector import Vector

__all__ = ["Cell", "Matrix", "expected", "found", "table"]


@dataclass(frozen=True)
class Cell:
    """How a runtime did on a class: numbers of vectors."""

    ok: int
    documented: int = 0
    unexplained: int = 0

    def __str__(self) -> str:
        """Show ``40+5!1``: 40 as expected, 5 that differ as documented, and 1 that does not."""
        if self == Cell(0):
            return "-"
        documented = f"+{self.documented}" if self.documented else ""
        return f"{self.ok}{documented}" + (f"!{self.unexplained}" if self.unexplained else "")


Matrix = Mapping[str, Mapping[str, Cell]]
"""Cells by the name of the runner and by class."""


def expected(vectors: Iterable[Vector], differences: Iterable[Difference]) -> Matrix:
    """Return the matrix that the vectors and the table of differences promise."""
    all_of_them, table = list(vectors), list(differences)
    matrix = {}
    for name, runner in RUNNERS.items():
        listed = of_runner(runner, table)
        mine = [vector for vector in all_of_them if vector.event in runner.events]
        matrix[name] = _cells(
            [vector.id for vector in mine if vector.id not in listed],
            [vector.id for vector in mine if vector.id in listed],
            [],
        )
    return matrix


def found(report: Report) -> Mapping[str, Cell]:
    """Return the cells of a runner by class; a difference that is gone is unexplained, too."""
    return _cells(report.ok, report.documented, [*report.unexplained, *report.gone])


def _cells(*ids: Iterable[str]) -> Mapping[str, Cell]:
    counts = [Counter(one.split("/")[1] for one in part) for part in ids]
    groups = {group for count in counts for group in count}
    return {group: Cell(*(count[group] for count in counts)) for group in groups}


def table(
    groups: Iterable[str], matrix: Matrix, runners: Mapping[str, Runner] = RUNNERS
) -> list[list[str]]:
    """Return the rows of the matrix: a head, a row for each class, and the sums."""
    names = [name for name in runners if name in matrix]
    rows = [["", *(runners[name].title for name in names)]]
    rows += [
        [group, *(str(matrix[name].get(group, Cell(0))) for name in names)] for group in groups
    ]
    sums = [
        Cell(
            *(
                sum(getattr(cell, part) for cell in matrix[name].values())
                for part in ("ok", "documented", "unexplained")
            )
        )
        for name in names
    ]
    return [*rows, ["all", *map(str, sums)]]
