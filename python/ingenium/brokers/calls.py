"""One call of a broker, with a time limit and a small set of outcomes."""

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
    """The outcome of a call.

    Attributes:
        value: The broker's answer; ``None`` without one.
        error: Why there is no answer; ``None`` with one. `BrokerTimeoutError` for an unknown
            outcome.
    """

    value: _T | None = None
    error: BrokerError | None = None

    def get(self) -> _T:
        """Return the broker's answer.

        Raises:
            BrokerError: There is no answer.
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
        name: Purpose of the call, for texts.
        timeout_seconds: Its time limit.

    Returns:
        The outcome; anything that the `Broker` contract does not name is an unknown outcome.
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
        # An error that is not of the network is an answer that the adapter could not read.
        kind = BrokerTimeoutError if isinstance(error, OSError) else BadAnswerError
        return Answer(None, kind(text))


async def ask(
    what: Callable[[], Awaitable[_T]], name: str, timeout_seconds: float, tries: int
) -> _T:
    """Make a read-only request to the broker, with retries.

    Raises:
        BadAnswerError: The broker gave five unreadable answers, or its last one was unreadable.
        BrokerError: The broker gave no answer, in all the tries or for 20 s.
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
    """Retry delays by key: 0.1 s, doubled each time, up to 1.6 s."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, Backoff]] = {}

    def ready_at(self, key: str) -> float:
        """Return when the next try is allowed, by the clock of the event loop; 0 for at once."""
        return self._until[key][0] if key in self._until else 0.0

    def wait(self, key: str, now: float) -> float:
        """Delay the next try, and return the delay in seconds."""
        _, backoff = self._until.get(key, (0.0, Backoff(FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS)))
        delay = backoff.next()
        self._until[key] = (now + delay, backoff)
        return delay

    def clear(self, key: str) -> None:
        """Reset the delay after a success."""
        self._until.pop(key, None)
