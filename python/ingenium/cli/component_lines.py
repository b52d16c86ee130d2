"""Lines of output of components, each in the color of its component."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from ingenium.cli.console import printable

__all__ = ["ComponentLines", "split_line"]

_COLORS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta", "red")
_BAR = " | "


class ComponentLines:
    """Makes lines such as ``sma-cross | is ready again``, as wide as the longest name needs.

    Args:
        names: Components, which get their colors in this order; others get the next ones.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._colors: dict[str, str] = {}
        for name in names:
            self._color(name)

    def line(self, name: str, text: str) -> Text:
        """Return a line for the terminal, without control characters."""
        return Text.assemble((f"{name}{_BAR}", self._color(name)), printable(text))

    def _color(self, name: str) -> str:
        return self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])


def split_line(line: str, names: Iterable[str]) -> tuple[str, str]:
    """Split a line that `ComponentLines` made into component and text.

    Args:
        line: The line.
        names: The components of the app.

    Returns:
        The component, empty for a line of the run itself; and the text.
    """
    name, bar, text = line.partition(_BAR)
    return (name, text) if bar and name in set(names) else ("", line)
