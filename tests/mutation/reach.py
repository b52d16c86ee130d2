"""Which tests reach which statements, and the modules of the package with a changed text."""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from mutation.mutants import PACKAGE


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module from what ``change`` makes of it; nothing is written to disk."""

    change: Callable[[str, bytes], CodeType | None]

    def get_code(self, fullname: str) -> CodeType | None:
        file = Path(self.path).relative_to(PACKAGE).as_posix()
        return self.change(file, Path(self.path).read_bytes()) or super().get_code(fullname)


class ChangingFinder(MetaPathFinder):
    """Imports the package's modules as ``change`` compiles them; None leaves a module alone."""

    def __init__(self, change: Callable[[str, bytes], CodeType | None]) -> None:
        self._change = change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "ingenium" or "._gen" in fullname:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path or sys.path, target)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return spec
        if not Path(spec.origin).is_relative_to(PACKAGE):
            return spec
        loader = _Loader(fullname, spec.origin)
        loader.change = self._change
        spec.loader = loader
        return spec


class ReachRecorder:
    """Puts a mark into every run of statements in a function, and collects the marks passed.

    Attributes:
        passed: Numbers of the blocks that ran since this set was cleared.
        block_of: The block of each statement, by its file and first line.
    """

    def __init__(self) -> None:
        self.passed: set[int] = set()
        self.block_of: dict[tuple[str, int], int] = {}
        self._blocks = 0
        builtins.__dict__["__passed__"] = self.passed.add
        # All at once, so that a block has the same number in every run on the same sources.
        self._codes = {
            path.relative_to(PACKAGE).as_posix(): self._mark_file(path)
            for path in sorted(PACKAGE.rglob("*.py"))
            if "_gen" not in path.parts
        }

    def compile(self, file: str, source: bytes) -> CodeType | None:
        """The marked code of a file; None for a file that is not marked."""
        return self._codes.get(file)

    def _mark_file(self, path: Path) -> CodeType:
        file = path.relative_to(PACKAGE).as_posix()
        tree = ast.parse(path.read_bytes())
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                self._mark(function, file)
        return compile(ast.fix_missing_locations(tree), str(path), "exec")

    def _mark(self, node: Any, file: str) -> None:
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            body = getattr(node, name, None)
            if not isinstance(body, list):
                continue
            for child in body:
                if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    self._mark(child, file)
            if name in {"handlers", "cases"} or not body:
                continue
            text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            first = body[1] if text and len(body) > 1 else body[0]
            self._blocks += 1
            self.block_of.update({(file, child.lineno): self._blocks for child in body})
            mark = ast.parse(f"__passed__({self._blocks})").body[0]
            for each in ast.walk(mark):
                ast.copy_location(each, first)
            body.insert(1 if text else 0, mark)


def digest(*paths: Path) -> str:
    """One hash over the Python files under some paths."""
    whole = hashlib.sha256()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            whole.update(f"{file.relative_to(PACKAGE.parents[1])}\0".encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()[:20]
