"""Compare the books of a portfolio with the stream, the executor and its broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path

import msgspec

from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record, Stream, StreamState, check_gap
from ingenium.components import Executor, Portfolio
from ingenium.components.handle_of import handle_of
from ingenium.deploy.local.positions import (
    PORTFOLIO,
    STREAM,
    PositionReport,
    read_positions,
    settled,
)
from ingenium.errors import BrokerError, DecodeError, StoreDamagedError, StoreError
from ingenium.events import (
    CancelEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)
from ingenium.operations.dead_letters import RESENT
from ingenium.runtime.durable.rebuild import Learner, history
from ingenium.runtime.durable.store import Outgoing, Store, StreamPosition
from ingenium.state.rows import LogRow, state_digest
from ingenium.subjects.names import event_type_of
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import protective_ids

__all__ = ["OnProgress", "Verified", "verify"]

OnProgress = Callable[[int, int], None]
"""Receives the number of messages read, and the total."""

_ATTEMPTS = 200
_PAUSE_SECONDS = 0.02
_MOST_NAMED = 20
_LOOKS = 5
_EXACT = ("account", "holding/")
_COMPARED = (*_EXACT, "order/", "leg/")
_WITH_IDS = {SignalEvent, OrderEvent, ReplaceEvent, CancelEvent, ExecutionEvent, DenialEvent}


class Verified(msgspec.Struct):
    """Result of `verify`.

    Attributes:
        portfolio: Name of the portfolio.
        position: Sequence of the last handled message.
        messages: Number of messages read.
        orders: Number of orders sent, and of requests to replace or cancel one.
        executions: Number of executions handled.
        waiting: Number of messages still in its outbox.
        digest: SHA-256 of account, holdings and working orders as rebuilt from the stream.
        differences: Differences as text; empty if all agree.
        repeated: Number of messages stored twice with equal bytes, which every reader skips.
        compared: Parties whose positions were compared: ``portfolio``, ``stream``, ``journal``,
            ``broker``.
        not_compared: Why executor and broker were not compared; empty if compared or absent.
    """

    portfolio: str
    position: int = 0
    messages: int = 0
    orders: int = 0
    executions: int = 0
    waiting: int = 0
    digest: str = ""
    differences: list[str] = []
    repeated: int = 0
    compared: list[str] = []
    not_compared: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether everything was compared and agrees."""
        return not self.differences and not self.not_compared


class _StoreContent(msgspec.Struct):
    """Content of a store at one moment."""

    position: StreamPosition | None
    rows: dict[str, bytes]
    outbox: list[Outgoing]
    outbox_end: int
    priced: list[LogRow]
    ended: list[str]


async def verify(
    portfolio: Portfolio,
    stream: Stream,
    path: Path,
    on_progress: OnProgress = lambda _done, _all: None,
    *,
    executor: Executor | None = None,
) -> Verified:
    """Rebuild a portfolio's books from the stream, and compare.

    The portfolio may be running: its store is read as of one moment.

    Args:
        portfolio: A new portfolio object.
        stream: Stream with the history.
        path: Database of the portfolio.
        on_progress: Called periodically.
        executor: Executor of the app, whose journal is in the same folder and is compared as
            well, with its broker. A `PaperExecutor` has a simulated exchange; other executors keep
            no positions.

    Raises:
        StoreError: The database cannot be read, or is never quiet long enough.
        StreamError: The stream no longer has the whole history, or is another one.
        BusTimeoutError: The server does not answer.
    """
    store = Store.read(path)
    try:
        with store.standing():
            damage = [f"{path.name}: {each}" for each in store.damage()]
        if damage:
            # The readable rest is still compared.
            store.overlook()
        kept, state = await _still(store, stream)
    except StoreDamagedError as error:
        return Verified(portfolio.name, differences=damage or [str(error)])
    finally:
        store.close()
    if kept.position is None:
        raise StoreError(f"{path} has handled nothing of stream {stream.name} yet")
    check_gap(stream.name, state, kept.position.sequence, kept.position.created)
    # Without the beginning of the stream the books cannot be rebuilt.
    check_gap(stream.name, state, 0, state.created)
    handle_of(portfolio).books.price_as(kept.priced)
    # A portfolio without bookings has not stored an account.
    kept.rows.setdefault("account", handle_of(portfolio).books.saved.rows()["account"])
    result = Verified(portfolio.name, kept.position.sequence, waiting=len(kept.outbox))
    learner = Learner(portfolio, stream.name, state.created, kept.position.sequence)
    census = _Census(portfolio.name)
    if state.last:
        async with aclosing(history(stream, state.last)) as arriving:
            async for records in arriving:
                for record in records:
                    census.count(record, learner.learn(record))
                result.messages += len(records)
                on_progress(records[-1].sequence, state.last)
    on_progress(state.last, state.last)
    for outgoing in kept.outbox:
        if event := _read(Message(outgoing.subject, outgoing.payload, outgoing.headers)):
            census.note(event)
    census.problems += learner.recall_waiting(kept.outbox)
    result.orders, result.executions = len(learner.sent), len(learner.seen)
    result.repeated = census.repeated
    rebuilt = {
        key: data
        for key, data in handle_of(portfolio).books.saved.rows().items()
        if key.startswith(_COMPARED)
    }
    result.digest = state_digest(rebuilt)
    result.differences = [
        *damage,
        *_compare(kept.rows, rebuilt),
        *census.problems,
        *_missing(kept, learner, census),
    ]
    if isinstance(executor, BrokerExecutor | PaperExecutor):
        await _hold_against(result, executor, path, _off(kept.rows, rebuilt))
    return result


async def _hold_against(
    result: Verified, executor: Executor, path: Path, off: Mapping[str, Decimal]
) -> None:
    """Compare portfolio and stream with the executor and its broker."""
    beside = path.with_name(f"{executor.name}.db")
    if not beside.exists():
        result.not_compared = f"executor {executor.name!r} has no file {beside} on this machine"
        return

    async def observe() -> PositionReport:
        said = await read_positions(path, beside, executor, ask_broker=True)
        ours = said.positions.pop(PORTFOLIO)
        # A difference between portfolio and stream persists, since the portfolio continues from its
        # own books.
        theirs = {s: EXACT.add(ours.get(s, ZERO), off.get(s, ZERO)) for s in {*ours, *off}}
        stream = {symbol: held for symbol, held in theirs.items() if held}
        said.positions = {PORTFOLIO: ours, STREAM: stream, **said.positions}
        result.compared = list(said.positions)
        return said

    try:
        result.differences += await settled(observe, _LOOKS)
    except (BrokerError, StoreError) as error:
        result.not_compared = str(error)


def _off(kept: Mapping[str, bytes], rebuilt: Mapping[str, bytes]) -> dict[str, Decimal]:
    """Return by symbol the position of the stream minus that of the store."""

    def held(rows: Mapping[str, bytes], key: str) -> Decimal:
        try:
            return Decimal(msgspec.json.decode(rows[key])["quantity"])
        except (LookupError, TypeError, ArithmeticError, msgspec.MsgspecError):
            return ZERO

    keys = [key for key in {*kept, *rebuilt} if key.startswith("holding/")]
    off = {
        key.partition("/")[2]: EXACT.subtract(held(rebuilt, key), held(kept, key)) for key in keys
    }
    return {symbol: quantity for symbol, quantity in off.items() if quantity}


async def _still(store: Store, stream: Stream) -> tuple[_StoreContent, StreamState]:
    """Read a store and the end of its stream while nothing is sent.

    Stream and outbox together then contain exactly the messages that led to the state.
    """
    for _ in range(_ATTEMPTS):
        with store.standing():
            kept = _StoreContent(
                store.position(stream.name),
                store.rows(),
                store.outbox(limit=-1),
                store.outbox_end(),
                [("priced", id, data) for id, data in store.log("priced")],
                [id for id, _ in store.log("ended")],
            )
        state = await stream.state()
        if store.outbox_end() == kept.outbox_end:
            return kept, state
        await asyncio.sleep(_PAUSE_SECONDS)
    raise StoreError(f"{store.name} does not stand still: halt trading for a moment, and try again")


class _Census:
    """Counts ids in the stream, to detect duplicates."""

    def __init__(self, portfolio: str) -> None:
        self.problems: list[str] = []
        self.repeated = 0
        self.denied: set[str] = set()
        self._portfolio = portfolio
        # 64-bit hashes: a million ids and payloads would take ten times the memory.
        self._ids: dict[int, int] = {}

    def count(self, record: Record, event: Event | None) -> None:
        """Count a message, and its event if already decoded."""
        if event is None and (event := _read(record.message)) is None:
            return
        self.note(event)
        identifier = event.id
        if not identifier:
            return
        key, digest = hash(identifier), hash(record.message.payload)
        known = self._ids.get(key)
        if known is None:
            self._ids[key] = digest
        elif not record.message.headers.get(RESENT):
            self._report(record, event, same=known == digest)

    def note(self, event: Event) -> None:
        """Record ids that refer to orders of the portfolio, such as protective orders."""
        if isinstance(event, DenialEvent) and event.order and event.component == self._portfolio:
            self.denied.add(event.order.id)

    def _report(self, record: Record, event: Event, *, same: bool) -> None:
        if same and not isinstance(event, OrderEvent | ReplaceEvent):
            self.repeated += 1
        elif len(self.problems) < _MOST_NAMED:
            what = "comes again" if same else "is that of another event before"
            self.problems.append(
                f"id {event.id!r} of {type(event).__name__} at message {record.sequence} {what}"
            )


def _read(message: Message) -> Event | None:
    kind = event_type_of(message.subject)
    if kind not in _WITH_IDS:
        return None
    try:
        return unpack(kind, message)
    except DecodeError:
        return None


def _compare(kept: Mapping[str, bytes], rebuilt: Mapping[str, bytes]) -> list[str]:
    found: list[str] = []
    for key in sorted(kept.keys() | rebuilt.keys()):
        if not key.startswith(_COMPARED):
            continue
        has, says = kept.get(key), rebuilt.get(key)
        if has is None or says is None:
            where, other = ("store", "stream") if says is None else ("stream", "store")
            found.append(f"{key} is in the {where} only, not in the {other}")
        elif key.startswith(_EXACT):
            if has != says:
                found.append(f"{key}: {_difference(has, says)}")
        elif (filled := _filled(has)) != (wanted := _filled(says)):
            found.append(f"{key}: filled is {filled} in the store, {wanted} by the stream")
    return found


def _difference(has: bytes, says: bytes) -> str:
    ours, theirs = msgspec.json.decode(has), msgspec.json.decode(says)
    return "; ".join(
        f"{name} is {ours.get(name)} in the store, {theirs.get(name)} by the stream"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    )


def _filled(data: bytes) -> Decimal:
    return Decimal(msgspec.json.decode(data).get("filled", "0"))


def _missing(kept: _StoreContent, learner: Learner, census: _Census) -> list[str]:
    """Return the orders of the store that are neither in the stream nor in the outbox."""
    known = learner.sent
    ids = dict.fromkeys(kept.ended)
    ids |= {key.partition("/")[2]: None for key in kept.rows if key.startswith("order/")}
    missing = [id for id in ids if id not in known and id not in census.denied]
    if missing:
        # Protective orders have no event of their own.
        legs = {leg for id in known for leg in protective_ids(id)}
        missing = [id for id in missing if id not in legs]
    found = [
        f"order {id!r} is neither in the stream nor in the outbox" for id in missing[:_MOST_NAMED]
    ]
    if len(missing) > _MOST_NAMED:
        found.append(f"so are {len(missing) - _MOST_NAMED:,} more orders")
    return found
