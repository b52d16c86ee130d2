"""Settings and code of an app as texts, so that two runs can be compared."""

from __future__ import annotations

import inspect
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from pathlib import Path, PurePath
from types import FunctionType
from typing import Any

from ingenium._version import __version__
from ingenium.backtest.app_sources import sources_digest
from ingenium.backtest.manifest import file_sha256
from ingenium.components import App, Component, External, load_factory
from ingenium.components.component import role_of
from ingenium.errors import ConfigError
from ingenium.telemetry.logs import redact

__all__ = ["SettingChange", "app_settings", "setting_changes"]

_PLAIN = (
    str, int, float, Decimal, bool, Enum, date, time, timedelta, tzinfo, PurePath, type(None),
)  # fmt: skip
_DEEPEST = 8
# Set by the SDK for running, not by the author.
_OF_RUNTIME = frozenset({"_handle", "name", "problems", "risk"})
_PACKAGE = "ingenium."
_SECRET_NAME = re.compile(r"(?i)key|secret|token|passw|credential|private")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A difference between the settings or the code of two runs.

    Attributes:
        role: Role of the component; ``"limits"`` for risk limits, ``"app"`` for the rest.
        component: Name of the component; empty for limits and the rest.
        name: Name of the setting; ``"code"`` for source code.
        before: Value in the first run; empty when it had none.
        after: Value in the second run, likewise.
    """

    role: str
    component: str
    name: str
    before: str
    after: str

    @property
    def is_code(self) -> bool:
        """Whether code has changed, rather than a setting."""
        return self.name in {"code", "class", "ingenium", "python"}

    def __str__(self) -> str:
        owner = f"{self.role} {self.component}".strip()
        before, after = (text or "nothing" for text in (self.before, self.after))
        if self.name == "code":
            return f"code of {owner}: {before[:12]} in the recorded run, {after[:12]} now"
        return f"{self.name} of {owner}: {before} in the recorded run, {after} now"


def app_settings(app: App, target: str = "") -> dict[str, Any]:
    """Return settings and code of an app before it runs, as JSON values.

    A setting of a component is a plain value that its object holds, or that an object or function
    in it holds, under the names of the attributes. Values whose names or content look like those of
    secrets are ``***``. Ingestors are left out, since recorded data is
    in their place.

    Args:
        app: App that has not run yet.
        target: Name of the app, as on a command line, for the digest of its source files.
    """
    return {
        "ingenium": __version__,
        "python": platform.python_version(),
        "code": _sources(target),
        "components": {
            component.name: {
                "role": role_of(component),
                "class": type(component).__qualname__,
                "code": _code_of(component),
                "settings": dict(_settings_of(component)),
            }
            for component in app.components[len(app.ingestors) :]
        },
        "limits": dict(_walk("", app.risk, set(), 0)),
    }


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    """Return the differences between two results of `app_settings`, those of components first."""
    found: list[SettingChange] = []
    old, new = before["components"], after["components"]
    for name in dict.fromkeys((*old, *new)):
        one, other = old.get(name, {}), new.get(name, {})
        role = str((one or other)["role"])
        pairs = [("class", one.get("class", ""), other.get("class", ""))]
        pairs += _pairs(one.get("settings", {}), other.get("settings", {}))
        pairs.append(("code", one.get("code", ""), other.get("code", "")))
        found += [SettingChange(role, name, *each) for each in pairs if each[1] != each[2]]
    found += [
        SettingChange("limits", "", *each)
        for each in _pairs(before["limits"], after["limits"])
        if each[1] != each[2]
    ]
    found += [
        SettingChange("app", "", name, before[name], after[name])
        for name in ("code", "ingenium", "python")
        if before[name] != after[name]
    ]
    return found


def _pairs(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = dict.fromkeys((*before, *after))
    return [(name, before.get(name, ""), after.get(name, "")) for name in names]


def _sources(target: str) -> str:
    if not target:
        return ""
    try:
        factory = load_factory(target, {})
    except ConfigError:  # the name is that of an app, which no function makes
        factory = None
    return sources_digest(target, factory)


def _code_of(component: Component) -> str:
    """Return the SHA-256 of the source of a user's class, or of a program; empty for ready ones."""
    whole = sha256()
    texts: list[str] = []
    if isinstance(component, External):
        folder = component.directory or Path()
        for part in component.command or ():
            try:
                texts.append(file_sha256(folder / part))
            except OSError:
                continue
    for cls in type(component).__mro__:
        if cls is not object and not cls.__module__.startswith(_PACKAGE):
            try:
                texts.append(inspect.getsource(cls))
            except (OSError, TypeError):
                continue
    for text in texts:
        whole.update(text.encode())
    return whole.hexdigest() if texts else ""


def _settings_of(component: Component) -> Iterator[tuple[str, str]]:
    seen: set[int] = {id(component)}
    for name, value in vars(component).items():
        if name not in _OF_RUNTIME:
            yield from _walk(name.lstrip("_"), value, seen, 1)


def _walk(name: str, value: Any, seen: set[int], depth: int) -> Iterator[tuple[str, str]]:
    """Yield the plain values within a value by dotted name; each object once."""
    if isinstance(value, _PLAIN):
        yield name, _shown(name, str(value.value if isinstance(value, Enum) else value))
        return
    if id(value) in seen or depth > _DEEPEST:
        return
    seen.add(id(value))
    for part, inner in _parts(value):
        clean = part.lstrip("_")
        yield from _walk(f"{name}.{clean}" if name else clean, inner, seen, depth + 1)
    if isinstance(value, FunctionType):
        yield name, value.__qualname__
    elif name and not isinstance(value, dict | list | tuple | set | frozenset):
        yield name, type(value).__qualname__


def _shown(name: str, text: str) -> str:
    """Return a setting without secrets: settings are stored, and shown where runs differ."""
    return _HIDDEN if _SECRET_NAME.search(name) else redact(text)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((str(key), each) for key, each in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(place), each) for place, each in enumerate(value, 1))
    elif isinstance(value, set | frozenset):
        yield from ((str(place), each) for place, each in enumerate(sorted(value, key=str), 1))
    elif isinstance(value, FunctionType):
        cells = value.__closure__ or ()
        for part, cell in zip(value.__code__.co_freevars, cells, strict=True):
            try:
                yield part, cell.cell_contents
            except ValueError:  # not filled yet
                continue
    elif type(value).__module__ != "builtins":
        names = dict.fromkeys(getattr(value, "__dict__", ()))
        for cls in type(value).__mro__:
            slots = vars(cls).get("__slots__", ())
            names |= dict.fromkeys((slots,) if isinstance(slots, str) else slots)
        names |= dict.fromkeys(getattr(value, "__struct_fields__", ()))
        for part in names:
            if part not in _OF_RUNTIME and not part.startswith("__") and hasattr(value, part):
                yield part, getattr(value, part)
