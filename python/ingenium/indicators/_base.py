"""Base class of indicators, saved state, and argument checks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import isfinite, nan
from typing import Any, ClassVar, SupportsIndex

from ingenium._native import mypyc_attr
from ingenium.errors import ConfigError, StateError

__all__ = ["Indicator", "Period", "bad_input", "check_period"]

_VERSION = 1
"""Version of the format of `Indicator.state`."""

Period = SupportsIndex
"""A whole number. With ``int``, compiled code would reject other values with its own error."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Indicator:
    """Base of all indicators.

    Attributes:
        value: The latest value; ``math.nan`` until `ready`.
        warm_up: Updates until the first value.
    """

    __slots__ = ("value", "warm_up")

    state_parameters: ClassVar[tuple[str, ...]] = ()
    """Attributes set by the constructor and not changed by updates, for `state`."""
    state_fields: ClassVar[tuple[str, ...]] = ()
    """Attributes changed by updates, besides `value`, for `state`."""

    def __init__(self, warm_up: int) -> None:
        self.value = nan
        self.warm_up = warm_up

    @property
    def ready(self) -> bool:
        """Whether `value` is a number yet."""
        value = self.value
        # Only nan differs from itself.
        return value == value  # noqa: PLR0124

    def state(self) -> dict[str, Any]:
        """Return the state that updates have produced, for `restore`.

        Returns:
            A value that survives ``json.dumps`` and ``json.loads`` unchanged, floats exactly:
            ``kind`` and ``version``, the ``parameters``, and ``fields`` by their names.

        Raises:
            StateError: The class does not declare its state fields, or a value cannot be saved.
        """
        self._check_saved()
        names = ("value", *type(self).state_fields)
        return {
            "kind": type(self).__name__,
            "version": _VERSION,
            "parameters": self._parameters(),
            "fields": {name.lstrip("_"): _saved(getattr(self, name)) for name in names},
        }

    def restore(self, state: Any) -> None:
        """Restore the result of `state`; later values equal those of an uninterrupted indicator.

        Args:
            state: State of an indicator of the same class and parameters.

        Raises:
            StateError: The state has another class, version or parameters, or is malformed; the
                indicator is unchanged.
        """
        self._check_saved()
        kind = type(self).__name__
        if not isinstance(state, Mapping) or state.get("kind") != kind:
            found = state.get("kind") if isinstance(state, Mapping) else state
            raise StateError(f"saved state is of {found!r}, but the indicator is {kind}")
        if state.get("version") != _VERSION:
            raise StateError(
                f"saved state of {kind} has version {state.get('version')!r}, and this program "
                f"reads version {_VERSION}"
            )
        parameters = self._parameters()
        if state.get("parameters") != parameters:
            raise StateError(
                f"saved state of {kind} is of {_listed(state.get('parameters'))}, but the "
                f"indicator has {_listed(parameters)}"
            )
        fields = state.get("fields")
        names = ("value", *type(self).state_fields)
        if not isinstance(fields, Mapping) or set(fields) != {each.lstrip("_") for each in names}:
            raise StateError(f"saved state of {kind} does not have its fields")
        before = {name: _saved(getattr(self, name)) for name in names}
        try:
            self._set_fields({name: fields[name.lstrip("_")] for name in names})
        except (StateError, TypeError, ValueError, OverflowError) as error:
            self._set_fields(before)
            raise StateError(f"saved state of {kind} cannot be read: {error}") from error

    def _set_fields(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            current = getattr(self, name)
            if isinstance(current, Indicator):
                current.restore(value)
            else:
                setattr(self, name, _restored(name.lstrip("_"), current, value))

    def _parameters(self) -> dict[str, Any]:
        return {
            name.lstrip("_"): getattr(self, name)
            for name in ("warm_up", *type(self).state_parameters)
        }

    def _check_saved(self) -> None:
        cls = type(self)
        if "state_fields" not in vars(cls):  # not cls.__dict__, which mypyc refuses
            raise StateError(
                f"{cls.__name__} does not declare its state: list its attributes in "
                'state_fields, such as state_fields = (*Sma.state_fields, "_mine")'
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


def _saved(value: Any) -> Any:
    """Return a value in JSON form; ``None`` for nan."""
    if isinstance(value, Indicator):
        return value.state()
    if isinstance(value, list | deque):
        return [each if isinstance(each, int) else float(each) for each in value]
    if isinstance(value, bool):
        return value  # Compiled code would turn a bool into 0 or 1.
    if isinstance(value, int):
        return value
    number = float(value)
    if isfinite(number):
        return number
    # JSON has neither nan nor infinity. Only nan differs from itself.
    return repr(number) if number == number else None  # noqa: PLR0124


def _restored(name: str, current: Any, value: Any) -> Any:
    """Return a saved value with the type of the value that it replaces."""
    if isinstance(current, bool):
        if not isinstance(value, bool):
            raise StateError(f"{name} is {value!r}")
        return value
    if isinstance(current, int):
        if isinstance(value, bool) or not isinstance(value, int):
            raise StateError(f"{name} is {value!r}")
        return value
    if isinstance(current, float):
        return nan if value is None else float(value)
    if isinstance(current, deque):
        # The two queues of `RollingHigh` and `RollingLow` hold floats and integer positions; JSON
        # tells them apart.
        return deque([each if isinstance(each, int) else float(each) for each in value])
    if len(value) != len(current):
        raise StateError(f"{name} has {len(value)} numbers, not {len(current)}")
    return [float(number) for number in value]


def _listed(parameters: object) -> str:
    if not isinstance(parameters, Mapping):
        return repr(parameters)
    return ", ".join(f"{name} {value!r}" for name, value in parameters.items()) or "no parameters"


def check_period(owner: str, period: object, *, name: str = "period", least: int = 1) -> int:
    """Return ``period`` if it is a whole number from ``least`` up.

    Args:
        owner: The indicator, for the error.
        period: The argument.
        name: The argument's name, for the error.
        least: Smallest valid period.

    Raises:
        ConfigError: The period is invalid.
    """
    if isinstance(period, bool) or not isinstance(period, int) or period < least:
        raise ConfigError(
            f"{name} {period!r} of {owner} does not fit: pass a whole number from {least} up"
        )
    return period


def bad_input(indicator: Indicator, **inputs: float) -> ValueError:
    """Return the error for inputs with an invalid or non-finite value."""
    given = ", ".join(f"{name} {number!r}" for name, number in inputs.items())
    return ValueError(
        f"cannot update {type(indicator).__name__} with {given}: pass finite numbers that fit, and "
        "leave out bars without them"
    )
