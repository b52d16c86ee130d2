"""The app that `bench.load` puts under load; it runs on older versions of the library too.

Each bar makes a signal, each signal an order, and each order a fill, so that the rate of bars is
that of orders.
"""

from __future__ import annotations

import asyncio

from ingenium import App, Executor, Ingestor, Portfolio, RiskLimits, Side, Signal, Strategy
from ingenium.events import ExecutionEvent, OrderEvent, SignalEvent
from ingenium.trading import Bar


class Feed(Ingestor):
    """Publishes nothing: the bars come from the benchmark."""

    async def ingest(self) -> None:
        """Wait until the app stops."""
        await asyncio.Event().wait()


class EveryBar(Strategy):
    """Sends a signal for each bar, long and short in turns."""

    def __init__(self) -> None:
        super().__init__(name="every-bar")
        self.is_long: dict[str, bool] = {}

    def on_bar(self, bar: Bar) -> None:
        """Send a signal."""
        is_long = self.is_long[bar.symbol] = not self.is_long.get(bar.symbol, False)
        self.send_signal(bar.symbol, Signal.LONG if is_long else Signal.SHORT)


class EverySignal(Portfolio):
    """Sends an order for one share for each signal."""

    def __init__(self) -> None:
        super().__init__(cash=10**9, name="every-signal")

    def on_signal(self, event: SignalEvent) -> None:
        """Send an order."""
        side = Side.BUY if event.signal == Signal.LONG else Side.SELL
        self.send_order(event.symbol, side, 1)


class FillAll(Executor):
    """Fills each order at once, at a fixed price."""

    def on_order(self, event: OrderEvent) -> None:
        """Fill an order."""
        self.send_execution(
            ExecutionEvent(
                order_id=event.id or "",
                symbol=event.symbol,
                side=event.side,
                quantity=event.quantity,
                price="100",
                update="filled",
            )
        )


app = App(
    ingestors=[Feed(name="feed")],
    strategies=[EveryBar()],
    portfolio=EverySignal(),
    executor=FillAll(name="fill-all"),
    # None that the load would reach: what is measured is the way of an order, not a refusal.
    risk=RiskLimits(
        max_orders_per_second=None,
        duplicate_seconds=None,
        max_order_notional=None,
        max_symbol_notional=None,
        max_gross_notional=None,
        max_open_orders=None,
        price_collar=None,
    ),
    name="load",
)
