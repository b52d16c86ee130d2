"""Run one component in a test on bars and events, without an app, a bus or a real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as copy_of
from datetime import UTC, datetime

from msgspec.structs import replace

from ingenium.components.arm import arm
from ingenium.components.component import Component, ran_already
from ingenium.components.executor import Executor
from ingenium.components.external import External
from ingenium.components.handle import event_of
from ingenium.components.handle_of import handle_of
from ingenium.components.ingestor import Ingestor, IngestorHandle
from ingenium.components.middleware import RunnerKind
from ingenium.errors import ComponentError, ConfigError
from ingenium.events import DataEvent, Event
from ingenium.risk import RiskLimits
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.replay import Feed, time_of
from ingenium.trading.bar import Bar

__all__ = ["run"]

_FIRST = datetime(2024, 1, 3, tzinfo=UTC)
"""Time of items without one, until the first item that states a time."""


def run(
    component: Component,
    events_or_bars: Iterable[Event | Bar] = (),
    *,
    source: str = "data",
    risk: RiskLimits | None = None,
    stop: bool = True,
    timeout_seconds: float = 10.0,
) -> list[Event]:
    """Run a component on bars and events, and return what it sent.

    Items are handled one by one in the order given, each at its own time: a bar at its end. The
    clock never goes back: an earlier item is handled at the latest time reached so far.
    ``on_start`` is called before the first item and ``on_stop`` after the last one; handlers may
    be coroutines. Market data of symbols to which a strategy does not subscribe is skipped.

    Ids and times are made as in a backtest, so the same items give equal events in each run.

    Args:
        component: Any component. An ingestor is run without items: the result is its history, or
            the events that it sends until ``ingest`` returns.
        events_or_bars: Items to handle.
        source: Name of the ingestor, for the ids of bars and market data that have none.
        risk: Limits to check orders against, as in live running; none when left out.
        stop: Whether to stop at the end. With ``False``, the next call resumes from there.
        timeout_seconds: Limit for the whole run.

    Raises:
        ConfigError: An argument is not a component, or an item is neither a bar nor an event.
        ComponentError: A handler raised; the component does not handle such an event, was already
            stopped, or took too long.
        DataFileError: An ingestor cannot read its history.
    """
    _check(component)
    if isinstance(events_or_bars, Event | Bar | str):
        what = type(events_or_bars).__name__
        raise ConfigError(f"events_or_bars is one {what}: pass a list, [{what.lower()}]")
    work = _run(component, events_or_bars, source, risk, stop, timeout_seconds)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # The calling test is a coroutine.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _check(component: object) -> None:
    if isinstance(component, type) and issubclass(component, Component):
        name = component.__name__
        raise ConfigError(f"component is the class {name}: pass an object, {name}()")
    if not isinstance(component, Component):
        raise ConfigError(
            f"component is {component!r}: pass a Strategy, Portfolio, Executor or Ingestor"
        )
    if isinstance(component, External):
        raise ConfigError(f"{component} is another program: test it with ingenium backtest")
    if handle_of(component).has_run:
        raise ComponentError(
            f"{ran_already(component)}: make a new one, or pass stop=False to the run before"
        )


async def _run(
    component: Component,
    items: Iterable[Event | Bar],
    source: str,
    risk: RiskLimits | None,
    stop: bool,
    timeout_seconds: float,
) -> list[Event]:
    if risk is not None and arm(component, risk) is None:
        raise ConfigError(f"{component} has no risk gate: pass risk to a portfolio or executor")
    try:
        async with asyncio.timeout(timeout_seconds) as limit:
            if isinstance(component, Ingestor):
                return await _ingest(component, list(items), stop=stop)
            return await _EventRun(component, source).all(items, stop=stop)
    except TimeoutError:
        if not limit.expired():
            raise
        raise ComponentError(
            f"{component} was not done after {timeout_seconds:g} s: let its handlers return, or "
            "pass a larger timeout_seconds"
        ) from None


async def _ingest(ingestor: Ingestor, items: Sequence[Event | Bar], *, stop: bool) -> list[Event]:
    if items:
        raise ConfigError(
            f"{ingestor} handles no events, and {len(items)} were passed: pass the ingestor alone"
        )
    found: list[Event] = []
    time = _FIRST
    history = handle_of(ingestor).historical
    feed = Feed(ingestor)
    if history:
        await feed.start()
        time = time if feed.head is None else feed.head.time
    dispatcher = Dispatcher(ingestor, runner=RunnerKind.BACKTEST)
    found += await dispatcher.start(time)
    while history and feed.head is not None:
        time = feed.head.time
        found += [each.event if isinstance(each, Bar) else each for each in await feed.take()]
    if not history:
        await ingestor.ingest()
        found += handle_of(ingestor).take()
    if stop:
        found += await dispatcher.stop(time)
        handle_of(ingestor).has_run = True
    return found


class _EventRun:
    """One run of a component that handles events."""

    def __init__(self, component: Component, source: str) -> None:
        self._component = component
        self._handle = handle_of(component)
        self._dispatcher = Dispatcher(component, runner=RunnerKind.BACKTEST)
        self._symbols: Sequence[str] | None = getattr(component, "symbols", None)
        self._names = IngestorHandle(source, historical=True)
        self._sent: list[Event] = []
        self._holder = component if isinstance(component, Executor) else None
        if self._holder is not None:
            handle_of(self._holder).knows_instants = True

    async def all(self, items: Iterable[Event | Bar], *, stop: bool) -> list[Event]:
        """Handle all items, and return the events that were sent."""
        has_started = self._handle.outbox is not None
        time = self._handle.time if has_started else None
        for place, item in enumerate(items):
            event = self._event_of(item, place)
            now = _time_of(event) or time or _FIRST
            if time is None:
                self._sent += await self._dispatcher.start(now)
            elif now > time or not isinstance(event, DataEvent):
                # All data of this instant has arrived.
                await self._end_instant()
            time = now if time is None else max(now, time)
            symbols = self._symbols
            if symbols is None or not isinstance(event, DataEvent) or event.symbol in symbols:
                self._sent += await self._dispatcher.handle(event, time)
        await self._end_instant()
        if time is None:
            time = _FIRST
            self._sent += await self._dispatcher.start(time)
        if stop:
            self._sent += await self._dispatcher.stop(time)
            self._handle.has_run = True
        return self._sent

    async def _end_instant(self) -> None:
        if self._holder is not None and handle_of(self._holder).is_holding:
            self._sent += [event_of(each) for each in await self._dispatcher.end_instant()]

    def _event_of(self, item: Event | Bar, place: int) -> Event:
        if isinstance(item, Bar):
            # A copy, so that the caller's event stays unchanged.
            event: Event = replace(item, name=item.name or self._names.name_bar).event
        elif isinstance(item, Event):
            event = item
        else:
            raise ConfigError(f"item {place} is {item!r}: pass bars and events")
        handlers = self._dispatcher.handlers
        if type(event) not in handlers:
            known = ", ".join(each.__name__ for each in handlers)
            raise ComponentError(
                f"item {place} is a {type(event).__name__}, which {self._component} does not "
                f"handle: pass bars, or one of {known}"
            )
        if isinstance(event, DataEvent) and not event.id:
            event = copy_of(event)
            self._names.identify(event)
        return event


def _time_of(event: Event) -> datetime | None:
    if isinstance(event, DataEvent):
        return time_of(event)
    stated = event.timestamp
    return stated if isinstance(stated, datetime) else None
