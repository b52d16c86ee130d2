"""Parameters of a sweep: names, values, and the points of a grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import prod
from random import Random

from ingenium.errors import ConfigError

__all__ = ["Point", "Value", "grid", "parse_parameter", "sample"]

Value = int | float | str
"""A value of a parameter."""

Point = Mapping[str, Value]
"""One combination of values, by name."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_MOST_VALUES = 100_000
_DRAWS_A_POINT = 100


def parse_parameter(text: str) -> tuple[str, list[Value]]:
    """Parse ``fast=5:50:5`` (from, to inclusive, step) or ``kind=a,b,c``.

    Numbers without a decimal point are ints, with one floats; anything else is text.

    Raises:
        ConfigError: The text is neither; the message states how to write it.
    """
    name, equals, values = text.partition("=")
    if not equals or _NAME.fullmatch(name) is None or not values:
        raise ConfigError(f"parameter {text!r} is not valid: write fast=5:50:5 or fast=5,10,20")
    if ":" not in values:
        return name, list(dict.fromkeys(_value(each.strip()) for each in values.split(",")))
    parts = values.split(":")
    if len(parts) not in {2, 3} or any(_NUMBER.fullmatch(part) is None for part in parts):
        raise ConfigError(f"parameter {text!r} is not valid: write fast=5:50:5 or fast=5,10,20")
    first, last = Decimal(parts[0]), Decimal(parts[1])
    step = Decimal(parts[2]) if len(parts) == 3 else Decimal(1)
    if step <= 0 or last < first:
        raise ConfigError(f"parameter {text!r} has no values: go up, by a step above 0")
    count = int((last - first) / step) + 1
    if count > _MOST_VALUES:
        raise ConfigError(f"parameter {text!r} has {count} values: use a larger step")
    # Decimals, so that adding 0.1 does not drift.
    is_whole = all("." not in part for part in parts)
    numbers = [first + step * i for i in range(count)]
    return name, [int(number) if is_whole else float(number) for number in numbers]


def _value(text: str) -> Value:
    if _NUMBER.fullmatch(text) is None:
        return text
    return float(text) if "." in text else int(text)


def grid(parameters: Mapping[str, Sequence[Value]]) -> list[Point]:
    """Return every combination, the last name varying fastest."""
    return [dict(zip(parameters, values, strict=True)) for values in product(*parameters.values())]


def sample(
    parameters: Mapping[str, Sequence[Value]],
    count: int,
    seed: int,
    where: Callable[[Point], bool] | None = None,
) -> list[Point]:
    """Return a random sample of the combinations, each once.

    Args:
        parameters: Values by name.
        count: Size of the sample; all combinations when there are no more.
        seed: Seed of the choice.
        where: Whether a combination may be chosen; all may when left out.
    """
    total = prod(len(values) for values in parameters.values())
    random = Random(seed)  # noqa: S311 - no secret
    if where is None:
        chosen = random.sample(range(total), min(count, total))
        return [_point(parameters, number) for number in sorted(chosen)]
    found: dict[int, Point] = {}
    # A limit on draws, so that a grid of billions is not enumerated.
    draws = min(total, max(_MOST_VALUES, _DRAWS_A_POINT * count))
    for number in random.sample(range(total), draws):
        if len(found) == count:
            break
        point = _point(parameters, number)
        if where(point):
            found[number] = point
    return [found[number] for number in sorted(found)]


def _point(parameters: Mapping[str, Sequence[Value]], number: int) -> Point:
    """Return a combination by its number in the grid."""
    point: dict[str, Value] = {}
    for name, values in reversed(list(parameters.items())):
        number, place = divmod(number, len(values))
        point[name] = values[place]
    return {name: point[name] for name in parameters}
