"""A mapping with a part for each symbol, made at its first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["BySymbol", "Stateful"]


class Stateful(Protocol):
    """An object that can be saved: an indicator, or a class of yours with these two methods."""

    def state(self) -> Any:
        """Return the state for `restore`, of types that `StatefulComponent.get_state` allows."""
        ...

    def restore(self, state: Any) -> None:
        """Restore the result of `state`.

        Raises:
            StateError: The state does not fit, as with other parameters.
        """
        ...


_PartT = TypeVar("_PartT", bound=Stateful)
# A part known only to the mapping has two references: a variable here, and the counting call.
_SHARED_REFERENCES = 3


class BySymbol(Mapping[str, _PartT], Generic[_PartT]):
    """A mapping from symbols to parts; a part is made at the first use of its symbol.

    Passed through `StatefulComponent.saved`, only the parts accessed since the last save are
    checked again, so that the cost depends only on the symbols that have changed.

    Args:
        make: Makes the part of a symbol.
    """

    def __init__(self, make: Callable[[], _PartT]) -> None:
        self.make = make
        self._touched: dict[str, _PartT] = {}
        # Unchanged since they were saved.
        self._at_rest: dict[str, _PartT] = {}

    def __getitem__(self, symbol: str) -> _PartT:
        try:
            return self._touched[symbol]
        except KeyError:
            part = self._at_rest.pop(symbol, None)
            if part is None:
                part = self.make()
            self._touched[symbol] = part
            return part

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._touched or symbol in self._at_rest

    def __iter__(self) -> Iterator[str]:
        return iter([*self._at_rest, *self._touched])

    def __len__(self) -> int:
        return len(self._touched) + len(self._at_rest)

    def get(self, symbol: str, default: Any = None) -> Any:
        """Return the part of a symbol, or ``default``, without making one."""
        return self[symbol] if symbol in self else default  # noqa: SIM401 - it would call itself

    def take_touched(self) -> dict[str, Any]:
        """Return the states of the parts that may have changed since the last call."""
        touched, self._touched = self._touched, {}
        states: dict[str, Any] = {}
        for symbol in list(touched):
            part = touched.pop(symbol)
            states[symbol] = part.state()
            # A part held elsewhere may change without being accessed here.
            is_shared = sys.getrefcount(part) >= _SHARED_REFERENCES
            (self._touched if is_shared else self._at_rest)[symbol] = part
        return states

    def restore_part(self, symbol: str, state: Any) -> None:
        """Restore the state of one symbol.

        Raises:
            StateError: The state does not fit.
        """
        part = self._touched.get(symbol)
        if part is None:
            part = self._touched[symbol] = self.make()
        part.restore(state)

    def clear(self) -> None:
        """Drop all parts."""
        self._touched, self._at_rest = {}, {}
