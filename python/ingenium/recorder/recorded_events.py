"""Read raw events, decoded by their types or by a user's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Connection, Select, func, select, tuple_, union_all

from ingenium.bus.envelope import unpack
from ingenium.errors import ConfigError, WireError
from ingenium.events import Event
from ingenium.recorder.paging import after_page, latest_first, page_name, read_page, within
from ingenium.recorder.schema import BARS, DENIALS, EVENTS, EXECUTIONS, ORDERS, SIGNALS
from ingenium.recorder.stored_message import stored_message
from ingenium.subjects.grammar import check_pattern, matches

__all__ = ["EventFilter", "read_events"]

_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}
_SYMBOLS = (BARS, SIGNALS, ORDERS, EXECUTIONS, DENIALS)
_COLUMNS = ("stream", "sequence", "received", "time", "subject", "type", "id", "cause", "source")
_SPAN = 60 * 1_000_000_000
_GROWTH = 8
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to read, and how to decode them.

    Attributes:
        event_type: Name of an event type, such as ``"SignalEvent"``; empty for all.
        subject: A subject or a wildcard; empty for all.
        symbol: Only events about this instrument; ``None`` for all.
        since: Only events received at or after this time. Aware.
        until: Only events received before this time. Aware.
        message: Class of a user's own events; only events of no type of the bus are read then.
    """

    event_type: str = ""
    subject: str = ""
    symbol: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    message: type[Any] | None = None

    def check(self) -> None:
        """Check the values.

        Raises:
            ConfigError: The type is unknown, or given together with a message.
            SubjectError: The subject is none.
        """
        if self.event_type and self.message is not None:
            raise ConfigError(
                "type is that of an event of the bus, and message of one of your own: pass one"
            )
        if self.event_type and self.event_type not in _TYPES:
            raise ConfigError(
                f"type {self.event_type!r} is not known: use {', '.join(sorted(_TYPES))}, or the "
                "message of an event of your own"
            )
        if self.subject:
            check_pattern(self.subject)


def read_events(
    connection: Connection, streams: Sequence[str], wanted: EventFilter, limit: int, after: str
) -> tuple[tuple[str, ...], list[tuple[Any, ...]], str]:
    """Return events, the latest first.

    Args:
        connection: Connection to the database.
        streams: Streams to read.
        wanted: Which events.
        limit: Most events.
        after: Name of the page; empty for the first one.

    Returns:
        Names of the columns, rows, and the name of the next page. The column ``event`` has the
        decoded event, an object of JSON for an event of an unknown type, or the bytes as text if
        they cannot be decoded; ``error`` says why.
    """
    wanted.check()
    query = select(*(EVENTS.c[name] for name in (*_COLUMNS, "headers", "body")))
    query = query.where(EVENTS.c.stream.in_(streams)).order_by(*latest_first(EVENTS, "received"))
    query = _filtered(after_page(query, EVENTS, "received", after), wanted)
    rows: list[tuple[Any, ...]] = []
    for row in _spans(connection, query, streams, read_page(after)[0] if after else None):
        if wanted.subject and not matches(wanted.subject, row.subject):
            continue
        event, error = _decoded(row, wanted.message)
        is_own = wanted.message is not None and wanted.symbol is not None
        if is_own and getattr(event, "symbol", None) != wanted.symbol:
            continue
        if len(rows) == limit:
            received, stream, sequence = rows[-1][2], rows[-1][0], rows[-1][1]
            return _names(), rows, page_name(received, stream, sequence)
        rows.append((*(getattr(row, name) for name in _COLUMNS), event, error))
    return _names(), rows, ""


def _names() -> tuple[str, ...]:
    return (*_COLUMNS, "event", "error")


def _filtered(query: Select[Any], wanted: EventFilter) -> Select[Any]:
    query = within(query, EVENTS.c.received, wanted.since, wanted.until)
    if wanted.event_type:
        query = query.where(EVENTS.c.type == wanted.event_type)
    if wanted.message is not None:
        query = query.where(EVENTS.c.type == "")
    if wanted.subject and not set("*>") & set(wanted.subject):
        query = query.where(EVENTS.c.subject == wanted.subject)
    if wanted.symbol is not None and wanted.message is None:
        places = union_all(
            *(
                select(table.c.stream, table.c.sequence).where(table.c.symbol == wanted.symbol)
                for table in _SYMBOLS
            )
        )
        query = query.where(tuple_(EVENTS.c.stream, EVENTS.c.sequence).in_(places))
    return query


def _spans(
    connection: Connection, query: Select[Any], streams: Sequence[str], last: int | None
) -> Iterator[Any]:
    """Yield rows from spans of time, the latest first, so that no query sorts all events."""
    first, latest = connection.execute(
        select(func.min(EVENTS.c.received), func.max(EVENTS.c.received)).where(
            EVENTS.c.stream.in_(streams)
        )
    ).one()
    if first is None:
        return
    end = (latest if last is None else last) + 1
    span = _SPAN
    while end > first:
        start = max(first, end - span)
        part = query.where(EVENTS.c.received >= start, EVENTS.c.received < end)
        with connection.execute(part.execution_options(yield_per=_BATCH)) as found:
            yield from found
        end, span = start, span * _GROWTH


def _decoded(row: Any, own: type[Any] | None) -> tuple[Any, str]:
    body = bytes(row.body)
    kind = _TYPES.get(row.type, own)
    try:
        if kind is not None:
            return unpack(kind, stored_message(row.subject, bytes(row.headers), body)), ""
        return _json_object(body), ""
    except (WireError, ValueError, RecursionError) as error:
        return {"data_base64": base64.b64encode(body).decode()}, str(error)


def _json_object(body: bytes) -> dict[str, Any]:
    event = json.loads(body.decode())
    if not isinstance(event, dict):
        raise ValueError("the payload is no JSON object")
    return event
