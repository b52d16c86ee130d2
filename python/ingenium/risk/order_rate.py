"""How often something happens: buckets of tokens, and breaches within a window."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

__all__ = ["Breaches", "OrderRate", "TokenBucket"]

_SYMBOLS = 10_000


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

    def is_idle(self, now: datetime, seconds: float) -> bool:
        """Whether nothing was asked for within so many seconds."""
        return self._filled_at is None or now - self._filled_at >= timedelta(seconds=seconds)


class OrderRate:
    """Tells orders that many symbols are traded at one time from orders without an end.

    Each symbol has a few orders of its own. What goes beyond them, in whatever symbols, takes from
    one bucket that all share. So what may leave at once grows with the number of symbols, and not
    with how often each of them is traded.

    Args:
        rate: Orders a second beyond those that symbols have of their own.
        burst: How many of these may come at once.
        symbol_burst: How many each symbol has of its own; 0 for none.
        symbol_seconds: Within what time.
        symbols: How many symbols are told apart at one time; others have none of their own.
    """

    __slots__ = ("_own", "_seconds", "_shared", "_symbol_burst", "_symbols")

    def __init__(
        self,
        rate: float,
        burst: int,
        symbol_burst: int = 0,
        symbol_seconds: float = 1.0,
        *,
        symbols: int = _SYMBOLS,
    ) -> None:
        self._shared = TokenBucket(rate, burst)
        self._symbol_burst = symbol_burst
        self._seconds = symbol_seconds
        self._symbols = symbols
        # The one that was traded last comes last.
        self._own: dict[str, TokenBucket] = {}

    def take(self, symbol: str, now: datetime) -> bool:
        """Count an order; False when it is one too many."""
        bucket = self._own.pop(symbol, None)
        if bucket is None and self._symbol_burst and self._has_room(now):
            bucket = TokenBucket(self._symbol_burst / self._seconds, self._symbol_burst)
        if bucket is not None:
            self._own[symbol] = bucket
            if bucket.take(now):
                return True
        return self._shared.take(now)

    def _has_room(self, now: datetime) -> bool:
        if len(self._own) >= self._symbols:
            oldest = next(iter(self._own))
            # One that is full again may as well be made anew.
            if not self._own[oldest].is_idle(now, self._seconds):
                return False
            del self._own[oldest]
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
