"""The time of the server, by which everybody judges what is late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ingenium.clock import Clock

__all__ = ["StreamClock"]


class StreamClock:
    """Tells the server's time, and stands still while a message of a stream is handled.

    Between two words of the server it goes on with a clock that never jumps, so that a machine
    whose clock is set, or is wrong by a day, neither refuses good orders nor takes old ones.

    Args:
        clock: Tells the time until the server has said it.
        elapsed: Seconds, by a clock that only goes forward.
    """

    def __init__(self, clock: Clock, elapsed: Callable[[], float]) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._anchor: tuple[datetime, float] | None = None
        self.standing: datetime | None = None
        """The time that handlers see, if it is not the present one."""

    def hear(self, time: datetime | None, asked: float | None = None) -> None:
        """Take note that the server has said that it is ``time``.

        Args:
            time: What it said; ``None`` when it does not say.
            asked: When it was asked, by the clock that only goes forward; just now when left out.
                The answer may have been long on its way, and what is late must never pass for
                younger than it is.
        """
        if time is not None:
            self._anchor = (time, self._elapsed() if asked is None else asked)

    def see(self, time: datetime) -> None:
        """Take note that the server kept something at ``time``, so it is not earlier now."""
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
