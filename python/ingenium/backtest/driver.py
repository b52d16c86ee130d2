"""Delivery of events to the components of a backtest."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from operator import length_hint

from ingenium.components.handle import Sent, event_of
from ingenium.components.handle_of import handle_of
from ingenium.events import DataEvent, Event, encode
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.incidents import failed_on
from ingenium.trading import Bar, LazyExecution, Order

__all__ = ["ComponentDriver"]


class ComponentDriver:
    """Delivers events to one component of a backtest.

    No coroutine is created for a plain function as handler, as most are, and no event for a bar
    unless it is needed.

    Args:
        dispatcher: Calls the component's handlers.
    """

    __slots__ = (
        "_begin",
        "_handlers",
        "_on_bar",
        "_on_order",
        "_on_report",
        "_symbols",
        "component",
        "count",
        "dispatcher",
        "handle",
        "started",
    )

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        component = self.component = dispatcher.component
        self.started = False
        """Whether `on_start` has been called."""
        self.count = 0
        """Number of events sent."""
        # Chosen once, so that the loop calls the handler directly.
        self._handlers = dispatcher.handlers
        self._on_bar = dispatcher.bar_handler()
        self._on_order = dispatcher.order_handler()
        self._on_report = dispatcher.report_handler()
        handle = self.handle = handle_of(component)
        handle.hand_over()
        self._begin = handle.begin
        self._symbols: tuple[str, ...] | None = getattr(component, "symbols", None)

    def deliver(
        self, kind: type[Event], items: Sequence[Sent | Bar], time: datetime, sent: list[Sent]
    ) -> Awaitable[None] | None:
        """Deliver events of one kind, and append the events that the component sends to ``sent``.

        Returns:
            The remaining work, if a handler returned an awaitable; else ``None``.

        Raises:
            ComponentError: A handler raised.
        """
        handler = self._handlers.get(kind)
        if handler is None:
            return None
        component = self.component
        symbols = self._symbols if kind is DataEvent else None
        for place, item in enumerate(items):
            # Symbols are set for market data only.
            if symbols is not None and item.symbol not in symbols:  # type: ignore[union-attr]
                continue
            if not self.started:
                return self._start(kind, items[place:], time, sent)
            try:
                if isinstance(item, Bar):
                    self._begin(item, time)
                    awaitable = self._on_bar(item)
                elif isinstance(item, LazyExecution):
                    self._begin(item, time)
                    awaitable = self._on_report(item)
                elif isinstance(item, Order):
                    self._begin(item.id, time)
                    awaitable = self._on_order(item)
                else:
                    self._begin(item.id or self.handle.name_cause(encode(item), time), time)
                    awaitable = handler(item)
            except Exception as error:
                raise failed_on(component, _event_of(item), error) from error
            if awaitable is not None:
                return self._finish(kind, awaitable, items[place:], time, sent)
            if self.handle.outbox:
                self._take(sent)
        return None

    def sees(self, symbol: str) -> bool:
        """Whether the component sees the bars of a symbol."""
        return self._symbols is None or symbol in self._symbols

    @property
    def is_gated(self) -> bool:
        """Whether the component checks orders against risk limits."""
        return self.dispatcher.is_gated

    def deliver_bars(
        self, bars: Sequence[Bar], time: datetime, sent: list[Sent]
    ) -> Awaitable[None] | None:
        """Deliver bars; see `deliver`."""
        for place, bar in enumerate(bars):
            pending = self.deliver_bar(bar, time, sent)
            if pending is not None:
                return self._go_on(pending, bars[place + 1 :], time, sent)
        return None

    def deliver_bar(self, bar: Bar, time: datetime, sent: list[Sent]) -> Awaitable[None] | None:
        """Deliver one bar; see `deliver`."""
        if self._symbols is not None and bar.symbol not in self._symbols:
            return None
        if not self.started:
            return self._start(DataEvent, [bar], time, sent)
        self._begin(bar, time)
        try:
            awaitable = self._on_bar(bar)
        except Exception as error:
            raise failed_on(self.component, _event_of(bar), error) from error
        if awaitable is not None:
            return self._finish(DataEvent, awaitable, [bar], time, sent)
        if self.handle.outbox:
            self._take(sent)
        return None

    def deliver_run(
        self,
        bars: list[Bar],
        left: Iterator[Bar],
        marks: dict[str, str | Decimal | Bar],
        sent: list[Sent],
    ) -> Awaitable[None] | None:
        """Deliver bars of one symbol until the component, which has started, sends an event.

        Args:
            bars: The bars, each handled at its end.
            left: Iterator over the bars; unhandled bars remain in it.
            marks: Set to each bar, as the last price of its symbol, before it is handled.
            sent: Sent events are appended to it.

        Returns:
            The remaining work of the last bar taken, if its handler returned an awaitable.

        Raises:
            ComponentError: The handler raised.
        """
        component = self.component
        try:
            awaitable = self.handle.handle_run(left, self._on_bar, bars[0].symbol, marks)
        except Exception as error:
            bar = bars[-length_hint(left) - 1]
            raise failed_on(component, _event_of(bar), error) from error
        if awaitable is not None:
            bar = bars[-length_hint(left) - 1]
            return self._finish(DataEvent, awaitable, [bar], bar.end, sent)
        if self.handle.outbox:
            self._take(sent)
        return None

    def _take(self, sent: list[Sent]) -> None:
        """Append the events that the component has sent to ``sent``."""
        found = self.handle.take_sent()
        self.count += len(found)
        sent += found

    async def _go_on(
        self, pending: Awaitable[None], bars: Sequence[Bar], time: datetime, sent: list[Sent]
    ) -> None:
        """Await ``pending``, then deliver the other bars."""
        await pending
        if (others := self.deliver_bars(bars, time, sent)) is not None:
            await others

    async def _start(
        self, kind: type[Event], items: Sequence[Sent | Bar], time: datetime, sent: list[Sent]
    ) -> None:
        self.started = True
        found = await self.dispatcher.start(time)
        self.count += len(found)
        sent += found
        if pending := self.deliver(kind, items, time, sent):
            await pending

    async def _finish(
        self,
        kind: type[Event],
        awaitable: Awaitable[None],
        items: Sequence[Sent | Bar],
        time: datetime,
        sent: list[Sent],
    ) -> None:
        """Await the handler of the first event, then deliver the others."""
        try:
            await awaitable
        except Exception as error:
            raise failed_on(self.component, _event_of(items[0]), error) from error
        self._take(sent)
        if pending := self.deliver(kind, items[1:], time, sent):
            await pending


def _event_of(item: Sent | Bar) -> Event:
    return item.event if isinstance(item, Bar) else event_of(item)
