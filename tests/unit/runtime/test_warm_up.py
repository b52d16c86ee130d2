"""Warm-up of live strategies: history, the stream and live data are one row of bars."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ingenium import App, BySymbol, Ingestor, Signal, SignalEvent, Strategy, indicators
from ingenium.backtest.engine import replay_async
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.stream import MemoryStream
from ingenium.clock import ManualClock
from ingenium.deploy.local.app_history import AppHistory, warm_up_of
from ingenium.errors import ComponentError, ConfigError, DataFileError
from ingenium.events import decode, encode
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.live import LiveRunner
from ingenium.strategies import RsiStrategy, SmaCross
from ingenium.subjects.names import SIGNAL, data_subject
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SYMBOLS = ("AAPL", "MSFT")

Said = tuple[str, str, datetime]


def bar_of(symbol: str, minute: int, close: float, period: timedelta = MINUTE) -> Bar:
    price = f"{close:.4f}"
    return Bar.make(
        symbol,
        START + minute * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        period=period,
    )


def walk(count: int, seed: int = 1) -> list[Bar]:
    """Make bars of two symbols for each minute."""
    random = Random(seed)
    prices = dict.fromkeys(SYMBOLS, 100.0)
    bars: list[Bar] = []
    for minute in range(count):
        for symbol in SYMBOLS:
            prices[symbol] *= math.exp(random.gauss(0, 0.02))
            bars.append(bar_of(symbol, minute, prices[symbol]))
    return bars


class History(Ingestor):
    def __init__(self, bars: Sequence[Bar], name: str = "history") -> None:
        super().__init__(name)
        self.bars = bars

    def read_bars(self) -> Iterator[Bar]:
        # Fresh ones, since a bar gets its name from the ingestor that reads it.
        return (Bar.from_event(bar.event) for bar in self.bars)


class Silent(Ingestor):
    async def ingest(self) -> None:
        await asyncio.Event().wait()


class Unsaved(Strategy):
    """Holds an indicator that it does not save."""

    def __init__(self) -> None:
        super().__init__(name="unsaved")
        self.average = BySymbol(lambda: indicators.Ema(7))

    def on_bar(self, bar: Bar) -> None:
        if bar.close > self.average[bar.symbol].update(bar.close):
            self.send_signal(bar.symbol, Signal.LONG)


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "rsi": lambda: RsiStrategy(period=3, buy_below=30, sell_above=70),
    "sma cross": lambda: SmaCross(fast=3, slow=9),
    "unsaved": Unsaved,
}


def live_app(strategy: Strategy, history: Sequence[Bar]) -> App:
    return App(
        ingestors=[Silent()],
        strategies=[strategy],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
        warm_up=History(history),
    )


async def expected(
    make: Callable[[], Strategy], bars: Sequence[Bar], after: datetime
) -> list[Said]:
    """Return what one backtest over all bars says after a time."""
    said: list[Said] = []
    strategy = make()
    send = strategy.send_signal

    def note(symbol: str, signal: Any, **more: Any) -> SignalEvent:
        if strategy.now > after:
            said.append((symbol, str(signal), strategy.now))
        return send(symbol, signal, **more)

    strategy.send_signal = note  # type: ignore[method-assign]
    await replay_async(
        App(
            ingestors=[History(bars)],
            strategies=[strategy],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )
    )
    return said


class World:
    """Streams, a bus and a disk that outlive a member."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.money = MemoryStream("INGENIUM", clock=self.clock)
        self.data = MemoryStream("INGENIUM_DATA", clock=self.clock)
        self.bus = MemoryBus()
        self.disk = sqlite3.connect(":memory:", check_same_thread=False)
        self.gaps: list[str] = []

    async def publish(self, bar: Bar) -> None:
        await self.data.append(data_subject(bar.symbol), encode(bar.event))

    def member(self, strategy: Strategy, history: Sequence[Bar] | None) -> DurableRunner:
        warm_up = None
        if history is not None:
            warm_up = warm_up_of(live_app(strategy, history), strategy, self.gaps.append)

        async def open_data() -> MemoryStream:
            return self.data

        kept: Any = Kept(self.disk)
        return DurableRunner(
            self.bus,
            self.money,
            strategy,
            Store(kept),
            open_data=open_data,
            clock=self.clock,
            warm_up=warm_up,
        )

    @asynccontextmanager
    async def running(
        self, strategy: Strategy, history: Sequence[Bar] | None
    ) -> AsyncIterator[DurableRunner]:
        member = self.member(strategy, history)
        await member.start()
        run = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await member.stop()

    async def handled(self, member: DurableRunner) -> None:
        """Wait until a member has handled all data that the stream has."""
        async with asyncio.timeout(5):
            while (member.observe().data_offset or 0) < len(self.data._records):
                await asyncio.sleep(0)
                member._uncommitted_since = member._uncommitted_since and 0.0
                member._arrivals.wake()

    async def kill(self, member: DurableRunner, run: asyncio.Task[None], handled: int) -> None:
        """End a member in the midst of its work; what it has not written is lost."""
        async with asyncio.timeout(5):
            while member.progress.handled < handled:
                await asyncio.sleep(0)
        tasks = [run, *asyncio.all_tasks() - {asyncio.current_task()}]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.disk.in_transaction:
            self.disk.rollback()

    def said(self) -> list[tuple[str, str]]:
        events = [
            decode(SignalEvent, each.message.payload)
            for each in self.money._records
            if each.message.subject == SIGNAL
        ]
        return [(event.symbol, str(event.signal)) for event in events]


class Kept:
    """A connection that stays open when its store is closed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.__dict__["connection"] = connection

    def close(self) -> None:
        return

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["connection"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["connection"], name, value)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


@pytest.mark.parametrize("kind", STRATEGIES)
@pytest.mark.parametrize("overlap", [0, 7])
async def test_live_strategy_says_after_its_warm_up_what_one_backtest_says(world, kind, overlap):
    make = STRATEGIES[kind]
    bars = walk(150)
    cut = 200
    async with world.running(make(), bars[:cut]) as member:
        for bar in bars[cut - overlap :]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(make, bars, bars[cut - 1].end)
    assert len(whole) > 5
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


@pytest.mark.parametrize("kind", STRATEGIES)
async def test_bars_that_the_stream_kept_before_the_start_close_the_gap_to_history(world, kind):
    make = STRATEGIES[kind]
    bars = walk(150)
    for bar in bars[180:240]:
        await world.publish(bar)
    async with world.running(make(), bars[:200]) as member:
        for bar in bars[240:]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(make, bars, bars[239].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


@pytest.mark.parametrize("kind", ["rsi", "sma cross"])
@pytest.mark.parametrize("is_killed", [False, True])
async def test_restarts_at_random_bars_change_nothing_that_is_said(world, kind, is_killed):
    make = STRATEGIES[kind]
    bars = walk(250)
    cut = 100
    cuts = sorted(Random(4).sample(range(cut + 1, len(bars)), 200))
    done = cut
    for end in [*cuts, len(bars)]:
        # A history that has more each time, as a file that grows beside the live feed.
        member = world.member(make(), bars[:done])
        await member.start()
        run = asyncio.create_task(member.run())
        for bar in bars[done:end]:
            await world.publish(bar)
        if is_killed and end < len(bars):
            await world.kill(member, run, Random(end).randrange(end - done + 1))
        else:
            await world.handled(member)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await member.stop()
        done = end
    whole = await expected(make, bars, bars[cut - 1].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


async def test_restart_with_a_saved_state_is_filled_from_history_and_not_warmed_up_again(world):
    bars = walk(200)
    strategy = SmaCross(fast=3, slow=9)
    async with world.running(strategy, bars[:100]) as member:
        for bar in bars[100:200]:
            await world.publish(bar)
        await world.handled(member)
    said = len(world.said())
    # Nothing ran meanwhile: the stream has none of bars 200 to 299.
    strategy = SmaCross(fast=3, slow=9)
    async with world.running(strategy, bars[:300]) as member:
        assert member._warm_up is not None
        assert member._warm_up._count == 100
        for bar in bars[290:]:
            await world.publish(bar)
        await world.handled(member)
    whole = await expected(lambda: SmaCross(fast=3, slow=9), bars, bars[299].end)
    assert world.said()[said:] == [(symbol, signal) for symbol, signal, _ in whole]
    assert not world.gaps


async def test_bars_that_wait_in_the_stream_are_delivered_and_not_taken_from_history(world):
    bars = walk(200)
    async with world.running(RsiStrategy(period=3), bars[:100]) as member:
        for bar in bars[100:200]:
            await world.publish(bar)
        await world.handled(member)
    for bar in bars[200:300]:
        await world.publish(bar)
    async with world.running(RsiStrategy(period=3), bars) as member:
        await world.handled(member)
        assert member._warm_up is not None
        assert member._warm_up._count == 0
    whole = await expected(lambda: RsiStrategy(period=3), bars[:300], bars[99].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]


async def test_other_parameters_are_warmed_up_again_with_a_word(world, caplog):
    bars = walk(100)
    async with world.running(SmaCross(fast=3, slow=9), bars[:100]) as member:
        await world.handled(member)
    with caplog.at_level(logging.WARNING):
        async with world.running(SmaCross(fast=3, slow=8), bars[:100]) as member:
            for bar in bars[100:]:
                await world.publish(bar)
            await world.handled(member)
    assert (
        "saved state of strategy 'sma-cross' is not used: saved state of Sma is of" in caplog.text
    )
    assert "it is warmed up again" in caplog.text
    whole = await expected(lambda: SmaCross(fast=3, slow=8), bars, bars[99].end)
    assert world.said() == [(symbol, signal) for symbol, signal, _ in whole]


async def test_indicators_that_are_not_saved_beside_a_saved_state_are_named(world, caplog):
    class Half(Unsaved):
        bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            super().on_bar(bar)

        def get_state(self) -> object:
            return {"bars": self.bars}

        def set_state(self, state: Any) -> None:
            self.bars = state["bars"]

    for _ in range(2):
        assert "does not save its" not in caplog.text
        async with world.running(Half(), walk(30)) as member:
            await world.handled(member)
    assert "'unsaved' goes on from its saved state, and does not save its Ema" in caplog.text


async def test_state_saved_without_a_warm_up_is_not_fed_twice(world, caplog):
    bars = walk(100)
    async with world.running(RsiStrategy(period=3), None) as member:
        # It reads what comes from its start on.
        for _ in range(50):
            await asyncio.sleep(0)
        for bar in bars[:100]:
            await world.publish(bar)
        await world.handled(member)
    said = len(world.said())
    async with world.running(RsiStrategy(period=3), bars[:100]) as member:
        for bar in bars[100:]:
            await world.publish(bar)
        await world.handled(member)
    assert "it was saved without App(warm_up=...)" in caplog.text
    whole = await expected(lambda: RsiStrategy(period=3), bars, bars[99].end)
    assert world.said()[said:] == [(symbol, signal) for symbol, signal, _ in whole]


async def test_plain_bus_warms_up_and_lets_live_bars_wait_meanwhile(world):
    bars = walk(150)
    strategy = SmaCross(fast=3, slow=9)
    said: list[SignalEvent] = []
    await world.bus.subscribe(SIGNAL, lambda m: said.append(decode(SignalEvent, m.payload)))

    class Slow(History):
        """Publishes live bars while history is still being read."""

        async def read(self) -> AsyncIterator[Any]:
            for place, bar in enumerate(self.bars):
                if place == 50:
                    for live in bars[190:220]:
                        await world.bus.publish(data_subject(live.symbol), encode(live.event))
                yield bar.event

        def read_bars(self) -> Any:
            return None

    app = App(
        ingestors=[Silent()],
        strategies=[strategy],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
        warm_up=[Slow(bars[:200])],
    )
    warm_up = warm_up_of(app, strategy, world.gaps.append)
    member = LiveRunner(world.bus, strategy, ManualClock(START), warm_up=warm_up)
    await member.start()
    run = asyncio.create_task(member.run())
    for bar in bars[220:]:
        await world.bus.publish(data_subject(bar.symbol), encode(bar.event))
    async with asyncio.timeout(5):
        while member.progress.handled < 100:
            await asyncio.sleep(0)
    await world.bus.flush()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await member.stop()
    await world.bus.flush()
    whole = await expected(lambda: SmaCross(fast=3, slow=9), bars, bars[199].end)
    assert [(e.symbol, str(e.signal)) for e in said] == [(s, t) for s, t, _ in whole]
    assert not world.gaps


async def test_gap_is_said_with_its_length_once_a_symbol(world):
    bars = walk(60)
    async with world.running(SmaCross(fast=3, slow=9), bars[:40]) as member:
        for bar in bars[100:]:
            await world.publish(bar)
        await world.handled(member)
    # History ends with minute 20, live bars begin with minute 50.
    assert [text.partition(":")[0] for text in world.gaps] == ["AAPL", "MSFT"]
    assert world.gaps[0] == (
        "AAPL: 30 min are missing between 2024-01-02T00:20:00Z, until when sma-cross has seen "
        "data, and 2024-01-02T00:50:00Z, where live data begins, room for 30 bars; times without "
        "trading count"
    )


async def test_symbol_without_history_and_bars_of_another_length_are_said(world):
    history = [bar for bar in walk(60) if bar.symbol == "AAPL"]
    async with world.running(SmaCross(fast=3, slow=9), history) as member:
        await world.publish(bar_of("MSFT", 60, 100))
        await world.publish(bar_of("AAPL", 60, 100, 5 * MINUTE))
        await world.handled(member)
    assert "MSFT: there is no history of it, so sma-cross starts cold with it" in world.gaps[0]
    assert "AAPL: history has bars of 1m, and live ones are of 5m" in world.gaps[1]


async def test_bars_of_two_lengths_that_end_together_are_both_given(world):
    seen: list[timedelta] = []

    class Lengths(Strategy):
        def on_bar(self, bar: Bar) -> None:
            seen.append(bar.period)

    history = [bar_of("AAPL", minute, 100) for minute in range(60)]
    async with world.running(Lengths(name="lengths"), history) as member:
        seen.clear()
        await world.publish(history[-1])
        await world.publish(bar_of("AAPL", 0, 100, 60 * MINUTE))
        await world.handled(member)
    assert seen == [60 * MINUTE]


@pytest.mark.parametrize(
    ("history", "symbols", "text"),
    [
        ([], None, "its history is empty: give"),
        (walk(3), ["IBM"], "history has AAPL, MSFT, and it wants IBM: give"),
    ],
)
async def test_history_of_nothing_that_is_wanted_is_refused_with_the_cure(
    world, history, symbols, text
):
    member = world.member(RsiStrategy(symbols), history)
    with pytest.raises(ConfigError, match=text):
        await member.start()
    await member.stop()


async def test_missing_symbol_among_others_is_said(world, caplog):
    async with world.running(RsiStrategy(["AAPL", "IBM"]), walk(30)):
        assert "rsi-strategy: history has nothing of IBM, so it starts cold" in caplog.text
        assert "rsi-strategy is warmed up with 30 events of history, from" in caplog.text


async def test_history_that_cannot_be_read_ends_a_first_start_and_not_a_later_one(
    world, tmp_path, caplog
):
    bars = walk(30)
    async with world.running(RsiStrategy(), bars) as member:
        await world.handled(member)

    other = RsiStrategy()
    member = world.member(other, bars)
    assert member._warm_up is not None
    member._warm_up._history = AppHistory([CsvIngestor(tmp_path / "missing.csv")])
    await member.start()
    assert "goes on from its saved state, and history cannot fill what it has missed" in caplog.text
    await member.stop()
    fresh = World()
    member = fresh.member(RsiStrategy(), bars)
    assert member._warm_up is not None
    member._warm_up._history = AppHistory([CsvIngestor(tmp_path / "missing.csv")])
    with pytest.raises(DataFileError, match=r"missing\.csv"):
        await member.start()
    await member.stop()


async def test_handler_that_raises_in_the_warm_up_ends_the_start_with_its_bar(world):
    class Fails(Strategy):
        def on_bar(self, bar: Bar) -> None:
            raise ValueError("no good")

    member = world.member(Fails(), walk(3))
    with pytest.raises(ComponentError, match=r"'fails' failed on DataEvent of AAPL at .*no good"):
        await member.start()
    await member.stop()


async def test_handlers_live_in_the_time_of_history_and_nothing_that_they_say_is_sent(world):
    times: list[tuple[datetime, datetime]] = []

    class Clocked(Strategy):
        def on_bar(self, bar: Bar) -> None:
            times.append((self.now, bar.end))
            self.send_signal(bar.symbol, Signal.LONG)

    async with world.running(Clocked(), walk(20)) as member:
        await world.handled(member)
    assert len(times) == 40
    assert all(now == end for now, end in times)
    assert world.said() == []


def test_warm_up_of_an_app_is_checked_when_it_is_made(tmp_path: Path) -> None:
    parts: dict[str, Any] = {
        "strategies": [RsiStrategy()],
        "portfolio": FixedQuantity(1),
        "executor": PaperExecutor(),
    }
    with pytest.raises(ConfigError, match="'silent', which is an ingestor of live data"):
        App(ingestors=[Silent()], warm_up=Silent(), **parts)
    with pytest.raises(ConfigError, match="app replays history, and warm_up is for live data"):
        App(ingestors=[History([])], warm_up=History([], "other"), **parts)
    with pytest.raises(ConfigError, match=r"warm_up is 'bars\.csv': pass an ingestor"):
        App(ingestors=[Silent()], warm_up="bars.csv", **parts)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="warm_up holds an object of type str"):
        App(ingestors=[Silent()], warm_up=["bars.csv"], **parts)  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="no strategies to warm up"):
        App(ingestors=[Silent()], warm_up=History([]))
