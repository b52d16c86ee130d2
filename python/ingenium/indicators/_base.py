"""What all indicators share."""

from __future__ import annotations

from math import nan
from typing import SupportsIndex

from ingenium._native import mypyc_attr
from ingenium.errors import ConfigError

__all__ = ["Indicator", "Period", "bad_input", "check_period"]

Period = SupportsIndex
"""A whole number. Compiled code would refuse another one itself, with another error."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Indicator:
    """Base of all indicators.

    Attributes:
        value: The latest value; ``math.nan`` until `ready`.
        warm_up: Updates until the first value.
    """

    __slots__ = ("value", "warm_up")

    def __init__(self, warm_up: int) -> None:
        self.value = nan
        self.warm_up = warm_up

    @property
    def ready(self) -> bool:
        """Whether `value` is a number yet."""
        value = self.value
        # Only nan differs from itself.
        return value == value  # noqa: PLR0124

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


def check_period(owner: str, period: object, *, name: str = "period", least: int = 1) -> int:
    """Return ``period`` if it is a whole number from ``least`` up.

    Args:
        owner: The indicator, for the error.
        period: The argument.
        name: The argument's name, for the error.
        least: The smallest that makes sense.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(period, bool) or not isinstance(period, int) or period < least:
        raise ConfigError(
            f"{name} {period!r} of {owner} does not fit: pass a whole number from {least} up"
        )
    return period


def bad_input(indicator: Indicator, **inputs: float) -> ValueError:
    """Return the error for inputs of which one is not finite, or makes no sense."""
    given = ", ".join(f"{name} {number!r}" for name, number in inputs.items())
    return ValueError(
        f"cannot update {type(indicator).__name__} with {given}: pass finite numbers that fit, and "
        "leave out bars without them"
    )
