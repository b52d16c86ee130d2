"""Time limit of handlers, and the error of one that exceeds it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Sequence
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from ingenium.components.blame import line_of, where
from ingenium.components.component import Component
from ingenium.errors import ComponentError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)

__all__ = ["BLOCKED_LIMIT", "REPLAY_LIMIT", "HandlerLimit", "handler_place", "limited"]

_T = TypeVar("_T")
_HOOKS: dict[type[Event], Sequence[str]] = {
    DataEvent: ("on_bar", "on_data"),
    SignalEvent: ("on_signal",),
    ExecutionEvent: ("on_execution",),
    OrderEvent: ("on_order",),
    CancelEvent: ("on_cancel",),
    ReplaceEvent: ("on_replace",),
    ControlEvent: ("on_trading_state",),
}


class HandlerLimit(msgspec.Struct, frozen=True, gc=False):
    """The time limit of a handler.

    Attributes:
        seconds: The limit.
        setting: The setting that changes it.
    """

    seconds: float
    setting: str

    def __str__(self) -> str:
        return f"the limit is {self.seconds:g} s, and {self.setting} sets another"


REPLAY_LIMIT = HandlerLimit(30.0, "INGENIUM_HANDLER_SECONDS")
"""Time limit of a handler in a replay over a bus, where all other components wait for it."""

BLOCKED_LIMIT = HandlerLimit(1.0, "INGENIUM_BLOCKED_SECONDS")
"""Time after which a handler that blocks its process is reported: a server closes a silent
connection soon after."""


def handler_place(component: Component, kind: type[Event] | str) -> str:
    """Name the handler of a component, with its file and line.

    Args:
        component: The component of the handler.
        kind: The type of the handled event, or the name of a hook such as ``"on_start"``.

    Returns:
        Such as ``"Slow.on_bar (app.py, line 31)"``: one in a user's own file if there is one.
    """
    names = (kind,) if isinstance(kind, str) else _HOOKS.get(kind, ())
    cls = type(component)
    found = [(name, line_of(getattr(cls, name, None))) for name in names]
    own = [f"{cls.__name__}.{name}{line}" for name, line in found if line]
    # A handler that is not overridden is a line of Ingenium, which does not help the user.
    return own[0] if own else f"{cls.__name__}.{names[0]}" if names else cls.__name__


async def limited(
    component: Component,
    kind: type[Event] | str,
    work: Coroutine[Any, Any, _T],
    limit: HandlerLimit,
) -> _T:
    """Run a handler within a time limit.

    Args:
        component: The component of the handler.
        kind: As for `handler_place`.
        work: The handling.
        limit: Its time limit. A handler that never waits is not interrupted: it is refused when it
            is done.

    Raises:
        ComponentError: It took longer.
    """
    began = perf_counter()
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        # As nearly all do, and a timer for each would cost more than the rest of a replay's step.
        result: _T = end.value
        took = perf_counter() - began
        if took > limit.seconds:
            raise ComponentError(_too_slow(component, kind, limit, took, "")) from None
        return result
    try:
        async with asyncio.timeout(limit.seconds) as timeout:
            result = await _WaitingWork(work, waits_for)
    except TimeoutError as error:
        if not timeout.expired():
            raise
        waits = where(error.__cause__ or error)
        raise ComponentError(
            _too_slow(component, kind, limit, perf_counter() - began, waits)
        ) from None
    took = perf_counter() - began
    if took > limit.seconds:
        raise ComponentError(_too_slow(component, kind, limit, took, ""))
    return result


class _WaitingWork:
    """The rest of work that has started to wait."""

    def __init__(self, work: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        """Run the rest of the work."""
        work, waits_for = self._work, self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:  # noqa: BLE001 - handed on into the work
                    waits_for = work.throw(error)
                else:
                    waits_for = work.send(value)
        except StopIteration as end:
            return end.value
        finally:
            work.close()


def _too_slow(
    component: Component, kind: type[Event] | str, limit: HandlerLimit, took: float, waits: str
) -> str:
    waiting = f", waiting{waits}" if waits else ""
    return f"{component}: {handler_place(component, kind)} took {took:.1f} s{waiting}: {limit}"
