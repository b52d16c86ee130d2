"""A replay over a bus gives what the replay in one process gives, whatever the timing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ingenium import (
    App,
    BacktestError,
    Bar,
    ComponentError,
    DataEvent,
    DecodeError,
    Executor,
    External,
    Ingestor,
    LockstepError,
    Portfolio,
    Side,
    Signal,
    SignalEvent,
    Strategy,
    encode,
)
from ingenium._gen.ingenium.v1 import LockstepGrant, LockstepReport
from ingenium.backtest import replay, replay_async
from ingenium.brokers import PaperExecutor
from ingenium.bus import Bus, MemoryBus, Message
from ingenium.bus.envelope import headers_for
from ingenium.clock import ManualClock
from ingenium.components.base import format_time
from ingenium.deploy.probe import SubscriptionProbe
from ingenium.deploy.replay import run_replay
from ingenium.deploy.stopping import Stop
from ingenium.events import ExecutionEvent, OrderEvent, decode
from ingenium.lockstep import Head, ReplayResult, SignalOrder, Turn, make_member, next_turn, time_of
from ingenium.lockstep.silence import Silence
from ingenium.portfolios import FixedQuantity
from ingenium.subjects import grant_subject, report_subject

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 40


class Pauses:
    """Gives way to other tasks a random number of times."""

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else random.Random(seed)

    async def pause(self) -> None:
        for _ in range(self._random.randrange(30) if self._random else 0):
            await asyncio.sleep(0)


class History(Ingestor):
    def __init__(self, *symbols: str, every: int = 1, days: int = DAYS) -> None:
        super().__init__(name="history-" + "-".join(symbols).lower())
        self.symbols_given, self.every, self.days = symbols, every, days

    def read(self) -> Iterator[DataEvent]:
        for day in range(0, self.days, self.every):
            for place, symbol in enumerate(self.symbols_given):
                price = str(100 + (day * 3 + place) % 7)
                yield Bar.make(
                    symbol,
                    START + timedelta(days=day),
                    open=price, high=price, low=price, close=price, volume="100000",
                    period=timedelta(days=1),
                ).event  # fmt: skip


class Moody(Strategy):
    def __init__(self, name: str, pauses: Pauses, symbols: list[str] | None = None) -> None:
        super().__init__(symbols, name=name)
        self.pauses = pauses

    async def on_start(self) -> None:
        await self.pauses.pause()

    async def on_bar(self, bar: Bar) -> None:
        await self.pauses.pause()
        if bar.close > 105:
            self.send_signal(bar.symbol, Signal.SHORT)
        elif bar.close < 101:
            self.send_signal(bar.symbol, Signal.LONG)


class Patient(Portfolio):
    """Orders from every kind of event, so that each loop of a step is walked."""

    def __init__(self, pauses: Pauses) -> None:
        super().__init__(name="patient")
        self.pauses = pauses
        self.seen: list[str] = []

    async def on_signal(self, event: SignalEvent) -> None:
        await self.pauses.pause()
        self.seen.append(f"signal {event.symbol}")
        side = Side.BUY if event.signal == Signal.LONG else Side.SELL
        self.send_order(event.symbol, side, Decimal(1))

    async def on_bar(self, bar: Bar) -> None:
        if bar.start.day == 15:
            self.send_order(bar.symbol, Side.BUY, Decimal(2), limit_price=Decimal(1), type="limit")

    async def on_execution(self, event: ExecutionEvent) -> None:
        await self.pauses.pause()
        self.seen.append(f"execution {event.symbol} {event.update}")
        if event.update == "filled" and self.now.day == 20:
            self.send_order(event.symbol, Side.SELL, Decimal(1))


class SlowExecutor(PaperExecutor):
    def __init__(self, pauses: Pauses) -> None:
        super().__init__()
        self.pauses = pauses

    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        await self.pauses.pause()
        PaperExecutor.on_order(self, event)


def make_app(seed: int | None = None) -> App:
    pauses = Pauses(seed)
    return App(
        name="test",
        ingestors=[History("B", "C"), History("A", "B2", every=2), History("C2", every=3)],
        strategies=[
            Moody("z", pauses),
            Moody("a", pauses, ["A", "C"]),
            Moody("m", pauses, ["B"]),
        ],
        portfolio=Patient(pauses),
        executor=SlowExecutor(pauses),
    )


async def replay_on(
    bus: Bus, app: App, *, stop: Stop | None = None, on_step: Callable[..., None] | None = None
) -> ReplayResult:
    parts = [make_member(bus, app, c) for c in app.components if not isinstance(c, External)]
    probe = SubscriptionProbe(None, app)
    return await run_replay(bus, app, parts, probe, stop or Stop(), on_step)


@pytest.fixture
async def bus() -> MemoryBus:  # type: ignore[misc]
    memory = MemoryBus()
    yield memory
    await memory.close()


@pytest.mark.parametrize("seed", range(12))
async def test_replay_on_bus_any_timing_gives_the_digest_of_one_process(
    bus: MemoryBus, seed: int
) -> None:
    expected = await replay_async(make_app())
    app = make_app(seed)
    result = await replay_on(bus, app)
    assert result.events_digest == expected.events_digest
    assert result.trades == expected.trades
    assert result.account.equity == expected.account.equity
    assert result.complete
    assert (result.data, result.signals, result.orders) == (
        expected.data, expected.signals, expected.orders,
    )  # fmt: skip
    assert result.orders > 50


async def test_replay_portfolio_books_an_instants_executions_before_its_signals(
    bus: MemoryBus,
) -> None:
    app = make_app(3)
    await replay_on(bus, app)
    assert isinstance(app.portfolio, Patient)
    log = "\n".join(app.portfolio.seen)
    one_process = make_app()
    await replay_async(one_process)
    assert isinstance(one_process.portfolio, Patient)
    assert log == "\n".join(one_process.portfolio.seen)
    assert "execution" in log
    assert "signal" in log


async def test_replay_on_bus_steps_are_told_with_counts(bus: MemoryBus) -> None:
    told: list[tuple[int, datetime, int, int | None]] = []
    await replay_on(bus, make_app(), on_step=lambda *step: told.append(step))
    assert [step[0] for step in told] == list(range(1, DAYS + 1))
    assert told[-1][1] == START + timedelta(days=DAYS)
    assert told[-1][2:] == (DAYS * 2 + 2 * DAYS // 2 + -(-DAYS // 3), None)


async def test_replay_asked_to_stop_ends_after_a_whole_step(bus: MemoryBus) -> None:
    stop = Stop()

    def on_step(step: int, *_: object) -> None:
        if step == 10:
            stop.ask()

    result = await replay_on(bus, make_app(5), stop=stop, on_step=on_step)
    assert not result.complete
    assert result.steps == 10


async def test_replay_component_that_raises_ends_it_with_its_name(bus: MemoryBus) -> None:
    class Broken(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.start.day == 9:
                raise KeyError("nothing there")

    def app() -> App:
        return App(
            ingestors=[History("A")],
            strategies=[Broken()],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )

    text = "strategy 'broken' failed on DataEvent of A at 2024-01-10.*KeyError: 'nothing there'"
    with pytest.raises(ComponentError, match=text):
        await replay_on(bus, app())
    with pytest.raises(ComponentError, match=text):
        await replay_async(app())


async def test_replay_component_that_never_comes_is_named(bus: MemoryBus) -> None:
    app = App(
        ingestors=[History("A")],
        strategies=[External("strategy", name="absent", reports=True)],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    from ingenium.lockstep import Conductor, EventLog

    conductor = Conductor(bus, app, EventLog(Decimal(0)))
    await conductor.start()
    with pytest.raises(LockstepError, match=r"not ready: .*absent"):
        await conductor.wait_ready(timeout_seconds=0.05)


async def test_replay_component_that_stalls_is_named(bus: MemoryBus) -> None:
    class Stuck(Strategy):
        async def on_bar(self, bar: Bar) -> None:
            await asyncio.Event().wait()

    app = App(
        ingestors=[History("A")],
        strategies=[Stuck()],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    from ingenium.lockstep import Conductor, EventLog

    conductor = Conductor(bus, app, EventLog(Decimal(0)), stall_seconds=0.1)
    await conductor.start()
    members = [make_member(bus, app, c) for c in app.components]
    tasks = []
    for member in members:
        await member.start()
        tasks.append(asyncio.create_task(member.run()))
    await conductor.wait_ready()
    with pytest.raises(LockstepError, match="strategy 'stuck' handled 0 of 1 data events"):
        await conductor.run()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_replay_history_that_goes_back_in_time_is_refused(bus: MemoryBus) -> None:
    class Back(Ingestor):
        def read(self) -> Iterator[DataEvent]:
            yield DataEvent(symbol="A", timestamp="2024-01-02T00:00:00Z")
            yield DataEvent(symbol="A", timestamp="2024-01-01T00:00:00Z")

    with pytest.raises(ComponentError, match="in the order of time"):
        await replay_async(App(ingestors=[Back()]))
    with pytest.raises(ComponentError, match="in the order of time"):
        await replay_on(bus, App(ingestors=[Back()]))


class Silent:
    """Another program that reports nothing: answers each bar some moments later."""

    def __init__(self, bus: Bus, symbols: list[str], moments: int) -> None:
        self.bus, self.symbols, self.moments = bus, symbols, moments

    async def start(self) -> None:
        for symbol in self.symbols:
            # As the Go library: one subscription a symbol, so symbols overtake each other.
            await self.bus.subscribe(f"ingenium.ingestor.data.{symbol.lower()}", self.on_bar)

    async def on_bar(self, message: Message) -> None:
        bar = Bar.from_event(decode(DataEvent, message.payload))
        for _ in range(self.moments * (2 if bar.symbol == "B" else 1)):
            await asyncio.sleep(0)
        if not 101 <= bar.close <= 105:
            signal = Signal.SHORT if bar.close > 105 else Signal.LONG
            event = SignalEvent(symbol=bar.symbol, signal=signal)
            await self.bus.publish("ingenium.strategy.signal", encode(event))


async def test_replay_silent_program_gives_the_trades_of_one_that_reports(bus: MemoryBus) -> None:
    def app(strategy: Strategy | External) -> App:
        return App(
            ingestors=[History("B", "C")],
            strategies=[strategy],
            portfolio=Patient(Pauses(None)),
            executor=PaperExecutor(),
        )

    expected = await replay_async(app(Moody("z", Pauses(None))))
    await Silent(bus, ["B", "C"], moments=5).start()
    silent = External("strategy", name="z", symbols=["B", "C"], settle_seconds=0.01)
    result = await replay_on(bus, app(silent))
    assert result.trades == expected.trades
    assert len(result.trades) > 5


def test_silence_signal_sent_before_the_step_began_is_found() -> None:
    app = App(
        ingestors=[History("B")],
        strategies=[External("strategy", name="go")],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    silence = Silence(app, clock)
    early = SignalEvent(symbol="A", signal=Signal.LONG, timestamp=clock.now())
    clock.advance(timedelta(seconds=1))
    silence.begin()
    with pytest.raises(LockstepError, match=r"came 1\.000 s after .* raise settle_seconds"):
        silence.check(Message("ingenium.strategy.signal", encode(early)))
    for fine in (
        SignalEvent(symbol="A", signal=Signal.LONG, timestamp=clock.now()),
        SignalEvent(symbol="A", signal=Signal.LONG, timestamp=START),
        SignalEvent(symbol="A", signal=Signal.LONG),
    ):
        silence.check(Message("ingenium.strategy.signal", encode(fine)))
    # Another component's signal carries the time of history.
    silence.check(Message("ingenium.strategy.signal", encode(early), headers_for(early, "other")))


def test_signal_order_sorts_by_strategy_and_silent_ones_by_symbol() -> None:
    app = App(
        ingestors=[History("A")],
        strategies=[Strategy(name="z"), External("strategy", name="go"), Strategy(name="a")],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )

    def signal(source: str, symbol: str) -> Message:
        event = SignalEvent(symbol=symbol, signal=Signal.LONG)
        headers = {"Ingenium-Source": source} if source else {}
        return Message("ingenium.strategy.signal", encode(event), headers)

    arrived = [
        signal("a", "S2"), signal("a", "S1"), signal("", "S3"), signal("go", "S1"),
        signal("z", "S9"), signal("stranger", "S0"),
    ]  # fmt: skip
    order = [
        (m.headers.get("Ingenium-Source"), decode(SignalEvent, m.payload).symbol)
        for m in SignalOrder(app).sort(arrived)
    ]
    assert order == [
        ("z", "S9"), ("go", "S1"), (None, "S3"), ("a", "S2"), ("a", "S1"), ("stranger", "S0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("heads", "turn"),
    [
        ([Head(START, "B"), Head(START, "A")], Turn(1, "B")),
        ([Head(START, "A"), Head(START, "A")], Turn(0, "A")),
        ([None, Head(START, "A")], Turn(1, "")),
        ([Head(START, "A"), Head(START + timedelta(1), "A")], Turn(0, "")),
    ],
)
def test_next_turn_merges_by_time_symbol_and_position(heads: list[Head], turn: Turn) -> None:
    assert next_turn(heads) == turn


def test_time_of_event_without_any_time_is_refused() -> None:
    with pytest.raises(DecodeError, match="Timestamp"):
        time_of(DataEvent(symbol="A"))
    with pytest.raises(DecodeError, match="yesterday"):
        time_of(DataEvent(symbol="A", timestamp="yesterday"))
    assert time_of(DataEvent(timestamp="2024-01-01T01:00:00+01:00")) == START
    assert time_of(DataEvent(timestamp=format_time(START))) == START


async def test_member_answers_the_roll_call(bus: MemoryBus) -> None:
    app = make_app()
    member = make_member(bus, app, app.strategies[0])
    await member.start()
    run = asyncio.create_task(member.run())
    reports: list[LockstepReport] = []
    answered = asyncio.Event()

    def receive(message: Message) -> None:
        reports.append(decode(LockstepReport, message.payload))
        answered.set()

    await bus.subscribe(report_subject("test"), receive)
    await bus.publish(grant_subject("test"), encode(LockstepGrant(step=0)))
    await asyncio.wait_for(answered.wait(), 5)
    assert (reports[0].component, reports[0].role) == ("z", "strategy")
    await bus.publish(grant_subject("test"), encode(LockstepGrant(end=True)))
    await asyncio.wait_for(run, 5)
    await member.stop()


async def test_replay_bar_that_cannot_be_read_ends_it_with_the_value(bus: MemoryBus) -> None:
    class Poisoned(History):
        def read(self) -> Iterator[DataEvent]:
            for event in super().read():
                if event.ohlc is not None and event.timestamp.startswith("2024-01-05"):
                    event.ohlc.close = "NaN"
                yield event

    app = App(
        ingestors=[Poisoned("A", days=10)],
        strategies=[Strategy(name="s")],
        portfolio=FixedQuantity(1),
        executor=Executor(),
    )
    with pytest.raises(ComponentError, match=r"of A at 2024-01-05.*Ohlc\.Close.*'NaN'"):
        await replay_on(bus, app)


async def test_replay_foreign_garbage_on_the_bus_is_dead_lettered_and_said(
    bus: MemoryBus,
) -> None:
    class Gossip(Strategy):
        async def on_bar(self, bar: Bar) -> None:
            if bar.start.day == 3:
                await bus.publish("ingenium.strategy.signal", b"not json")

    app = App(
        ingestors=[History("A", days=10)],
        strategies=[Gossip()],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    result = await replay_on(bus, app)
    assert result.complete
    assert (result.signals, result.dead_letters) == (1, 1)


def test_replay_external_or_live_component_is_refused_with_the_cure() -> None:
    class Live(Ingestor):
        async def ingest(self) -> None:
            return

    external = App(
        ingestors=[History("A")],
        strategies=[External("strategy")],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    with pytest.raises(BacktestError, match="ingenium run"):
        replay(external)
    with pytest.raises(BacktestError, match="live"):
        replay(App(ingestors=[Live()]))


def test_replay_result_of_no_data_is_empty_and_complete() -> None:
    result = replay(App(ingestors=[History("A", days=0)]))
    assert (result.steps, result.data, result.first, result.complete) == (0, 0, None, True)


class Bracketing(FixedQuantity):
    """Enters with a bracket, so that the legs' executions come by themselves."""

    def on_signal(self, event: SignalEvent) -> None:
        price = self.price(event.symbol)
        if price is None or self.pending(event.symbol) or self.position(event.symbol).quantity:
            return
        long = event.signal == Signal.LONG
        self.send_order(
            event.symbol,
            Side.BUY if long else Side.SELL,
            Decimal(5),
            stop_loss=price - 2 if long else price + 2,
            take_profit=price + 2 if long else price - 2,
        )


async def test_replay_brackets_give_equal_bytes_on_a_bus_and_in_one_process(
    bus: MemoryBus,
) -> None:
    def app(seed: int | None) -> App:
        return App(
            ingestors=[History("B", "C")],
            strategies=[Moody("z", Pauses(seed))],
            portfolio=Bracketing(5),
            executor=PaperExecutor(),
        )

    expected = await replay_async(app(None))
    on_bus = app(4)
    result = await replay_on(bus, on_bus)
    assert result.events_digest == expected.events_digest
    assert len(result.trades) > 5
    assert isinstance(on_bus.portfolio, Bracketing)
    assert not on_bus.portfolio.problems
    assert on_bus.portfolio.account.equity == result.account.equity
