"""Tables that never truncate a value; a narrow terminal gets fewer columns, or lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingenium.cli.console import printable

__all__ = ["Column", "print_lines", "print_table"]

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a table.

    Attributes:
        name: Heading.
        right: Whether the column is aligned to the right, as numbers are.
        rank: Columns of a higher rank are omitted first when space is short; rank 0 is never
            omitted.
        folds: Minimum width to which texts may be wrapped; 0 for no wrapping.
    """

    name: str
    right: bool = False
    rank: int = 0
    folds: int = 0


def print_table(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Text]],
    *,
    title: str = "",
    has_json: bool = True,
) -> None:
    """Print a table as wide as its values, if the terminal is wide enough.

    On a narrower terminal columns are omitted by rank and listed below the table; if that is not
    enough, each row is printed as lines of name and value. No value is truncated.

    Args:
        console: Where to.
        columns: Columns of the table.
        rows: Cells of each row; a plain string is printed without markup.
        title: Text above the table.
        has_json: Whether the command has an option ``--json``, which has all columns.
    """
    texts = [[_text(cell) for cell in row] for row in rows]
    shown = list(range(len(columns)))
    width = console.width
    while _needed(columns, texts, shown) > width:
        droppable = [place for place in shown if columns[place].rank]
        if not droppable:
            _print_turned(console, columns, texts, title)
            return
        shown.remove(max(droppable, key=lambda place: (columns[place].rank, place)))
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        title=Text(title, style="italic") if title else None,
        title_justify="left",
    )
    for place in shown:
        column = columns[place]
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            overflow="fold",
        )
    for row in texts:
        table.add_row(*(row[place] for place in shown))
    console.print(table, width=min(_wanted(columns, texts, shown), width))
    left = [columns[place].name for place in range(len(columns)) if place not in shown]
    if left:
        console.print(
            f"no room for {', '.join(left)}: use a wider terminal{', or --json' * has_json}",
            style="dim",
            markup=False,
            highlight=False,
        )


def print_lines(console: Console, lines: Sequence[tuple[str, str | Text]]) -> None:
    """Print one name and value per line; long values are wrapped, not truncated."""
    width = max(cell_len(name) for name, _ in lines)
    for name, value in lines:
        line = Text(f"{printable(name):{width}}  ", style="dim")
        line.append_text(Text(printable(value)) if isinstance(value, str) else value)
        console.print(line, highlight=False, soft_wrap=True)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[Text]], place: int) -> int:
    cells = (cell_len(line) for row in rows for line in row[place].plain.split("\n"))
    return max([cell_len(columns[place].name), *cells])


def _wanted(columns: Sequence[Column], rows: Sequence[Sequence[Text]], shown: Sequence[int]) -> int:
    return sum(_natural(columns, rows, place) for place in shown) + _GAP * (len(shown) - 1)


def _needed(columns: Sequence[Column], rows: Sequence[Sequence[Text]], shown: Sequence[int]) -> int:
    widths = []
    for place in shown:
        width = _natural(columns, rows, place)
        least = columns[place].folds
        widths.append(min(width, max(least, cell_len(columns[place].name))) if least else width)
    return sum(widths) + _GAP * (len(shown) - 1)


def _print_turned(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]], title: str
) -> None:
    if title:
        console.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    for row in rows:
        console.print()
        print_lines(
            console, [(column.name, cell) for column, cell in zip(columns, row, strict=True)]
        )
