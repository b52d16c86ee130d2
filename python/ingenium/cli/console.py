"""Where commands print, and how texts of others are printed: as they are."""

from __future__ import annotations

import os

from rich.console import Console
from rich.markup import escape

__all__ = ["escaped", "make_console", "print_error", "printable"]

_FREE_WIDTH = 10_000


def printable(text: str) -> str:
    """Escape what could steer a terminal, such as colours or line breaks in a symbol."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def escaped(text: str) -> str:
    """Escape what could steer a terminal, or be taken for markup, such as ``[x]``."""
    return escape(printable(text))


def make_console(*, stderr: bool = False) -> Console:
    """Return where a command prints; ``:b:`` in a text stays as it is.

    What is no terminal is as wide as its lines are, unless COLUMNS says otherwise.
    """
    console = Console(stderr=stderr, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _FREE_WIDTH
    return console


def print_error(error: Exception | str) -> None:
    """Print an error as one line on standard error."""
    console = Console(stderr=True, emoji=False, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/] ", end="")
    # Not as markup: an error may hold brackets, such as App(ingestors=[...]).
    console.print(printable(str(error)), markup=False)
