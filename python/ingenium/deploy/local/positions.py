"""Compares positions and working orders of portfolio, stream, journal and broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from ingenium.brokers import BrokerExecutor
from ingenium.brokers.broker_books import read_broker
from ingenium.brokers.journal_entry import JournalEntry, OrderState
from ingenium.brokers.journal_store import PREFIX
from ingenium.bus.stream import Stream
from ingenium.components import Executor
from ingenium.errors import BrokerError, StoreDamagedError
from ingenium.runtime.durable.store import Store
from ingenium.subjects.names import EXECUTION
from ingenium.trading.money import EXACT, ZERO

__all__ = [
    "BROKER",
    "JOURNAL",
    "PORTFOLIO",
    "STREAM",
    "PositionReport",
    "disagreement",
    "in_words",
    "read_positions",
    "settled",
]

PORTFOLIO, STREAM, JOURNAL, BROKER = "portfolio", "stream", "journal", "broker"
_T = TypeVar("_T")
_HOLDING, _ORDER = "holding/", "order/"
_FIRST_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS = 0.5


class PositionReport(msgspec.Struct):
    """Positions and working orders of several parties at one moment.

    Attributes:
        positions: By party, non-zero positions by symbol.
        working: By party, ids of working orders.
    """

    positions: dict[str, dict[str, Decimal]] = {}
    working: dict[str, set[str]] = {}

    def differences(self) -> dict[str, str]:
        """Return the differences as text, by symbol or order."""
        found: dict[str, str] = {}
        symbols = {symbol for held in self.positions.values() for symbol in held}
        for symbol in sorted(symbols):
            says = {who: held.get(symbol, ZERO) for who, held in self.positions.items()}
            if len(set(says.values())) > 1:
                found[symbol] = in_words(symbol, says)
        for order_id in sorted({each for ids in self.working.values() for each in ids}):
            works = [who for who, ids in self.working.items() if order_id in ids]
            ended = [who for who in self.working if who not in works]
            if ended:
                found[order_id] = (
                    f"order {order_id!r} works by {' and '.join(works)}, and does not by "
                    f"{' and '.join(ended)}"
                )
        return found


def in_words(symbol: str, says: Mapping[str, Decimal]) -> str:
    """Describe the positions of each party, and name the one that differs.

    Args:
        symbol: Name of the instrument.
        says: Position by party.
    """
    text = f"{symbol}: " + ", ".join(f"{who} {held:f}" for who, held in says.items())
    (most, count), *others = Counter(says.values()).most_common()
    if count * 2 <= len(says):
        return text  # No majority.
    odd = [
        f"the {who} differs by {EXACT.subtract(held, most):+f}"
        for who, held in says.items()
        if held != most
    ]
    return f"{text}: {', '.join(odd)}" if others else text


async def read_positions(
    portfolio: Path, executor: Path, component: Executor, *, ask_broker: bool
) -> PositionReport:
    """Read positions and working orders of portfolio, executor and broker.

    Args:
        portfolio: Store file of the portfolio.
        executor: Store file of the executor.
        component: The executor; without a broker it has a simulated exchange instead of a journal.
        ask_broker: Whether to query the broker as well.

    Raises:
        StoreError: A file cannot be read.
        BrokerError: The broker cannot be queried.
    """
    said = PositionReport()
    rows = _rows(portfolio)
    said.positions[PORTFOLIO] = {
        key.removeprefix(_HOLDING): quantity
        for key, data in rows.items()
        if key.startswith(_HOLDING)
        and (quantity := _read(_HoldingRow, portfolio, key, data).quantity)
    }
    said.working[PORTFOLIO] = {key.removeprefix(_ORDER) for key in rows if key.startswith(_ORDER)}
    is_at_broker = isinstance(component, BrokerExecutor)
    rows = _rows(executor)
    prefix = f"{PREFIX}position/" if is_at_broker else "position/"
    who = JOURNAL if is_at_broker else "exchange"
    said.positions[who] = {
        key.removeprefix(prefix): held
        for key, data in rows.items()
        if key.startswith(prefix) and (held := _read(Decimal, executor, key, data))
    }
    if not isinstance(component, BrokerExecutor):
        said.working.clear()
        return said
    entries = [
        _read(JournalEntry, executor, key, data)
        for key, data in rows.items()
        if key.startswith(f"{PREFIX}order/")
    ]
    said.working[JOURNAL] = {
        entry.order.id
        for entry in entries
        # A replacement counts as working for the portfolio once it is confirmed.
        if not entry.has_ended and not (entry.replaces and not entry.is_at_broker)
    }
    if ask_broker:
        books = await read_broker(component.broker, component.timeout_seconds)
        if books.problems:
            raise BrokerError(f"the broker's answer cannot be used: {'; '.join(books.problems)}")
        if books.positions is not None:
            said.positions[BROKER] = books.positions
        # The broker need not have orders that are unsent or of unknown state; foreign orders are
        # ignored.
        ours = {entry.order.id for entry in entries}
        excused = {
            entry.order.id
            for entry in entries
            if entry.state is OrderState.NEW or entry.is_in_doubt
        }
        said.working[BROKER] = {each.client_order_id for each in books.orders} & ours | (
            excused & said.working[JOURNAL]
        )
    return said


async def settled(observe: Callable[[], Awaitable[PositionReport]], looks: int) -> list[str]:
    """Return the differences that persist, as text.

    A message in transit is not a difference, so differences are checked several times, after 0.1 s
    and then at doubling intervals.

    Args:
        observe: Reads all parties.
        looks: Maximum number of observations.
    """
    pause = _FIRST_PAUSE_SECONDS
    before: dict[str, str] | None = None
    found: dict[str, str] = {}
    for number in range(looks):
        found = (await observe()).differences()
        if not found:
            return []
        if number < looks - 1:
            before = found
            await asyncio.sleep(pause)
            pause *= 2
    if before is None:
        return list(found.values())
    return [
        text
        if before.get(name) == text
        else f"{text} (it is traded right now: halt trading for a moment, and look again)"
        for name, text in found.items()
        if name in before
    ]


async def disagreement(
    stream: Stream, portfolio: Path, executor: Path, component: Executor, *, seconds: float
) -> str:
    """Compare portfolio and journal after the start of an app, once nothing is in transit.

    The executor has compared its journal with the broker before it was ready.

    Args:
        stream: Stream with the executions.
        portfolio: The file of the portfolio.
        executor: That of the executor.
        component: The executor.
        seconds: Maximum time to wait until nothing is in transit.

    Returns:
        The differences as text; empty if all agree, or if something is always in transit.

    Raises:
        StoreError: A file cannot be read.
        BusError: The stream cannot be read.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    before: dict[str, str] = {}
    while loop.time() < ends_at:
        if not await _is_under_way(stream, portfolio, executor):
            said = await read_positions(portfolio, executor, component, ask_broker=False)
            said.working.clear()
            found = said.differences()
            if not found:
                return ""
            if found == before and not await _is_under_way(stream, portfolio, executor):
                return "; ".join(found.values())
            before = found
        await asyncio.sleep(_PAUSE_SECONDS)
    return ""


async def _is_under_way(stream: Stream, portfolio: Path, executor: Path) -> bool:
    """Whether an execution has not reached the portfolio."""
    with closing(Store.read(executor)) as store:
        if store.outbox_size():
            return True
    newest = await stream.last(EXECUTION)
    with closing(Store.read(portfolio)) as store:
        place = store.position(stream.name)
    return newest is not None and (place is None or place.sequence < newest.sequence)


class _HoldingRow(msgspec.Struct):
    quantity: Decimal = ZERO


def _rows(path: Path) -> dict[str, bytes]:
    with closing(Store.read(path)) as store:
        return store.rows()


def _read(kind: type[_T], path: Path, key: str, data: bytes) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, ArithmeticError) as error:
        raise StoreDamagedError(f"{path}: row {key!r} cannot be read: {error}") from error
