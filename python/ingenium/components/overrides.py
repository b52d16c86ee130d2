"""The table of overrides: which methods of a base class a component's own class replaces."""

from __future__ import annotations

from weakref import WeakKeyDictionary

__all__ = ["overrides_of"]

# The values hold names only, so that an entry does not keep its own key alive.
_tables: WeakKeyDictionary[type, dict[type, frozenset[str]]] = WeakKeyDictionary()


def overrides_of(component: object, base: type) -> frozenset[str]:
    """Return the methods of a base class that a component replaces, by its class or by itself.

    The only place that decides this: a shortcut that skips a method checks here whether the method
    is still that of the base class. Each class is inspected once.

    Args:
        component: An object, or its class.
        base: The class whose methods count, a base of ``component``.

    Returns:
        Names of methods, private ones included; empty where everything is inherited from ``base``.
    """
    if isinstance(component, type):
        return _of_class(component, base)
    found = _of_class(type(component), base)
    own = {name for name in vars(component) if callable(getattr(base, name, None))}
    return found | own if own else found


def _of_class(cls: type, base: type) -> frozenset[str]:
    table = _tables.setdefault(cls, {})
    found = table.get(base)
    if found is None:
        found = table[base] = frozenset(
            name
            for name in dir(base)
            if not name.startswith("__") and _definer(cls, name) is not _definer(base, name)
        )
    return found


def _definer(cls: type, name: str) -> type | None:
    """Return the class that defines a name for a class."""
    return next((each for each in cls.__mro__ if name in vars(each)), None)
