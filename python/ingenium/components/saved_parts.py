"""The parts of a component that are saved with it: indicators, and parts that a class adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ingenium.components.by_symbol import BySymbol, Stateful
from ingenium.errors import ConfigError, StateError
from ingenium.state.rows import read_row, write_json
from ingenium.state.user_state import read_user_state, write_user_state

__all__ = ["SAVED", "SavedParts"]

SAVED = "saved"
"""Key of the row that names the parts; keys of the parts begin with it and a slash."""

_PartT = TypeVar("_PartT", bound=Stateful | BySymbol[Any])


class SavedParts:
    """The saved parts of a component, by name.

    Args:
        owner: Name of the component, for errors.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._parts: dict[str, Stateful | BySymbol[Any]] = {}
        self._own: set[str] = set()
        # Symbols at rest keep their rows.
        self._rows: dict[str, bytes] = {}
        self._fresh: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def names(self) -> list[str]:
        """Names of the parts that the component's class has added."""
        return sorted(self._own)

    @property
    def parts(self) -> list[Stateful | BySymbol[Any]]:
        """All parts."""
        return list(self._parts.values())

    def add(self, name: str, part: _PartT, *, own: bool = True) -> _PartT:
        """Save a part from now on.

        Args:
            name: Unique within the component; letters, digits, ``_``, ``-`` and ``.``.
            part: Has `Stateful.state` and `Stateful.restore`.
            own: Whether the component's class has added it, and not the runner.

        Raises:
            ConfigError: The name is taken or does not fit, or the part cannot be saved.
        """
        if not name or "/" in name:
            raise ConfigError(
                f"name {name!r} of a saved part of {self._owner!r} is not valid: use a non-empty "
                "text without a slash, such as 'rsi'"
            )
        if name in self._parts:
            raise ConfigError(
                f"{self._owner!r} saves two parts as {name!r}: give each part its own name"
            )
        given: object = part
        fits = isinstance(given, BySymbol) or (
            callable(getattr(given, "state", None)) and callable(getattr(given, "restore", None))
        )
        if isinstance(given, type) or not fits:
            raise ConfigError(
                f"{name!r} of {self._owner!r} is {part!r}, which cannot be saved: pass an "
                "indicator, BySymbol(...), or an object with state() and restore(state)"
            )
        self._parts[name] = part
        if own:
            self._own.add(name)
        return part

    def rows(self) -> dict[str, bytes]:
        """Return the rows of all parts.

        Raises:
            ComponentError: A state cannot be saved.
        """
        rows = self._rows
        if self._own:
            rows[SAVED] = write_json(self.names)
        for name, part in self._parts.items():
            key = f"{SAVED}/{name}"
            if isinstance(part, BySymbol):
                for symbol, state in part.take_touched().items():
                    rows[f"{key}/{symbol}"] = self._written(name, state)
            else:
                rows[key] = self._written(name, part.state())
        return rows

    def _written(self, name: str, state: object) -> bytes:
        return write_user_state(state, f"{self._owner}: {name}")

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `rows`.

        Raises:
            StateError: They are of other parts, or of parts with other parameters; call `forget` to
                undo the partial restore.
        """
        if SAVED in rows:
            names = read_row(list[str], rows[SAVED], SAVED)
            if names != self.names:
                raise StateError(
                    f"the saved parts are {', '.join(names)}, but the class saves "
                    f"{', '.join(self.names) or 'nothing'}"
                )
        self._fresh = {
            name: None if isinstance(part, BySymbol) else part.state()
            for name, part in self._parts.items()
        }
        for key in sorted(rows):
            self._restore_row(key, rows[key])

    def forget(self) -> None:
        """Reset all parts to their state before `restore`."""
        self._rows.clear()
        for name, state in self._fresh.items():
            part = self._parts[name]
            if isinstance(part, BySymbol):
                part.clear()
            else:
                part.restore(state)

    def _restore_row(self, key: str, data: bytes) -> None:
        _, _, rest = key.partition("/")
        name, _, symbol = rest.partition("/")
        part = self._parts.get(name)
        if part is None:
            return  # The runner saved it then, and does not now.
        state = read_user_state(data, self._owner)
        if isinstance(part, BySymbol):
            part.restore_part(symbol, state)
        else:
            part.restore(state)
