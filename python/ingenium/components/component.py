"""Base classes of all components: name, clock, and for most a saved state."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeVar

from ingenium.components.by_symbol import BySymbol, Stateful
from ingenium.components.handle import ComponentHandle, Handled
from ingenium.components.overrides import overrides_of
from ingenium.errors import ComponentError
from ingenium.state.user_state import read_user_state, write_user_state

__all__ = ["Component", "StatefulComponent", "ran_already", "role_of"]

_PartT = TypeVar("_PartT", bound=Stateful | BySymbol[Any])
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


def _default_name(cls: type) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", cls.__name__)
    return words.lower().lstrip("_") or "component"


class Component:
    """Base of `Ingestor`, `Strategy`, `Portfolio` and `Executor`.

    Args:
        name: Unique within its app, lower-case letters, digits, ``-`` and ``_``. The class name
            in that form when left out: ``RsiStrategy`` becomes ``rsi-strategy``.

    Raises:
        ComponentError: The name has other letters, or more than 40.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = _default_name(type(self)) if name is None else name
        if _NAME.fullmatch(self.name) is None:
            raise ComponentError(
                f"component name {self.name!r} is not valid: use up to 40 lower-case letters, "
                "digits, - and _"
            )
        self._handle = self._make_handle()

    def _make_handle(self) -> ComponentHandle:
        """Make the handle of this component."""
        return ComponentHandle(self.name, "component")

    def on_start(self) -> Handled:
        """Prepare; called once, before the first event. Sends made here go out first."""
        return None

    def on_stop(self) -> Handled:
        """Clean up; called once, after the last event.

        On live data, events sent here are still published; a replay has no instant left for them,
        and drops them.
        """
        return None

    @property
    def now(self) -> datetime:
        """The present time, UTC: the simulated one in a replay, the machine's in live running."""
        handle = self._handle
        return handle.time if handle.clock is None else handle.clock.now()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __str__(self) -> str:
        """Return role and name, as error texts have them: ``strategy 'rsi'``."""
        return f"{self._handle.role} {self.name!r}"


class StatefulComponent(Component):
    """Base of `Strategy`, `Portfolio` and `Executor`: a component that saves its state.

    Args:
        name: See `Component`.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._handle.user_state = _OwnState(self)

    def get_state(self) -> object | None:
        """Return the state to keep over a restart, beside the state that the base class saves.

        Override it together with `set_state`. Called after each event, so keep the state small.

        Returns:
            Texts, numbers, ``bool``, ``None``, ``Decimal`` and aware ``datetime``, and lists and
            dicts with texts as keys of such; ``None`` for nothing.
        """
        return None

    def set_state(self, state: Any) -> None:
        """Restore the result of `get_state`; called before `on_start`.

        Args:
            state: Equal to the returned state. Tuples have become lists, the keys of dicts are
                sorted, and times are in UTC.

        Raises:
            ComponentError: The class overrides `get_state` only.
        """
        raise _no_set_state(self)

    def saved(self, name: str, part: _PartT) -> _PartT:
        """Save a part of this component with it, so that a restart resumes with its state.

        Call it in the constructor: ``self._rsi = self.saved("rsi", indicators.Rsi(14))``. The part
        is saved after each event that changes it, and restored before `on_start`. A state of other
        parameters is refused, and the component starts without it.

        Args:
            name: Unique within the component.
            part: An indicator, `BySymbol` of them, or an object with ``state()`` and
                ``restore(state)``.

        Returns:
            The part.

        Raises:
            ConfigError: The name is taken or does not fit, or the part cannot be saved.
        """
        return self._handle.saved_parts.add(name, part)


class _OwnState:
    """The state that a class saves itself, for its handle."""

    def __init__(self, component: StatefulComponent) -> None:
        self._component = component

    def row(self) -> bytes | None:
        component = self._component
        state = component.get_state()
        if state is None:
            return None
        if "set_state" not in overrides_of(component, StatefulComponent):
            # Raised when the state is first saved, not when it is needed.
            raise _no_set_state(component)
        return write_user_state(state, component.name)

    def restore(self, row: bytes) -> None:
        self._component.set_state(read_user_state(row, self._component.name))


def _no_set_state(component: Component) -> ComponentError:
    return ComponentError(
        f"{type(component).__name__} {component.name!r} defines get_state, but no set_state: "
        "define set_state(self, state), which takes what get_state returned"
    )


def role_of(component: Component) -> str:
    """Return ``"ingestor"``, ``"strategy"``, ``"portfolio"`` or ``"executor"``."""
    return component._handle.role  # noqa: SLF001 - the one reader beside `handle_of`


def ran_already(component: Component) -> str:
    """Return the error that a component cannot be run again."""
    return f"{component} has already run, and a second run would start with the state of the first"
