"""What comes from outside: signals of strategies, prices, and the words of an operator."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from simulation.parts import PORTFOLIO, signal_id
from simulation.process import Process
from simulation.stream import SimStream

from ingenium.bus.base import Message
from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.clock import format_time
from ingenium.errors import BusTimeoutError
from ingenium.events import (
    ControlEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    Ohlc,
    Signal,
    SignalEvent,
    TradingState,
    decode,
    encode,
)
from ingenium.ids import make_id
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.runtime.durable.transaction import DEADLINE, DEADLINE_SECONDS
from ingenium.subjects.names import EXECUTION, TRADING, subject_of

if TYPE_CHECKING:
    from simulation.world import SimWorld

__all__ = ["Script"]

# Not drawn, so that kept seeds make the worlds that they made before.
_BAR_AGES = (0.0, 0.0, 5.0, 22.0)
"""How old the bar behind a signal is when the strategy sends it, in seconds."""
_MOST_SENDS = 8
"""How much a portfolio sends for one signal at most."""


class Script:
    """Sends what a world is about.

    Args:
        world: Where to.

    Attributes:
        acknowledged: Ids of what the stream has said that it keeps.
        doubled: Ids of what was sent twice without a word to the stream.
        bars: When the bars behind signals were known, by the ids of the signals.
        causes: The same by the ids of the orders that the portfolio makes of the signals.
        forged: Ids under which somebody has sent another signal.
    """

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._chaos = world.chaos
        self.process = Process(world.chaos, "script", 1, [])
        self.process.at_effect, self.process.at_point = 0, None
        self._stream = SimStream(world.server, self.process)
        self.acknowledged: list[str] = []
        self.doubled: set[str] = set()
        self.bars: dict[str, datetime] = {}
        self.causes: dict[str, datetime] = {}
        self.forged: set[str] = set()
        options = world.chaos.options
        self.symbols = [f"S{number}" for number in range(options.symbols)]

    async def signals(self) -> None:
        """Send the signals."""
        chaos, options = self._chaos, self._chaos.options
        directions = [Signal.LONG, Signal.SHORT, Signal.FLAT]
        before: SignalEvent | None = None
        await self._world.begun()
        for number in range(options.signals):
            await asyncio.sleep(chaos.random.expovariate(1 / options.pause))
            event = SignalEvent(
                id=signal_id(number),
                symbol=chaos.random.choice(self.symbols),
                signal=chaos.random.choice(directions),
                timestamp=chaos.now,
            )
            age = _BAR_AGES[(options.seed + number) % len(_BAR_AGES)]
            self._note_bar(str(event.id), chaos.now - timedelta(seconds=age))
            is_forged = options.impostor and chaos.roll(options.impostor)
            if is_forged and number % 2:
                await self._forge(event)
            await self._send(event)
            if is_forged and not number % 2:
                await self._forge(event)
            if before is not None and chaos.roll(options.careless):
                chaos.fault("careless", str(before.id))
                self.doubled.add(before.id or "")
                await self._send(before, careless=True)
                await self._tell_again()
            before = event

    def _note_bar(self, signal: str, known: datetime) -> None:
        self.bars[signal] = known
        for number in range(_MOST_SENDS):
            self.causes[make_id("order", PORTFOLIO, signal, str(number))] = known

    async def _forge(self, event: SignalEvent) -> None:
        """Send another signal under an id, before the real one or behind it.

        Ids are functions of what is public, and who sends to the stream need not give it one.
        """
        identifier = event.id or ""
        other = Signal.LONG if event.signal == Signal.SHORT else Signal.SHORT
        self._chaos.fault("forged", identifier)
        self.forged.add(identifier)
        self.doubled.add(identifier)
        await self._send(replace(event, signal=other), careless=True)

    async def _tell_again(self) -> None:
        """Send an execution a second time, as an executor that was started again may."""
        told = [r for r in self._world.server.records if r.message.subject == EXECUTION]
        if not told:
            return
        record = self._chaos.random.choice(told)
        await self._repeat(record, decode(ExecutionEvent, record.message.payload).id)

    async def prices(self) -> None:
        """Bring bars to those who listen, as long as they do."""
        chaos = self._chaos
        while True:
            await asyncio.sleep(chaos.random.expovariate(1 / 2))
            symbol = chaos.random.choice(self.symbols)
            price = str(chaos.random.randint(95, 105))
            event = DataEvent(
                type="data.type.ohlc",
                symbol=symbol,
                timestamp=format_time(chaos.now),
                ohlc=Ohlc(
                    open=price, high=price, low=price, close=price, volume="100", period="1s"
                ),
            )
            message = Message(subject_of(event), encode(event))
            for actor in self._world.actors:
                bus = actor.bus
                if bus is not None and bus.process.alive and not chaos.roll(chaos.options.lost):
                    bus.bring(message)

    async def operator(self) -> None:
        """Halt trading for a while, or let it only reduce, once or twice."""
        chaos = self._chaos
        words = ((TradingState.HALTED, 15), (TradingState.ACTIVE, 5))
        if chaos.options.reduces:
            words = ((TradingState.REDUCING, 5), (TradingState.ACTIVE, 30))
        await self._world.begun()
        for number in range(chaos.random.randint(1, 2)):
            for state, most in words:
                await asyncio.sleep(chaos.random.uniform(0.2, most))
                await self.control(state, f"{number}/{state}")
                if chaos.roll(chaos.options.echoed):
                    await self._say_again()

    async def _say_again(self) -> None:
        """Say a word about trading a second time, which must not undo those that came between."""
        said = [r for r in self._world.server.records if r.message.subject == TRADING]
        if said:
            record = self._chaos.random.choice(said)
            self._chaos.fault("word echoed", f"of {record.sequence}")
            await self._repeat(record, decode(ControlEvent, record.message.payload).id)

    async def _repeat(self, record: Record, identifier: str) -> None:
        """Send a message again, without an id that the stream knows it by."""
        self.doubled.add(identifier)
        message = record.message
        headers = {k: v for k, v in message.headers.items() if k != MESSAGE_ID}
        with suppress(BusTimeoutError):
            await self._stream.append(message.subject, message.payload, headers)

    async def control(self, state: TradingState, cause: str) -> None:
        """Say whether there is to be trading."""
        chaos = self._chaos
        event = ControlEvent(
            id=make_id("control", "operator", cause),
            timestamp=chaos.now,
            state=state,
            sender="ann@desk",
            reason="simulated",
        )
        await self._send(event)

    async def _send(self, event: Event, *, careless: bool = False) -> None:
        identifier = getattr(event, "id", "")
        headers = {} if careless else {MESSAGE_ID: identifier}
        if isinstance(event, SignalEvent):
            known = self.bars[identifier or ""]
            headers[CAUSE_TIME] = format_time(known)
            headers[DEADLINE] = format_time(known + timedelta(seconds=DEADLINE_SECONDS))
        while True:
            try:
                await self._stream.append(subject_of(event), encode(event), headers)
            except BusTimeoutError:
                await asyncio.sleep(0.5)
                if careless:
                    return
            else:
                self.acknowledged.append(identifier)
                return
