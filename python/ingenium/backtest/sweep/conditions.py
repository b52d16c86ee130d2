"""Conditions on parameters, such as ``fast < slow``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches

from ingenium.backtest.sweep.parameters import Point
from ingenium.errors import ConfigError

__all__ = ["Condition", "parse_conditions"]

Condition = Callable[[Point], bool]
"""Returns whether to run a point."""

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, choices: value in choices,
    ast.NotIn: lambda value, choices: value not in choices,
}
_MOST_LETTERS = 1_000
_ALLOWED = (
    "use the parameters, numbers, texts in quotes, + - * / // %, comparisons, in, and, or, not"
)


def parse_conditions(texts: Sequence[str], names: Collection[str]) -> Condition:
    """Parse conditions, all of which a point must meet.

    An expression is evaluated from its syntax tree, in which only a few kinds of nodes are allowed:
    no calls and no attribute access.

    Args:
        texts: Conditions such as ``"fast < slow and kind in ('a', 'b')"``.
        names: Names of the parameters.

    Raises:
        ConfigError: A condition is not such an expression, or names no parameter.
    """
    trees = [(text, _parse(text, names)) for text in texts]

    def holds(point: Point) -> bool:
        for text, tree in trees:
            try:
                if not _value(tree, point):
                    return False
            except (TypeError, ArithmeticError) as error:
                raise ConfigError(
                    f"--where {text!r} cannot be evaluated for {dict(point)}: {error}"
                ) from error
        return True

    return holds


def _parse(text: str, names: Collection[str]) -> ast.expr:
    try:
        if len(text) > _MOST_LETTERS:
            raise ConfigError(f"--where has {len(text)} characters: use at most {_MOST_LETTERS}")
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ConfigError):
            raise
        why = getattr(error, "msg", "") or str(error)
        raise ConfigError(
            f"--where {text!r} cannot be read: {why}; write a condition such as 'fast < slow'"
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names:
            near = get_close_matches(node.id, names, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"--where {text!r} names {node.id!r}, which no --param varies{meant}: "
                f"there is {', '.join(names)}"
            )
        if not _is_known(node):
            raise ConfigError(
                f"--where {text!r} holds {ast.unparse(node)!r}, which is not allowed: {_ALLOWED}"
            )
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    ):
        raise ConfigError(
            f"--where {text!r} is not a comparison: write a condition such as 'fast < slow'"
        )
    return tree


def _is_known(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in _ARITHMETIC
    if isinstance(node, ast.Compare):
        return all(type(each) in _COMPARISONS for each in node.ops)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not | ast.USub | ast.UAdd)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float | str)
    kinds = (
        ast.BoolOp,
        ast.Name,
        ast.Tuple,
        ast.List,
        ast.Set,
        ast.Load,
        ast.boolop,
        ast.operator,
        ast.unaryop,
        ast.cmpop,
    )
    return isinstance(node, kinds)


def _value(node: ast.expr, point: Point) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return point[node.id]
    if isinstance(node, ast.BoolOp):
        held = (bool(_value(each, point)) for each in node.values)
        return all(held) if isinstance(node.op, ast.And) else any(held)
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            return not _value(node.operand, point)
        number = _number(node.operand, point)
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_number(node.left, point), _number(node.right, point))
    if isinstance(node, ast.Compare):
        left = _value(node.left, point)
        for comparison, each in zip(node.ops, node.comparators, strict=True):
            right = _value(each, point)
            if not _COMPARISONS[type(comparison)](left, right):
                return False
            left = right
        return True
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [_value(each, point) for each in node.elts]
    raise TypeError(f"{ast.unparse(node)!r} has no value")


def _number(node: ast.expr, point: Point) -> float:
    value = _value(node, point)
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value
