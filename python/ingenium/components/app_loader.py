"""Loads the app that a command line names, as a file or as a module."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ingenium.components.app import App
from ingenium.components.app_source import check_source
from ingenium.components.blame import text_of, where
from ingenium.components.handle_of import handle_of
from ingenium.errors import ConfigError

__all__ = ["load_app", "load_factory", "load_message"]


def load_app(target: str) -> App:
    """Import the module that ``target`` names and return its app.

    Args:
        target: ``file.py``, ``file.py:name`` or ``package.module:name``. Without a name it is the
            module's ``app``, or its only `App`. A function of that name is called without
            arguments.

    Raises:
        ConfigError: No such file or module, it does not run, or it has no app; the text names
            the line.
    """
    found = _find(target)
    place, _ = _split(target)
    has_run = isinstance(found, App) and any(handle_of(each).has_run for each in found.components)
    if has_run and not place.endswith(".py"):
        # A module is imported once only, and its app is good for one run.
        importlib.reload(_import_module(place))
        found = _find(target)
    if not isinstance(found, App) and callable(found):
        try:
            found = found()
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"{target} cannot be called: {_why(_place(target), error)}"
            ) from error
    if not isinstance(found, App):
        raise ConfigError(
            f"{target} is of type {type(found).__name__}: name an ingenium.App, or a function that "
            "returns one"
        )
    return found


def load_message(target: str) -> type[Any]:
    """Import the module that ``target`` names and return its class of a user's own events.

    Args:
        target: ``package.module:Name`` or ``file.py:Name``.

    Raises:
        ConfigError: There is none.
    """
    found = _find(target)
    if not isinstance(found, type) or not is_dataclass(found):
        raise ConfigError(
            f"{target} is no message: name a class that buf generate has made, as in "
            "acme_events.acme.v1:News"
        )
    return found


def load_factory(target: str, arguments: Mapping[str, object]) -> Callable[..., App]:
    """Import the module that ``target`` names and return its function that makes the app.

    Args:
        target: As for `load_app`; it has to name a function.
        arguments: Its arguments, by name.

    Raises:
        ConfigError: There is none, or it does not take these arguments; the text names its
            parameters.
    """
    found = _find(target)
    if isinstance(found, App) or not callable(found):
        raise ConfigError(
            f"{target} is not a function, so it takes no parameters: write def app(fast=5): that "
            "returns the App, and name it"
        )
    signature = inspect.signature(found)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ConfigError(
            f"{target}{signature} cannot be called with {', '.join(arguments)}: {error}"
        ) from error

    def make(**point: object) -> App:
        app = found(**point)
        if not isinstance(app, App):
            raise ConfigError(f"{target} returns a {type(app).__name__}: return an ingenium.App")
        return app

    make.__wrapped__ = found  # type: ignore[attr-defined]
    return make


def _find(target: str) -> object:
    place, name = _split(target)
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    if not name:
        return _only_app(module, place)
    if not hasattr(module, name):
        raise ConfigError(f"{place} has no {name!r}: {_known(module)}")
    found: object = getattr(module, name)
    return found


def _place(target: str) -> object:
    place, _ = _split(target)
    return Path(place).resolve() if place.endswith(".py") else place


def _split(target: str) -> tuple[str, str]:
    if not target.strip() or "\0" in target:
        raise ConfigError(f"no such app: {target!r}: name a file such as app.py")
    place, colon, name = target.rpartition(":")
    # A drive letter is no module: C:\app.py has a colon too.
    if not colon or "/" in name or "\\" in name:
        return target, ""
    return place, name


def _apps(module: ModuleType) -> dict[str, App]:
    return {name: value for name, value in vars(module).items() if isinstance(value, App)}


def _known(module: ModuleType) -> str:
    apps = _apps(module)
    return f"it has {', '.join(apps)}" if apps else "it holds no ingenium.App"


def _only_app(module: ModuleType, place: str) -> object:
    if hasattr(module, "app"):
        return module.app
    apps = _apps(module)
    if len(apps) == 1:
        return next(iter(apps.values()))
    if apps:
        raise ConfigError(f"{place} has several apps, {', '.join(apps)}: name one, {place}:NAME")
    raise ConfigError(f"{place} holds no app: write app = ingenium.App(...) in it")


def _import_file(path: Path) -> ModuleType:
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder: name a file in it, such as {path / 'app.py'}")
        if not path.is_file():
            raise ConfigError(f"no such app file: {path}")
        path = path.resolve()
    except OSError as error:
        raise ConfigError(f"app file {path} cannot be read: {error.strerror}") from error
    if path.stem in sys.stdlib_module_names or path.stem == "ingenium":
        whose = "ingenium itself" if path.stem == "ingenium" else "one of Python's own modules"
        raise ConfigError(
            f"app file {path.name} has the same name as {whose}, which could then not be "
            f"imported: rename the file, for example to my_{path.name}"
        )
    check_source(path)
    name = path.stem if path.stem.isidentifier() else "ingenium_app"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # As with `python file.py`: modules beside the file can be imported, pickles find the module.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise ConfigError(_why(path, error)) from error
    return module


def _import_module(name: str) -> ModuleType:
    if Path(name).is_dir() and (name.startswith(".") or "/" in name or "\\" in name):
        raise ConfigError(f"{name} is a folder: name a file in it, such as {Path(name) / 'app.py'}")
    if name.startswith("."):
        raise ConfigError(
            f"no such app: {name!r} begins with a dot: name a file such as app.py, or a module "
            "such as package.module:name"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            if Path(name).is_dir():
                raise ConfigError(
                    f"{name} is a folder: name a file in it, such as {Path(name) / 'app.py'}"
                ) from error
            raise ConfigError(
                f"no such app: {name!r} is neither a file that ends in .py nor a module that can "
                "be imported from here"
            ) from error
        raise ConfigError(_why(name, error)) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(_why(name, error)) from error


def _why(place: object, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno or 1}: syntax error: {error.msg}"
    # The deepest frame of the user's own file is more useful than one in a library.
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(place)]
    line = f", line {frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError):
        # Python does not name a file that it cannot read as text: it is one imported here.
        return f"{place}{line}: a file that it imports is not valid UTF-8: {error.msg}"
    if isinstance(error, SystemExit):
        return f"{place}{line}: it exits (SystemExit: {error}) instead of making an app"
    other = where(error)
    name = Path(str(place)).name
    return f"{place}{line}: {text_of(error)}" + other * (f"({name}," not in other)
