"""Every small change that can be made to a source file, as an edit of its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "ingenium"

_COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: (r"is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: (r"in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.BitOr: (r"\|", "&"),
    ast.BitAnd: ("&", "|"),
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# Keywords of classes and decorators that change speed or memory, not what the code does.
_TUNING = {"frozen", "gc", "slots", "kw_only", "order", "cache_hash"}
# Calls in which the order of the first two arguments makes no difference, or only in a text.
_SYMMETRIC = {"add", "cast", "isinstance", "max", "min", "multiply", "warning"}
_LOGGERS = {"_log", "log", "_logger", "logger"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: Path within the package, such as ``risk/gate.py``.
        line: The first line of the statement that is changed, counted from 1.
        start: Offset in the file's bytes at which the replaced text begins.
        end: Offset at which the replaced text ends.
        text: What stands there instead; it has as many lines as what it replaces.
    """

    file: str
    line: int
    start: int
    end: int
    text: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]

    def lines(self) -> tuple[str, str]:
        """The changed lines before and after, each joined by a space."""
        source = (PACKAGE / self.file).read_bytes()
        first = source.rfind(b"\n", 0, self.start) + 1
        last = source.find(b"\n", self.end)
        after = source[first : self.start] + self.text.encode() + source[self.end : last]
        return _one_line(source[first:last]), _one_line(after)


def _one_line(text: bytes) -> str:
    return " ".join(text.decode().split())


def find_mutants(rooms: list[str]) -> list[Mutant]:
    """All changes that can be made to the modules of some rooms, in the order of the text."""
    found: list[Mutant] = []
    enums = _enum_members()
    for room in rooms:
        path = PACKAGE / room
        files = [path.with_suffix(".py")] if not path.is_dir() else sorted(path.rglob("*.py"))
        for file in files:
            found.extend(_Finder(file, enums).find())
    return list(dict.fromkeys(found))


def _enum_members() -> dict[str, list[str]]:
    """The members of each enum of the package, by the enum's name."""
    members: dict[str, list[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(b) for b in node.bases):
                members[node.name] = [
                    item.targets[0].id
                    for item in node.body
                    if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name)
                ]
    return members


class _Finder:
    def __init__(self, file: Path, enums: dict[str, list[str]]) -> None:
        self._file = file.relative_to(PACKAGE).as_posix()
        self._source = file.read_bytes()
        self._enums = enums
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def find(self) -> Iterator[Mutant]:
        yield from self._body(ast.parse(self._source).body)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _replace(self, span: tuple[int, int], text: str) -> Iterator[Mutant]:
        # The lines below keep their numbers, so that all other code stays what it is.
        text += "\n" * (self._source[span[0] : span[1]].count(b"\n") - text.count("\n"))
        yield Mutant(self._file, self._line, *span, text)

    def _body(self, body: list[ast.stmt]) -> Iterator[Mutant]:
        for statement in body:
            self._line = statement.lineno
            yield from self._statement(statement)

    def _statement(self, node: ast.stmt) -> Iterator[Mutant]:
        match node:
            case ast.Import() | ast.ImportFrom():
                return
            case ast.Expr(value=ast.Constant()):
                return
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__"), *_]):
                return
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))) if (
                name in _LOGGERS
            ):
                return
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.Delete():
                yield from self._replace(self._span(node), "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.AugAssign():
                yield from self._replace(self._span(node), "pass")
            case ast.Return(value=ast.expr() as value) if not (
                isinstance(value, ast.Constant) and value.value is None
            ):
                yield from self._replace(self._span(node), "return None")
            case ast.Break():
                yield from self._replace(self._span(node), "continue")
            case ast.Continue():
                yield from self._replace(self._span(node), "break")
            case ast.If(test=test) | ast.While(test=test):
                yield from self._replace(self._span(test), f"not ({self._text(test)})")
        if isinstance(node, ast.AugAssign) and (swap := _ARITHMETIC.get(type(node.op))):
            yield from self._operator(node.target, node.value, swap[0] + "=", swap[1] + "=")
        yield from self._children(node)

    def _children(self, node: ast.AST) -> Iterator[Mutant]:
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "type_params", "bases"} or (
                isinstance(node, ast.Raise) and name == "cause"
            ):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.stmt):
                    line = self._line
                    self._line = child.lineno
                    yield from self._statement(child)
                    self._line = line
                elif isinstance(child, ast.JoinedStr) or (
                    isinstance(child, ast.keyword) and child.arg in _TUNING
                ):
                    continue
                elif isinstance(child, ast.AST):
                    yield from self._expression(child)
                    yield from self._children(child)

    def _operator(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[Mutant]:
        start, end = self._span(left)[1], self._span(right)[0]
        if found := re.search(old.encode(), self._source[start:end]):
            yield from self._replace((start + found.start(), start + found.end()), new)

    def _expression(self, node: ast.AST) -> Iterator[Mutant]:
        match node:
            case ast.Compare():
                operands = [node.left, *node.comparators]
                for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
                    yield from self._operator(left, right, *_COMPARE[type(operator)])
            case ast.BinOp(left=left, right=right):
                texts = any(isinstance(side, ast.JoinedStr) for side in (left, right))
                if not texts and (swap := _ARITHMETIC.get(type(node.op))):
                    yield from self._operator(left, right, *swap)
            case ast.BoolOp(values=values):
                old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                for left, right in pairwise(values):
                    yield from self._operator(left, right, old, new)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield from self._replace(self._span(node), f"({self._text(operand)})")
            case ast.Constant(value=bool() as value):
                yield from self._replace(self._span(node), str(not value))
            case ast.Constant(value=int() | float() as value):
                yield from self._replace(self._span(node), repr(value + 1))
            case ast.Constant(value=str() as value) if _NUMBER.fullmatch(value):
                yield from self._replace(self._span(node), repr(str(float(value) + 1)))
            case ast.Call(func=ast.Name(id=name) as function) if name in _FUNCTIONS:
                yield from self._replace(self._span(function), _FUNCTIONS[name])
            case ast.Call(args=[first, second, *_]) if not (
                isinstance(first, ast.Starred) or isinstance(second, ast.Starred)
            ) and not (_is_symmetric(node.func) or ast.dump(first) == ast.dump(second)):
                between = self._source[self._span(first)[1] : self._span(second)[0]].decode()
                yield from self._replace(
                    (self._span(first)[0], self._span(second)[1]),
                    self._text(second) + between + self._text(first),
                )
            case ast.IfExp(test=test):
                yield from self._replace(self._span(test), f"not ({self._text(test)})")
            case ast.Attribute(value=ast.Name(id=name), attr=member) if member in self._enums.get(
                name, ()
            ):
                members = self._enums[name]
                other = members[(members.index(member) + 1) % len(members)]
                if other != member:
                    yield from self._replace(self._span(node), f"{name}.{other}")


def _is_symmetric(function: ast.expr) -> bool:
    return ast.unparse(function).rpartition(".")[2] in _SYMMETRIC
