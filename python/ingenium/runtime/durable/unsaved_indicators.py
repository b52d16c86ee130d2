"""Finds the indicators of a component that are not saved with it."""

from __future__ import annotations

from collections.abc import Iterator

from ingenium.components import BySymbol, Component
from ingenium.components.handle import ComponentHandle
from ingenium.components.handle_of import handle_of
from ingenium.indicators import Indicator

__all__ = ["unsaved_indicators"]

_DEEPEST = 3
_MOST_LOOKED_AT = 1_000


def unsaved_indicators(component: Component) -> list[str]:
    """Return the classes of the indicators that a component holds outside of its saved state.

    Args:
        component: The component; the present contents of its attributes, lists and dicts are
            searched.
    """
    saved = {id(part) for part in handle_of(component).saved_parts.parts}
    found = {type(each).__name__ for each in _indicators(component, saved)}
    return sorted(found)


def _indicators(owner: object, saved: set[int], depth: int = 0) -> Iterator[Indicator]:
    if id(owner) in saved or isinstance(owner, ComponentHandle):
        return
    if isinstance(owner, Indicator):
        yield owner
        return
    if depth == _DEEPEST:
        return
    if isinstance(owner, BySymbol):
        held = [owner.make()]
    elif isinstance(owner, dict):
        held = list(owner.values())
    elif isinstance(owner, list | tuple):
        held = list(owner)
    else:
        held = list(getattr(owner, "__dict__", {}).values())
    for each in held[:_MOST_LOOKED_AT]:
        yield from _indicators(each, saved, depth + 1)
