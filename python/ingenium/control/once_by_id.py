"""Runs what a request id names once, however often the request comes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ingenium.control.call_guard import refuse

__all__ = ["OnceById"]

_ResultT = TypeVar("_ResultT")
_REMEMBERED = 1000
_LONGEST = 100


class OnceById:
    """Remembers the last thousand requests that have an id, by their method."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[tuple[str, str], asyncio.Task[Any]] = OrderedDict()

    async def run(
        self, method: str, request_id: str, work: Callable[[], Coroutine[Any, Any, _ResultT]]
    ) -> _ResultT:
        """Run something, which goes on if the caller leaves.

        Args:
            method: Name of the method.
            request_id: Id of the request; empty for none.
            work: Does it.

        Returns:
            Its result, or that of the first request with this id.

        Raises:
            ConnectError: The id is too long.
        """
        if len(request_id) > _LONGEST:
            raise refuse(f"request_id has {len(request_id)} characters: use at most {_LONGEST}")
        key = method, request_id
        task = self._tasks.get(key) if request_id else None
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(work())
            # Kept without an id as well, so that it is not collected while it runs.
            self._tasks[method, request_id or str(id(task))] = task
            while len(self._tasks) > _REMEMBERED:
                self._tasks.popitem(last=False)
        result: _ResultT = await asyncio.shield(task)
        return result
