"""An app whose definition is at hand: its components, and the parameters that it takes."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from ingenium.brokers import PaperExecutor
from ingenium.components import App, load_app, load_factory
from ingenium.components.component import role_of
from ingenium.errors import ConfigError

__all__ = ["NEEDS_HISTORY", "AppParameter", "RegisteredApp", "Value", "register"]

NEEDS_HISTORY = "runs on live data: a backtest needs an app whose ingestors read history"
"""Why an app cannot be backtested."""

Value = int | float | str | bool
_KINDS: Mapping[object, str] = {int: "integer", float: "number", str: "text", bool: "boolean"}
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class AppParameter:
    """A parameter of the function that makes an app.

    Attributes:
        name: Its name.
        kind: ``"integer"``, ``"number"``, ``"text"``, ``"boolean"`` or ``"choice"``.
        default: Value when left out; ``None`` if it must be given.
        minimum: Least value; ``None`` without a bound.
        maximum: Greatest value; ``None`` without a bound.
        choices: Values of a choice.
        unit: Unit; empty if not stated.
        description: What it does; empty if not stated.
        annotation: Its type, with which values are checked.
    """

    name: str
    kind: str
    default: Value | None
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    unit: str
    description: str
    annotation: Any

    def check(self, value: Value) -> Value:
        """Return a value that the parameter takes.

        Raises:
            ConfigError: It does not take this one.
        """
        if isinstance(value, str) and (len(value) > _MOST_TEXT or not value.isprintable()):
            raise ConfigError(
                f"{self.name} is a text of {len(value)} characters: use at most {_MOST_TEXT}, "
                "without control characters"
            )
        try:
            return typing.cast("Value", msgspec.convert(value, self.annotation, strict=True))
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self.name} is {value!r}: {str(error).lower()}") from error


@dataclass(frozen=True, slots=True)
class RegisteredApp:
    """An app whose definition was loaded at the start of the server.

    Attributes:
        name: Name of the app.
        target: Where its definition is, as on a command line.
        roster: Roles of its components by name.
        is_historical: Whether it runs on history, so that it can be backtested.
        is_paper: Whether its orders reach the simulated exchange only.
        parameters: What its function takes; empty if it takes nothing.
    """

    name: str
    target: str
    roster: Mapping[str, str]
    is_historical: bool
    is_paper: bool
    parameters: tuple[AppParameter, ...]

    def values(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values of all parameters, defaults included.

        Raises:
            ConfigError: A name is unknown, a value is missing, or one is not valid.
        """
        names = [each.name for each in self.parameters]
        for name in given:
            if name not in names:
                raise ConfigError(
                    f"app {self.name!r} has no parameter {name!r}: it has "
                    f"{', '.join(names) or 'none'}"
                )
        found: dict[str, Value] = {}
        for each in self.parameters:
            if each.name in given:
                found[each.name] = each.check(given[each.name])
            elif each.default is not None:
                found[each.name] = each.default
            else:
                raise ConfigError(f"{each.name} has no default: give a value")
        return found


def register(target: str) -> RegisteredApp:
    """Load a definition.

    Args:
        target: As for ``ingenium run``.

    Raises:
        ConfigError: There is no such app.
    """
    app: App = load_app(target)
    parameters: tuple[AppParameter, ...] = ()
    try:
        function = load_factory(target, {})
    except ConfigError:
        pass  # An app object, which takes nothing.
    else:
        parameters = parameters_of(inspect.unwrap(function))
    return RegisteredApp(
        app.name,
        target,
        {component.name: role_of(component) for component in app.components},
        app.historical,
        isinstance(app.executor, PaperExecutor),
        parameters,
    )


def parameters_of(function: Callable[..., object]) -> tuple[AppParameter, ...]:
    """Return the parameters of a function that makes an app.

    Types are those of annotations, or of defaults: ``fast: Annotated[int, Meta(ge=2, le=50)] = 5``
    with `msgspec.Meta`, whose ``title`` is the unit. A parameter of another type is left out, so
    that it always has its default.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    found = []
    for name, each in inspect.signature(function).parameters.items():
        default = None if each.default is inspect.Parameter.empty else each.default
        annotation = hints.get(name, type(default))
        made = _parameter(name, annotation, default)
        if made is not None:
            found.append(made)
    return tuple(found)


def _parameter(name: str, annotation: Any, default: Any) -> AppParameter | None:
    plain, bounds = annotation, msgspec.Meta()
    if get_origin(annotation) is Annotated:
        plain, *extras = get_args(annotation)
        bounds = next((each for each in extras if isinstance(each, msgspec.Meta)), bounds)
    if get_origin(plain) in {typing.Union, types.UnionType}:
        return None
    choices: tuple[str, ...] = ()
    if get_origin(plain) is Literal:
        choices, kind = get_args(plain), "choice"
        if not all(isinstance(each, str) for each in choices):
            return None
    elif plain in _KINDS:
        kind = _KINDS[plain]
    else:
        return None
    least = bounds.ge if bounds.ge is not None else bounds.gt
    most = bounds.le if bounds.le is not None else bounds.lt
    return AppParameter(
        name,
        kind,
        default,
        None if least is None else float(least),
        None if most is None else float(most),
        choices,
        bounds.title or "",
        bounds.description or "",
        annotation,
    )
