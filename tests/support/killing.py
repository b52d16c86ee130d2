"""Kills a member within this process, at one of its labelled points."""

from __future__ import annotations

from ingenium.components.failpoints import Point

__all__ = ["Killed", "Killer"]


class Killed(BaseException):
    """Ends a member as ``kill -9`` ends a process."""


class Killer:
    """Lets a member pass a point so often, and kills it at the next time."""

    def __init__(self, point: Point, count: int) -> None:
        self._point = point
        self._count = count
        self._passed = 0

    def __call__(self, here: Point) -> None:
        self._passed += here is self._point
        if self._passed > self._count:
            raise Killed

    def check(self) -> None:
        """Make sure that it has killed."""
        assert self._passed > self._count, f"{self._point} was passed {self._passed} times"
