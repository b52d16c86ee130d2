"""Read what an app did live from its recording."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table, select

from ingenium.errors import RecorderError
from ingenium.events import DataEvent
from ingenium.recorder.bar_clock import BarClock
from ingenium.recorder.database import Database, failures
from ingenium.recorder.operator_acts import OperatorAct, acts_of
from ingenium.recorder.parity import TradingItem
from ingenium.recorder.parity_evidence import Denied, Ending, RecordingGap
from ingenium.recorder.runs import LIVE
from ingenium.recorder.schema import (
    BARS,
    CONTROL,
    DENIALS,
    EVENTS,
    EXECUTIONS,
    GAPS,
    ORDERS,
    RUNS,
    SIGNALS,
    of_same_event,
    streams_of,
)
from ingenium.recorder.trading_items import ItemRow, bar_item, endings_of, trading_items
from ingenium.subjects.names import COMPONENT_COMMANDS
from ingenium.trading.period import read_period

__all__ = ["RecordedTrading", "find_scope"]

_BATCH = 10_000
_MICROSECOND = timedelta(microseconds=1)


class RecordedTrading:
    """Everything of one scope that is compared with its backtest.

    Args:
        place: Database, as for `ingenium.recorder.open`.
        scope: Name of the app, or id of a recorded backtest.
        is_paper: Whether its executor is the paper exchange, whose fills have the time of the data.

    Attributes:
        clock: The times of its data.
        items: Its signals, orders and fills.
        denied: Its denials.
        endings: Last report of each order that ended otherwise than by a fill.
        arrivals: When each order reached the exchange, by the exchange's clock, by its id.
        gaps: What was not recorded.
        acts: What operators did, by its beginning.

    Raises:
        RecorderError: The recording cannot be read, or has no market data.
    """

    def __init__(self, place: str, scope: str, *, is_paper: bool = True) -> None:
        self._database = Database(place)
        self._database.check()
        self._scope = scope
        self._streams = streams_of(scope)
        self._is_paper = is_paper
        self.clock = BarClock()
        self.items: list[TradingItem] = []
        self.denied: list[Denied] = []
        self.endings: dict[str, Ending] = {}
        self.arrivals: dict[str, int] = {}
        self.gaps: list[RecordingGap] = []
        self.acts: list[OperatorAct] = []
        self._starts: list[int] = []
        self._settings: list[Mapping[str, Any]] = []
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            self._read(connection)

    def settings_at(self, moment: int) -> Mapping[str, Any] | None:
        """Return the settings of the run that was under way at a moment, in nanoseconds since 1970.

        Returns:
            See `ingenium.backtest.app_settings`; ``None`` if they were not recorded.
        """
        place = bisect_right(self._starts, moment) - 1
        found = self._settings[max(place, 0)] if self._settings else {}
        return found or None

    @property
    def has_settings(self) -> bool:
        """Whether all of its runs recorded their settings and code."""
        return bool(self._settings) and all(self._settings)

    def bars(self) -> list[TradingItem]:
        """Return the recorded bars."""
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            query = (
                select(BARS)
                .where(BARS.c.stream.in_(self._streams))
                .order_by(BARS.c.received, BARS.c.sequence)
            )
            return [bar_item(dict(row._mapping)) for row in connection.execute(query)]  # noqa: SLF001

    def bars_of(self, fills: Iterable[ItemRow]) -> dict[tuple[str, int], tuple[int, int]]:
        """Return begin and end of the bars of fills, by symbol and time of the fill.

        A fill at the open has the time at which its bar began, any other one that of its end.
        """
        wanted = {(row["symbol"], row["time"]) for row in fills if row["booked"]}
        begun, ended = {}, {}
        columns = BARS.c.symbol, BARS.c.time, BARS.c.period
        query = select(*columns).where(BARS.c.stream.in_(self._streams), BARS.c.period != "")
        with failures(self._database, "be read"), self._database.engine.connect() as connection:
            rows = connection.execute(query.execution_options(yield_per=_BATCH))
            for symbol, end, period in rows:
                length = read_period(period)
                if not isinstance(length, timedelta):
                    continue
                begin = end - length // _MICROSECOND * 1000
                if (symbol, begin) in wanted:
                    begun[symbol, begin] = begin, end
                if (symbol, end) in wanted:
                    ended[symbol, end] = begin, end
        return ended | begun

    def _bar_of_fill(self, executions: Sequence[ItemRow]) -> Callable[[ItemRow], int]:
        if not self._is_paper:
            return lambda row: self.clock.time_at(row["received"], row["symbol"])
        bars = self.bars_of(executions)
        return lambda row: bars.get((row["symbol"], row["time"]), (0, row["time"]))[1]

    def _read(self, connection: Connection) -> None:
        query = (
            select(EVENTS.c.subject, EVENTS.c.time, EVENTS.c.received)
            .where(EVENTS.c.stream.in_(self._streams), EVENTS.c.type == DataEvent.__name__)
            .order_by(EVENTS.c.received, EVENTS.c.sequence)
            .execution_options(yield_per=_BATCH)
        )
        clock = self.clock
        for subject, time, received in connection.execute(query):
            clock.add(subject, time, received)
        if not clock.last:
            raise RecorderError(
                f"{self._database.text} has no market data of {self._scope!r}: see ingenium runs"
            )
        executions = self._rows(connection, EXECUTIONS)
        self.items = trading_items(
            self._rows(connection, SIGNALS),
            self._rows(connection, ORDERS),
            executions,
            lambda row: clock.cause(row["symbol"], row["time"], row["cause_time"], row["received"]),
            self._bar_of_fill(executions),
            self._is_paper,
        )
        self.endings = endings_of(executions)
        for row in executions:
            self.arrivals.setdefault(row["order_id"], row["time"])
        self.denied = [
            Denied(row["symbol"], row["received"], row["reason"], row["detail"])
            for row in self._rows(connection, DENIALS)
        ]
        gaps = select(GAPS).where(GAPS.c.stream.in_(self._streams)).order_by(GAPS.c.time)
        for gap in connection.execute(gaps):
            text = f"messages {gap.first} to {gap.last} of {gap.stream} were not recorded"
            self.gaps.append(RecordingGap(clock.after(gap.time), text))
        runs = (
            select(RUNS.c.started, RUNS.c.parameters)
            .where(RUNS.c.app == self._scope, RUNS.c.kind == LIVE)
            .order_by(RUNS.c.started)
        )
        for started, parameters in connection.execute(runs):
            self._starts.append(started)
            self._settings.append(json.loads(parameters))
        commands = (
            select(EVENTS.c.received, EVENTS.c.body)
            .where(EVENTS.c.stream.in_(self._streams), EVENTS.c.type == "")
            .where(EVENTS.c.subject == COMPONENT_COMMANDS)
            .order_by(EVENTS.c.received, EVENTS.c.sequence)
        )
        self.acts = acts_of(
            [(received, bytes(body)) for received, body in connection.execute(commands)],
            [
                (row["received"], row["state"], row["reason"], row["sender"])
                for row in self._rows(connection, CONTROL)
            ],
            self._starts,
        )

    def _rows(self, connection: Connection, table: Table) -> Sequence[ItemRow]:
        """Return the rows of a table, with the time at which their stream stored them."""
        query = (
            select(table, EVENTS.c.received)
            .join(EVENTS, of_same_event(EVENTS, table))
            .where(table.c.stream.in_(self._streams))
            .order_by(EVENTS.c.received, table.c.stream, table.c.sequence)
        )
        return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001


def find_scope(place: str, app: str, run_id: str | None) -> tuple[str, int, int]:
    """Return the scope to compare, and when its run began and ended by the server's clock.

    Args:
        place: Database.
        app: Name of the app.
        run_id: Id of a live run or of a backtest; all that is recorded of the app when ``None``.

    Raises:
        RecorderError: The run is unknown, or belongs to another app.
    """
    always = 2**63 - 1
    if run_id is None:
        return app, 0, always
    database = Database(place)
    database.check()
    with failures(database, "be read"), database.engine.connect() as connection:
        row = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).first()
    if row is None:
        raise RecorderError(f"{database.text} knows no run {run_id!r}: see ingenium runs")
    if row.app != app:
        raise RecorderError(f"run {run_id!r} is of app {row.app!r}, not of {app!r}")
    if row.kind == LIVE:
        return app, row.started, row.ended or always
    return run_id, 0, always
