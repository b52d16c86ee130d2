"""Consoles of the commands, and escaping of text from outside."""

from __future__ import annotations

import os

from rich.console import Console
from rich.markup import escape

__all__ = ["escaped", "make_console", "print_error", "printable"]

_FREE_WIDTH = 10_000


def printable(text: str) -> str:
    """Escape control characters, such as color codes or line breaks in a symbol."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def escaped(text: str) -> str:
    """Escape control characters and markup, such as ``[x]``."""
    return escape(printable(text))


def make_console(*, stderr: bool = False) -> Console:
    """Return the console of a command, without emoji codes such as ``:b:``.

    Output that is not a terminal is as wide as its lines, unless COLUMNS is set.
    """
    console = Console(stderr=stderr, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _FREE_WIDTH
    return console


def print_error(error: Exception | str) -> None:
    """Print an error as one line on standard error."""
    console = Console(stderr=True, emoji=False, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/] ", end="")
    # Not as markup: an error may contain brackets, such as App(ingestors=[...]).
    console.print(printable(str(error)), markup=False)
