"""Checks for mistakes in the classes of an app that would otherwise run without effect."""

from __future__ import annotations

from difflib import get_close_matches

from ingenium.components.app import App
from ingenium.components.blame import line_of
from ingenium.components.overrides import overrides_of
from ingenium.components.portfolio import Portfolio
from ingenium.components.strategy import Strategy
from ingenium.errors import ComponentError

__all__ = ["check_handlers", "meant_handler", "missing_handlers"]

_HANDLERS = ("on_", "handle_")


def _handlers(base: type) -> frozenset[str]:
    return frozenset(n for n in dir(base) if n.startswith(_HANDLERS) and n != "on_stop")


_OF_STRATEGY = _handlers(Strategy)
_OF_PORTFOLIO = _handlers(Portfolio)


def check_handlers(app: App) -> None:
    """Check that the components of an app handle events.

    Raises:
        ComponentError: No strategy handles anything, or the portfolio does not.
    """
    lines = missing_handlers(app)
    own = [each for each in app.strategies if type(each) is not Strategy]
    silent = [each for each in own if isinstance(each, Strategy) and _is_silent(each)]
    portfolio = app.portfolio
    if lines and ((own and len(silent) == len(own)) or _is_deaf(portfolio)):
        raise ComponentError("; ".join(lines))


def missing_handlers(app: App) -> list[str]:
    """Return a line for each component whose class overrides no handler."""
    lines = [
        _said(strategy, "on_bar(self, bar) nor on_data(self, event)")
        for strategy in app.strategies
        if isinstance(strategy, Strategy) and _is_silent(strategy)
    ]
    portfolio = app.portfolio
    if isinstance(portfolio, Portfolio) and _is_deaf(portfolio):
        lines.append(_said(portfolio, "on_signal(self, event) nor on_bar(self, bar)"))
    return lines


def _is_silent(strategy: Strategy) -> bool:
    return type(strategy) is not Strategy and not overrides_of(strategy, Strategy) & _OF_STRATEGY


def _is_deaf(portfolio: object) -> bool:
    return (
        isinstance(portfolio, Portfolio)
        and type(portfolio) is not Portfolio
        and not overrides_of(portfolio, Portfolio) & _OF_PORTFOLIO
    )


def meant_handler(component: Strategy | Portfolio) -> str:
    """Return the method of a class that was meant to be a handler; empty when there is none."""
    base: type = Strategy if isinstance(component, Strategy) else Portfolio
    names = _OF_STRATEGY if base is Strategy else _OF_PORTFOLIO
    public = {each.replace("_", ""): each for each in sorted(names) if each.startswith("on_")}
    cls = type(component)
    for each in cls.__mro__[: cls.__mro__.index(base)]:
        for name, value in vars(each).items():
            if not callable(value) or hasattr(base, name):
                continue
            near = get_close_matches(name.lower().replace("_", ""), public, n=1)
            if near:
                return f"it has {name}{line_of(value)}; did you mean {public[near[0]]}?"
    return ""


def _said(component: Strategy | Portfolio, wanted: str) -> str:
    meant = meant_handler(component)
    return (
        f"{component} does nothing, because {type(component).__name__} overrides neither "
        f"{wanted}{f': {meant}' if meant else ''}"
    )
