"""Source files of an app: the file that defines it, and the modules imported from its folder."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from ingenium.backtest.manifest import file_sha256

__all__ = ["app_folder", "source_files", "sources_digest"]


def app_folder(target: str) -> Path:
    """Return the folder from which an app imports its own modules.

    Args:
        target: Name of the app, as on a command line.

    Returns:
        The folder of the file; for a module, the one that contains its outermost package.
    """
    place = _place(target)
    if place.endswith(".py"):
        return Path(place).resolve().parent
    origin = _origin(place)
    if origin is None:
        return Path.cwd()
    levels = place.count(".") + (origin.name == "__init__.py")
    return origin.parents[levels]


def sources_digest(target: str, factory: Callable[..., object] | None) -> str:
    """Return the SHA-256 of an app's source files, in hex; empty when there are none.

    The digest of an app of one file is that of the file.

    Args:
        target: Name of the app, as on a command line.
        factory: The function with that name; ``None`` when the name is that of an app.
    """
    files = source_files(target, factory)
    if len(files) < 2:
        return file_sha256(files[0]) if files else ""
    whole = sha256()
    folder = app_folder(target)
    for file in files:
        name = file.relative_to(folder) if file.is_relative_to(folder) else file.name
        whole.update(f"{name}\0{file_sha256(file)}\n".encode())
    return whole.hexdigest()


def source_files(target: str, factory: Callable[..., object] | None) -> list[Path]:
    """Return the file that defines an app, and all files that it imports from its folder, sorted.

    Imports are read from the source, so those within a function count too. Imports with a name
    built at run time are not found.
    """
    folder = app_folder(target)
    place = _place(target)
    first = Path(place).resolve() if place.endswith(".py") else _origin(place)
    waiting = [] if first is None else [first]
    try:
        named = None if factory is None else inspect.getsourcefile(inspect.unwrap(factory))
    except TypeError:
        named = None
    if named is not None:
        waiting.append(Path(named).resolve())
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        package = ""
        if path.is_relative_to(folder):
            package = ".".join(path.relative_to(folder).parts[:-1])
        status = path.stat()
        for name in _imports(path, package, status.st_mtime_ns, status.st_size):
            waiting += _files_of(name, folder)
    return sorted(found)


def _place(target: str) -> str:
    if target.endswith(".py"):
        return target
    return target.rpartition(":")[0] or target


def _origin(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).resolve()


@lru_cache(maxsize=1024)
def _imports(path: Path, package: str, _modified: int, _size: int) -> tuple[str, ...]:
    """Return the dotted names that a file imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(dict.fromkeys(_names(tree, package)))


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".") if package else []
                kept = above[: len(above) - node.level + 1]
                base = ".".join([*kept, *([base] if base else [])])
            yield base
            yield from (f"{base}.{each.name}" if base else each.name for each in node.names)


def _files_of(name: str, folder: Path) -> Iterator[Path]:
    """Yield the files below the folder that an import of a dotted name runs."""
    place = folder
    for part in name.split("."):
        if not part:
            return
        place /= part
        for file in (place.with_name(f"{part}.py"), place / "__init__.py"):
            if file.is_file():
                yield file.resolve()
