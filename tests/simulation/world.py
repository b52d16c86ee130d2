"""A world made from a seed: first all goes wrong, then it heals, then the books must agree."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Callable, Coroutine

import msgspec
from simulation import checker
from simulation.actor import Actor
from simulation.broker import ACCOUNT, SimBroker, SimExchange
from simulation.chaos import Chaos
from simulation.lease import SimLease
from simulation.loop import SimLoop
from simulation.parts import make_portfolio
from simulation.process import Process
from simulation.script import Script
from simulation.stream import SimServer
from simulation.words import said

from ingenium.brokers.broker_executor import BrokerExecutor
from ingenium.brokers.journal_store import fill_key
from ingenium.bus.lease import LeaseTable
from ingenium.components.failpoints import Point
from ingenium.events import TradingState
from ingenium.risk import RiskLimits
from ingenium.subjects.grammar import matches
from ingenium.subjects.names import EXECUTION, ORDER, PORTFOLIO, REPLACE, SIGNAL, TRADING
from ingenium.trading import Order

__all__ = ["Outcome", "SimWorld", "simulate"]

_HEALED_WITHIN = 900.0
_LOOKED_WITHIN = 12
"""An executor asks for all orders every ten seconds: then it knows of those that ended unheard."""
_COMPARED_WITHIN = 120
"""An executor compares positions every minute, and takes some looks before it believes them."""
_OLDEST_SECONDS = 30.5
_OF_EXECUTORS = 6 * [Point.CALLING, Point.CALLED, Point.ANSWERED] + [Point.LEASED]
_OF_MEMBERS = [Point.RECEIVED, Point.HANDLED, Point.COMMITTED, Point.SENT, Point.FORGOTTEN]


class Outcome(msgspec.Struct):
    """What became of a world.

    Attributes:
        seed: That made it.
        options: As text.
        digest: SHA-256 of its trace; equal for equal seeds.
        violations: What must not be; empty when all is well.
        counts: Of faults, crashes, orders, fills and events.
    """

    seed: int
    options: str
    digest: str
    violations: list[str]
    counts: dict[str, int]


class SimWorld:
    """One world.

    Args:
        seed: Everything follows from it.
        tell: Called with each line of the trace.
    """

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.chaos = Chaos(seed, tell)
        self.violations: list[str] = []
        self.server = SimServer(self.chaos)
        self.exchange = SimExchange(self.chaos)
        self.actors: list[Actor] = []
        strict = self.chaos.options.strict
        self.limits = (
            RiskLimits(max_order_quantity=12, max_orders_per_second=2, burst=4, max_breaches=4)
            if strict
            else RiskLimits(price_collar=None, max_orders_per_second=50, duplicate_seconds=0.001)
        )
        self._bereft: list[tuple[Actor, int]] = []
        self._leases = LeaseTable(lambda: self.chaos.loop.time())  # noqa: PLW0108 - there is no loop yet
        self.script: Script

    def last_for(self, subjects: list[str]) -> int:
        """Return the sequence of the last message on some subjects."""
        for record in reversed(self.server.records):
            if any(matches(each, record.message.subject) for each in subjects):
                return record.sequence
        return 0

    async def begun(self) -> None:
        """Wait until the portfolio was ready for the first time, and in most worlds the executor.

        What was there before, a portfolio takes for history, and an executor does not work.
        """
        executors = [actor for actor in self.actors if actor is not self.portfolio]
        while not (
            self.portfolio.began.is_set()
            and (self.chaos.options.early or any(each.began.is_set() for each in executors))
        ):
            await asyncio.sleep(0.5)

    async def run(self) -> None:
        """Live through it."""
        chaos = self.chaos
        self.script = Script(self)
        options = chaos.options
        self.portfolio = Actor(
            self,
            "desk",
            lambda process: make_portfolio(options.is_busy),
            _OF_MEMBERS,
            [SIGNAL, EXECUTION, TRADING],
        )
        self.executor = self._executor("executor")
        self.exchange.is_followed = self.executor.has_written_that_it_works
        self.actors = [self.portfolio, self.executor]
        if options.rival:
            self.actors.append(self._executor("rival"))
        begin = asyncio.get_running_loop().create_task
        lives = [begin(actor.live()) for actor in self.actors]
        troubles = [begin(trouble) for trouble in self._troubles()]
        prices = begin(self.script.prices())
        signals = self.script.process.spawn(self.script.signals())
        await signals
        await asyncio.sleep(chaos.random.uniform(0, 20))
        for trouble in troubles:
            trouble.cancel()
        await asyncio.gather(*troubles, return_exceptions=True)
        prices.cancel()
        await self._heal()
        for life in lives:
            if life.done() and not life.cancelled() and (error := life.exception()) is not None:
                raise error
            life.cancel()
        checker.check(self)

    def _executor(self, name: str) -> Actor:
        def make(process: Process) -> BrokerExecutor:
            return BrokerExecutor(SimBroker(self.exchange, process, self._leaves))

        return Actor(self, name, make, [*_OF_MEMBERS, *_OF_EXECUTORS], [PORTFOLIO, TRADING])

    def lease(self, key: str, process: Process) -> SimLease:
        """Make the lease of an executor."""
        return SimLease(self.server, self._leases, key, process)

    def _leaves(self, process: Process, order: Order) -> None:
        """Look at an order that leaves for the broker: whether it may."""
        holder, _ = self._leases.read(f"executor.{ACCOUNT}")
        if holder.name != process.name:
            self.violations.append(f"{process.name} sends {order.id}, and {holder.name} leads")
        # As far as the executor has written that it knows.
        actor = next((each for each in self.actors if each.process is process), self.executor)
        if said(self.server.read_to(actor.place())) is TradingState.HALTED:
            self.violations.append(f"{process.name} sends {order.id}, and trading is halted")
        if not actor.has_written_that_it_leaves(order.id):
            self.violations.append(f"{process.name} sends {order.id} before it is written down")
        kept = next(
            (
                record.time
                for record in self.server.records
                if record.message.subject in {ORDER, REPLACE}
                and order.id.encode() in record.message.payload
            ),
            None,
        )
        if kept is None and self.server.lost:
            self.chaos.trace(f"{order.id} leaves, and the stream has lost it")
        elif kept is None:
            self.violations.append(f"{order.id} leaves, and is not in the stream")
        else:
            since = min(kept, self.script.causes.get(order.id, kept))
            if (age := (self.chaos.now - since).total_seconds()) > _OLDEST_SECONDS:
                what = f"on a bar that is {age:.1f} s old" if since < kept else f"{age:.1f} s old"
                self.violations.append(f"{process.name} sends {order.id}, {what}")

    async def _heal(self) -> None:
        """Let nothing go wrong any more, and wait until nothing is left to do."""
        chaos = self.chaos
        chaos.active = False
        chaos.trace("heals")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        for owner in sorted(loop.frozen, key=lambda owner: getattr(owner, "name", "")):
            loop.thaw(owner)
        self.server.start()
        self.exchange.start()
        began = loop.time()
        quiet = 0
        while quiet < (_LOOKED_WITHIN if self._is_unheard() else 3) or (
            self.exchange.lied and loop.time() - began < _COMPARED_WITHIN
        ):
            await asyncio.sleep(1.0)
            if self.server.lost:
                await self._wait_for_refusals()
                break
            quiet = 0 if self._what_is_left() else quiet + 1
            if loop.time() - began > _HEALED_WITHIN:
                left = ", ".join(self._what_is_left())
                self.violations.append(f"not healed within {_HEALED_WITHIN:g} s: {left}")
                break
        chaos.trace("healed")

    async def _wait_for_refusals(self) -> None:
        """Whoever has handled what the stream has lost must notice, and refuse to go on."""
        for _ in range(120):
            if all(actor.refused for actor, _ in self._bereft):
                return
            await asyncio.sleep(1.0)
        for actor, position in self._bereft:
            # Who waits for a lease has not looked yet.
            if actor.refused or not actor.ready:
                continue
            self.violations.append(
                f"{actor.name} goes on behind message {position} as if nothing were lost"
            )

    def _is_unheard(self) -> bool:
        """Whether the executor takes an order for open that has ended at the broker."""
        component = self.executor.component
        return isinstance(component, BrokerExecutor) and any(
            map(self.exchange.has_ended, component.journal.open)
        )

    def _what_is_left(self) -> list[str]:
        """Say what is not done yet."""
        executor = self.executor
        if self.chaos.options.rival and not executor.ready:
            executor = self.actors[-1]
        if self.chaos.options.rival:
            # It is enough that one of them leads.
            ready = executor.ready and self.portfolio.is_idle()
            return [] if ready else ["portfolio or executor"]
        left = [actor.name for actor in (self.portfolio, executor) if not actor.is_idle()]
        component = executor.component
        if not executor.ready or not isinstance(component, BrokerExecutor):
            return [*left, "no executor"]
        journal, exchange = component.journal, self.exchange
        left += [
            f"{entry.order.id} {entry.state}"
            for entry in journal.open.values()
            if not entry.needs_human
            and entry.order.symbol not in exchange.lied
            and (
                not entry.is_at_broker
                or entry.is_cancel_sent
                # What the broker has just refused to cancel is still to be looked up.
                or entry.order.id in journal.questions.to_check
                or entry.end is not None
                or entry.told != entry.filled
            )
        ]
        if exchange.is_busy:
            left.append("fills at the broker")
        last = fill_key(exchange.told[-1]) if exchange.told else ""
        if journal.store.last_key != last:
            left.append(f"fills from {journal.store.last_fill} on")
        return left

    def _troubles(self) -> list[Coroutine[None, None, None]]:
        options = self.chaos.options
        found: list[Coroutine[None, None, None]] = []
        if options.kill:
            found.append(self._kills())
        if options.freeze:
            found.append(self._freezes())
        if options.outage:
            found.append(self._outages())
        if options.broker_outage:
            found.append(self._broker_outages())
        if options.tail_loss or options.anew:
            found.append(self._losses())
        if options.halts:
            found.append(self.script.operator())
        return found

    async def _kills(self) -> None:
        chaos = self.chaos
        while True:
            await asyncio.sleep(chaos.random.expovariate(1 / 12))
            process = chaos.random.choice(self.actors).process
            if process is not None and process.alive:
                chaos.counts["crash kill"] += 1
                process.kill("somewhere")

    async def _freezes(self) -> None:
        chaos = self.chaos
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        while True:
            await asyncio.sleep(chaos.random.expovariate(1 / 12))
            process = chaos.random.choice(self.actors).process
            if process is None or not process.alive or process.frozen:
                continue
            seconds = chaos.random.choice([0.5, 2.0, 5.0, 15.0, 40.0])
            chaos.fault("frozen", f"{process.name} for {seconds:g} s")
            loop.freeze(process)
            chaos.later(seconds, self._thaw, process)

    def _thaw(self, process: object) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        for owner in list(loop.frozen):
            if owner is process:
                self.chaos.trace(f"{owner.name} goes on")  # type: ignore[attr-defined]
                loop.thaw(owner)

    async def _outages(self) -> None:
        chaos = self.chaos
        while True:
            await asyncio.sleep(chaos.random.expovariate(1 / 20))
            seconds = chaos.random.choice([0.2, 1.0, 4.0, 12.0, 35.0])
            chaos.fault("outage", f"of the stream for {seconds:g} s")
            self.server.stop()
            await asyncio.sleep(seconds)
            self.server.start()
            chaos.trace("the stream is back")

    async def _broker_outages(self) -> None:
        chaos = self.chaos
        while True:
            await asyncio.sleep(chaos.random.expovariate(1 / 20))
            seconds = chaos.random.choice([0.2, 1.0, 4.0, 12.0, 35.0])
            chaos.fault("broker outage", f"for {seconds:g} s")
            self.exchange.stop()
            await asyncio.sleep(seconds)
            self.exchange.start()
            chaos.trace("the broker is back")

    async def _losses(self) -> None:
        chaos = self.chaos
        await self.begun()
        await asyncio.sleep(chaos.random.uniform(1, 20))
        self.server.stop()
        await asyncio.sleep(chaos.random.choice([0.2, 3.0]))
        # An outage of its own may just have ended.
        self.server.stop()
        if chaos.options.anew:
            chaos.fault("anew", f"{self.server.last} messages are gone")
            self.server.make_anew()
        else:
            count = chaos.random.randint(1, 8)
            chaos.fault("tail loss", f"{count} messages of {self.server.last} are gone")
            self.server.lose_tail(count)
        left = 0 if chaos.options.anew else self.server.last
        places = [(each, each.position()) for each in self.actors]
        self._bereft = [(each, place) for each, place in places if place > left]
        self.server.start()


def simulate(seed: int, tell: Callable[[str], None] | None = None) -> Outcome:
    """Make the world of a seed and see what becomes of it.

    Args:
        seed: Which.
        tell: Called with each line of the trace.
    """
    logging.disable(logging.CRITICAL)
    gc_was_on = gc.isenabled()
    gc.disable()
    world = SimWorld(seed, tell)
    loop = SimLoop()
    world.chaos.loop = loop
    problems: list[str] = []
    loop.set_exception_handler(lambda _, context: problems.append(str(context.get("message"))))
    try:
        loop.run(world.run())
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed has found it
        world.violations.append(f"{type(error).__name__}: {error}")
    finally:
        for actor in world.actors:
            with contextlib.suppress(Exception):
                super(type(actor.disk), actor.disk).close()
        if gc_was_on:
            gc.enable()
        logging.disable(logging.NOTSET)
    counts = Counter(world.chaos.counts)
    return Outcome(
        seed,
        str(world.chaos.options),
        world.chaos.digest,
        world.violations + problems,
        dict(sorted(counts.items())),
    )
