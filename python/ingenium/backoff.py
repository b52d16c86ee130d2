"""Delays before an operation is tried again, and the limit after which it is not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Backoff", "RestartPolicy", "Restarts"]


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to start a program again.

    Attributes:
        first_seconds: The pause before the first restart; doubled for each one that follows.
        longest_seconds: The longest pause.
        healthy_seconds: How long it must have run for the next pause to be the first one again.
        crashes: After how many of them within `window_seconds` to give up.
        window_seconds: See `crashes`.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    healthy_seconds: float = 120.0
    crashes: int = 5
    window_seconds: float = 120.0


class Backoff:
    """Delays that double from one try to the next.

    Args:
        first_seconds: The first delay.
        longest_seconds: The longest one.
    """

    __slots__ = ("_count", "_first", "_longest")

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first, self._longest = first_seconds, longest_seconds
        self._count = 0

    def next(self) -> float:
        """Return the seconds to wait before the next try."""
        delay = self.after(self._count)
        self._count += 1
        return delay

    def after(self, tries: int) -> float:
        """Return the seconds to wait after a number of tries, the first delay for 0."""
        # Bounded, since a float has no room for 2 ** 1024.
        return float(min(self._first * 2 ** min(tries, 64), self._longest))

    def reset(self) -> None:
        """Begin with the first delay again."""
        self._count = 0


class Restarts:
    """Says how long to wait before a restart.

    Args:
        policy: By which rule.
    """

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._crashes: deque[float] = deque()
        self._backoff = Backoff(policy.first_seconds, policy.longest_seconds)

    def crashed(self, ran_seconds: float, now: float) -> float | None:
        """Record a crash.

        Args:
            ran_seconds: How long it had run.
            now: The present time, in seconds, by any clock that only goes forward.

        Returns:
            Seconds to wait; ``None`` to give up.
        """
        policy, crashes = self._policy, self._crashes
        crashes.append(now)
        while crashes[0] < now - policy.window_seconds:
            crashes.popleft()
        if len(crashes) >= policy.crashes:
            return None
        return self.pause(ran_seconds)

    def pause(self, ran_seconds: float) -> float:
        """Return the pause before a restart that is no sign of a fault.

        Args:
            ran_seconds: How long it had run.
        """
        if ran_seconds >= self._policy.healthy_seconds:
            self._backoff.reset()
        return self._backoff.next()
