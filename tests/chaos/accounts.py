"""What broker, executor and portfolio hold, beside each other and beside the stream."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.app import EXECUTOR, NAME, PORTFOLIO, OneOrderEach
from chaos.facts import Facts
from chaos.programs import Program
from support.http_broker import HttpBroker

from ingenium.brokers import BrokerExecutor
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.components import Component, arm, handle_of
from ingenium.errors import StoreError
from ingenium.runtime.durable import Store
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL

if TYPE_CHECKING:
    from chaos.world import World

__all__ = ["difference_of_books", "is_behind", "lines_of_trouble"]

Positions = Mapping[str, Decimal]

_HANDLED = {PORTFOLIO: (SIGNAL, EXECUTION), EXECUTOR: (ORDER,)}
"""The subjects of the stream that are for a component, and have to be there."""


def _path(folder: Path, name: str) -> Path:
    return folder / ".ingenium" / NAME / "state" / f"{name}.db"


def is_behind(folder: Path, facts: Facts) -> bool:
    """Whether a component has still to handle or to send something, or its file is in use."""
    for name, subjects in _HANDLED.items():
        try:
            store = Store.read(_path(folder, name))
            try:
                known = store.position(MONEY_STREAM.name)
                handled = 0 if known is None else known.sequence
                newest = max(facts.newest.get(subject, 0) for subject in subjects)
                if store.outbox_size() or handled < newest:
                    return True
            finally:
                store.close()
        except StoreError:
            return True
    return False


def _restored(folder: Path, component: Component) -> None:
    arm(component)
    store = Store.read(_path(folder, component.name))
    try:
        handle_of(component).restore_rows(store.rows())
    finally:
        store.close()


async def difference_of_books(world: World, facts: Facts) -> list[str]:
    """Hold what the broker did against the stream, the portfolio's books and the journal."""
    there: dict[str, Decimal] = {}
    fills = world.broker.lines("fill")
    for fill in fills:
        signed = Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
        there[fill["symbol"]] = there.get(fill["symbol"], Decimal(0)) + signed
    portfolio = OneOrderEach()
    _restored(world.folder, portfolio)
    executor = BrokerExecutor(HttpBroker(world.broker.port), name=EXECUTOR)
    _restored(world.folder, executor)
    symbols = {*there, *facts.positions}
    booked = {symbol: portfolio.position(symbol).quantity for symbol in symbols}
    found = [
        *_differences("the stream", facts.positions, there),
        *_differences("the portfolio's books", booked, there),
        *_differences("the executor's journal", executor.journal.positions, there),
    ]
    if portfolio.account.bookings != len(fills):
        found.append(f"{portfolio.account.bookings} fills are booked, of {len(fills)}")
    if facts.fills != len(fills):
        found.append(f"{facts.fills} fills are in the stream, of {len(fills)}")
    if portfolio.orders:
        found.append(f"the portfolio takes {len(portfolio.orders)} orders for working")
    if executor.journal.open:
        found.append(f"the journal takes {len(executor.journal.open)} orders for open")
    found += _ledger(world, facts)
    found += await _verify(world)
    return found


def _differences(name: str, has: Positions, there: Positions) -> Iterator[str]:
    zero = Decimal(0)
    for symbol in sorted({*has, *there}):
        if has.get(symbol, zero) != there.get(symbol, zero):
            yield (
                f"position in {symbol} is {has.get(symbol, zero)} by {name}, and "
                f"{there.get(symbol, zero)} at the broker"
            )


def _ledger(world: World, facts: Facts) -> Iterator[str]:
    orders = Counter(str(order["client_order_id"]) for order in world.broker.lines("order"))
    for client_order_id, copies in orders.items():
        if copies > 1:
            yield f"order {client_order_id} is at the broker {copies} times"
        if client_order_id not in facts.orders:
            yield f"order {client_order_id} is at the broker, and not in the stream"
    for client_order_id, end in facts.ends.items():
        if (end == "filled") != (client_order_id in orders):
            copies = orders[client_order_id]
            yield f"order {client_order_id} is {end}, and at the broker {copies} times"


async def _verify(world: World) -> list[str]:
    """Run ``ingenium verify``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ingenium", "verify", "chaos.app:app", "--json"),
        cwd=world.folder,
        env=world.programs[PORTFOLIO].environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode == 0:
        return []
    try:
        found = json.loads(out)["differences"]
    except (ValueError, KeyError):
        found = [err.decode(errors="replace").strip()]
    return [f"ingenium verify: {each}" for each in found]


_TROUBLE = re.compile(r"Traceback|Task exception|was never (?:awaited|retrieved)|Exception ignored")


def lines_of_trouble(programs: Iterable[Program]) -> Iterator[str]:
    """Return what programs have written that no user should see."""
    for program in programs:
        lines = program.log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if _TROUBLE.search(line):
                yield f"{program.name} wrote: " + " | ".join(lines[number : number + 30])
