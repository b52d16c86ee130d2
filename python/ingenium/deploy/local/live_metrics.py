"""Gauges of a live component: how far behind it is, its orders, and its account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from functools import partial

from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.bus.base import Bus
from ingenium.components import Component, Middleware, Portfolio
from ingenium.components.handle_of import risk_of
from ingenium.deploy.local.component_status import Observed
from ingenium.errors import StoreError
from ingenium.events import TradingState
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.trading.money import EXACT, ZERO

__all__ = ["live_gauges", "set_gauges"]

LONG, SHORT = "long", "short"
WORKING = "working"
"""State of a working order where its sender knows no other."""

_STATES = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


def live_gauges(
    middleware: Iterable[Middleware], bus: Bus, member: Observed
) -> Callable[[], None] | None:
    """Begin to measure a live component, if its app has metrics.

    Args:
        middleware: Middleware of the app.
        bus: Connection of the component, whose incidents are counted.
        member: Runner of the component.

    Returns:
        A function that sets the gauges, to be called in the event loop; ``None`` without metrics.
    """
    for each in middleware:
        if isinstance(each, MetricsMiddleware):
            each.watch(bus)
            member.progress.on_sent = partial(each.record_latency, member.component.name)
            return partial(set_gauges, each.metrics, member)
    return None


def set_gauges(metrics: ProcessMetrics, member: Observed) -> None:
    """Set the gauges of a component.

    Args:
        metrics: Set in.
        member: Runner of the component.
    """
    component = member.component
    name = component.name
    # Its store is closed once the component has stopped.
    with suppress(StoreError):
        seen = member.observe()
        metrics.lag.set(seen.lag_seconds, name)
        metrics.waiting.set(seen.waiting, name)
        metrics.outbox.set(seen.outbox, name)
    risk = risk_of(component)
    if risk is not None and risk.gate is not None:
        metrics.trading.set(_STATES[risk.gate.switch.state], name)
    if (working := _working(component)) is not None:
        known = {state for sender, state in metrics.working.values if sender == name}
        for state in known | working.keys():
            metrics.working.set(working[state], name, state)
    if isinstance(component, Portfolio):
        _set_account(metrics, component)


def _working(component: Component) -> Counter[str] | None:
    """Return the number of working orders by state; ``None`` if the component tracks none."""
    if isinstance(component, Portfolio):
        return Counter({WORKING: len(component.orders)})
    if isinstance(component, PaperExecutor):
        return Counter({WORKING: len(component.exchange.working)})
    if isinstance(component, BrokerExecutor):
        return Counter(entry.state.value for entry in component.journal.open.values())
    return None


def _set_account(metrics: ProcessMetrics, portfolio: Portfolio) -> None:
    name, account = portfolio.name, portfolio.account
    metrics.cash.set(float(account.cash), name)
    held = account.quantities
    values: dict[str, Decimal] | None = {LONG: ZERO, SHORT: ZERO}
    counts = {LONG: 0, SHORT: 0}
    for symbol, quantity in held.items():
        side = LONG if quantity > 0 else SHORT
        counts[side] += 1
        price = account.price(symbol)
        if price is None:
            # The account's own sums value it at zero.
            values = None
        elif values is not None:
            values[side] = EXACT.add(values[side], EXACT.multiply(quantity, price).copy_abs())
    metrics.equity.set(None if values is None else float(account.equity), name)
    for side, count in counts.items():
        metrics.positions.set(count, name, side)
        metrics.exposure.set(None if values is None else float(values[side]), name, side)
