"""Limits of risk in a replay over a bus deny what they deny in one process, whatever the timing."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support.replaying import Pauses, replay_on

from ingenium import App, Bar, Ingestor, Portfolio, RiskLimits, Side
from ingenium.backtest import replay_async
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.components import Strategy
from ingenium.errors import InvalidOrderError
from ingenium.events import (
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    Signal,
    SignalEvent,
    TradingState,
)
from ingenium.exchange import FeePerShare
from ingenium.runtime.replay import ReplayResult

START = datetime(2024, 1, 1, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BARS = 90


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    memory = MemoryBus()
    yield memory
    await memory.close()


class Walk(Ingestor):
    """A walk of prices that jumps, in bars of 20 minutes over 30 hours."""

    def __init__(self, seed: int, *symbols: str) -> None:
        super().__init__(name="walk")
        self.seed, self.given = seed, symbols

    def read_bars(self) -> Iterator[Bar]:
        walk = random.Random(self.seed)
        prices = dict.fromkeys(self.given, 100.0)
        for place in range(BARS):
            for symbol in self.given[: 1 + (place % 3 != 2)]:
                first = prices[symbol]
                last = prices[symbol] = round(first * walk.uniform(0.97, 1.03), 2)
                yield Bar.make(
                    symbol,
                    START + place * 20 * MINUTE,
                    open=str(first), close=str(last), high=str(max(first, last)),
                    low=str(min(first, last)), volume="100000", period=20 * MINUTE,
                )  # fmt: skip


class Restless(Strategy):
    def __init__(self, pauses: Pauses) -> None:
        super().__init__(name="restless")
        self.pauses = pauses

    async def on_bar(self, bar: Bar) -> None:
        await self.pauses.pause()
        word = Signal.LONG if bar.close > bar.open else Signal.SHORT
        self.send_signal(bar.symbol, word)
        if bar.start.minute == 30:
            self.send_signal("B", word)


class Reckless(Portfolio):
    """Sends, replaces and cancels orders of any size, and answers what was denied."""

    def __init__(self, seed: int, pauses: Pauses) -> None:
        super().__init__(10_000, name="reckless")
        self.random, self.pauses = random.Random(seed), pauses
        self.heard: list[str] = []

    async def on_signal(self, event: SignalEvent) -> None:
        await self.pauses.pause()
        pick, price = self.random.random(), self.price(event.symbol)
        if price is None:
            return
        side = Side.BUY if event.signal == Signal.LONG else Side.SELL
        working = list(self.orders)
        if pick < 0.15 and working:
            try:
                self.replace_order(self.random.choice(working), quantity=self.random.randint(1, 60))
            except InvalidOrderError as error:
                self.heard.append(str(error))
        elif pick < 0.25 and working:
            self.cancel_order(working[0])
        elif pick < 0.5:
            limit = (price * Decimal(str(self.random.uniform(0.9, 1.1)))).quantize(Decimal("0.01"))
            self.send_order(
                event.symbol, side, self.random.randint(1, 40), type="limit",
                limit_price=limit, time_in_force="gtc",
            )  # fmt: skip
        else:
            self.send_order(event.symbol, side, self.random.randint(1, 40))

    async def on_denied(self, event: DenialEvent) -> None:
        await self.pauses.pause()
        self.heard.append(event.reason)
        if self.random.random() < 0.3:
            self.send_order(event.symbol, "buy", 1)

    def on_trading_state(self, state: TradingState) -> None:
        self.heard.append(state)

    def on_execution(self, event: ExecutionEvent) -> None:
        self.heard.append(str(event.update))


class Wary(PaperExecutor):
    """Halts all trading by itself at an order of some size."""

    def __init__(self, pauses: Pauses, halt_at: int) -> None:
        super().__init__(fees=FeePerShare(Decimal("0.01")))
        self.pauses, self.halt_at = pauses, halt_at
        self.heard: list[str] = []

    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        await self.pauses.pause()
        PaperExecutor.on_order(self, event)
        if Decimal(event.quantity) >= self.halt_at:
            self.risk.halt(f"an order of {event.quantity}")

    def on_trading_state(self, state: TradingState) -> None:
        self.heard.append(state)


LIMITS = {
    "sizes": RiskLimits(
        max_order_quantity=30, max_order_notional=2_500, max_symbol_notional=4_000,
        max_gross_notional=6_000, max_open_orders=4, price_collar="0.04",
    ),
    "rate": RiskLimits(
        max_orders_per_second=0.001, burst=2, symbol_burst=0, max_breaches=9,
        breach_window_seconds=10 * 1200, exit_burst=1,
    ),
    "loss": RiskLimits(max_daily_loss=200, day_zone="America/New_York", session_start="17:00"),
    "stale": RiskLimits(stale_data_seconds=600, duplicate_seconds=5000),
    "halt": RiskLimits(max_order_quantity=38),
}  # fmt: skip


def make_app(limits: str, seed: int, timing: int | None = None) -> App:
    pauses = Pauses(timing)
    return App(
        name="test",
        ingestors=[Walk(seed, "A", "B")],
        strategies=[Restless(pauses)],
        portfolio=Reckless(seed, pauses),
        executor=Wary(pauses, 36 if limits == "halt" else 1_000),
        risk=LIMITS[limits],
    )


def shown(result: ReplayResult) -> tuple[object, ...]:
    """What must be equal, the digest last so that a difference is named."""
    return (
        result.denials, result.problems, result.orders, result.executions, result.rejected_orders,
        [(f.symbol, f.side, f.quantity, f.price, f.time) for f in result.fills],
        result.account.equity, result.events_digest,
    )  # fmt: skip


REASONS = {
    "sizes": {
        "max_order_quantity", "max_order_notional", "max_symbol_notional", "max_gross_notional",
        "price_collar",
    },
    "rate": {"max_orders_per_second", "halted"},
    "loss": {"reducing"},
    "stale": {"stale_data"},
    "halt": {"halted"},
}  # fmt: skip


@pytest.mark.parametrize("limits", list(LIMITS))
@pytest.mark.parametrize("seed", range(2))
async def test_limits_over_a_bus_any_timing_deny_what_they_deny_in_one_process(
    bus: MemoryBus, limits: str, seed: int
) -> None:
    alone = make_app(limits, seed)
    expected = await replay_async(alone)
    assert REASONS[limits] <= {each.reason for each in expected.denials}
    app = make_app(limits, seed, timing=seed)
    result = await replay_on(bus, app)
    assert shown(result) == shown(expected)
    for role in ("portfolio", "executor"):
        ours, others = getattr(app, role).heard, getattr(alone, role).heard
        assert ours == others


async def test_denials_and_control_events_of_others_are_no_part_of_a_replay(
    bus: MemoryBus,
) -> None:
    expected = await replay_async(make_app("sizes", 1))
    app = make_app("sizes", 1, timing=2)

    async def interfere(message: object) -> None:
        await bus.publish(
            "ingenium.control.trading",
            b'{"State":"halted","Sender":"ann@desk","Reason":"another app"}',
            {"Ingenium-Source": "operator"},
        )

    await bus.subscribe("ingenium.ingestor.data.a", interfere)
    assert shown(await replay_on(bus, app)) == shown(expected)
