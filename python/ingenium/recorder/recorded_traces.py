"""Find the traces of recorded events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from ingenium.errors import ConfigError, RecorderError
from ingenium.events import DataEvent
from ingenium.recorder.database import Database, failures
from ingenium.recorder.header_facts import HeaderReader
from ingenium.recorder.runs import BACKTEST, REPLAY
from ingenium.recorder.schema import EVENTS, EXECUTIONS, ORDERS, POSITION, RUNS, streams_of
from ingenium.recorder.trace_event import TraceEvent, order_of_message
from ingenium.recorder.trace_tree import Hop, TraceEvents, TraceTree
from ingenium.subjects.names import data_subject
from ingenium.telemetry.trace_context import trace_id_of

__all__ = ["recorded_trace"]

_LISTED = 5
_BATCH = 10_000
_NEAR = 60_000_000_000
_DATA = DataEvent.__name__
_COLUMNS = [
    EVENTS.c[name]
    for name in (
        "stream", "sequence", "subject", "type", "id", "time", "received", "headers", "body",
        "source",
    )
]  # fmt: skip


def recorded_trace(url: str, identifier: str, app: str | None, run: str | None) -> tuple[Hop, bool]:
    """Return the root of a trace, and whether its events were stored when they happened.

    Args:
        url: See `ingenium.recorder.open`.
        identifier: Id of an event, or a trace id.
        app: Name of an app, which is asked first; ``None`` where only one scope has the event.
        run: Id of a run, which alone is asked.

    Raises:
        ConfigError: Several runs have the event, and none is named.
        RecorderError: The database cannot be read, or has no such event.
    """
    database = Database(url)
    database.check()
    with failures(database, "be read"), database.engine.connect() as connection:
        scopes = _scopes_of(connection, identifier)
        wanted = run or (app if app in scopes else None)
        if wanted is None and len(scopes) > 1:
            raise ConfigError(
                f"{len(scopes)} runs have {identifier!r}: name one of "
                f"{', '.join(sorted(scopes)[:_LISTED])} with --run"
            )
        if not scopes or (wanted is not None and wanted not in scopes):
            raise RecorderError(f"{database.text} holds nothing with the id {identifier!r}")
        scope = wanted or next(iter(scopes))
        streams = connection.scalars(streams_of(scope)).all()
        senders = _senders(connection, scope)
        events = TraceEvents(
            _events(connection, select(*_COLUMNS).where(
                EVENTS.c.stream.in_(streams), EVENTS.c.type != _DATA
            ).order_by(EVENTS.c.received, EVENTS.c.stream, EVENTS.c.sequence)),
            senders or (),
            is_live=senders is None,
        )  # fmt: skip
        root = TraceTree(events, _RecordedMarketData(connection, streams)).of(identifier)
        return root, events.is_live


def _scopes_of(connection: Connection, identifier: str) -> set[str]:
    scope_of = {row.stream: row.scope for row in connection.execute(select(POSITION))}
    # These have an index.
    for table in (ORDERS, EXECUTIONS):
        query = select(table.c.stream).distinct().where(table.c.order_id == identifier)
        if found := {scope_of[stream] for stream in connection.scalars(query)}:
            return found
    query = select(EVENTS.c.stream).distinct().where(EVENTS.c.id == identifier)
    if found := {scope_of[stream] for stream in connection.scalars(query)}:
        return found
    trace_id = identifier.lower()
    if len(trace_id) != 32:
        return set()
    return {
        scope_of[each.stream]
        for each in _events(connection, select(*_COLUMNS))
        if trace_id_of(each.id) == trace_id or each.trace_id == trace_id
    }


def _senders(connection: Connection, scope: str) -> list[tuple[str, str]] | None:
    """Return the components of a run over history, whose events do not state them.

    Returns:
        ``None`` for a live app.
    """
    row = connection.execute(select(RUNS).where(RUNS.c.id == scope)).one_or_none()
    if row is None or row.kind not in {BACKTEST, REPLAY}:
        return None
    # A run that was cut short states no components: those of the app's other runs are tried.
    query = select(RUNS.c.parameters).where(
        RUNS.c.app == row.app, RUNS.c.kind.in_((BACKTEST, REPLAY))
    )
    found: set[tuple[str, str]] = set()
    for text in connection.scalars(query):
        components = json.loads(text or "{}").get("components", ())
        found.update((name, role) for role, name, *_ in components)
    return sorted(found)


def _events(connection: Connection, query: Select[Any]) -> Iterable[TraceEvent]:
    found = connection.execute(query.execution_options(yield_per=_BATCH))
    reader = HeaderReader()
    for row in found:
        # PostgreSQL's driver may give other types of bytes.
        headers, body = bytes(row.headers), bytes(row.body)
        facts = reader.read(headers)
        yield TraceEvent(
            row.stream, row.sequence, row.subject, row.type, row.id,
            order_of_message(row.type, row.subject, headers, body),
            facts.cause, facts.cause_time, row.time, row.received, headers, body, row.source,
        )  # fmt: skip


class _RecordedMarketData:
    """The market data of some streams; see `ingenium.recorder.trace_tree.MarketData`."""

    def __init__(self, connection: Connection, streams: Sequence[str]) -> None:
        self._connection = connection
        self._query = select(*_COLUMNS).where(EVENTS.c.stream.in_(streams), EVENTS.c.type == _DATA)

    def with_id(self, identifier: str, near: int | None = None) -> TraceEvent | None:
        query = self._query.where(EVENTS.c.id == identifier)
        if near is not None:
            # Ids of market data have no index, and the time at which it was stored has one.
            close = EVENTS.c.received.between(near - _NEAR, near + _NEAR)
            if (found := self._first(query.where(close))) is not None:
                return found
        return self._first(query)

    def of_trace(self, trace_id: str) -> TraceEvent | None:
        for each in _events(self._connection, self._query):
            if trace_id_of(each.id) == trace_id or each.trace_id == trace_id:
                return each
        return None

    def before(self, event: TraceEvent, symbol: str, most: int) -> Sequence[TraceEvent]:
        query = self._query
        if symbol:
            query = query.where(EVENTS.c.subject == data_subject(symbol))
        query = query.where(
            (EVENTS.c.received < event.received)
            | ((EVENTS.c.received == event.received) & (EVENTS.c.sequence < event.sequence))
        ).order_by(EVENTS.c.received.desc(), EVENTS.c.sequence.desc())
        return list(_events(self._connection, query.limit(most)))

    def nearest(self, symbol: str, received: int) -> TraceEvent | None:
        query = self._query.where(EVENTS.c.subject == data_subject(symbol))
        found = [
            self._first(query.where(EVENTS.c.received <= received).order_by(
                EVENTS.c.received.desc())),
            self._first(query.where(EVENTS.c.received > received).order_by(EVENTS.c.received)),
        ]  # fmt: skip
        near = [each for each in found if each is not None]
        return min(near, key=lambda each: abs(each.received - received), default=None)

    def _first(self, query: Select[Any]) -> TraceEvent | None:
        return next(iter(_events(self._connection, query.limit(1))), None)
