"""How often something happens: a bucket of tokens, and breaches within a window."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

__all__ = ["Breaches", "TokenBucket"]


class TokenBucket:
    """Lets ``burst`` through at once, and ``rate`` a second in the long run.

    Over any stretch of ``t`` seconds it lets at most ``burst + rate * t`` through. A clock that
    goes back fills nothing.

    Args:
        rate: Tokens a second, above 0.
        burst: Tokens that it holds, and has at first.
    """

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Take a token; False when there is none."""
        last = self._filled_at
        if last is None:
            self._filled_at = now
        elif now > last:
            self._filled_at = now
            new = (now - last).total_seconds() * self._rate
            self._tokens = min(self._burst, self._tokens + new)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Breaches:
    """Counts what must not happen often.

    Args:
        limit: How many are too many.
        window_seconds: Within what time.
    """

    __slots__ = ("_limit", "_times", "_window")

    def __init__(self, limit: int, window_seconds: float) -> None:
        self._limit = limit
        self._window = timedelta(seconds=window_seconds)
        self._times: deque[datetime] = deque(maxlen=limit)

    @property
    def times(self) -> list[datetime]:
        """When the last ones were, the oldest first."""
        return list(self._times)

    def add(self, now: datetime) -> bool:
        """Count one, and say whether these are too many; the count begins anew then."""
        times = self._times
        times.append(now)
        if len(times) < self._limit or now - times[0] > self._window:
            return False
        times.clear()
        return True

    def restore(self, times: list[datetime]) -> None:
        """Count those of a run before."""
        self._times.clear()
        self._times.extend(times)
