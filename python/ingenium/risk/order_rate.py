"""Rate limits: token buckets, and breaches within a window."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

__all__ = ["Breaches", "OrderRate", "TokenBucket"]

_SYMBOLS = 10_000


class TokenBucket:
    """Token bucket: allows ``burst`` at once, and ``rate`` a second in the long run.

    Any ``t`` seconds see at most ``burst + rate * t`` passes. A clock that moves backwards adds no
    tokens.

    Args:
        rate: Tokens a second, above 0.
        burst: Capacity and initial number of tokens.
    """

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Take a token; return False when there is none."""
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
        """Return whether no token was requested within the last ``seconds``."""
        return self._filled_at is None or now - self._filled_at >= timedelta(seconds=seconds)


class OrderRate:
    """Order rate limit that separates trading of many symbols from a runaway loop.

    Each symbol has its own small allowance of orders. Orders beyond it, in any symbol, take from
    one shared bucket. So the number of orders allowed at once grows with the number of symbols, not
    with the order frequency of each.

    Args:
        rate: Orders a second beyond the symbols' own allowances.
        burst: How many of these may be sent at once.
        symbol_burst: Each symbol's own allowance; 0 for none.
        symbol_seconds: Window of that allowance.
        symbols: Number of symbols tracked at one time; others have no allowance of their own.
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
        # In order of last trading, the latest last.
        self._own: dict[str, TokenBucket] = {}

    def take(self, symbol: str, now: datetime) -> bool:
        """Count an order; return False when it exceeds the limit."""
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
            # A bucket that is full again can be recreated later.
            if not self._own[oldest].is_idle(now, self._seconds):
                return False
            del self._own[oldest]
        return True


class Breaches:
    """Counts breaches within a window.

    Args:
        limit: Number of breaches that is too many.
        window_seconds: Length of the window.
    """

    __slots__ = ("_limit", "_times", "_window")

    def __init__(self, limit: int, window_seconds: float) -> None:
        self._limit = limit
        self._window = timedelta(seconds=window_seconds)
        self._times: deque[datetime] = deque(maxlen=limit)

    @property
    def times(self) -> list[datetime]:
        """Times of the last breaches, the oldest first."""
        return list(self._times)

    def add(self, now: datetime) -> bool:
        """Count a breach, and return whether the limit is reached; the count restarts then."""
        times = self._times
        times.append(now)
        if len(times) < self._limit or now - times[0] > self._window:
            return False
        times.clear()
        return True

    def restore(self, times: list[datetime]) -> None:
        """Restore the breaches of an earlier run."""
        self._times.clear()
        self._times.extend(times)
