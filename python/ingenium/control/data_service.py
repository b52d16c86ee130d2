"""Reads recorded prices, with what was done at them."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import data_pb as pb
from ingenium.control._gen.ingenium.control.v1.data_connect import DataService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.call_guard import refuse
from ingenium.control.money_messages import plain
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.records import Records

__all__ = ["DataCalls"]

Context = RequestContext[Any, Any]
_BARS, _MOST_BARS, _MOST_MARKS = 2000, 20_000, 5000
_AFTER, _END = 1_000_000_000, 2**62


class DataCalls(DataService):
    """Implements DataService.

    Args:
        catalog: Finds recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog

    async def list_symbols(
        self, request: pb.ListSymbolsRequest, _: Context, /
    ) -> pb.ListSymbolsResponse:
        """Return the symbols with bars."""
        from ingenium.recorder.recorded_bars import symbol_table

        app = self._catalog.resolve(request.app)
        table = await self._catalog.read(
            app, lambda records: records.run(lambda connection: symbol_table(connection, app))
        )
        return pb.ListSymbolsResponse(
            symbols=[
                pb.RecordedSymbol(
                    symbol=row["symbol"],
                    bars=row["bars"],
                    first_time=row["first"],
                    last_time=row["last"],
                )
                for row in table
            ]
        )

    async def list_bars(self, request: pb.ListBarsRequest, _: Context, /) -> pb.ListBarsResponse:
        """Return bars with signals and fills."""
        from ingenium.recorder.bar_periods import PERIODS, period_table
        from ingenium.recorder.recorded_bars import bar_table, gap_table, mark_table

        app, symbol = self._catalog.resolve(request.app), request.symbol
        if not symbol:
            raise refuse("symbol is empty: see ListSymbols")
        limit = request.limit or _BARS
        if not 0 < limit <= _MOST_BARS:
            raise refuse(f"limit is {limit}: use 1 to {_MOST_BARS}")
        period = request.period
        if period and period not in PERIODS:
            raise refuse(f"period is {period!r}: use {', '.join(PERIODS)}, or leave it out")
        since = request.since_time if request.has_field("since_time") else None
        until = request.until_time if request.has_field("until_time") else None

        def query(records: Records) -> tuple[RecordTable, RecordTable, RecordTable]:
            def read(connection: Any) -> tuple[RecordTable, RecordTable, RecordTable]:
                span = app, symbol, since, until, limit
                bars = (
                    period_table(connection, *span, PERIODS[period])
                    if period
                    else bar_table(connection, *span)
                )
                rows = list(bars)
                first = rows[0].get("first", rows[0]["received"]) if rows else 0
                last = rows[-1]["received"] if rows else -1
                # What the last bar has caused is later than it.
                end = last + _AFTER if until is not None else _END
                marks = mark_table(connection, app, symbol, first, end, _MOST_MARKS)
                return bars, marks, gap_table(connection, app)

            return records.run(read)

        bars, marks, gaps = await self._catalog.read(app, query)
        times = [row["time"] for row in bars]
        # A mark belongs to the last bar that began before it.
        received = [row.get("first", row["received"]) for row in bars]
        return pb.ListBarsResponse(
            bars=[_bar(row) for row in bars],
            marks=[
                pb.Mark(
                    time=row["time"],
                    bar_time=times[bisect_right(received, row["received"]) - 1],
                    kind=row["kind"],
                    text=row["text"],
                    price=None if row["price"] is None else plain(row["price"]),
                    order_id=row["order_id"],
                )
                for row in marks
            ],
            gaps=[pb.RecordingGap(**{name: row[name] for name in _GAP}) for row in gaps],
        )


_GAP = ("time", "stream", "first", "last", "reason")


def _bar(row: dict[str, Any]) -> pb.Bar:
    numbers = {
        name: "" if row[name] is None else plain(row[name])
        for name in ("open", "high", "low", "close")
    }
    return pb.Bar(
        time=row["time"],
        open=numbers["open"],
        high=numbers["high"],
        low=numbers["low"],
        close=numbers["close"],
        volume=None if row["volume"] is None else plain(row["volume"]),
        sequence=row["sequence"],
        bars=row.get("bars", 0),
    )
