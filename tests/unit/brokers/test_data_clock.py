"""The paper executor on the time of the data: history that is sent live fills as in a backtest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingenium import App, Bar, ConfigError, DataEvent, Ingestor, Portfolio, Signal, Strategy
from ingenium.backtest import run as backtest
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus, Message
from ingenium.clock import ManualClock, format_time
from ingenium.components import handle_of
from ingenium.components.base import role_of
from ingenium.config import Settings
from ingenium.deploy.local.runner_factory import make_live_runner
from ingenium.events import ExecutionEvent, OrderEvent, SignalEvent, decode, encode
from ingenium.portfolios import FixedQuantity
from ingenium.risk import RiskLimits
from ingenium.subjects.names import ALL_EVENTS, EXECUTION, subject_of

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def walk(symbol: str, seed: int, count: int = 120) -> list[DataEvent]:
    """Return bars of a random walk."""
    rng = random.Random(f"{symbol} {seed}")
    bars, price = [], 10_000
    for number in range(count):
        open_ = price + rng.randint(-30, 30)
        price = open_ + rng.randint(-80, 80)
        high = max(open_, price) + rng.randint(0, 40)
        low = min(open_, price) - rng.randint(0, 40)
        texts = {
            name: str(Decimal(value) / 100)
            for name, value in (("open", open_), ("high", high), ("low", low), ("close", price))
        }
        bars.append(
            Bar.make(symbol, START + number * HOUR, volume="100000", period=HOUR, **texts).event
        )
    for number, event in enumerate(bars):
        event.id = f"data_{symbol}_{number}"
    return bars


class History(Ingestor):
    def __init__(self, events: Sequence[DataEvent]) -> None:
        super().__init__("history")
        self.events = events

    def read(self) -> Iterator[DataEvent]:
        yield from self.events


class Feed(Ingestor):
    async def ingest(self) -> None:
        """Send nothing: the test does."""


class Turns(Strategy):
    def on_bar(self, bar: Bar) -> None:
        if bar.close != bar.open:
            self.send_signal(bar.symbol, Signal.LONG if bar.close > bar.open else Signal.SHORT)


class EachSignal(Portfolio):
    """Sends an order for each signal, of all kinds in turn, whatever it holds.

    Prices follow from the close at the time that the signal states.
    """

    def __init__(self, events: Sequence[DataEvent], *, has_brackets: bool) -> None:
        super().__init__(cash=1_000_000)
        self.kinds = 4 if has_brackets else 3
        bars = [Bar.from_event(event) for event in events]
        self.closes = {(bar.symbol, bar.end): Decimal(bar.close_text) for bar in bars}
        self.count = 0

    def on_signal(self, event: SignalEvent) -> None:
        assert event.timestamp is not None
        price = self.closes[event.symbol, event.timestamp]
        is_buy = event.signal == Signal.LONG
        sign = 1 if is_buy else -1
        kinds: list[dict[str, Any]] = [
            {},
            {"type": "limit", "limit_price": round(price * (1 - sign * Decimal("0.004")), 2)},
            {"type": "stop", "stop_price": round(price * (1 + sign * Decimal("0.004")), 2)},
            {
                "take_profit": round(price * (1 + sign * Decimal("0.01")), 2),
                "stop_loss": round(price * (1 - sign * Decimal("0.01")), 2),
            },
        ]
        kind = kinds[self.count % self.kinds]
        self.count += 1
        side = "buy" if is_buy else "sell"
        self.send_order(event.symbol, side, 10, time_in_force="gtc", **kind)


def merged(seed: int) -> list[DataEvent]:
    events = [*walk("AAPL", seed), *walk("IBM", seed)]
    return sorted(events, key=lambda event: (event.timestamp, event.symbol))


Row = tuple[datetime, str, str, Decimal, Decimal]
"""Time, symbol, side, quantity and price of a fill."""


def fills_of_backtest(events: Sequence[DataEvent], portfolio: Portfolio) -> list[Row]:
    app = App(
        ingestors=[History(events)],
        strategies=[Turns()],
        portfolio=portfolio,
        executor=PaperExecutor(),
    )
    fills = backtest(app).fills
    return sorted((f.time, f.symbol, f.side.value, f.quantity, f.price) for f in fills)


class Wire:
    """A bus, what went over it, and the fills among that."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.count = 0
        self.fills: list[Row] = []

    async def start(self) -> None:
        await self.bus.subscribe(ALL_EVENTS, self._note)

    async def settle(self) -> None:
        """Return when components have nothing left to do: all of them are in this event loop."""
        before = -1
        while before != self.count:
            before = self.count
            for _ in range(50):
                await asyncio.sleep(0)

    def _note(self, message: Message) -> None:
        self.count += 1
        if message.subject != EXECUTION:
            return
        event = decode(ExecutionEvent, message.payload)
        if event.update in ("filled", "partial_fill"):
            assert event.execution_timestamp is not None
            assert event.price is not None
            self.fills.append(
                (
                    event.execution_timestamp,
                    event.symbol,
                    str(event.side),
                    Decimal(event.quantity),
                    Decimal(event.price),
                )
            )


async def fills_live(
    events: Sequence[DataEvent],
    portfolio: Portfolio,
    folder: Path,
    *,
    is_paced: bool,
    executor: PaperExecutor | None = None,
) -> list[Row]:
    """Return the fills of an app to which history is sent live, bar by bar or all at once."""
    app = App(
        ingestors=[Feed()],
        strategies=[Turns()],
        portfolio=portfolio,
        executor=executor or PaperExecutor(clock="data"),
    )
    wire, settings = Wire(), Settings(data_directory=folder)
    await wire.start()
    members = [
        await make_live_runner(wire.bus, app, component, settings)
        for component in app.components
        if role_of(component) != "ingestor"
    ]
    for member in members:
        await member.start()
    for event in events:
        await wire.bus.publish(subject_of(event), encode(event))
        if is_paced:
            await wire.settle()
    await wire.settle()
    for member in members:
        await member.stop()
    await wire.bus.close()
    return sorted(wire.fills)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_paced", [True, False], ids=["paced", "at once"])
async def test_live_history_gives_the_fills_of_a_backtest(
    tmp_path: Path, seed: int, is_paced: bool
) -> None:
    events = merged(seed)
    # At once, a bracket is held against a position that later orders have changed already.
    expected = fills_of_backtest(events, EachSignal(events, has_brackets=is_paced))
    assert len(expected) > 100
    portfolio = EachSignal(events, has_brackets=is_paced)
    assert await fills_live(events, portfolio, tmp_path, is_paced=is_paced) == expected


async def test_live_history_bar_by_bar_fills_a_portfolio_that_heeds_its_fills(
    tmp_path: Path,
) -> None:
    events = merged(7)
    expected = fills_of_backtest(events, FixedQuantity(10))
    assert len(expected) > 50
    assert await fills_live(events, FixedQuantity(10), tmp_path, is_paced=True) == expected


async def test_live_history_on_the_wall_clock_fills_nothing_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events = merged(1)
    wall = PaperExecutor()
    assert (
        await fills_live(
            events, EachSignal(events, has_brackets=True), tmp_path, is_paced=True, executor=wall
        )
        == []
    )
    [first, second] = [each for each in caplog.messages if "old:" in each]
    assert first.startswith(
        "paper: bars of AAPL are 2 years old: the first one ended 2024-01-02T15"
    )
    assert "PaperExecutor(clock='data')" in first
    assert second.startswith("paper: bars of IBM are 2 years old")


def test_clock_that_is_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="clock is 'market': use 'wall', or 'data'"):
        PaperExecutor(clock="market")  # type: ignore[arg-type]


def test_standard_limits_are_off_on_the_time_of_the_data() -> None:
    def risk(executor: PaperExecutor, risk: RiskLimits | None = None) -> RiskLimits:
        parts: dict[str, Any] = {"portfolio": FixedQuantity(1), "executor": executor}
        return App(ingestors=[Feed()], risk=risk, **parts).risk

    on_data = risk(PaperExecutor(clock="data"))
    assert (on_data.max_orders_per_second, on_data.duplicate_seconds) == (None, None)
    assert on_data.price_collar is None
    assert risk(PaperExecutor()) == RiskLimits()
    assert risk(PaperExecutor(clock="data"), RiskLimits()) == RiskLimits()


class Exchange:
    """A paper executor on the time of the data, whose peers are programs of the original library.

    Bars are of an hour, from 100, 101 and so on; they and orders state when they were sent.
    """

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.executor = PaperExecutor(clock="data")
        handle_of(self.executor).clock = self.clock
        self.sent: list[tuple[str | None, str | None]] = []

    def bar(self, number: int, published: float) -> list[tuple[str | None, str | None]]:
        price = str(100 + number)
        event = Bar.make(
            "AAPL", START + number * HOUR, open=price, high=price, low=price, close=price,
            volume="1000", period=HOUR,
        ).event  # fmt: skip
        event.timestamp = format_time(NOW + timedelta(seconds=published))
        return self._handle(f"data_{number}", lambda: self.executor.on_data(event))

    def order(self, made: float, order_id: str = "order_1") -> list[tuple[str | None, str | None]]:
        event = OrderEvent(
            id=order_id, symbol="AAPL", side="buy", quantity="1", type="market",
            time_in_force="gtc", timestamp=NOW + timedelta(seconds=made),
        )  # fmt: skip
        return self._handle(order_id, lambda: self.executor.on_order(event))

    def _handle(self, cause: str, act: Any) -> list[tuple[str | None, str | None]]:
        handle_of(self.executor).begin(cause, NOW)
        act()
        events = handle_of(self.executor).take()
        return [(e.update, e.price) for e in events if isinstance(e, ExecutionEvent)]


def test_order_that_overtook_its_bar_is_not_filled_by_it() -> None:
    exchange = Exchange()
    exchange.bar(0, published=0)
    # Made after bar 1 was published, and here before it.
    assert exchange.order(made=1.5) == [("new", None)]
    assert exchange.bar(1, published=1) == []
    assert exchange.bar(2, published=2) == [("filled", "102")]


def test_order_that_comes_late_is_filled_by_the_bar_after_the_one_before_it() -> None:
    exchange = Exchange()
    for number in range(6):
        exchange.bar(number, published=number)
    assert exchange.order(made=2.5) == [("new", None), ("filled", "103")]
    assert exchange.order(made=5.5, order_id="order_2") == [("new", None)]
    assert exchange.bar(6, published=6) == [("filled", "106")]


def test_order_before_the_first_bar_is_rejected_with_the_reason() -> None:
    exchange = Exchange()
    assert exchange.order(made=0) == [("rejected", None)]


def test_time_of_the_data_outlives_a_restart() -> None:
    before = Exchange()
    for number in range(3):
        before.bar(number, published=number)
    after = Exchange()
    handle_of(after.executor).restore_rows(handle_of(before.executor).state_rows())
    assert after.order(made=10) == [("new", None)]
    # The bar that was there before the restart comes again, and is behind the order.
    assert after.bar(2, published=11) == []
    assert after.bar(3, published=12) == [("filled", "103")]
