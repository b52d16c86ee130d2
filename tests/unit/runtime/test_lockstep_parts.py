"""The parts of a lockstep: silent programs, the order of signals, turns and the roll call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from support.replaying import (
    START,
    History,
    Moody,
    Patient,
    Pauses,
    make_app,
    replay_on,
)

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
from ingenium.clock import ManualClock, format_time
from ingenium.events import decode
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.lockstep import make_replay_runner
from ingenium.runtime.lockstep.conductor import Conductor, has_handled
from ingenium.runtime.lockstep.settle_timer import SettleTimer
from ingenium.runtime.replay import Head, SignalOrder, Turn, next_turn, time_of
from ingenium.runtime.replay.event_log import EventLog
from ingenium.subjects.names import grant_subject, report_subject


@pytest.fixture
async def bus() -> MemoryBus:  # type: ignore[misc]
    memory = MemoryBus()
    yield memory
    await memory.close()


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
    silence = SettleTimer(app, clock)
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


def test_signals_of_two_silent_programs_have_one_order_whichever_comes_first() -> None:
    app = App(
        ingestors=[History("A")],
        strategies=[External("strategy", name="one"), External("strategy", name="two")],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    said = [("B", "ingenium.signal.short"), ("A", "ingenium.signal.short"),
            ("A", "ingenium.signal.long"), ("A", "ingenium.signal.flat")]  # fmt: skip
    expected = [said[3], said[2], said[1], said[0]]
    for arrived in itertools.permutations(said):
        messages = [
            Message("ingenium.strategy.signal", encode(SignalEvent(symbol=s, signal=what)))
            for s, what in arrived
        ]
        found = [decode(SignalEvent, m.payload) for m in SignalOrder(app).sort(messages)]
        assert [(event.symbol, event.signal) for event in found] == expected


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
    member = make_replay_runner(bus, app, app.strategies[0])
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


def handled(data: int, executions: int, signals: int) -> LockstepReport:
    return LockstepReport(data_handled=data, executions_handled=executions, signals_handled=signals)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((5, 4, 2), True),
        ((6, 5, 3), True),
        ((4, 4, 2), False),
        ((5, 3, 2), False),
        ((5, 4, 1), False),
        # However far the others are ahead.
        ((4, 99, 99), False),
        ((99, 3, 99), False),
        ((99, 99, 1), False),
    ],
)
def test_portfolio_has_handled_a_grant_when_no_count_is_behind(
    counts: tuple[int, int, int], expected: bool
) -> None:
    grant = LockstepGrant(step=3, component="p", data=5, executions=4, signals=2)
    assert has_handled(handled(*counts), grant) is expected


async def test_conductor_keeps_the_first_of_several_errors() -> None:
    conductor = Conductor(MemoryBus(), make_app(), EventLog(Decimal(0)))
    assert conductor.check()
    first = LockstepError("the cause")
    conductor.fail(first)
    conductor.fail(LockstepError("what follows from it"))
    with pytest.raises(LockstepError, match="the cause"):
        conductor.check()


class Counted(History):
    def total(self) -> int | None:
        return self.days


@pytest.mark.parametrize(("second", "expected"), [(Counted, 12), (History, None)])
async def test_replay_on_a_bus_tells_how_many_bars_there_will_be_when_all_say_so(
    second: type[History], expected: int | None
) -> None:
    told: list[tuple[int, int | None]] = []
    app = App(ingestors=[Counted("A", days=5), second("B", days=7)])
    await replay_on(
        MemoryBus(), app, on_step=lambda step, _time, data, total: told.append((data, total))
    )
    assert told[-1] == (12, expected)
    assert {total for _, total in told} == {expected}
