"""What `make check` holds the package to beside its layers: names, depth of inheritance, circles.

Each check returns its findings as lines that name both places and what to do.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path
from pkgutil import walk_packages

import grimp

import ingenium

__all__ = ["circles", "deep_classes", "repeated_names"]

PACKAGE = "ingenium"
DEEPEST = 3
"""How many classes of ours may stand on top of each other."""

USERS_BASES = ("Component", "Ingestor", "Strategy", "Portfolio", "Executor", "External")
"""What users subclass, and the ready ones derive from: counting starts above them."""

ALLOWED: dict[str, str] = {}
"""Modules that may have the name of another one, and why."""


def repeated_names(root: Path, allowed: Mapping[str, str] = ALLOWED) -> Iterator[str]:
    """Find modules, packages and module-level classes that bear the name of another one.

    An underscore in front makes no other name.

    Modules of ``cli/`` are named after their command, and those of ``bus/nats/`` after the
    contract in ``bus/`` that they implement: neither counts.

    Args:
        root: Folder of the package; generated code in ``_gen`` is left out.
        allowed: Further names of modules that may stand twice, with the reason.
    """
    modules: dict[str, list[tuple[str, str]]] = defaultdict(list)
    classes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if "_gen" in place.parts:
            continue
        name = place.parent.name if path.stem == "__init__" else path.stem
        if name and path.stem != "__main__" and not _is_named_after_another(place, root):
            modules[name].append((name, str(place)))
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name.lstrip("_")].append((node.name, f"{place}:{node.lineno}"))
    for kind, places_of in (("module", modules), ("class", classes)):
        for found in places_of.values():
            name = found[0][0]
            if len(found) > 1 and not (kind == "module" and name in allowed):
                places = ", ".join(place for _, place in found)
                yield (
                    f"{kind} {name} stands twice: {places}: rename one of them after what only it "
                    "does"
                )


def _is_named_after_another(place: Path, root: Path) -> bool:
    if place.parts[0] == "cli":
        return len(place.parts) > 1 and place.name != "__init__.py"
    if place.parts[:2] != ("bus", "nats") or len(place.parts) < 3:
        return False
    return place.stem == "bus" or (root / "bus" / place.name).exists()


def deep_classes(classes: Iterable[type], package: str = PACKAGE) -> Iterator[str]:
    """Find classes with more than three of our own on top of each other.

    Bases of libraries do not count, nor do exceptions. What derives from a users' base counts from
    there, as that counts from `object`.

    Args:
        classes: Those of the package.
        package: Its name.
    """
    for cls in classes:
        if issubclass(cls, BaseException):
            continue
        chain = _chain(cls, package)
        if len(chain) > DEEPEST:
            names = " -> ".join(each.__name__ for each in chain)
            yield (
                f"class {cls.__name__} in {cls.__module__} is {len(chain)} deep ({names}): at most "
                f"{DEEPEST} are allowed, so let it have what it inherits"
            )


def _chain(cls: type, package: str) -> list[type]:
    """Return the longest line of own classes from a class up to a library's or a user's base."""
    above = [_chain(base, package) for base in cls.__bases__ if _counts(base, package)]
    return [cls, *max(above, key=len, default=[])]


def _counts(cls: type, package: str) -> bool:
    is_own = cls.__module__ == package or cls.__module__.startswith(f"{package}.")
    return is_own and "_gen" not in cls.__module__ and cls.__name__ not in USERS_BASES


def own_classes(package: str = PACKAGE) -> list[type]:
    """Import all modules of a package, and return the classes that they define."""
    found: dict[type, None] = {}
    for info in walk_packages(import_module(package).__path__, f"{package}."):
        # Alembic's scripts run only within a migration.
        if "._gen" in info.name or ".migrations." in info.name or info.name.endswith("__main__"):
            continue
        for _, cls in getmembers(import_module(info.name), isclass):
            if cls.__module__ == info.name:
                found[cls] = None
    return list(found)


def circles(package: str = PACKAGE) -> Iterator[str]:
    """Find modules that import each other, directly or through others.

    Imports within functions count, and so do those for types only: both hide a circle.
    """
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    for circle in _strongly_connected(imports):
        lines = [
            f"{one} imports {other} (line {detail['line_number']})"
            for one in circle
            for other in sorted(imports[one] & set(circle))
            for detail in graph.get_import_details(importer=one, imported=other)[:1]
        ]
        yield (
            f"circle of imports: {'; '.join(lines)}: move what both need into a module of its own, "
            "or let one take a protocol"
        )


def _strongly_connected(edges: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Yield the groups of more than one node that all reach each other (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for root in sorted(edges):
        if root in order:
            continue
        work = [(root, iter(sorted(edges[root])))]
        order[root] = lowest[root] = len(order)
        path.append(root)
        on_path.add(root)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in order:
                    order[other] = lowest[other] = len(order)
                    path.append(other)
                    on_path.add(other)
                    work.append((other, iter(sorted(edges[other]))))
                    break
                if other in on_path:
                    lowest[node] = min(lowest[node], order[other])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == order[node]:
                    place = path.index(node)
                    group = path[place:]
                    del path[place:]
                    on_path.difference_update(group)
                    if len(group) > 1:
                        yield sorted(group)


def main() -> int:
    """Print what is wrong, and return 1 if anything is."""
    checks: Sequence[tuple[str, Iterable[str]]] = (
        ("no name stands twice", repeated_names(Path(ingenium.__file__).parent)),
        ("no class is more than three deep", deep_classes(own_classes())),
        ("no circle of imports", circles()),
    )
    is_bad = False
    for name, findings in checks:
        lines = list(findings)
        is_bad = is_bad or bool(lines)
        print(f"{name}: {'BROKEN' if lines else 'KEPT'}")
        for line in lines:
            print(f"  {line}")
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
