"""A server, a broker, a portfolio and an executor as real processes, and somebody who trades."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.app import EXECUTOR, NAME, PORTFOLIO
from chaos.facts import Facts
from chaos.programs import Program
from support.delivering import jetstream
from support.http_broker import BrokerProcess
from support.plain_server import PlainServer
from support.proxy import Proxy

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.base import Message
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import BrokerError, BusTimeoutError
from ingenium.events import Signal, SignalEvent, decode, encode
from ingenium.subjects.names import ALL_EVENTS, SIGNAL, status_subject

__all__ = ["World"]

_TESTS = Path(__file__).parent.parent
_SYMBOLS = [f"S{number}" for number in range(16)]
_OPTIONS = NatsOptions(ping_interval_seconds=1, reconnect_buffer_bytes=0)
_SETTLE_SECONDS = 60.0
_MOST_WAITING = 2
_LOOK_SECONDS = 0.05


class World:
    """All that a chaos run kills, and what it knows of it.

    Args:
        folder: Where everything has its files.
        seed: Decides what is sent.
        proxied: Whether the components reach the server through `proxy`.

    Attributes:
        proxy: Between components and server; runs when they are proxied.
        facts: What the stream has said so far.
        acknowledged: How many copies of each signal the stream has acknowledged.
        duplicates: Appends that the stream had kept before.
        timeouts: Appends without an answer, which were tried again.
        repeated: Signals that were sent a second time on purpose.
        allowed: How many signals are still to be sent by the load; see `allow`.
        ready_seconds: How long each component took from its kill until it was ready again, when
            the server ran all the while.
    """

    def __init__(self, folder: Path, seed: int, *, proxied: bool = False) -> None:
        self.folder = folder
        self.server = PlainServer(folder, jetstream(folder / "store"))
        self.broker = BrokerProcess(folder)
        self.proxy = Proxy(0)
        self._proxied = proxied
        self.facts = Facts()
        self.acknowledged: dict[str, int] = {}
        self.duplicates = self.timeouts = self.repeated = 0
        self.ready_seconds: list[float] = []
        self.ready: dict[str, int] = {PORTFOLIO: 0, EXECUTOR: 0}
        self._lives: set[str] = set()
        self.programs: dict[str, Program] = {}
        self._started: list[Program] = []
        self.environment: dict[str, str] = {}
        self.allowed = 0
        self._random = random.Random(seed)
        self._next = 0
        self._waiting: dict[str, set[str]] = {symbol: set() for symbol in _SYMBOLS}
        self._killed_at: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self.server.start()
        self.broker.start()
        self.set_market()
        if self._proxied:
            self.proxy.target = self.server.port
            await self.proxy.__aenter__()
        self._bus = await NatsBus.connect(self.server.url, name="chaos", options=_OPTIONS)
        self._stream = await open_stream(self._bus, MONEY_STREAM)
        await self._bus.subscribe(status_subject(NAME, "*"), self._on_status)
        self._tasks.append(asyncio.create_task(self._observe()))
        self._tasks.append(asyncio.create_task(self._load()))
        self.environment = {
            "NATS_SERVER": self.proxy.url if self._proxied else self.server.url,
            "BROKER_PORT": str(self.broker.port),
            "PYTHONPATH": str(_TESTS),
        }
        for name in (EXECUTOR, PORTFOLIO):
            self.programs[name] = self.start(name)
        for name in (EXECUTOR, PORTFOLIO):
            await self.until_ready(name, 1)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.go_on()
        self.broker.go_on()
        await asyncio.gather(*(program.end() for program in self._started))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._proxied:
            await self.proxy.__aexit__(kind, error, trace)
        with suppress(BusTimeoutError):
            await self._bus.close()
        self.server.kill()
        self.broker.stop()

    def start(self, name: str, label: str = "", **environment: str) -> Program:
        """Start a component, and again whenever it ends.

        Args:
            name: Of the component.
            label: Names its log when that is not the component's name.
            environment: What its environment has beside that of all.
        """
        program = Program(
            "chaos.app:app", name, self.folder, self.environment | environment, label=label
        )
        self._started.append(program)
        program.begin()
        return program

    # What is known.

    async def _observe(self) -> None:
        async for record in NatsStream(self._bus, MONEY_STREAM.name).read([ALL_EVENTS], 0):
            self.facts.take(record)
            self._changed.set()

    def _on_status(self, message: Message) -> None:
        status = decode(ComponentStatus, message.payload)
        name = status.component
        if status.state != "ready" or status.life in self._lives:
            return
        self._lives.add(status.life)
        self.ready[name] += 1
        killed_at = self._killed_at.pop(name, None)
        if killed_at is not None:
            self.ready_seconds.append(self._loop.time() - killed_at)
        self._changed.set()

    async def until(
        self,
        condition: Callable[[], bool],
        what: str,
        limit_seconds: float | None = _SETTLE_SECONDS,
    ) -> None:
        """Wait for a condition, which is looked at whenever something has happened."""
        try:
            async with asyncio.timeout(limit_seconds):
                while not condition():
                    for task in self._tasks:
                        if task.done():
                            task.result()
                    self._changed.clear()
                    # What files and processes say comes without a sign.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), _LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not within {limit_seconds} s: {what}\n{self.output()}") from None

    async def until_ready(self, name: str, times: int) -> None:
        """Wait until a component has said so often that it is ready."""
        await self.until(lambda: self.ready[name] >= times, f"{name} ready {times} times")

    def output(self, size: int = 2_000) -> str:
        """Return the ends of what the components have written."""
        return "\n".join(
            f"-- {program.log.name}\n{program.log.read_text(errors='replace')[-size:]}"
            for program in self._started
            if program.log.exists()
        )

    # What is sent.

    def allow(self, count: int) -> None:
        """Let the load send so many signals from now on, as fast as they are worked."""
        self.allowed = count

    async def _load(self) -> None:
        while True:
            await self.until(lambda: self.allowed > 0, "some load", None)
            await self.send()
            self.allowed -= 1

    async def send(self, symbol: str = "") -> str:
        """Append a signal until it is acknowledged.

        Args:
            symbol: Its symbol; one that has little under way when left out.

        Returns:
            Its id.
        """
        signal_id, self._next = f"signal_{self._next}", self._next + 1
        symbol = symbol or await self._free_symbol()
        signal = Signal.LONG if self._random.random() < 0.6 else Signal.SHORT
        payload = encode(SignalEvent(id=signal_id, symbol=symbol, signal=signal))
        self._waiting.setdefault(symbol, set()).add(signal_id)
        await self._append(signal_id, payload, signal_id)
        if self._random.random() < 0.05:
            # As a program does that made the event twice: the stream keeps both.
            self.repeated += 1
            await self._append(signal_id, payload, f"{signal_id}-again")
        return signal_id

    async def _append(self, signal_id: str, payload: bytes, message_id: str) -> None:
        while True:
            try:
                kept = await self._stream.append(SIGNAL, payload, {MESSAGE_ID: message_id})
            except BusTimeoutError:
                self.timeouts += 1
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_SECONDS)
                continue
            self.duplicates += kept.duplicate
            self.acknowledged[signal_id] = self.acknowledged.get(signal_id, 0) + 1
            return

    async def _free_symbol(self) -> str:
        found: list[str] = []

        def look() -> bool:
            found.clear()
            for symbol in _SYMBOLS:
                waiting = self._waiting[symbol]
                waiting -= {each for each in waiting if self.facts.is_settled(each)}
                if len(waiting) < _MOST_WAITING:
                    found.append(symbol)
            return bool(found)

        await self.until(look, "a symbol with little under way")
        return self._random.choice(found)

    # What is done to them.

    def note_kill(self, name: str) -> None:
        """Begin to measure how long a component takes until it is ready again."""
        self._killed_at[name] = self._loop.time()

    def forget_kills(self) -> None:
        """Measure nothing of what is not ready yet: something else is broken, too."""
        self._killed_at.clear()

    async def restart_server(self) -> None:
        """Start the server that was killed."""
        await asyncio.to_thread(self.server.start)

    async def restart_broker(self) -> None:
        """Start the broker that was killed."""
        await asyncio.to_thread(self.broker.start)
        await self.at_broker(self.set_market)

    def set_market(self) -> None:
        """Let the broker fill in two parts, and tell the last fill again."""
        self.broker.market(parts=2, duplicates=1, fill_open=True)

    async def at_broker(self, what: Callable[[], None]) -> None:
        """Ask the broker for something; it may be busy with starting."""

        def ask() -> None:
            with suppress(BrokerError):
                what()

        await asyncio.to_thread(ask)
