"""One call of a broker: within a limit of time, and with an answer that is one of a few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, cast

import msgspec

from ingenium.backoff import Backoff
from ingenium.brokers.answers import BadAnswerError
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
)

__all__ = ["FIRST_DELAY_SECONDS", "Answer", "Delays", "ask", "call"]

FIRST_DELAY_SECONDS = 0.1
_LAST_DELAY_SECONDS = 1.6
_ASK_SECONDS = 20.0
_MOST_BAD_ANSWERS = 5
_T = TypeVar("_T")


class Answer(msgspec.Struct, Generic[_T]):
    """What became of a call.

    Attributes:
        value: What the broker answered; ``None`` if it did not.
        error: Why it did not; ``None`` if it did. `BrokerTimeoutError` for an unknown outcome.
    """

    value: _T | None = None
    error: BrokerError | None = None

    def get(self) -> _T:
        """Return what the broker answered.

        Raises:
            BrokerError: It did not.
        """
        if self.error is not None:
            raise self.error
        return cast("_T", self.value)

    @property
    def reason(self) -> str:
        """Why there is no answer, in words."""
        return str(self.error) if self.error is not None else ""


async def call(what: Callable[[], Awaitable[_T]], name: str, timeout_seconds: float) -> Answer[_T]:
    """Call the broker once.

    Args:
        what: Makes the call.
        name: What it is to do, for texts.
        timeout_seconds: How long it may take.

    Returns:
        The answer; anything but what the `Broker` contract names is an unknown outcome.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return Answer(await what())
    except BrokerError as error:
        return Answer(None, error)
    except TimeoutError:
        return Answer(
            None,
            BrokerTimeoutError(f"the broker did not {name} within {timeout_seconds:g} s"),
        )
    except Exception as error:  # noqa: BLE001 - the call may have arrived all the same
        text = f"the broker's adapter failed to {name}: {type(error).__name__}: {error}"
        # What is not of the network is an answer that the adapter could not read.
        kind = BrokerTimeoutError if isinstance(error, OSError) else BadAnswerError
        return Answer(None, kind(text))


async def ask(
    what: Callable[[], Awaitable[_T]], name: str, timeout_seconds: float, tries: int
) -> _T:
    """Ask the broker a question that changes nothing, several times if need be.

    Raises:
        BadAnswerError: It gave five answers that cannot be read, or the last one was of that kind.
        BrokerError: It gave no answer, for all the tries or for 20 s.
    """
    backoff = Backoff(FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS)
    bad = 0
    ends_at = asyncio.get_running_loop().time() + _ASK_SECONDS
    for _ in range(tries - 1):
        answer = await call(what, name, timeout_seconds)
        is_over = asyncio.get_running_loop().time() > ends_at
        bad += isinstance(answer.error, BadAnswerError)
        is_final = isinstance(answer.error, BrokerRefusedError) or bad >= _MOST_BAD_ANSWERS
        if is_over or answer.error is None or is_final:
            return answer.get()
        await asyncio.sleep(backoff.next())
    return (await call(what, name, timeout_seconds)).get()


class Delays:
    """When things may be tried again: after 0.1 s, and each time twice as long, up to 1.6 s."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, Backoff]] = {}

    def ready_at(self, key: str) -> float:
        """Return when something may be tried, by the clock of the event loop; 0 for at once."""
        return self._until[key][0] if key in self._until else 0.0

    def wait(self, key: str, now: float) -> float:
        """Put off the next try, and return for how many seconds."""
        _, backoff = self._until.get(key, (0.0, Backoff(FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS)))
        delay = backoff.next()
        self._until[key] = (now + delay, backoff)
        return delay

    def clear(self, key: str) -> None:
        """Something has worked."""
        self._until.pop(key, None)
