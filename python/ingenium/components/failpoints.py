"""Failpoints: the places between two effects, where a crash would leave only one of them done.

Each external effect of a component (its database, the stream, a broker) lies between two of these
points. A test ends the process, or a simulated one, at each of them.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from ingenium.errors import ConfigError

__all__ = ["Pass", "Point", "kill_at", "pass_by"]


class Point(StrEnum):
    """A place at which a test crashes."""

    RECEIVED = "received"
    """Messages have arrived from the stream; none is handled."""
    HANDLED = "handled"
    """They are handled; nothing is written."""
    COMMITTED = "committed"
    """State, position and outbox are written; nothing is sent."""
    SENT = "sent"
    """The stream has kept a message of the outbox; the outbox still holds it."""
    FORGOTTEN = "forgotten"
    """The message is removed from the outbox."""
    CALLING = "calling"
    """The journal states that a broker is being called; the call is not made."""
    CALLED = "called"
    """The broker has answered; the answer is not written."""
    ANSWERED = "answered"
    """The answer is written; no report is sent."""
    LEASED = "leased"
    """The account is leased; the broker has not been queried yet."""


Pass = Callable[[Point], None]
"""Called at each point."""


def pass_by(point: Point) -> None:
    """Do nothing."""


def kill_at(where: str) -> Pass:
    """Return a function that ends this process at a point, as ``kill -9`` does.

    Args:
        where: A point and how many times it is passed first: ``"committed:3"``; empty for never.

    Raises:
        ConfigError: There is no such point, or the number is invalid.
    """
    if not where:
        return pass_by
    name, _, number = where.partition(":")
    known = {point.value for point in Point}
    if name not in known or not (number or "0").isdigit():
        raise ConfigError(
            f"INGENIUM_CRASH_AT is {where!r}: use a failpoint and a count, such as "
            f"'committed:3'; failpoints are {', '.join(sorted(known))}"
        )
    limit = int(number or "0")
    passed: Counter[Point] = Counter()

    def at(point: Point) -> None:
        passed[point] += 1
        if point.value == name and passed[point] > limit:
            os.kill(os.getpid(), signal.SIGKILL)

    return at
