"""``verify``: portfolio = stream = journal = broker, and which of them is the odd one out."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from support.delivering import Desk, EverySignal
from support.http_broker import BrokerProcess

from ingenium.brokers import BrokerExecutor
from ingenium.bus import NatsBus
from ingenium.bus.envelope import headers_for
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import Stream
from ingenium.deploy.local.positions import disagreement, in_words
from ingenium.events import ExecutionEvent, encode
from ingenium.operations.verify import Verified, verify
from ingenium.runtime.durable.checksum import checksum
from ingenium.subjects.names import EXECUTION

D = Decimal


@pytest.fixture
async def stream(bus: NatsBus) -> Stream:
    return await open_stream(bus, MONEY_STREAM)


async def trade(desk: Desk, bus: NatsBus, broker: BrokerProcess, count: int) -> None:
    executor = BrokerExecutor(broker.adapter(), poll_seconds=0.05)
    async with desk.running(executor), desk.running(EverySignal()) as portfolio:
        for number in range(count):
            await desk.signal(bus, number)

        async def booked() -> bool:
            return portfolio.account.bookings == count and not portfolio.orders

        await desk.until(booked, f"{count} fills")


async def verified(desk: Desk, stream: Stream, broker: BrokerProcess) -> Verified:
    executor = BrokerExecutor(broker.adapter())
    return await verify(EverySignal(), stream, desk.folder / "every-signal.db", executor=executor)


def rewrite(path: Path, key: str, value: bytes) -> None:
    """Write a row as a program with a bug does, checksum and all."""
    with closing(sqlite3.connect(path)) as disk, disk:
        statement = "UPDATE state SET value = ?, checksum = ? WHERE key = ?"
        disk.execute(statement, (value, checksum(key, value), key))


def row(path: Path, key: str) -> bytes:
    with closing(sqlite3.connect(path)) as disk:
        value: bytes = disk.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()[0]
    return value


def told(result: Verified) -> list[str]:
    """Return what is said of positions; that a table does not add up is told beside it."""
    return [text for text in result.differences if ".db: table" not in text]


async def test_all_four_agree(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    await trade(desk, bus, broker, 3)
    result = await verified(desk, stream, broker)
    assert result.differences == []
    assert result.is_equal
    assert result.compared == ["portfolio", "stream", "journal", "broker"]


async def test_broker_that_differs_is_the_odd_one_out(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    await trade(desk, bus, broker, 3)
    broker.trade_by_hand("AAPL", "5")
    broker.trade_by_hand("MSFT", "2", "sell")
    result = await verified(desk, stream, broker)
    assert result.differences == [
        "AAPL: portfolio 3, stream 3, journal 3, broker 8: the broker differs by +5",
        "MSFT: portfolio 0, stream 0, journal 0, broker -2: the broker differs by -2",
    ]


async def test_portfolio_or_journal_that_differs_is_the_odd_one_out(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    await trade(desk, bus, broker, 3)
    path, journal = desk.folder / "every-signal.db", desk.folder / "broker.db"
    whole = row(path, "holding/AAPL")
    holding = json.loads(whole) | {"quantity": "4"}
    rewrite(path, "holding/AAPL", json.dumps(holding).encode())
    assert told(await verified(desk, stream, broker)) == [
        "holding/AAPL: quantity is 4 in the store, 3 by the stream",
        "AAPL: portfolio 4, stream 3, journal 3, broker 3: the portfolio differs by +1",
    ]
    rewrite(path, "holding/AAPL", whole)
    rewrite(journal, "broker/position/AAPL", b'"1.5"')
    assert told(await verified(desk, stream, broker)) == [
        "AAPL: portfolio 3, stream 3, journal 1.5, broker 3: the journal differs by -1.5"
    ]


async def test_stream_that_differs_is_the_odd_one_out(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    """An execution that the portfolio passed over, since its file says that it is handled."""
    await trade(desk, bus, broker, 2)
    path = desk.folder / "every-signal.db"
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute("INSERT INTO inbox (id) VALUES ('exec_ghost')")
    ghost = ExecutionEvent(id="exec_ghost", order_id="order_ghost", symbol="AAPL", side="buy",
                           quantity="1", price="100", update="filled")  # fmt: skip
    await stream.append(EXECUTION, encode(ghost), headers_for(ghost, "broker"))
    state = await stream.state()
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute("UPDATE position SET sequence = ? WHERE stream = 'INGENIUM'", (state.last,))
    result = await verified(desk, stream, broker)
    assert "AAPL: portfolio 2, stream 3, journal 2, broker 2: the stream differs by +1" in (
        result.differences
    )


async def test_order_that_only_some_have_is_named(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    broker.market(parts=0)
    executor = BrokerExecutor(broker.adapter(), poll_seconds=0.05)
    async with desk.running(executor), desk.running(EverySignal()) as portfolio:
        await desk.signal(bus, 1)

        async def works() -> bool:
            is_there = any(entry.is_at_broker for entry in executor.journal.open.values())
            return bool(portfolio.orders) and is_there

        await desk.until(works, "an order at the broker")
        (order_id,) = portfolio.orders
    assert (await verified(desk, stream, broker)).differences == []
    entry = json.loads(row(desk.folder / "broker.db", f"broker/order/{order_id}"))
    rewrite(desk.folder / "broker.db", f"broker/order/{order_id}",
            json.dumps(entry | {"state": "canceled"}).encode())  # fmt: skip
    assert told(await verified(desk, stream, broker)) == [
        f"order {order_id!r} works by portfolio and broker, and does not by journal"
    ]


async def test_broker_that_does_not_answer_is_not_equal(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    await trade(desk, bus, broker, 1)
    broker.stop()
    result = await verified(desk, stream, broker)
    assert result.differences == []
    assert not result.is_equal
    assert "cannot reach the broker" in result.not_compared
    broker.start()
    (desk.folder / "broker.db").unlink()
    result = await verified(desk, stream, broker)
    assert "executor 'broker' has no file" in result.not_compared


async def test_stays_equal_while_the_app_trades(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    executor = BrokerExecutor(broker.adapter(), poll_seconds=0.05)
    async with desk.running(executor), desk.running(EverySignal()) as portfolio:
        for number in range(10):
            await desk.signal(bus, number)
        result = await verified(desk, stream, broker)
        assert result.differences == []

        async def booked() -> bool:
            return portfolio.account.bookings == 10

        await desk.until(booked, "fills")
        broker.trade_by_hand("AAPL", "1")
        result = await verified(desk, stream, broker)
    assert result.differences == [
        "AAPL: portfolio 10, stream 10, journal 10, broker 11: the broker differs by +1"
    ]


async def test_portfolio_and_journal_are_compared_at_a_start(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess
) -> None:
    await trade(desk, bus, broker, 2)
    executor = BrokerExecutor(broker.adapter())
    files = desk.folder / "every-signal.db", desk.folder / "broker.db"
    assert await disagreement(stream, *files, executor, seconds=10) == ""
    rewrite(desk.folder / "broker.db", "broker/position/AAPL", b'"3"')
    assert await disagreement(stream, *files, executor, seconds=10) == (
        "AAPL: portfolio 2, journal 3"
    )
    # An execution that the portfolio has not handled may explain it.
    late = ExecutionEvent(id="exec_late", order_id="x", symbol="AAPL", side="buy", quantity="1",
                          price="100", update="filled")  # fmt: skip
    await stream.append(EXECUTION, encode(late), headers_for(late, "broker"))
    assert await disagreement(stream, *files, executor, seconds=1) == ""


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ({"portfolio": D(1), "journal": D(2)}, "A: portfolio 1, journal 2"),
        ({"a": D(1), "b": D(1), "c": D(2), "d": D(2)}, "A: a 1, b 1, c 2, d 2"),
        ({"a": D(1), "b": D(2), "c": D(3)}, "A: a 1, b 2, c 3"),
        ({"a": D("0.1"), "b": D("0.1"), "c": D("0.3")},
         "A: a 0.1, b 0.1, c 0.3: the c differs by +0.2"),
    ],
)  # fmt: skip
def test_odd_one_out_is_named_where_there_is_one(says: dict[str, Decimal], text: str) -> None:
    assert in_words("A", says) == text
