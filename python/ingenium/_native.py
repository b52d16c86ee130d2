"""What modules say to the compiler that may make extension modules of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    _ClassT = TypeVar("_ClassT", bound=type)

    def mypyc_attr(**_: object) -> Callable[[_ClassT], _ClassT]:
        """Say how a class is to be compiled; nothing happens to one that is not."""
        return lambda cls: cls


__all__ = ["is_compiled", "mypyc_attr"]


def is_compiled() -> bool:
    """Whether the inner loop of a backtest is compiled; it does the same if not, but slower."""
    place = Path(__file__).parent / "backtest"
    return any((place / f"quick{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
