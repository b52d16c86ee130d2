"""Recording an app's streams, on a server with accounts, into both kinds of databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.postgresql import PostgresServer
from support.recorded_market import T0, Market, fill, open_market, rows_of, send_mixed, settle

from ingenium import recorder as recorder_room
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.bus.roles import RECORDER
from ingenium.errors import RecorderError
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.event_recorder import Recorder, RecorderCounts
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.rebuild_tables import rebuild
from ingenium.recorder.retention import RetentionPolicy


async def test_all_events_are_recorded_to_the_byte_and_sums_are_right(
    market: Market, database_url: str
) -> None:
    held, paid = await send_mixed(market, 20, 1)
    await settle(market, 20)
    database = open_database(database_url)
    counts = await market.record(database)
    streams = {
        f"app/{name}": await market.kept(name) for name in (MONEY_STREAM.name, DATA_STREAM.name)
    }
    assert {stream: len(kept) for stream, kept in streams.items()} == {
        "app/INGENIUM": 44, "app/INGENIUM_DATA": 20,
    }  # fmt: skip
    assert counts == RecorderCounts(64, 0)
    events = rows_of(database, "events")
    assert [
        (row["stream"], row["sequence"], row["received"], row["subject"], bytes(row["headers"]),
         bytes(row["body"]))
        for row in events
    ] == [
        (stream, each.sequence, each.received, each.subject, each.headers, each.payload)
        for stream, kept in streams.items()
        for each in kept
    ]  # fmt: skip
    assert len(rows_of(database, "bars")) == len(rows_of(database, "orders")) == 20
    assert sum(Decimal(row["close"]) for row in rows_of(database, "bars")) == sum(
        100 + n % 7 for n in range(20)
    )
    assert rows_of(database, "position_changes")[-1]["quantity"] == held
    assert rows_of(database, "account_snapshots")[-1]["cash_flow"] == -paid
    with recorder_room.open(database_url) as records:
        positions = records.positions("app")
        assert [(row["symbol"], row["quantity"]) for row in positions] == (
            [("AAPL", held)] if held else []
        )


async def test_recorder_goes_on_where_it_stopped_and_writes_nothing_twice(
    market: Market, database_url: str
) -> None:
    database = open_database(database_url)
    total = Decimal(0)
    for round in range(1, 4):
        held, _ = await send_mixed(market, 4, round)
        total += held
        await settle(market, 4 * round)
        # A bar, an order, a fill, and a message that cannot be read at the first.
        assert (await market.record(database)).events == 4 * 3 + 1
    assert (await market.record(database)).events == 0
    assert len(rows_of(database, "events")) == 39
    assert rows_of(database, "position_changes")[-1]["quantity"] == total


async def test_what_comes_while_it_runs_is_recorded_at_once(
    market: Market, database_url: str
) -> None:
    database = open_database(database_url)
    recorder = Recorder(market.buses[RECORDER], database, "app")
    stop = asyncio.Event()
    running = asyncio.create_task(recorder.run(stop))
    held, _ = await send_mixed(market, 5, 1)
    async with asyncio.timeout(20):
        while recorder.counts.events < 16:
            await asyncio.sleep(0)
    await send_mixed(market, 1, 2)
    stop.set()
    await running
    assert recorder.counts.events >= 16
    assert rows_of(database, "position_changes")[4]["quantity"] == held


async def test_old_events_are_deleted_while_it_records(market: Market, database_url: str) -> None:
    database = open_database(database_url)
    held, _ = await send_mixed(market, 5, 1)
    await settle(market, 5)
    await market.record(database)
    # Seen from five days later; what comes now is as old, and is recorded all the same.
    policy = RetentionPolicy(3, now=lambda: datetime.now(UTC) + timedelta(days=5))
    recorder = Recorder(market.buses[RECORDER], database, "app", market.notices.append, (), policy)
    stop = asyncio.Event()
    running = asyncio.create_task(recorder.run(stop))
    async with asyncio.timeout(20):
        while recorder.counts.deleted < 16:
            await asyncio.sleep(0)
    more, _ = await send_mixed(market, 5, 2)
    async with asyncio.timeout(20):
        while recorder.counts.events < 16:
            await asyncio.sleep(0)
    stop.set()
    await running
    assert market.notices == []
    assert recorder.counts.events + 16 - recorder.counts.deleted == len(rows_of(database, "events"))
    with recorder_room.open(database_url) as records:
        assert {row["stream"]: row["sequence"] for row in records.streams()} == {
            "app/INGENIUM": 22, "app/INGENIUM_DATA": 10,
        }  # fmt: skip
        assert [row["quantity"] for row in records.positions("app")] == (
            [held + more] if held + more else []
        )


async def test_typed_tables_are_made_again_as_they_were(market: Market, database_url: str) -> None:
    database = open_database(database_url)
    for round in (1, 2):
        await send_mixed(market, 6, round)
        await settle(market, 6 * round)
        await market.record(database)
    before = {table.name: rows_of(database, table.name) for table in schema.DERIVED}
    assert all(before[name] for name in ("bars", "orders", "executions", "trades", "books"))
    with database.engine.begin() as connection:
        connection.execute(schema.BARS.delete())
        connection.execute(schema.TRADES.update().values(pnl=Decimal(7)))
        connection.execute(schema.BOOKS.delete())
    assert rebuild(database, "app") == 40
    assert {table.name: rows_of(database, table.name) for table in schema.DERIVED} == before


async def test_stream_that_was_made_anew_is_recorded_behind_the_old_one(
    tmp_path: Path, database_url: str
) -> None:
    database = open_database(database_url)
    for round, count in ((1, 3), (2, 5)):
        # The stream of market data is in memory, and the one of money in files.
        async with open_market(tmp_path / "server") as market:
            await send_mixed(market, count, round)
            await settle(market, count)
            await market.record(database)
            if round == 2:
                assert len(market.notices) == 1
                assert "app/INGENIUM_DATA~2" in market.notices[0]
    with recorder_room.open(database_url) as records:
        assert {row["stream"]: row["sequence"] for row in records.streams()} == {
            "app/INGENIUM": 18,
            "app/INGENIUM_DATA": 3,
            "app/INGENIUM_DATA~2": 5,
        }
        assert len(records.gaps()) == 0
    assert len(rows_of(database, "bars")) == 8


async def test_second_recorder_is_told_who_holds_the_database(database_url: str) -> None:
    database = open_database(database_url)
    first = open_writer(database, "app")
    first.claim(RecordedStream("app", "INGENIUM"))
    with pytest.raises(RecorderError, match=r"app is recorded into .* by .*process \d+ already"):
        open_writer(database, "app")
    # Another app has a place of its own.
    open_writer(database, "other").close()
    first.close()
    open_writer(database, "app").close()


async def test_position_that_another_one_has_moved_is_not_written_over(database_url: str) -> None:
    database = open_database(database_url)
    writer = open_writer(database, "app")
    writer.claim(RecordedStream("app", "INGENIUM"))
    rows = {"gaps": [("app/INGENIUM", 1, 2, 3, "start")]}
    writer.write(WriteBatch("app/INGENIUM", 0, 5, 1, rows))
    with pytest.raises(RecorderError, match=r"position of app/INGENIUM is 5, not 0, and .*process"):
        writer.write(WriteBatch("app/INGENIUM", 0, 6, 1, {"gaps": [("x", 1, 2, 3, "start")]}))
    writer.close()
    assert [row["stream"] for row in rows_of(database, "gaps")] == ["app/INGENIUM"]


async def test_full_disk_keeps_the_position_and_what_is_whole(
    market: Market, tmp_path: Path
) -> None:
    database = open_database(str(tmp_path / "record.db"))
    await send_mixed(market, 5, 1)
    await settle(market, 5)
    await market.record(database)
    before = rows_of(database, "events")
    await send_mixed(market, 200, 2)

    # What a full disk says, SQLite says of a file that has reached its most pages.
    import sqlalchemy

    @sqlalchemy.event.listens_for(database.engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(RecorderError, match="database or disk is full"):
        await market.record(database)
    sqlalchemy.event.remove(database.engine, "connect", limit)
    kept = rows_of(database, "events")
    assert len(kept) >= len(before)
    positions = {row["stream"]: row["sequence"] for row in rows_of(database, "position")}
    for stream, sequence in positions.items():
        assert [row["sequence"] for row in kept if row["stream"] == stream] == list(
            range(1, sequence + 1)
        )
    await settle(market, 205)
    await market.record(database)
    assert len(rows_of(database, "events")) == 205 * 3 + 1 + 40


async def test_transactions_come_in_pages_and_profit_by_day_and_symbol(
    market: Market, database_url: str
) -> None:
    # Bought 10 at 100, sold 4 at 110 and 6 at 90: 40 - 60 = -20.
    for number, (side, quantity, price) in enumerate(
        [("buy", 10, 100), ("sell", 4, 110), ("sell", 6, 90)]
    ):
        event = fill(number, side, quantity, price, f"order_{number}")
        event.execution_timestamp = T0.replace(day=2 + number)
        await market.send(event)
    database = open_database(database_url)
    await market.record(database)
    with recorder_room.open(database_url) as records:
        page = records.transactions(limit=2)
        assert [row["id"] for row in page] == ["exec_2", "exec_1"]
        rest = records.transactions(limit=2, after=page.next)
        assert ([row["id"] for row in rest], rest.next) == (["exec_0"], "")
        middle = records.transactions(since=T0.replace(day=3), until=T0.replace(day=4))
        assert [row["id"] for row in middle] == ["exec_1"]
        assert len(records.transactions(symbol="IBM")) == len(records.transactions("other")) == 0
        assert [(row["day"], row["realized_pnl"], row["net_pnl"]) for row in records.pnl()] == [
            ("2024-01-02", 0, Decimal("-0.50")),
            ("2024-01-03", 40, Decimal("39.50")),
            ("2024-01-04", -60, Decimal("-60.50")),
        ]
        assert [
            (row["symbol"], row["fills"], row["realized_pnl"], row["commissions"])
            for row in records.pnl(by="symbol")
        ] == [("AAPL", 3, -20, Decimal("1.50"))]
        held = [
            [(row["quantity"], row["cost"]) for row in records.positions(at=T0.replace(day=day))]
            for day in (1, 2, 3, 4)
        ]
        assert held == [[], [(10, 1000)], [(6, 600)], []]


async def test_views_show_times_as_people_write_them(market: Market, database_url: str) -> None:
    await market.send(fill(1, "buy", 1, 100, "order_1"))
    early = fill(2, "buy", 1, 100, "order_1")
    early.execution_timestamp = datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)
    await market.send(early)
    database = open_database(database_url)
    await market.record(database)
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT time FROM executions_iso ORDER BY sequence")
        assert [time for (time,) in found] == [
            "2024-01-02T15:30:00.000000000Z",
            "1969-12-31T23:59:59.250000000Z",
        ]


async def test_server_of_the_database_may_be_killed(
    market: Market, postgresql: PostgresServer
) -> None:
    database = open_database(postgresql.make_database("killed"))
    recorder = Recorder(market.buses[RECORDER], database, "app")
    stop = asyncio.Event()
    running = asyncio.create_task(recorder.run(stop))
    await market.send_bar("AAPL", "100")
    async with asyncio.timeout(20):
        while not recorder.counts.events:
            await asyncio.sleep(0)
    for round in range(1, 4):
        await send_mixed(market, 10, round)
        postgresql.kill()
        await send_mixed(market, 1, 10 + round)
        postgresql.start()
    await settle(market, 34)
    stop.set()
    await running
    money = await market.kept()
    events = [row for row in rows_of(database, "events") if row["stream"] == "app/INGENIUM"]
    assert [bytes(row["body"]) for row in events] == [each.payload for each in money]
    assert len(rows_of(database, "executions")) == 33
    bought = sum(
        row["quantity"] if row["side"] == "buy" else -row["quantity"]
        for row in rows_of(database, "executions")
    )
    assert rows_of(database, "position_changes")[-1]["quantity"] == bought


async def test_recorder_needs_no_more_than_the_rights_of_a_reader(
    market: Market, database_url: str
) -> None:
    await market.send(fill(1, "buy", 1, 100, "order_1"))
    database = open_database(database_url)
    assert (await market.record(database)).events == 1
    # It would raise what the server has refused.
    await market.buses[RECORDER].flush()
    assert (await market.money.state()).last == 1
