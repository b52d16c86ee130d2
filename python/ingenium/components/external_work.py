"""How a component acts outside of the bus, such as at a broker, without losing track of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from ingenium.components.failpoints import Point

__all__ = ["UnitOfWork", "ExternalWorker"]


class UnitOfWork(Protocol):
    """Given to a component that acts outside; writes down what it did."""

    @property
    def now(self) -> datetime:
        """The present time, UTC, by the server's clock as far as that is known."""
        ...

    async def record(self, cause: str, act: Callable[[], None]) -> None:
        """Let the component change and send, and write that down, as one transaction.

        Args:
            cause: What the ids of what it sends follow from; equal for the same outside event, so
                that telling it twice gives the same ids.
            act: Changes the component and sends; must not wait. Never runs beside a handler.

        Raises:
            StoreError: It cannot be written down; the process must end.
        """
        ...

    def at(self, point: Point) -> None:
        """Pass a point where tests try a crash."""
        ...


@runtime_checkable
class ExternalWorker(Protocol):
    """A component that acts outside of the bus, from what it has written down.

    Its handlers only note what is to be done, as rows of its state. Once they are on the disk,
    `work` does it.
    """

    async def prepare(self, unit_of_work: UnitOfWork) -> None:
        """Find out what is true outside, before the first event; raise if that cannot be."""
        ...

    async def work(self, unit_of_work: UnitOfWork) -> None:
        """Act, until canceled."""
        ...

    def committed(self) -> None:
        """Take note that what handlers have noted is on the disk now."""
        ...
