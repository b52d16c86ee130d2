"""A server with accounts whose streams are recorded, and programs that send to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ingenium.bus import NatsBus
from ingenium.bus.nats.direct_reader import DirectReader, KeptMessage
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.roles import RECORDER
from ingenium.bus.stream import MESSAGE_ID
from ingenium.events import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    encode,
)
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR, Accounts
from ingenium.recorder import schema
from ingenium.recorder.database import Database
from ingenium.recorder.event_recorder import Recorder, RecorderCounts
from ingenium.subjects.names import ORDER, data_subject, subject_of

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi"], "portfolio": ["pf"], "executor": ["ex"]},
)
T0 = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)


class Market:
    """A server with accounts, its streams, and those who send."""

    def __init__(self, server: EmbeddedServer, buses: dict[str, NatsBus]) -> None:
        self.server = server
        self.buses = buses
        self.notices: list[str] = []
        self.money = NatsStream(buses[OPERATOR], MONEY_STREAM.name)

    async def send(self, event: Any, headers: dict[str, str] | None = None) -> int:
        """Append an event to the stream of money; return its sequence."""
        kept = await self.money.append(
            subject_of(event), encode(event), {MESSAGE_ID: event.id} | (headers or {})
        )
        return kept.sequence

    async def send_bar(self, symbol: str, close: str, identifier: str = "") -> None:
        bar = Ohlc(open=close, high=close, low=close, close=close, volume="7")
        event = DataEvent(
            id=identifier, type="ohlc", symbol=symbol, timestamp="2024-01-02T15:30:00Z", ohlc=bar
        )
        await self.buses["ingestor"].publish(data_subject(symbol), encode(event))
        await self.buses["ingestor"].flush()

    async def kept(self, name: str = MONEY_STREAM.name) -> list[KeptMessage]:
        reader = DirectReader(self.buses[RECORDER], name)
        reader.open()
        found: list[KeptMessage] = []
        while batch := await reader.read(found[-1].sequence + 1 if found else 1):
            found += batch
        reader.close()
        return found

    async def record(self, database: Database) -> RecorderCounts:
        """Record all that the streams hold."""
        recorder = Recorder(self.buses[RECORDER], database, "app", self.notices.append)
        await recorder.run(asyncio.Event(), once=True)
        return recorder.counts


@asynccontextmanager
async def open_market(folder: Path) -> AsyncIterator[Market]:
    async with EmbeddedServer(folder, accounts=ACCOUNTS) as server:
        roles = ("ingestor", "portfolio", OPERATOR, RECORDER)
        buses = {role: await NatsBus.connect(server.url_for(role), name=role) for role in roles}
        await open_stream(buses[OPERATOR], MONEY_STREAM)
        await open_stream(buses[OPERATOR], DATA_STREAM)
        yield Market(server, buses)
        for bus in buses.values():
            await bus.close()


def rows_of(database: Database, table: str) -> list[dict[str, Any]]:
    found = schema.METADATA.tables[table]
    with database.engine.connect() as connection:
        rows = connection.execute(select(found).order_by(*found.primary_key.columns)).all()
    return [dict(row._mapping) for row in rows]


def fill(number: int, side: str, quantity: int, price: int, order: str) -> ExecutionEvent:
    return ExecutionEvent(
        id=f"exec_{number}", order_id=order, symbol="AAPL", side=side, quantity=str(quantity),
        price=str(price), commission="0.50", update="filled", execution_timestamp=T0,
    )  # fmt: skip


async def send_mixed(market: Market, count: int, seed: int) -> tuple[Decimal, Decimal]:
    """Send bars, orders, fills and oddities; return the sums of what the fills bought and paid."""
    chance = random.Random(seed)
    held = paid = Decimal(0)
    for n in range(count):
        await market.send_bar("AAPL", str(100 + n % 7))
        order = OrderEvent(
            id=f"order_{seed}_{n}", symbol="AAPL", side="buy", quantity="1", type="market"
        )
        await market.send(order)
        if n % 5 == 0:
            await market.money.append(ORDER, b"\x00 no order \xff")
        side = chance.choice(("buy", "sell"))
        quantity, price = chance.randint(1, 9), chance.randint(90, 110)
        await market.send(fill(seed * 100_000 + n, side, quantity, price, order.id))
        signed = quantity if side == "buy" else -quantity
        held += signed
        paid += signed * price + Decimal("0.50")
    return held, paid


async def settle(market: Market, bars: int) -> None:
    """Wait until the stream in memory has taken so many bars: nothing acknowledges them."""
    async with asyncio.timeout(10):
        while len(await market.kept(DATA_STREAM.name)) < bars:
            continue
