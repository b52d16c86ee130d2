"""Fingerprints of objects: their values, and the user's code that they run."""

from __future__ import annotations

import dis
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType

from ingenium.user_frames import is_own

__all__ = ["CodeWalk", "is_user_code", "user_modules"]

_PLAIN = (bool, int, float, complex, str, bytes, Decimal, Fraction, PurePath)
_TIMES = (date, time, timedelta, tzinfo)
_OF_CLASSES = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__"}
)
# What a run adds to a component; it holds no parameter.
_OF_RUNS = "_handle"


def is_user_code(file: str | None) -> bool:
    """Return whether a source file is the user's, not that of a library or of this package."""
    # Another environment's libraries, such as those in the user's home, count as such too.
    if file is None or not file.endswith(".py") or "site-packages" in Path(file).parts:
        return False
    return is_own(file)


def user_modules() -> Iterator[Path]:
    """Yield the source files of the user's modules that are imported."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and is_user_code(file):
            yield Path(file).resolve()


class CodeWalk:
    """Fingerprint of objects, equal in each process that makes them from the same code.

    Values count, and code of the user that they reach: methods, functions, the globals that these
    name and the modules that they import when called. Code of libraries counts by name only;
    comments and blank lines do not count. What cannot be looked into, such as a lock, counts by its
    type.

    Attributes:
        imported: Source files of the user's modules that are imported inside of functions.
    """

    def __init__(self) -> None:
        self.imported: set[Path] = set()
        self._digest = hashlib.sha256()
        # The objects too, so that no id is used again.
        self._seen: dict[int, tuple[int, object]] = {}

    def digest(self) -> str:
        """Return the digest of all objects so far, in hexadecimal."""
        return self._digest.hexdigest()

    def _put(self, *texts: str) -> None:
        for text in texts:
            self._digest.update(text.encode("utf-8", "surrogatepass") + b"\0")

    def add(self, value: object) -> None:
        """Count an object, and what it reaches."""
        if value is None or (isinstance(value, _PLAIN) and not isinstance(value, Enum)):
            self._put(type(value).__qualname__, repr(value))
            return
        if found := self._seen.get(id(value)):
            self._put("again", str(found[0]))
            return
        self._seen[id(value)] = len(self._seen), value
        if isinstance(value, (Enum, *_TIMES)):
            self._put(type(value).__qualname__, repr(value))
        elif isinstance(value, dict):
            self._add_items("dict", value.items())
        elif isinstance(value, set | frozenset):
            self._put("set", *sorted(map(self._digest_of, value)))
        elif isinstance(value, list | tuple):
            self._put(type(value).__qualname__, str(len(value)))
            for each in value:
                self.add(each)
        elif isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, ModuleType):
            self._add_module(value)
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, MethodType):
            self.add(value.__func__)
            self.add(value.__self__)
        elif isinstance(value, staticmethod | classmethod):
            self._put(type(value).__qualname__)
            self.add(value.__func__)
        elif isinstance(value, property):
            self._put("property")
            for part in (value.fget, value.fset, value.fdel):
                self.add(part)
        elif isinstance(value, partial):
            self._put("partial")
            for each in (value.func, value.args, value.keywords):
                self.add(each)
        else:
            self._add_object(value)

    def _digest_of(self, value: object) -> str:
        walk = CodeWalk()
        walk.add(value)
        self.imported |= walk.imported
        return walk.digest()

    def _add_items(self, kind: str, items: Iterable[tuple[object, object]]) -> None:
        self._put(kind)
        for key, each in items:
            self.add(key)
            self.add(each)

    def _add_class(self, cls: type) -> None:
        self._put("class", cls.__module__, cls.__qualname__)
        module = sys.modules.get(cls.__module__)
        if not is_user_code(getattr(module, "__file__", None)):
            return
        for base in cls.__bases__:
            self.add(base)
        for name, each in sorted(vars(cls).items()):
            if name not in _OF_CLASSES and not name.startswith("_abc_"):
                self._put(name)
                self.add(each)

    def _add_module(self, module: ModuleType) -> None:
        self._put("module", module.__name__)
        file = module.__file__
        if file and is_user_code(file):
            self._digest.update(Path(file).read_bytes())

    def _add_function(self, function: FunctionType) -> None:
        self._put("function", function.__module__ or "", function.__qualname__)
        self.add(function.__defaults__)
        self.add(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self._put("an empty cell")
        if not is_user_code(function.__code__.co_filename):
            return
        self._add_code(function.__code__)
        for name in sorted(_names_in(function.__code__)):
            if name in function.__globals__:
                self._put(name)
                self.add(function.__globals__[name])

    def _add_code(self, code: CodeType) -> None:
        self._digest.update(code.co_code)
        self._put(code.co_name, *code.co_names, *code.co_varnames, *code.co_freevars)
        for each in code.co_consts:
            if isinstance(each, CodeType):
                self._add_code(each)
            else:
                self.add(each)
        for name in _imports_in(code):
            self._add_import(name)

    def _add_import(self, name: str) -> None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return
        if spec is not None and is_user_code(spec.origin):
            file = Path(spec.origin or "").resolve()
            self.imported.add(file)
            self._digest.update(file.read_bytes())

    def _add_object(self, value: object) -> None:
        self.add(type(value))
        own = getattr(value, "__dict__", None)
        if own is not None:
            items = sorted((name, each) for name, each in own.items() if name != _OF_RUNS)
            self._add_items("attributes", items)
        slots = [name for cls in type(value).__mro__ for name in _slots_of(cls)]
        self._add_items(
            "slots",
            ((name, getattr(value, name)) for name in sorted(slots) if hasattr(value, name)),
        )
        if own is None and not slots:
            self._add_opaque(value)

    def _add_opaque(self, value: object) -> None:
        """Count an object of a compiled type by how it would be pickled."""
        try:
            reduced = value.__reduce_ex__(2)
        except Exception:  # noqa: BLE001 - a type may raise anything
            return
        if isinstance(reduced, tuple):
            for each in reduced[1:3]:
                self.add(each)


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            names |= _names_in(each)
    return names


def _imports_in(code: CodeType) -> list[str]:
    return [each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME"]


def _slots_of(cls: type) -> tuple[str, ...]:
    # A compiled class names its attributes elsewhere.
    slots = cls.__dict__.get("__slots__", cls.__dict__.get("__mypyc_attrs__", ()))
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(
        f"_{cls.__name__.lstrip('_')}{name}" if name.startswith("__") else name
        for name in names
        if name not in ("__dict__", "__weakref__")
    )
