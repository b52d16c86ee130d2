"""Calls the middleware of an app around the handlers of one component."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from ingenium.bus.headers import with_headers
from ingenium.components.blame import text_of, where
from ingenium.components.component import Component
from ingenium.components.handle import Handled
from ingenium.components.handle_of import handle_of
from ingenium.components.middleware import Handling, HandlingKind, Middleware, Outcome, RunnerKind
from ingenium.components.overrides import overrides_of
from ingenium.errors import ComponentError, EventRefusedError
from ingenium.events import Event
from ingenium.runtime.incidents import failed_on
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.order import Order

__all__ = ["MiddlewareChain", "OnRefusal"]

_SentT = TypeVar("_SentT", bound=Event | Order | LazyExecution)
_ItemT = TypeVar("_ItemT", bound=Event | Bar | Order | LazyExecution)
OnRefusal = Callable[[Handling, EventRefusedError], None]
"""Receives refusals of a middleware where no exception is raised."""

_log = logging.getLogger("ingenium.runtime")


class MiddlewareChain:
    """The middleware in front of one component: `before` in order, `after` in reverse.

    Args:
        component: The component behind it.
        middleware: At least one.
        runner: Kind of the runner of the component.
        on_refusal: Receives refusals of handlers that `around` has wrapped.
        elapsed: Returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        component: Component,
        middleware: Sequence[Middleware],
        runner: RunnerKind,
        on_refusal: OnRefusal,
        elapsed: Callable[[], float] = perf_counter,
    ) -> None:
        self.component = component
        self._handle = handle_of(component)
        self.runner = runner
        # Hooks that do nothing are not called.
        numbered = [(each, overrides_of(each, Middleware)) for each in middleware]
        self._publishing = tuple(each for each, hooks in numbered if "on_publish" in hooks)
        self._before_each = tuple(
            (count, each) for count, (each, hooks) in enumerate(numbered, 1) if "before" in hooks
        )
        self._after_each = tuple(
            (count, each) for count, (each, hooks) in enumerate(numbered, 1) if "after" in hooks
        )[::-1]
        self._on_refusal = on_refusal
        self._elapsed = elapsed
        self._reported: set[tuple[type, type, str]] = set()

    async def watch(
        self,
        handling: Handling,
        work: Coroutine[Any, Any, list[_SentT]],
        problem: Callable[[], Exception | None] = lambda: None,
    ) -> list[_SentT]:
        """Run work that returns the sent events.

        Args:
            handling: Describes the work.
            work: The work; closed without being started when a middleware refuses.
            problem: Returns afterwards what could not be booked, although nothing was raised.

        Raises:
            EventRefusedError: A middleware refused.
            ComponentError: The work raised it, or a middleware failed.
        """
        try:
            self._before(handling)
        except EventRefusedError:
            work.close()
            raise
        except Exception as error:
            work.close()
            raise failed_on(self.component, handling.event, error) from error
        began = self._elapsed()
        try:
            sent = await work
        except BaseException as error:
            seconds = self._elapsed() - began
            self._after(handling, Outcome((), _own_error(error), seconds))
            raise
        seconds = self._elapsed() - began
        self._after(handling, Outcome(tuple(sent), problem(), seconds))
        return sent

    def apply(self, handling: Handling, act: Callable[[], list[_SentT]]) -> list[_SentT]:
        """Run a plain function as `watch` does."""
        self._before(handling)
        began = self._elapsed()
        try:
            sent = act()
        except BaseException as error:
            self._after(handling, Outcome((), error, self._elapsed() - began))
            raise
        self._after(handling, Outcome(tuple(sent), None, self._elapsed() - began))
        return sent

    def add_headers(self, event: Event, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a message with those that each middleware adds."""
        for middleware in self._publishing:
            try:
                headers = with_headers(headers, middleware.on_publish(self.component, event))
            except Exception as error:  # noqa: BLE001 - the event has to go out
                self._report(middleware, error, "before a publish of")
        return headers

    def around(self, handler: Callable[[_ItemT], Handled]) -> Callable[[_ItemT], Handled]:
        """Wrap a handler that is called directly; events it sends stay in the outbox."""
        return partial(self._call, handler)

    def _call(self, handler: Callable[[_ItemT], Handled], item: _ItemT) -> Handled:
        now = self._handle.now
        handling = Handling(self.component, item, HandlingKind.EVENT, self.runner, now)
        try:
            self._before(handling)
        except EventRefusedError as error:
            self._on_refusal(handling, error)
            return None
        began = self._elapsed()
        try:
            result = handler(item)
        except BaseException as error:
            self._after(handling, Outcome((), error, self._elapsed() - began))
            raise
        if result is not None:
            return self._await(handling, result, began)
        self._after(handling, self._outcome(began))
        return None

    async def _await(self, handling: Handling, result: Awaitable[None], began: float) -> None:
        try:
            await result
        except BaseException as error:
            self._after(handling, Outcome((), error, self._elapsed() - began))
            raise
        self._after(handling, self._outcome(began))

    def _outcome(self, began: float) -> Outcome:
        handle, seconds = self._handle, self._elapsed() - began
        return Outcome(tuple(handle.outbox or ()), handle.take_refusal(), seconds)

    def _before(self, handling: Handling) -> None:
        """Call ``before`` of each middleware, up to the first that raises."""
        for count, middleware in self._before_each:
            try:
                middleware.before(handling)
            except BaseException as error:
                self._after(handling, Outcome((), error), count)
                raise

    def _after(self, handling: Handling, outcome: Outcome, count: int | None = None) -> None:
        """Call ``after`` of each middleware whose ``before`` was called, in reverse."""
        for number, middleware in self._after_each:
            if count is not None and number > count:
                continue
            try:
                middleware.after(handling, outcome)
            except Exception as error:  # noqa: BLE001 - what is done is done, and has to go out
                self._report(middleware, error, "after a handler of")

    def _report(self, middleware: Middleware, error: Exception, when: str) -> None:
        """Log the first failure of a kind, since it may recur with each event."""
        kind = type(middleware), type(error), where(error)
        if kind not in self._reported:
            self._reported.add(kind)
            _log.warning(
                "%s failed %s %s: %s%s; further errors like it are not logged",
                type(middleware).__name__,
                when,
                self.component,
                text_of(error),
                where(error),
            )


def _own_error(error: BaseException) -> BaseException:
    """Return the error that the handler itself raised."""
    wrapped = error.__cause__ if isinstance(error, ComponentError) else None
    return error if wrapped is None else wrapped
