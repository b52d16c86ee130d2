"""Feeds a strategy history before its first live data; signals sent meanwhile are dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from ingenium.clock import format_time
from ingenium.components.handle_of import handle_of
from ingenium.components.middleware import Middleware, RunnerKind
from ingenium.components.strategy import Strategy
from ingenium.errors import ComponentError, ConfigError, IngeniumError
from ingenium.events import DataEvent, Event
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.history_join import HistoryJoin
from ingenium.runtime.incidents import failed_on
from ingenium.trading.bar import Bar
from ingenium.trading.period import read_period

__all__ = ["History", "WarmUp"]

_log = logging.getLogger("ingenium.warm_up")
_TURN_SECONDS = 0.01
_PROGRESS_SECONDS = 5.0
_MOST_NAMED = 5


class History(Protocol):
    """Market data of the past."""

    @property
    def total(self) -> int | None:
        """The number of events; ``None`` if unknown."""
        ...

    def items(self) -> AsyncGenerator[tuple[datetime, list[DataEvent | Bar]], None]:
        """Yield instants and their data, in the order of a backtest."""
        ...


class WarmUp:
    """The warm-up of one strategy, from its start to the first live data of each symbol.

    Args:
        strategy: The strategy; nothing has been restored yet.
        history: The history to feed.
        report: Receives a line about data missing between history and live data.
        middleware: Called around each handler.
    """

    def __init__(
        self,
        strategy: Strategy,
        history: History,
        report: Callable[[str], None],
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self._strategy = strategy
        self._history = history
        dispatcher = Dispatcher(
            strategy,
            middleware,
            RunnerKind.WARM_UP,
            on_refusal=lambda _handling, error: report(str(error)),
        )
        self._on_bar = dispatcher.bar_handler()
        self._on_data = dispatcher.handlers[DataEvent]
        self.join = HistoryJoin(strategy.name, report)
        handle_of(strategy).saved_parts.add("~history", self.join.seen, own=False)
        self._symbols = None if strategy.symbols is None else frozenset(strategy.symbols)
        self._others: dict[str, None] = {}
        self._count = 0
        self._first: datetime | None = None
        self._time: datetime | None = None
        self._gave_way = self._said = monotonic()

    async def begin(self) -> None:
        """Feed all of history to a strategy without saved state.

        Raises:
            DataFileError: History cannot be read.
            ConfigError: The history has nothing that the strategy wants.
            ComponentError: A handler raised.
        """
        self.join.seen.clear()
        await self._feed({}, None)
        name = self._strategy.name
        if not self._count:
            raise ConfigError(
                f"{self._nothing()}: pass App(warm_up=...) an ingestor with history of the "
                f"symbols of {name}, or omit warm_up"
            )
        for symbol in sorted((self._symbols or frozenset()) - self.join.seen.keys()):
            _log.warning(
                "%s: history has no data of %s, so the strategy starts cold with it", name, symbol
            )
        self._log("is warmed up with")

    async def resume(self, until: datetime | None) -> None:
        """Feed the data since a strategy saved its state, as far as no other source brings it.

        Args:
            until: Time of the first data that comes over the bus anyway; ``None`` for none.

        Raises:
            ComponentError: A handler raised.
        """
        if until is None:
            self.join.expect_repeats()
        try:
            await self._feed(self.join.times(), until)
        except ComponentError:
            raise
        except IngeniumError as error:
            _log.warning(
                "%s resumes from its saved state, and history cannot fill the gap since then: %s",
                self._strategy.name,
                error,
            )
        if self._count:
            self._log("resumes from its saved state, after")

    async def take(self, event: DataEvent, time: datetime) -> None:
        """Feed one event that is not in history, and came before the strategy started.

        Args:
            event: The event.
            time: When it arrived, UTC.

        Raises:
            ComponentError: A handler raised.
        """
        if self._wants(event.symbol) and not self.join.repeats(event, time):
            with self._in_the_past():
                await self._let(event, time)

    def repeats(self, event: Event, now: datetime) -> bool:
        """Whether an event is live data that was in history, so that it is not handled again.

        Args:
            event: The event that arrived.
            now: When it arrived, UTC.
        """
        return isinstance(event, DataEvent) and self.join.repeats(event, now)

    def _wants(self, symbol: str) -> bool:
        return self._symbols is None or symbol in self._symbols

    async def _feed(self, known: dict[str, datetime], until: datetime | None) -> None:
        with self._in_the_past():
            async with aclosing(self._history.items()) as instants:
                async for time, items in instants:
                    if until is not None and time >= until:
                        break
                    for item in items:
                        symbol = item.symbol
                        if not self._wants(symbol):
                            self._others[symbol] = None
                            continue
                        if (last := known.get(symbol)) is not None and time <= last:
                            continue
                        await self._let(item, time)
                        self.join.add(symbol, time, _period_of(item))
                    if monotonic() - self._gave_way > _TURN_SECONDS:
                        await self._give_way(time)

    @contextmanager
    def _in_the_past(self) -> Iterator[None]:
        """Run the strategy in the time of the data, without waking the sender of its events."""
        handle = handle_of(self._strategy)
        clock, handle.clock = handle.clock, None
        notify, handle.notify = handle.notify, None
        try:
            yield
        finally:
            handle.clock, handle.notify = clock, notify

    async def _let(self, item: DataEvent | Bar, time: datetime) -> None:
        strategy = self._strategy
        handle = handle_of(strategy)
        try:
            if isinstance(item, Bar):
                handle.begin(item, time)
                result = self._on_bar(item)
            else:
                handle.begin(item.id or "history", time)
                result = self._on_data(item)
            if result is not None:
                await result
        except Exception as error:
            event = item.event if isinstance(item, Bar) else item
            raise failed_on(strategy, event, error) from error
        handle.withdraw()
        self._count += 1
        self._first = self._first or time
        self._time = time

    async def _give_way(self, time: datetime) -> None:
        """Yield to other tasks, and report the progress now and then."""
        await asyncio.sleep(0)
        now = self._gave_way = monotonic()
        if now - self._said > _PROGRESS_SECONDS:
            self._said = now
            total = self._history.total
            of = "" if total is None else f" of {total:,}"
            _log.warning(
                "%s: warming up, %s%s events of history, at %s",
                self._strategy.name,
                f"{self._count:,}",
                of,
                format_time(time),
            )

    def _nothing(self) -> str:
        name = self._strategy.name
        if not self._others:
            return f"{name} cannot be warmed up: its history is empty"
        return (
            f"{name} cannot be warmed up: history has {_some(self._others)}, but {name} needs "
            f"{_some(self._symbols or ())}"
        )

    def _log(self, what: str) -> None:
        if self._first is None or self._time is None:
            return
        _log.warning(
            "%s %s %s of history, from %s to %s",
            self._strategy.name,
            what,
            "1 event" if self._count == 1 else f"{self._count:,} events",
            format_time(self._first),
            format_time(self._time),
        )


def _period_of(item: DataEvent | Bar) -> timedelta:
    if isinstance(item, Bar):
        return item.period
    length = read_period(item.ohlc.period) if item.ohlc is not None and item.ohlc.period else None
    return length if isinstance(length, timedelta) else timedelta(0)


def _some(symbols: Iterable[str]) -> str:
    found = sorted(symbols)
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more
