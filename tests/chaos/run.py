"""A chaos run: cycles of kills under load, then peace, then the count."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from chaos.accounts import difference_of_books, is_behind, lines_of_trouble
from chaos.app import EXECUTOR, PORTFOLIO
from chaos.facts import Facts
from chaos.strikes import KINDS, Striker
from chaos.world import World

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.subjects.names import ALL_EVENTS

__all__ = ["Outcome", "finish", "run_chaos"]

_SIGNALS_A_CYCLE = 40
_RECOVER = 0.6


@dataclass
class Outcome:
    """What came out of a run.

    Attributes:
        seed: Decides what was done.
        cycles: How many there were.
        strikes: How often each kind of strike was made.
        recovery_seconds: How long it took, from the last strike of a cycle on, until a signal that
            was sent after it was filled.
        ready_seconds: See `World.ready_seconds`.
        counts: What is printed beside that, by name.
        refusals: Why signals and orders were not acted upon.
        violations: What was not as it must be.
    """

    seed: int
    cycles: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    recovery_seconds: list[float] = field(default_factory=list)
    ready_seconds: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


async def run_chaos(
    folder: Path, seed: int, cycles: int, say: Callable[[str], None] = lambda _text: None
) -> Outcome:
    """Run cycles of kills under load, and check what is left.

    Args:
        folder: Empty; keeps logs and stores.
        seed: Decides what is done; when exactly it meets a process, the machine decides.
        cycles: How many.
        say: Takes progress, line by line.
    """
    outcome = Outcome(seed)
    chance = random.Random(seed)
    async with World(folder, seed) as world:
        striker = Striker(world, chance)
        for number in range(1, cycles + 1):
            # Often the next strike meets what has not recovered from the last one.
            recover = number == cycles or chance.random() < _RECOVER
            await _cycle(world, striker, chance, outcome, recover=recover)
            outcome.cycles = number
            if number % 10 == 0 or number == cycles:
                say(
                    f"cycle {number} of {cycles}: {world.facts.messages} messages, "
                    f"{len(world.facts.ends)} orders done"
                )
        await finish(world, outcome)
    return outcome


async def _cycle(
    world: World, striker: Striker, chance: random.Random, outcome: Outcome, *, recover: bool
) -> None:
    """Strike once at a random moment under load, and wait until all works again, or do not."""
    world.allow(_SIGNALS_A_CYCLE)
    await _random_moment(world, chance)
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    outcome.strikes[kind] += 1
    await striker.strike(kind)
    if recover:
        began = monotonic()
        probe = await world.send(f"P{outcome.strikes.total()}")
        await world.until(lambda: world.facts.is_settled(probe), f"{probe} filled")
        outcome.recovery_seconds.append(monotonic() - began)


async def _random_moment(world: World, chance: random.Random) -> None:
    """Wait for some messages, or for a while when there are none."""
    wanted = world.facts.messages + chance.randint(1, 60)
    with suppress(AssertionError):
        await world.until(
            lambda: world.facts.messages >= wanted, "messages", chance.uniform(0.05, 2.0)
        )


async def finish(world: World, outcome: Outcome) -> None:
    """Wait until nothing is under way any more, and check everything."""
    try:
        await world.until(lambda: not world.allowed, "the last signals sent")
        sent = list(world.acknowledged)
        await world.until(
            lambda: (
                all(world.facts.is_settled(each) for each in sent)
                and not is_behind(world.folder, world.facts)
            ),
            "the end of all orders, handled by both, and empty outboxes",
        )
    except AssertionError as error:
        # What follows says which, and what else.
        outcome.violations.append(str(error))
    facts = await _read_again(world)
    outcome.violations += facts.violations(world.acknowledged)
    outcome.violations += await difference_of_books(world, facts)
    codes = {name: await program.end() for name, program in world.programs.items()}
    outcome.violations += [f"{name} ended with code {code}" for name, code in codes.items() if code]
    outcome.violations += lines_of_trouble(world.programs.values())
    outcome.ready_seconds = world.ready_seconds
    outcome.refusals = facts.refusals()
    outcome.counts = {
        "signals acknowledged": len(world.acknowledged),
        "signals sent again": world.timeouts,
        "sent again and known": world.duplicates,
        "signals there twice": world.repeated,
        "orders": len(facts.orders),
        "orders filled": sum(1 for each in facts.ends.values() if each == "filled"),
        "fills": facts.fills,
        "denials": len(facts.denials),
        "starts of portfolio": world.programs[PORTFOLIO].starts,
        "starts of executor": world.programs[EXECUTOR].starts,
        "messages": facts.messages,
    }


async def _read_again(world: World) -> Facts:
    """Read the whole stream over a connection of its own."""
    facts = Facts()
    bus = await NatsBus.connect(world.server.url)
    try:
        stream = await open_stream(bus, MONEY_STREAM)
        last = (await stream.state()).last
        async for record in stream.read([ALL_EVENTS], 0):
            facts.take(record)
            if record.sequence >= last:
                break
    finally:
        await bus.close()
    return facts


def report(outcome: Outcome) -> Iterator[str]:
    """Say in lines what came out."""
    kills = sum(n for kind, n in outcome.strikes.items() if kind.startswith("kill"))
    yield f"seed {outcome.seed}: {outcome.cycles} cycles, {kills} of the strikes were kill -9"
    for kind in KINDS:
        yield f"  {kind:22}{outcome.strikes[kind]:8}"
    for name, count in outcome.counts.items():
        yield f"  {name:22}{count:8}"
    for name, seconds in (
        ("recovery", outcome.recovery_seconds),
        ("component ready", outcome.ready_seconds),
    ):
        if seconds:
            ordered = sorted(seconds)
            yield (
                f"  {name:22}{ordered[len(ordered) // 2]:8.2f} s median, {ordered[-1]:.2f} s "
                f"worst of {len(ordered)}"
            )
    for refusal in outcome.refusals:
        yield f"  not acted upon: {refusal}"
    for violation in outcome.violations:
        yield f"VIOLATION: {violation}"
