"""A replay over a bus gives what the replay in one process gives, whatever the timing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import pytest
from msgspec import structs
from support.replaying import (
    DAYS,
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
    Bar,
    ComponentError,
    ContentType,
    DataEvent,
    External,
    Ingestor,
    LockstepError,
    OrderEvent,
    Portfolio,
    Side,
    Signal,
    SignalEvent,
    Strategy,
)
from ingenium.backtest import replay_async
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.deploy.local.replay_run import run_replay
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.subscription_probe import SubscriptionProbe
from ingenium.portfolios import FixedFraction, FixedQuantity
from ingenium.runtime.handler_limit import HandlerLimit
from ingenium.runtime.lockstep import make_replay_runner
from ingenium.strategies import SmaCross


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


async def test_replay_of_symbols_with_a_space_gives_the_digest_of_one_process(
    bus: MemoryBus,
) -> None:
    class Named(History):
        def __init__(self, name: str, *symbols: str, every: int = 1) -> None:
            Ingestor.__init__(self, name)
            self.symbols_given, self.every, self.days = symbols, every, DAYS

    def app(seed: int | None = None) -> App:
        pauses = Pauses(seed)
        return App(
            name="spaces",
            ingestors=[Named("shares", "BRK A", "BRK B"), Named("futures", "ES Z4", every=2)],
            strategies=[Moody("all", pauses), Moody("one", pauses, ["BRK B", "ES Z4"])],
            portfolio=Patient(pauses),
            executor=PaperExecutor(),
        )

    expected = await replay_async(app())
    subjects: set[str] = set()
    await bus.subscribe("ingenium.ingestor.data.>", lambda m: subjects.add(m.subject))
    result = await replay_on(bus, app(3))
    assert result.events_digest == expected.events_digest
    assert result.trades == expected.trades
    assert {trade.symbol for trade in result.trades} == {"BRK B", "BRK A", "ES Z4"}
    assert {subject.removeprefix("ingenium.ingestor.data.") for subject in subjects} == {
        "brk%20a", "brk%20b", "es%20z4",
    }  # fmt: skip
    assert not result.problems


async def test_replay_in_binary_gives_the_digest_of_one_process() -> None:
    expected = await replay_async(make_app())
    bus = MemoryBus(content_type=ContentType.PROTOBUF)
    forms: list[str] = []
    await bus.subscribe("ingenium.>", lambda m: forms.append(m.headers["Content-Type"]))
    result = await replay_on(bus, make_app(5))
    await bus.close()
    assert set(forms) == {"application/protobuf"}
    assert result.events_digest == expected.events_digest
    assert result.trades == expected.trades
    assert result.problems == expected.problems


class _Shorts(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.SHORT)


async def test_replay_on_bus_says_what_never_happened_as_one_process_does(bus: MemoryBus) -> None:
    def app() -> App:
        return App(
            ingestors=[History("B", "C")],
            strategies=[
                _Shorts(["B"], name="shorts"),
                SmaCross(["C"], fast=50, slow=90, name="slow"),
                _Shorts(["c"], name="typo"),
            ],
            portfolio=FixedFraction("0.001", cash=150_000),
            executor=PaperExecutor(allow_short=False),
        )

    expected = await replay_async(app())
    result = await replay_on(bus, app())
    assert result.problems == expected.problems
    assert result.rejected_orders == expected.rejected_orders == DAYS
    assert [fill.order_id for fill in result.fills] == [f.order_id for f in expected.fills] == []
    typo, slow, rejected, unfilled = result.problems
    assert (
        typo == "strategy 'typo' waits for c, which no ingestor sent; C differs in case: the data "
        "has B, C"
    )
    assert slow.startswith("strategy 'slow' sent no signal: its Sma has no value before 90 updates")
    assert rejected.startswith(
        "40 orders of B were rejected, first on 2024-01-02: not enough shares"
    )
    assert unfilled == "none of 40 orders was filled: 40 rejected"


async def test_replay_on_bus_lists_the_fills_of_one_process(bus: MemoryBus) -> None:
    expected = await replay_async(make_app())
    result = await replay_on(bus, make_app(2))
    of_bus = [structs.replace(fill, id="") for fill in result.fills]
    assert of_bus == list(expected.fills)
    assert len(of_bus) > 50


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
    from ingenium.runtime.lockstep import Conductor
    from ingenium.runtime.replay import EventLog

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
    from ingenium.runtime.lockstep import Conductor
    from ingenium.runtime.replay import EventLog

    conductor = Conductor(bus, app, EventLog(Decimal(0)), stall_seconds=0.1)
    await conductor.start()
    members = [make_replay_runner(bus, app, c) for c in app.components]
    tasks = []
    for member in members:
        await member.start()
        tasks.append(asyncio.create_task(member.run()))
    await conductor.wait_ready()
    with pytest.raises(
        LockstepError, match="strategy 'stuck' handled 0 of 1 data events"
    ) as caught:
        await conductor.run()
    line = Stuck.on_bar.__code__.co_firstlineno
    assert str(caught.value).endswith(
        f", in Stuck.on_bar (test_lockstep.py, line {line}); nothing came within 0.1 s, and the "
        "limit is 30 s, and INGENIUM_HANDLER_SECONDS sets another"
    )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("hook", ["on_start", "on_bar", "on_signal", "on_order"])
async def test_replay_component_over_the_limit_names_its_line_and_the_setting(
    bus: MemoryBus, hook: str
) -> None:
    class Slow(Strategy):
        async def on_start(self) -> None:
            await wait_if("on_start")

        async def on_bar(self, bar: Bar) -> None:
            await wait_if("on_bar")
            self.send_signal("A", Signal.LONG)

    class Deciding(Portfolio):
        async def on_signal(self, event: SignalEvent) -> None:
            await wait_if("on_signal")
            self.send_order("A", "buy", 1)

    class Executing(PaperExecutor):
        async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
            await wait_if("on_order")

    async def wait_if(name: str) -> None:
        if name == hook:
            await asyncio.Event().wait()

    app = App(
        ingestors=[History("A")],
        strategies=[Slow()],
        portfolio=Deciding(),
        executor=Executing(),
    )
    limit = HandlerLimit(0.05, "A_SETTING")
    parts = [make_replay_runner(bus, app, c, limit) for c in app.components]
    with pytest.raises(ComponentError) as caught:
        await run_replay(bus, app, parts, SubscriptionProbe(None, app), Stop(), limit=limit)
    cls = {"on_signal": Deciding, "on_order": Executing}.get(hook, Slow)
    line = getattr(cls, hook).__code__.co_firstlineno
    assert f"{cls.__name__}.{hook} (test_lockstep.py, line {line}) took" in str(caught.value)
    assert "the limit is 0.05 s, and A_SETTING sets another" in str(caught.value)


async def test_replay_handler_that_blocks_the_process_for_long_is_named_by_itself(
    bus: MemoryBus,
) -> None:
    class Busy(Strategy):
        def on_bar(self, bar: Bar) -> None:
            # As a computation of minutes does: all others wait, the conductor's clock too.
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                pass

    app = App(
        ingestors=[History("A")],
        strategies=[Busy()],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
    )
    from ingenium.runtime.lockstep import Conductor
    from ingenium.runtime.replay import EventLog

    limit = HandlerLimit(0.05, "A_SETTING")
    conductor = Conductor(bus, app, EventLog(Decimal(0)), stall_seconds=0.1, limit=limit)
    await conductor.start()
    members = [make_replay_runner(bus, app, c, limit) for c in app.components]
    for member in members:
        await member.start()
    tasks = [asyncio.create_task(member.run()) for member in members]
    await conductor.wait_ready()
    line = Busy.on_bar.__code__.co_firstlineno
    with pytest.raises(
        ComponentError, match=rf"'busy': Busy.on_bar \(test_lockstep.py, line {line}\) took 0\.3 s"
    ):
        await conductor.run()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_replay_history_that_goes_back_in_time_is_refused(bus: MemoryBus) -> None:
    class Back(Ingestor):
        def read(self) -> Iterator[DataEvent]:
            yield DataEvent(symbol="A", timestamp="2024-01-02T00:00:00Z")
            yield DataEvent(symbol="A", timestamp="2024-01-01T00:00:00Z")

    with pytest.raises(ComponentError, match="sort history by time"):
        await replay_async(App(ingestors=[Back()]))
    with pytest.raises(ComponentError, match="sort history by time"):
        await replay_on(bus, App(ingestors=[Back()]))


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


class Changing(FixedQuantity):
    """Sends limit orders, then replaces or cancels them."""

    def on_signal(self, event: SignalEvent) -> None:
        price = self.price(event.symbol)
        if price is None:
            return
        for number, order_id in enumerate(list(self.orders)):
            if number % 2:
                self.cancel_order(order_id)
            else:
                self.replace_order(order_id, limit_price=price)
        self.send_order(
            event.symbol, Side.BUY, Decimal(2), type="limit", limit_price=price - 3,
            time_in_force="gtc",
        )  # fmt: skip


async def test_replay_cancel_and_replace_give_equal_bytes_on_a_bus_and_in_one_process(
    bus: MemoryBus,
) -> None:
    def app(seed: int | None) -> App:
        return App(
            ingestors=[History("B", "C")],
            strategies=[Moody("z", Pauses(seed))],
            portfolio=Changing(2),
            executor=PaperExecutor(),
        )

    requests: list[str] = []
    await bus.subscribe("ingenium.portfolio.*", lambda message: requests.append(message.subject))
    expected = await replay_async(app(None))
    on_bus = app(9)
    result = await replay_on(bus, on_bus)
    assert {subject.rpartition(".")[2] for subject in requests} == {"order", "cancel", "replace"}
    assert result.events_digest == expected.events_digest
    assert isinstance(on_bus.portfolio, Changing)
    assert not on_bus.portfolio.problems
    assert on_bus.portfolio.account.equity == result.account.equity
    assert result.account.positions


class Rotating(Portfolio):
    """Moves all it has from one symbol to the other, and back; the purchase is sent first."""

    def __init__(self) -> None:
        super().__init__(1_000)
        self.days = 0

    def on_bar(self, bar: Bar) -> None:
        if bar.symbol != "C":
            return
        self.days += 1
        bought, sold = ("B", "C") if self.days % 4 < 2 else ("C", "B")
        if self.days % 2 == 0 and not any(self.pending(symbol) for symbol in "BC"):
            price = self.price(bought)
            assert price is not None
            held = self.position(sold).quantity
            if held or not self.position(bought).quantity:
                all_in = (self.account.equity / price).quantize(Decimal("0.01"), ROUND_DOWN)
                self.send_order(bought, Side.BUY, all_in)
            if held:
                self.send_order(sold, Side.SELL, held)


@pytest.mark.parametrize("mode", ["reduce", "reject"])
async def test_replay_sales_that_pay_for_purchases_give_equal_bytes_on_a_bus(
    bus: MemoryBus, mode: Literal["reduce", "reject"]
) -> None:
    def app(seed: int | None) -> App:
        return App(
            ingestors=[History("B"), History("C")],
            strategies=[Moody("z", Pauses(seed))],
            portfolio=Rotating(),
            executor=PaperExecutor(cash=1_000, allow_short=False, on_insufficient_cash=mode),
        )

    expected_app, on_bus = app(None), app(3)
    expected = await replay_async(expected_app)
    result = await replay_on(bus, on_bus)
    assert result.events_digest == expected.events_digest
    assert len(result.trades) > 3
    assert isinstance(on_bus.executor, PaperExecutor)
    assert isinstance(expected_app.executor, PaperExecutor)
    notes = on_bus.executor.exchange.notes
    assert notes == expected_app.executor.exchange.notes
    # Prices move between the order and its fill, so that some are not paid in full.
    assert notes.reduced_orders if mode == "reduce" else notes.rejected_orders
    assert on_bus.portfolio is not None
    assert result.account.cash >= 0
