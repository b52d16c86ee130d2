"""What modules say to the compiler that may make extension modules of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    _ClassT = TypeVar("_ClassT", bound=type)

    def mypyc_attr(**_: object) -> Callable[[_ClassT], _ClassT]:
        """Say how a class is to be compiled; nothing happens to one that is not."""
        return lambda cls: cls


__all__ = ["mypyc_attr"]
