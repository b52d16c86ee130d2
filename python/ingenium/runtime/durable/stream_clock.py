"""The time of the server, by which every component judges lateness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ingenium.clock import Clock

__all__ = ["StreamClock"]


class StreamClock:
    """Clock of the server's time, frozen while a message of a stream is handled.

    Between two answers of the server it advances with a monotonic clock, so that a machine whose
    clock is set, or is wrong by a day, neither refuses good orders nor accepts old ones.

    Args:
        clock: Used until the server has reported its time.
        elapsed: Returns seconds of a monotonic clock.
    """

    def __init__(self, clock: Clock, elapsed: Callable[[], float]) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._anchor: tuple[datetime, float] | None = None
        self.standing: datetime | None = None
        """The time that handlers see, if it is not the present one."""

    def hear(self, time: datetime | None, asked: float | None = None) -> None:
        """Set the clock from a time that the server has reported.

        Args:
            time: The reported time; ``None`` when the server does not report it.
            asked: When it was asked, by the monotonic clock; just now when left out. The answer
                may have been delayed, and a late message must never appear younger than it is.
        """
        if time is not None:
            self._anchor = (time, self._elapsed() if asked is None else asked)

    def see(self, time: datetime) -> None:
        """Advance the clock to ``time``, at which the server kept a message."""
        if self._anchor is not None and time > self.present():
            self.hear(time)

    def present(self) -> datetime:
        """Return the present time by the server's clock, UTC."""
        if self._anchor is None:
            return self._clock.now()
        time, since = self._anchor
        return time + timedelta(seconds=self._elapsed() - since)

    def now(self) -> datetime:
        """Return the time that a component sees."""
        return self.standing or self.present()
