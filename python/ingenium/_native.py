"""What modules say to the compiler that may make extension modules of them, and which ones run.

Extension modules lie beside their sources and are imported instead of them. Where one source was
edited since (`make compile` notes what it compiled), none of them is: the sources run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    _ClassT = TypeVar("_ClassT", bound=type)

    def mypyc_attr(**_: object) -> Callable[[_ClassT], _ClassT]:
        """Say how a class is to be compiled; nothing happens to one that is not."""
        return lambda cls: cls


__all__ = ["is_compiled", "mypyc_attr", "stale_sources"]

_PACKAGE = Path(__file__).parent
_STAMP = _PACKAGE.parent / "ingenium__mypyc.sources"


class _SourceFinder(MetaPathFinder):
    """Finds the sources of modules, whatever lies beside them."""

    def __init__(self, sources: dict[str, Path]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module; ``None`` for those that were not compiled."""
        source = self._sources.get(fullname)
        return None if source is None else spec_from_file_location(fullname, source)


def is_compiled() -> bool:
    """Whether the inner loop of a backtest is compiled; it does the same if not, but slower."""
    return _has_libraries() and not _stale


def stale_sources() -> list[str]:
    """Return the files that were edited since they were compiled, so that nothing compiled runs."""
    return list(_stale)


def _has_libraries() -> bool:
    place = _PACKAGE / "backtest"
    return any((place / f"fast_loop{suffix}").exists() for suffix in EXTENSION_SUFFIXES)


def _run_sources_if_stale() -> list[str]:
    # An installed package has no stamp, and nobody edits it.
    if not _STAMP.exists() or not _has_libraries():
        return []
    sources: dict[str, Path] = {}
    stale: list[str] = []
    for line in _STAMP.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        path = _STAMP.parent / name
        sources[name.removesuffix(".py").replace("/", ".")] = path
        if not path.exists() or sha256(path.read_bytes()).hexdigest() != digest:
            stale.append(name)
    if stale:
        sys.meta_path.insert(0, _SourceFinder({k: v for k, v in sources.items() if v.exists()}))
    return stale


_stale = _run_sources_if_stale()
