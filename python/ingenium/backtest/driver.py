"""The components of a backtest: each is let handle what concerns it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from operator import length_hint

from ingenium.components import Component, Executor, Portfolio
from ingenium.components.base import Handled, Sent, event_of
from ingenium.components.risk_gated import RiskGated
from ingenium.events import DataEvent, Event, encode
from ingenium.runtime.dispatch import bar_handler_of, failed_on, handlers_of, start_component
from ingenium.trading import Bar, LazyExecution, Order

__all__ = ["ComponentDriver"]


def _ignore(_item: Order | LazyExecution) -> Handled:
    return None


class ComponentDriver:
    """A component, and what a backtest asks of it for every event.

    No coroutine is made for handlers that are plain functions, as most are; and no event of a bar
    that nobody asks for.

    Args:
        component: The component.
    """

    __slots__ = (
        "_begin",
        "_begins_as_usual",
        "_gated",
        "_handlers",
        "_on_bar",
        "_on_order",
        "_on_report",
        "_symbols",
        "component",
        "count",
        "started",
    )

    def __init__(self, component: Component) -> None:
        self.component = component
        self.started = False
        """Whether `on_start` has been called."""
        self.count = 0
        """How much it has sent."""
        self._handlers = handlers_of(component)
        self._on_bar = bar_handler_of(component)
        self._on_order: Callable[[Order], Handled] = _ignore
        self._on_report: Callable[[LazyExecution], Handled] = _ignore
        if isinstance(component, Executor):
            self._on_order = component.handle_order
        elif isinstance(component, Portfolio):
            self._on_report = component.handle_report
        self._gated: RiskGated | None = None
        if isinstance(component, RiskGated) and component.gate is not None:
            self._gated = component
        component.hand_over()
        self._begin = component.begin
        self._begins_as_usual = getattr(component.begin, "__func__", None) is Component.begin
        self._symbols: tuple[str, ...] | None = getattr(component, "symbols", None)

    def deliver(
        self, kind: type[Event], items: Sequence[Sent | Bar], time: datetime, sent: list[Sent]
    ) -> Awaitable[None] | None:
        """Let the component handle events of one kind, and put what it sends behind ``sent``.

        Returns:
            What is left to do, once a handler gave something to await.

        Raises:
            ComponentError: A handler raised.
        """
        handler = self._handlers.get(kind)
        if handler is None:
            return None
        component = self.component
        symbols = self._symbols if kind is DataEvent else None
        for place, item in enumerate(items):
            # Only market data gets here with symbols.
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
                    self._begin(item.id or component.name_cause(encode(item), time), time)
                    awaitable = handler(item)
            except Exception as error:
                raise failed_on(component, _event_of(item), error) from error
            if self._gated is not None and (awaitable is not None or self._gated.news):
                awaitable = _with_news(self._gated, awaitable)
            if awaitable is not None:
                return self._finish(kind, awaitable, items[place:], time, sent)
            if component.outbox:
                self._take(sent)
        return None

    def sees(self, symbol: str) -> bool:
        """Whether the component sees the bars of a symbol."""
        return self._symbols is None or symbol in self._symbols

    @property
    def is_gated(self) -> bool:
        """Whether the component holds orders against limits of risk."""
        return self._gated is not None

    def deliver_bars(
        self, bars: Sequence[Bar], time: datetime, sent: list[Sent]
    ) -> Awaitable[None] | None:
        """Do as `let`, for data that is all bars."""
        for place, bar in enumerate(bars):
            pending = self.deliver_bar(bar, time, sent)
            if pending is not None:
                return self._go_on(pending, bars[place + 1 :], time, sent)
        return None

    def deliver_bar(self, bar: Bar, time: datetime, sent: list[Sent]) -> Awaitable[None] | None:
        """Do as `let`, for a bar."""
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
        if self.component.outbox:
            self._take(sent)
        return None

    @property
    def takes_runs(self) -> bool:
        """Whether `deliver_run` may be called: it has started, and nobody has changed `begin`."""
        return self.started and self._begins_as_usual

    def deliver_run(
        self,
        bars: list[Bar],
        left: Iterator[Bar],
        marks: dict[str, str | Decimal | Bar],
        sent: list[Sent],
    ) -> Awaitable[None] | None:
        """Let the component handle bars of one symbol until it sends something.

        Args:
            bars: The bars, each handled at its end.
            left: Gives them; those that are not handled are left in it.
            marks: Takes each bar as the last price before it is handled.
            sent: What it sends is put behind this.

        Returns:
            What is left to do of the last bar that was taken.

        Raises:
            ComponentError: The handler raised.
        """
        component = self.component
        try:
            awaitable = Component.handle_run(component, left, self._on_bar, bars[0].symbol, marks)
        except Exception as error:
            bar = bars[-length_hint(left) - 1]
            raise failed_on(component, _event_of(bar), error) from error
        if awaitable is not None:
            bar = bars[-length_hint(left) - 1]
            return self._finish(DataEvent, awaitable, [bar], bar.end, sent)
        if component.outbox:
            self._take(sent)
        return None

    def _take(self, sent: list[Sent]) -> None:
        """Put what the component has sent behind ``sent``."""
        found = self.component.take_sent()
        self.count += len(found)
        sent += found

    async def _go_on(
        self, pending: Awaitable[None], bars: Sequence[Bar], time: datetime, sent: list[Sent]
    ) -> None:
        """Finish what is pending, then go on with other bars."""
        await pending
        if (others := self.deliver_bars(bars, time, sent)) is not None:
            await others

    async def _start(
        self, kind: type[Event], items: Sequence[Sent | Bar], time: datetime, sent: list[Sent]
    ) -> None:
        self.started = True
        found = await start_component(self.component, time)
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
        """Await the handler of the first event, then go on with the others."""
        try:
            await awaitable
        except Exception as error:
            raise failed_on(self.component, _event_of(items[0]), error) from error
        self._take(sent)
        if pending := self.deliver(kind, items[1:], time, sent):
            await pending


async def _with_news(component: RiskGated, handled: Handled) -> None:
    """Finish a handler, then tell the component of orders that its gate denied meanwhile."""
    if handled is not None:
        await handled
    if component.news:
        await component.share_news()


def _event_of(item: Sent | Bar) -> Event:
    return item.event if isinstance(item, Bar) else event_of(item)
