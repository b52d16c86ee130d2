"""Sampling of all traces while there are few, and of a part of them while there are many."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["BURST", "PER_SECOND", "TraceBudget"]

PER_SECOND = 100
"""Traces a second of which each is sampled."""
BURST = 1000
"""Traces above that which are sampled after a quiet time, such as one bar of a thousand symbols."""
_ALL = 2**64


class TraceBudget:
    """Decides which traces that begin here are sampled, so that their rate is bounded.

    The decision follows from the trace id and a ratio: 1 while the rate is within the budget, and
    else the largest power of two with which it is. Traces that one process samples are therefore
    among those of a process with a higher ratio.

    Args:
        per_second: Traces a second that are always sampled.
        burst: How many above that are saved up in quiet times.
        elapsed: Returns seconds of a monotonic clock.

    References:
        The rule of ``TraceIdRatioBased``, for a ratio:
        https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased
    """

    def __init__(
        self,
        per_second: int = PER_SECOND,
        burst: int = BURST,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._elapsed = elapsed
        self._since = elapsed()
        self._saved = float(burst)
        self._left = per_second + self._saved
        self._bound = _ALL
        self._begun = self._sampled = 0

    def samples(self, trace_id: str) -> bool:
        """Return whether a trace that begins now is sampled.

        Args:
            trace_id: 32 hexadecimal digits.
        """
        now = self._elapsed()
        if now - self._since >= 1.0:
            self._renew(now)
        self._begun += 1
        if int(trace_id[16:], 16) >= self._bound:
            return False
        self._sampled += 1
        if self._sampled > self._left:
            # A second that is busier than the one before.
            self._bound //= 2
            self._left += self._per_second / 4
        return True

    def _renew(self, now: float) -> None:
        """Set the ratio of the next second by the rate of the last."""
        seconds = now - self._since
        rate = self._begun / seconds
        saved = self._saved + self._per_second * seconds - self._sampled
        if rate > self._per_second:  # a busy time saves nothing
            saved = min(saved, self._saved)
        self._saved = max(0.0, min(saved, self._burst))
        self._left = self._per_second + self._saved
        self._bound = _ALL
        if rate > self._left:
            while self._bound * rate > self._per_second * _ALL:
                self._bound //= 2
        self._since, self._begun, self._sampled = now, 0, 0
