"""Command-line help from docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

__all__ = ["help_of"]

_PARAGRAPHS = re.compile(r"\n\s*\n")


def help_of(command: Callable[..., object]) -> str:
    """Return a docstring with one line per paragraph, for the terminal to wrap.

    Backticks are removed, since a terminal would show them.
    """
    text = inspect.cleandoc(command.__doc__ or "").replace("``", "")
    return "\n\n".join(" ".join(each.split()) for each in _PARAGRAPHS.split(text))
