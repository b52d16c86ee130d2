"""Interfaces of a component that acts outside of the bus, such as at a broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, runtime_checkable

from ingenium.components.failpoints import Point

__all__ = ["UnitOfWork", "ExternalWorker"]


class UnitOfWork(Protocol):
    """Commits the actions of a component outside of the bus."""

    @property
    def now(self) -> datetime:
        """The present time, UTC, by the server's clock where known."""
        ...

    async def record(self, cause: str, act: Callable[[], None]) -> None:
        """Apply a change of the component and commit it with its sent events, in one transaction.

        Args:
            cause: The seed of the ids of sent events; equal for the same outside event, so that a
                repeat gives the same ids.
            act: Changes the component and sends; must not wait. Never runs beside a handler.

        Raises:
            StoreError: The change cannot be stored; the process must end.
        """
        ...

    def at(self, point: Point) -> None:
        """Pass a failpoint, at which tests crash."""
        ...


@runtime_checkable
class ExternalWorker(Protocol):
    """A component that acts outside of the bus, from its stored state.

    Its handlers only record the work to do, as rows of its state. Once they are on the disk, `work`
    does it.
    """

    async def prepare(self, unit_of_work: UnitOfWork) -> None:
        """Read the outside state, before the first event; raise if that is impossible."""
        ...

    async def work(self, unit_of_work: UnitOfWork) -> None:
        """Act, until canceled."""
        ...

    def committed(self) -> None:
        """Continue after a commit: the changes of handlers are on the disk."""
        ...
