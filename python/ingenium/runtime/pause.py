"""Whether a component handles events: an operator may pause one start of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Pause"]


class Pause:
    """Pause of one component; off at the start.

    Args:
        on_change: Called when it begins or ends.

    Attributes:
        is_on: Whether the component handles no events.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.is_on = False
        self._on_change = on_change
        self._over = asyncio.Event()
        self._over.set()
        self._is_final = False

    def begin(self) -> None:
        """Have the component handle no more events, after the one that it is handling."""
        self.is_on = True
        self._over.clear()
        self._on_change()

    def end(self) -> None:
        """Have the component handle events again."""
        self.is_on = False
        self._over.set()
        self._on_change()

    def stop(self) -> None:
        """Release all that wait; what waits during a pause is not handled."""
        self._is_final = True
        self._over.set()

    async def wait(self) -> bool:
        """Wait for the end of a pause.

        Returns:
            Whether the event may be handled; false if the component stops during a pause.
        """
        while self.is_on and not self._is_final:
            await self._over.wait()
        return not self.is_on
