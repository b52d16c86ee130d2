"""Hold a recording against the sums of the streams, by the driver and decimals of Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
from chaos.stream_sums import StreamSums

from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM

__all__ = ["differences", "recorded_events", "rows_of"]

_KINDS = {"signals": "signal", "denials": "denial", "control": "trading"}


def rows_of(url: str, query: str) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a query, a few thousand at a time."""
    if url.startswith("postgresql:"):
        with psycopg.connect(url) as connection, connection.cursor("rows") as cursor:
            cursor.itersize = 5000
            yield from cursor.execute(query)
    else:
        with closing(sqlite3.connect(url)) as file:
            yield from file.execute(query)


def recorded_events(url: str) -> int:
    """Return how many events are recorded; 0 while there is no such database."""
    try:
        return int(next(rows_of(url, "SELECT sum(sequence) FROM position"))[0] or 0)
    except (psycopg.Error, sqlite3.Error):
        return 0


def differences(url: str, app: str, streams: Mapping[str, StreamSums]) -> Iterator[str]:
    """Say where a recording differs from the streams.

    Args:
        url: Of the database.
        app: Name of the app.
        streams: Sums of each stream, by its name.
    """

    def one(query: str) -> tuple[Any, ...]:
        return next(rows_of(url, query))

    def differs(what: str, found: object, expected: object) -> Iterator[str]:
        if found != expected:
            yield f"{what}: {found} recorded, and {expected} by the stream"

    def total(column: str, table: str, where: str = "1 = 1") -> tuple[int, Decimal]:
        count, found = 0, Decimal(0)
        for (value,) in rows_of(url, f"SELECT {column} FROM {table} WHERE {where}"):
            count, found = count + 1, found + Decimal(value)
        return count, found

    for name, sums in streams.items():
        recorded = StreamSums()
        where = f"WHERE stream = '{app}/{name}' ORDER BY sequence"
        for sequence, subject, body in rows_of(
            url, f"SELECT sequence, subject, body FROM events {where}"
        ):
            recorded.add_bytes(sequence, subject, body)
        yield from differs(f"events of {name}", recorded.count, sums.count)
        yield from differs(f"digest of {name}", recorded.digest, sums.digest)
        position = one(f"SELECT sequence FROM position WHERE stream = '{app}/{name}'")
        yield from differs(f"position in {name}", position, (sums.last,))
    money, data = streams[MONEY_STREAM.name], streams[DATA_STREAM.name]
    count = sum(sums.count for sums in streams.values())
    yield from differs("all events", one("SELECT count(*) FROM events"), (count,))
    places = one("SELECT count(*) FROM (SELECT DISTINCT stream, sequence FROM events) AS places")
    yield from differs("places of events", places, (count,))
    yield from differs("gaps", one("SELECT count(*) FROM gaps"), (0,))
    yield from differs("bars", total("volume", "bars"), (data.kinds["data"], data.volume))
    yield from differs(
        "orders",
        total("quantity", "orders", "request = 'new'"),
        (money.kinds["order"], money.ordered),
    )
    for table, kind in _KINDS.items():
        yield from differs(table, one(f"SELECT count(*) FROM {table}"), (money.kinds[kind],))
    cancels = one("SELECT count(*) FROM orders WHERE request = 'cancel'")
    yield from differs("cancels", cancels, (money.kinds["cancel"],))
    executions = one("SELECT count(*), count(DISTINCT id) FROM executions")
    yield from differs("executions", executions, (money.kinds["execution"], money.fills))
    yield from differs(
        "fills", total("quantity", "executions", "booked = 1"), (money.fills, money.filled)
    )
    held = {
        symbol: Decimal(quantity)
        for symbol, quantity in rows_of(
            url, "SELECT symbol, quantity FROM position_changes ORDER BY sequence"
        )
    }
    yield from differs("positions", held, dict(money.held))
    last = "SELECT cash_flow FROM account_snapshots ORDER BY sequence DESC LIMIT 1"
    yield from differs("cash", Decimal(one(last)[0]), money.cash)
