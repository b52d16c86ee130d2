"""Find the bar and the signals that caused an order: by ids where messages state them.

A message names the event whose handling sent it in a header, and its trace in another one. Where
neither leads to a recorded event, the nearest one in time is returned, which may be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from ingenium.recorder.schema import BARS, EVENTS, EXECUTIONS, SIGNALS, streams_of
from ingenium.recorder.stored_message import trace_id_in
from ingenium.telemetry.trace_context import trace_id_of

__all__ = ["BY_ID", "BY_TIME", "BY_TRACE", "Cause", "causes_of"]

BY_ID, BY_TRACE, BY_TIME = "by id", "by trace", "by time"
"""How a cause was found. By time it is a guess."""
_SECOND = 1_000_000_000
_NEAR = _SECOND
# A message waits longer than a minute only while a component is away.
_SPANS = (60 * _SECOND, 86_400 * _SECOND)
_HOPS = 8
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Cause:
    """An event that led to an order.

    Attributes:
        table: Table of its row.
        row: The row.
        found: `BY_ID`, `BY_TRACE` or `BY_TIME`.
    """

    table: Table
    row: Row[Any]
    found: str


def causes_of(connection: Connection, order: Row[Any], scope: str) -> list[Cause]:
    """Return the bar, the signals and the executions that led to an order, the first one first.

    Args:
        connection: Connection to the database.
        order: Row of `ORDERS`.
        scope: Name of the app, or id of the run.
    """
    return _Search(connection, order, scope).find()


class _Search:
    def __init__(self, connection: Connection, order: Row[Any], scope: str) -> None:
        self._connection = connection
        self._order = order
        self._streams = list(connection.scalars(streams_of(scope)))

    def find(self) -> list[Cause]:
        chain = list(self._chain())[::-1]
        if chain and chain[0].table is BARS:
            return chain
        signals = [each.row for each in chain if each.table is SIGNALS]
        if not signals and not chain:
            guessed = self._signals_by_time()
            chain = [Cause(SIGNALS, row, BY_TIME) for row in guessed]
            signals = guessed
        # The bar of the first signal; of the order itself where no signal was found.
        bar = self._bar(signals[0] if signals else self._order)
        return chain if bar is None else [bar, *chain]

    def _chain(self) -> Iterator[Cause]:
        """Yield the causes that ids lead to, the last one first."""
        seen: set[str] = set()
        row: Any = self._order
        while row.cause and row.cause not in seen and len(seen) < _HOPS:
            seen.add(row.cause)
            found = self._by_id(row)
            if found is None:
                return
            yield found
            if found.table is BARS:
                return
            row = found.row
            if found.table is EXECUTIONS:
                event = self._event_of(row)
                if event is None:
                    return
                row = _Caused(row.stream, row.sequence, event.cause, 0, row.symbol)

    def _by_id(self, row: Any) -> Cause | None:
        signal = self._first(SIGNALS, SIGNALS.c.id == row.cause)
        if signal is not None:
            return Cause(SIGNALS, signal, BY_ID)
        event = self._event_near(row, lambda each: each.id == row.cause)
        table = {"DataEvent": BARS, "ExecutionEvent": EXECUTIONS}.get(event.type if event else "")
        if event is None or table is None:
            return None
        found = self._first(
            table, table.c.stream == event.stream, table.c.sequence == event.sequence
        )
        return None if found is None else Cause(table, found, BY_ID)

    def _bar(self, row: Any) -> Cause | None:
        """Return the bar of a signal or an order whose cause by id is not recorded."""
        trace_id = self._trace_id(row)
        if trace_id:
            event = self._event_near(
                row, lambda each: each.type == "DataEvent" and trace_id_of(each.id) == trace_id
            )
            if event is not None and (
                bar := self._first(
                    BARS, BARS.c.stream == event.stream, BARS.c.sequence == event.sequence
                )
            ):
                return Cause(BARS, bar, BY_TRACE)
        return self._bar_by_time(row)

    def _bar_by_time(self, row: Any) -> Cause | None:
        """Return the nearest bar of the symbol.

        A signal states when the stream of the strategies stored its bar, to the microsecond. That
        is slightly before or after the recorded stream did.
        """
        at = row.cause_time
        if not at:
            return None
        near = [
            *self._bars(row.symbol, at - _NEAR, at, is_last=True),
            *self._bars(row.symbol, at + 1, at + _NEAR, is_last=False),
        ]
        if not near:
            return None
        return Cause(BARS, min(near, key=lambda each: abs(each.received - at)), BY_TIME)

    def _bars(self, symbol: str, first: int, last: int, *, is_last: bool) -> Sequence[Row[Any]]:
        received = BARS.c.received
        query = select(BARS).where(
            BARS.c.symbol == symbol,
            BARS.c.stream.in_(self._streams),
            received >= first,
            received <= last,
        )
        query = query.order_by(received.desc() if is_last else received).limit(1)
        return self._connection.execute(query).all()

    def _signals_by_time(self) -> list[Row[Any]]:
        order = self._order
        if not order.cause_time:
            return []
        query = select(SIGNALS).where(
            SIGNALS.c.symbol == order.symbol,
            SIGNALS.c.cause_time == order.cause_time,
            SIGNALS.c.stream.in_(self._streams),
        )
        return list(self._connection.execute(query.limit(_MOST)).all())

    def _trace_id(self, row: Any) -> str:
        event = self._event_of(row)
        return "" if event is None else trace_id_in(bytes(event.headers))

    def _event_of(self, row: Any) -> Row[Any] | None:
        return self._first(EVENTS, EVENTS.c.stream == row.stream, EVENTS.c.sequence == row.sequence)

    def _event_near(self, row: Any, fits: Callable[[Row[Any]], bool]) -> Row[Any] | None:
        """Return the last event before a row, or at the time of its cause, that fits."""
        event = self._event_of(row)
        if event is None:
            return None
        spans = [(event.received - span, event.received + _NEAR) for span in _SPANS]
        if row.cause_time:
            spans.insert(0, (row.cause_time - _NEAR, row.cause_time + _NEAR))
        columns = [EVENTS.c[name] for name in ("stream", "sequence", "type", "id", "received")]
        for first, last in spans:
            found = self._connection.execute(
                select(*columns)
                .where(
                    EVENTS.c.received >= first,
                    EVENTS.c.received <= last,
                    EVENTS.c.stream.in_(self._streams),
                )
                .order_by(EVENTS.c.received.desc())
                .execution_options(yield_per=_MOST)
            )
            for each in found:
                if fits(each):
                    found.close()
                    return each
        return None

    def _first(self, table: Table, *conditions: Any) -> Row[Any] | None:
        query = select(table).where(*conditions, table.c.stream.in_(self._streams)).limit(1)
        return self._connection.execute(query).first()


@dataclass(frozen=True, slots=True)
class _Caused:
    """What a search needs of a row."""

    stream: str
    sequence: int
    cause: str
    cause_time: int
    symbol: str
