"""Salvages a component's damaged file: rebuilt from the stream, or refused."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.clock import SystemClock
from ingenium.components import Component, Executor, Portfolio
from ingenium.components.component import StatefulComponent
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.components.risk_control import GATE
from ingenium.errors import StoreDamagedError, StoreError
from ingenium.runtime.durable.damage import Damage
from ingenium.runtime.durable.secret import META_KEY
from ingenium.runtime.durable.store import STATE_CURE, Change, Outgoing, Store, StreamPosition
from ingenium.runtime.durable.store_file import StoreLock, connect

__all__ = ["Kept", "open_store", "position_before_damage", "put_parts", "whole_parts"]

_PLACE = "place before damage"
_IDS_AT_ONCE = 10_000
_OF_BOOKS = ("account", "holding/", "order", "leg/", "asked/", "heir/")
_WORD = "control"
_PARTS = ("", "-wal", "-shm")


class Kept(msgspec.Struct):
    """The intact parts of a damaged file.

    Attributes:
        lives: How often the component was started.
        is_state_doubtful: Whether a row of the component's own may be gone.
        place: Its position in the stream of orders.
        positions: Its positions in other streams.
        bad_rows: Keys of the damaged rows of its state.
        rows: Rows of its state that do not belong to its books.
        id_secret: Secret in its ids; empty when there was none, or it is lost.
        seen: Ids that it had handled, and the digests of those events.
        outbox: Its unsent messages.
        priced: See `PortfolioBooks.price_as`.
        lost: The lost parts, in words.
    """

    lives: str = ""
    is_state_doubtful: bool = True
    place: StreamPosition | None = None
    positions: list[StreamPosition] = []
    bad_rows: set[object] = set()
    rows: dict[str, bytes | None] = {}
    id_secret: str = ""
    seen: Iterable[tuple[str, bytes]] = ()
    outbox: list[Outgoing] = []
    priced: list[tuple[str, str, bytes]] = []
    lost: list[str] = []

    def has_lost(self, key: str) -> bool:
        """Whether a row is lost, or may be."""
        return key in self.bad_rows or (self.is_state_doubtful and key not in self.rows)


def open_store(bus: Bus, path: Path, owner: str, component: Component) -> Store:
    """Open the file of a component.

    A damaged file of a portfolio is set aside and replaced by one with all its intact parts; the
    books are rebuilt from the stream at the start. Damaged files of other components are refused.

    Args:
        bus: Receives the incident.
        path: The file.
        owner: See `Store.open`.
        component: Its component; a fresh object.

    Raises:
        StoreDamagedError: The file is damaged, and cannot be rebuilt from the stream.
        StoreError: The file cannot be used.
    """
    try:
        return Store.open(path, owner=owner)
    except StoreDamagedError as error:
        wrong = str(error).removesuffix(f": {STATE_CURE}")
        if not isinstance(component, Portfolio):
            raise StoreDamagedError(f"{wrong}. {_cure(component, path)}") from error
        store, text = _salvage(path, owner, component, StoreDamagedError(wrong))
        bus.report(Incident(IncidentKind.GAP, text))
        return store


def position_before_damage(store: Store) -> StreamPosition | None:
    """Return the stream position of a portfolio whose books are to be rebuilt.

    Args:
        store: Its file.

    Returns:
        Its position in the stream of orders; ``None`` when its file was not damaged, or has none.
    """
    text = store.meta(_PLACE)
    return msgspec.json.decode(text, type=StreamPosition) if text else None


def _cure(component: Component, path: Path) -> str:
    """Return the advice for a file that cannot be rebuilt."""
    if isinstance(component, Executor) and handle_of(component).works_at_broker:
        return (
            "The journal of an executor is not in the stream. Compare orders and positions with "
            f"the broker's; then move {path.name} and {path.name}-wal away, and start with "
            "--adopt: orders of the stream that have not ended are looked up at the broker, and "
            "none is sent again"
        )
    if isinstance(component, Executor):
        return (
            f"The orders of executor {component.name!r} are not in the stream. Move {path.name} "
            f"and {path.name}-wal away to start it without orders and positions: working orders "
            "are reported as expired"
        )
    return (
        f"The state of {component} is not in the stream. Move {path.name} and {path.name}-wal "
        "away to start it without state: unsent events are lost"
    )


def _salvage(
    path: Path, owner: str, portfolio: Portfolio, error: StoreDamagedError
) -> tuple[Store, str]:
    aside = _aside(path)
    lock = StoreLock(path)
    # Written beside it first: after a crash in between, the damaged one is salvaged again.
    fresh = path.with_name(f"{path.name}.new")
    try:
        _remove(fresh)
        kept = _move_parts(path, fresh, owner, portfolio, error)
        for part in _PARTS:
            found = path.with_name(path.name + part)
            if found.exists():
                found.rename(aside.with_name(aside.name + part))
        fresh.rename(path)
        lock.note(0)
    except OSError as failed:
        raise StoreError(f"cannot move {path} aside: {failed.strerror}") from failed
    finally:
        lock.release()
    lost = f", without {', '.join(kept.lost)}" if kept.lost else ""
    text = (
        f"{error}. It is kept as {aside.name}, and the books of portfolio {portfolio.name!r} are "
        f"rebuilt from the stream{lost}"
    )
    return Store.open(path, owner=owner), text


def _move_parts(
    path: Path, fresh: Path, owner: str, portfolio: Portfolio, error: StoreDamagedError
) -> Kept:
    old: Store | None = None
    with suppress(StoreDamagedError):  # Possibly no page of it can be read.
        old = Store(connect(path), str(path))
    try:
        kept = whole_parts(old, portfolio, error, SystemClock().now())
        store = Store.open(fresh, owner=owner)
        try:
            put_parts(store, kept)
        finally:
            store.close()
    finally:
        if old is not None:
            old.close()
    # SQLite has removed its write-ahead log; the lock has this name only.
    fresh.with_name(f"{fresh.name}.lock").unlink(missing_ok=True)
    return kept


def _aside(path: Path) -> Path:
    """Return an unused name for a damaged file."""
    number = 1
    while (found := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return found


def _remove(path: Path) -> None:
    for part in (*_PARTS, ".lock"):
        path.with_name(path.name + part).unlink(missing_ok=True)


def whole_parts(
    store: Store | None, portfolio: Portfolio, error: StoreDamagedError, now: datetime
) -> Kept:
    """Return the intact parts of the damaged file of a portfolio.

    Args:
        store: The file; ``None`` when nothing of it can be read.
        portfolio: Its portfolio; a fresh object.
        error: The known damage.
        now: The present time.

    Raises:
        StoreDamagedError: The portfolio class's own saved state is damaged.
    """
    damage = [Damage("", "")] if store is None else store.damage()
    kept = Kept()
    if store is None or any(not each.table for each in damage):
        # No page of it can be trusted.
        kept.lost = ["its unsent events", "its risk limits", "the ids of handled events"]
        kept.lives = _unused(now)
    else:
        _read_parts(kept, store, damage, portfolio, now)
    keeps_state = "get_state" in overrides_of(portfolio, StatefulComponent)
    if keeps_state and kept.has_lost("user"):
        raise StoreDamagedError(
            f"{error}. The books of portfolio {portfolio.name!r} are in the stream, but the "
            "state of its class (get_state) is not. Move its file away to start it without that "
            "state"
        ) from error
    return kept


def _unused(now: datetime) -> str:
    """Return a number that no earlier life can have had: ids of sent events follow from it."""
    return str(int(now.timestamp()))


def _read_parts(
    kept: Kept, old: Store, damage: list[Damage], portfolio: Portfolio, now: datetime
) -> None:
    bad = {each.table for each in damage}
    bad_rows = {each.row for each in damage if each.table == "state"}
    kept.lives = _unused(now) if "meta" in bad else old.meta("lives")
    kept.id_secret = "" if "meta" in bad else old.meta(META_KEY)
    own_rows = handle_of(portfolio).own_rows
    # A row of which not even the key is known may have been any.
    kept.is_state_doubtful = any(
        each.table == "state" and not str(each.row).startswith((*_OF_BOOKS, *own_rows))
        for each in damage
    )
    kept.bad_rows = bad_rows
    for key in own_rows:
        if key not in bad_rows and (row := _row(old, key)) is not None:
            kept.rows[key] = row
    if "position" not in bad:
        # It may have been damaged before, without having rebuilt its books.
        kept.place = old.position(MONEY_STREAM.name) or position_before_damage(old)
        kept.positions = [each for each in old.positions() if each != kept.place]
    else:
        kept.lost.append("the signals that arrived since it stopped")
    if "outbox" in bad:
        kept.lost.append("its unsent events")
    else:
        kept.outbox = old.outbox(limit=-1)
    if "log" not in bad:
        kept.priced = [("priced", id, data) for id, data in old.log("priced")]
    is_gate_lost = handle_of(portfolio).risk.gate is not None and kept.has_lost(GATE)
    if is_gate_lost:
        kept.lost.append("the counts of its risk limits")
    if "inbox" in bad:
        kept.lost.append("the ids of handled events")
    elif is_gate_lost:
        # Control events are handled again, so they must not count as handled.
        kept.seen = (each for each in old.seen() if not each[0].startswith(_WORD))
    else:
        kept.seen = old.seen()


def _row(store: Store, key: str) -> bytes | None:
    try:
        return store.rows(key).get(key)
    except StoreError:
        return None  # A row beside it whose key has the same prefix.


def put_parts(store: Store, kept: Kept) -> None:
    """Write the intact parts into a new file; the books are rebuilt at the next start."""
    store.set_meta("lives", kept.lives or "0")
    if kept.id_secret:
        store.set_meta(META_KEY, kept.id_secret)
    if kept.place is not None:
        store.set_meta(_PLACE, msgspec.json.encode(kept.place).decode())
    store.commit(
        Change(positions=kept.positions, rows=kept.rows, log=kept.priced, outbox=kept.outbox)
    )
    seen = iter(kept.seen)
    while part := dict(islice(seen, _IDS_AT_ONCE)):
        store.commit(Change(seen=list(part), digests=part))
