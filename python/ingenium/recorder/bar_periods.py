"""Put recorded bars together to longer ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.recorded_bars import bar_table, of_bars
from ingenium.recorder.schema import BARS
from ingenium.trading.money import EXACT

__all__ = ["PERIODS", "period_table"]

_MINUTE = 60 * 1_000_000_000
PERIODS: Mapping[str, int] = {
    "1m": _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "1h": 60 * _MINUTE,
    "1d": 24 * 60 * _MINUTE,
}
"""Lengths in nanoseconds by name."""
_MOST_READ = 400_000
_NAMES = (
    "time", "open", "high", "low", "close", "volume", "sequence", "received", "first", "bars",
)  # fmt: skip


def period_table(
    connection: Connection,
    app: str,
    symbol: str,
    since: int | None,
    until: int | None,
    limit: int,
    length: int,
) -> RecordTable:
    """Return the latest bars of a length, oldest first.

    They begin at whole lengths from midnight UTC. One without a recorded bar has none, so a gap
    stays a gap; one whose bars state no volume has none.

    Args:
        connection: Connection to the database.
        app: Name of the app, or id of a run.
        symbol: Name of the instrument.
        since: First time, in nanoseconds since 1970; ``None`` for the start.
        until: Time after the last one; ``None`` for the end.
        limit: Most bars.
        length: Their length in nanoseconds.

    Returns:
        ``time`` is the start of a bar, ``first`` and ``received`` are the times of reception of the
        first and the last bar in it, and ``bars`` is their number.
    """
    begin = _begin(connection, (app, symbol), since, until, limit, length)
    found: dict[int, list[Any]] = {}
    for row in bar_table(connection, app, symbol, begin, until, _MOST_READ):
        if row["close"] is None:
            continue
        start = row["time"] // length * length
        made = found.get(start)
        opening = row["open"] if row["open"] is not None else row["close"]
        high = row["high"] if row["high"] is not None else max(opening, row["close"])
        low = row["low"] if row["low"] is not None else min(opening, row["close"])
        if made is None:
            found[start] = [
                start, opening, high, low, row["close"], row["volume"], row["sequence"],
                row["received"], row["received"], 1,
            ]  # fmt: skip
            continue
        made[2], made[3], made[4] = max(made[2], high), min(made[3], low), row["close"]
        if row["volume"] is not None:
            made[5] = row["volume"] if made[5] is None else EXACT.add(made[5], row["volume"])
        made[6], made[7], made[9] = row["sequence"], row["received"], made[9] + 1
    rows = [tuple(each) for _, each in sorted(found.items())]
    return RecordTable(_NAMES, rows[-limit:], ("time",))


def _begin(
    connection: Connection,
    place: tuple[str, str],
    since: int | None,
    until: int | None,
    limit: int,
    length: int,
) -> int | None:
    """Return the start of the first of the latest bars, so that earlier ones are not read."""
    app, symbol = place
    start = (BARS.c.time // length * length).label("start")
    query = of_bars(select(start), app, symbol, since, until)
    latest = query.group_by(start).order_by(start.desc()).limit(limit).subquery()
    first: int | None = connection.execute(select(func.min(latest.c.start))).scalar_one()
    if since is None or first is None:
        return since if first is None else first
    return max(since, first)
