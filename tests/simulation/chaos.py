"""Chance: everything random in a world comes from here, in one order, and leaves a trace."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from simulation.options import options_of

__all__ = ["EPOCH", "Chaos", "SimClock"]

EPOCH = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
_NOBODY = Context()


class Chaos:
    """Draws what goes wrong, and writes down all that happens.

    Args:
        seed: Everything follows from it.
        tell: Called with each line of the trace.
    """

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.random = Random(seed)
        self.options = options_of(seed, self.random)
        self.active = True
        """Whether anything goes wrong; not any more once the world heals."""
        self.counts: Counter[str] = Counter()
        self.loop: asyncio.AbstractEventLoop
        self._tell = tell
        self._digest = sha256()

    @property
    def now(self) -> datetime:
        """The true time."""
        return EPOCH + timedelta(seconds=self.loop.time())

    @property
    def digest(self) -> str:
        """SHA-256 of the trace so far."""
        return self._digest.hexdigest()

    def trace(self, line: str) -> None:
        """Write down what happens."""
        line = f"{self.loop.time():10.4f} {line}"
        self._digest.update(line.encode())
        if self._tell is not None:
            self._tell(line)

    def fault(self, kind: str, line: str) -> None:
        """Write down something that goes wrong, and count it."""
        self.counts[f"fault {kind}"] += 1
        self.trace(f"! {kind}: {line}")

    def roll(self, rate: float) -> bool:
        """Whether something goes wrong this time."""
        return self.active and rate > 0 and self.random.random() < rate

    def delay(self) -> float:
        """Return how long a message is on its way, in seconds."""
        if self.roll(self.options.slow):
            self.counts["fault slow"] += 1
            return self.random.uniform(0.5, 6.0)
        return self.random.uniform(0.0005, 0.02)

    def later(self, seconds: float, act: Callable[..., object], *values: Any) -> None:
        """Do something later that no process can stop by ending."""
        self.loop.call_later(seconds, act, *values, context=_NOBODY)


class SimClock:
    """The clock of a machine, which may be wrong.

    Args:
        chaos: Has the true time.
        skew: Seconds by which it is ahead.
    """

    def __init__(self, chaos: Chaos, skew: float) -> None:
        self._chaos = chaos
        self._skew = timedelta(seconds=skew)

    def now(self) -> datetime:
        """Return what it says."""
        return self._chaos.now + self._skew
