"""``ingenium verify``: the books of a portfolio against what the stream says."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.delivering import Desk, EverySignal
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium.bus import NatsBus
from ingenium.bus.envelope import headers_for
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Stream
from ingenium.components import Portfolio, handle_of
from ingenium.errors import StoreError, StreamError
from ingenium.events import ExecutionEvent, OrderEvent, Side, SignalEvent, encode
from ingenium.nats_server import running_servers
from ingenium.nats_server.accounts import OPERATOR
from ingenium.operations.verify import Verified, verify
from ingenium.runtime.durable import Store
from ingenium.subjects.names import EXECUTION, ORDER, data_subject
from ingenium.testing.event_builders import data_event


class Brackets(EverySignal):
    """Protects what it buys, moves its orders about, and sends more when one is filled."""

    def on_signal(self, event: SignalEvent) -> None:
        order = self.send_order(
            event.symbol, Side.BUY, 2, type="limit", limit_price=100, take_profit=120, stop_loss=90
        )
        if event.id == "signal_2":
            self.replace_order(order.id, limit_price=101)
        if event.id == "signal_3":
            self.cancel_order(order.id)

    def on_execution(self, event: ExecutionEvent) -> None:
        if event.update == "filled" and self.position("AAPL").quantity > 2:
            self.send_order("AAPL", Side.SELL, 1)


@pytest.fixture
async def stream(bus: NatsBus) -> Stream:
    return await open_stream(bus, MONEY_STREAM)


async def _verify(desk: Desk, stream: Stream, kind: type[Portfolio] = EverySignal) -> Verified:
    return await verify(kind(), stream, desk.folder / "every-signal.db")


async def _trade(desk: Desk, bus: NatsBus, count: int) -> None:
    async with desk.both() as (portfolio, _):
        for number in range(count):
            await desk.signal(bus, number)
        await desk.check(bus, portfolio, count)


def _change(desk: Desk, statement: str) -> None:
    with sqlite3.connect(desk.folder / "every-signal.db") as disk:
        disk.execute(statement)
    disk.close()


async def test_books_agree_while_the_app_trades(desk: Desk, bus: NatsBus, stream: Stream) -> None:
    async with desk.both() as (portfolio, _):

        async def send() -> None:
            for number in range(60):
                await desk.signal(bus, number)

        await desk.signal(bus, 1000)

        async def has_begun() -> bool:
            return portfolio.account.bookings > 0

        await desk.until(has_begun, "the first fill")
        sending = asyncio.create_task(send())
        seen = []
        while not sending.done():
            result = await _verify(desk, stream)
            assert result.differences == []
            seen.append(result.position)
        await sending
        await desk.check(bus, portfolio, 61)
    assert len(seen) > 1
    result = await _verify(desk, stream)
    assert result.is_equal
    assert (result.orders, result.executions, result.waiting) == (61, 61, 0)
    assert len(result.digest) == 64
    assert result.digest == (await _verify(desk, stream)).digest


async def test_books_agree_with_brackets_replaced_and_canceled_orders(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    async with desk.running(Brackets()) as portfolio:
        await bus.publish(data_subject("AAPL"), encode(data_event("AAPL", close="99")))
        for number in range(4):
            await desk.signal(bus, number)

        async def has_ordered() -> bool:
            # Signals, orders, and what changes them; nobody can report on one that is not there.
            is_there = (await stream.state()).last == 4 + 4 + 2
            return is_there and portfolio.price("AAPL") is not None

        await desk.until(has_ordered, "orders")
        first, _, second, third = [working.order for working in portfolio.orders.values()]
        asked = handle_of(portfolio).books.orders.active(
            handle_of(portfolio).books.orders._successors[second.id]
        )
        assert asked is not None
        take_profit, _stop = first.protective_orders()
        reports: list[dict[str, Any]] = [
            {"order_id": first.id, "quantity": "2", "price": "99.5", "update": "filled"},
            {"order_id": second.id, "update": "replaced"},
            # States no price: booked at the last one that is known.
            {"order_id": asked.id, "quantity": "1", "update": "partial_fill"},
            {"order_id": third.id, "update": "canceled"},
            {"order_id": take_profit.id, "quantity": "1", "price": "120", "update": "partial_fill"},
            {"order_id": "order_of_nobody", "side": "buy", "symbol": "X", "quantity": "3",
             "price": "7", "update": "filled"},
            {"order_id": asked.id, "quantity": "1", "price": "100", "update": "filled"},
        ]  # fmt: skip
        for number, report in enumerate(reports):
            fill = ExecutionEvent(id=f"exec_{number}", **report)
            await stream.append(EXECUTION, encode(fill), headers_for(fill, OPERATOR))
        # The same once more, with another id of the message: it is passed over.
        await stream.append(EXECUTION, encode(fill), {MESSAGE_ID: "again"})

        async def has_booked() -> bool:
            return portfolio.account.bookings == 5

        await desk.until(has_booked, "fills")
        account = portfolio.account
        result = await _verify(desk, stream, Brackets)
        assert result.differences == []
    result = await _verify(desk, stream, Brackets)
    assert result.differences == []
    assert result.repeated == 1
    assert result.executions == 7
    assert account.position("AAPL").quantity == 3
    # A new life, and then one that knows nothing but the stream.
    async with desk.running(Brackets()):
        pass
    assert (await _verify(desk, stream, Brackets)).is_equal
    for path in desk.folder.glob("every-signal.db*"):
        path.unlink()
    async with desk.running(Brackets()) as again:
        assert again.account.position("AAPL").quantity == 3
    assert (await _verify(desk, stream, Brackets)).is_equal


async def test_books_that_were_changed_are_found_out(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    await _trade(desk, bus, 3)
    with sqlite3.connect(desk.folder / "every-signal.db") as disk:
        (holding,) = disk.execute("SELECT value FROM state WHERE key = 'holding/AAPL'").fetchone()
    disk.close()
    changed = json.loads(holding) | {"quantity": "4"}
    value = json.dumps(changed).encode().hex()
    _change(desk, f"UPDATE state SET value = x'{value}' WHERE key = 'holding/AAPL'")
    result = await _verify(desk, stream)
    assert result.differences == [
        "every-signal.db: row 'holding/AAPL' of table state: its checksum does not match",
        "holding/AAPL: quantity is 4 in the store, 3 by the stream",
    ]
    _change(desk, "DELETE FROM state WHERE key = 'holding/AAPL'")
    result = await _verify(desk, stream)
    assert result.differences == [
        "every-signal.db: table state: it has 2 rows, and 3 were written",
        "holding/AAPL is in the stream only, not in the store",
    ]
    _change(desk, "UPDATE state SET value = 'text'")
    result = await _verify(desk, stream)
    assert result.differences[0] == (
        "every-signal.db: row 'account' of table state: its value is of type str, not bytes"
    )


async def test_order_that_is_lost_or_there_twice_is_found_out(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    await _trade(desk, bus, 2)
    first, second = await desk.records(bus, ORDER)
    await stream.append(ORDER, first.message.payload, {MESSAGE_ID: "again"})
    forged = OrderEvent(id=second.message.headers[MESSAGE_ID], symbol="AAPL", side="sell",
                        quantity="1", type="market")  # fmt: skip
    await stream.append(ORDER, encode(forged), {MESSAGE_ID: "forged"})
    _change(desk, "INSERT INTO log (kind, id, value) VALUES ('ended', 'order_lost', x'7b7d')")
    result = await _verify(desk, stream)
    row, damage, again, other, lost = result.differences
    assert row == "every-signal.db: row 'ended' of table log: its checksum does not match"
    assert damage == "every-signal.db: table log: it has 3 rows, and 2 were written"
    assert again.startswith(f"id '{first.message.headers[MESSAGE_ID]}' of OrderEvent")
    assert again.endswith("comes again")
    assert other.endswith("is that of another event before")
    assert lost == "order 'order_lost' is neither in the stream nor in the outbox"


async def test_order_in_the_outbox_is_not_lost(desk: Desk, bus: NatsBus, stream: Stream) -> None:
    await _trade(desk, bus, 1)
    (sent,) = await desk.records(bus, ORDER)
    order = OrderEvent(id="order_next", symbol="AAPL", side="buy", quantity="1", type="market")
    store = Store.open(desk.folder / "every-signal.db", owner="every-signal")
    portfolio = EverySignal()
    handle_of(portfolio).restore_rows(store.rows())
    handle_of(portfolio).books.recall(order)
    from ingenium.runtime.durable import Change, Outgoing

    headers = {k: v for k, v in sent.message.headers.items() if k != MESSAGE_ID}
    outgoing = Outgoing("order_next", ORDER, encode(order), headers)
    store.commit(Change(rows=handle_of(portfolio).changed_rows(), outbox=[outgoing]))
    store.close()
    result = await _verify(desk, stream)
    assert result.differences == []
    assert (result.orders, result.waiting) == (2, 1)


async def test_books_of_a_portfolio_that_has_booked_nothing_are_equal(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    await _trade(desk, bus, 0)
    result = await _verify(desk, stream)
    assert (result.differences, result.executions) == ([], 0)


async def test_stream_or_store_that_is_not_there_says_so(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    with pytest.raises(StoreError, match="nothing has run with this data folder"):
        await _verify(desk, stream)
    await _trade(desk, bus, 1)
    _change(desk, "UPDATE position SET created = 'yesterday'")
    with pytest.raises(StreamError, match="was recreated"):
        await _verify(desk, stream)


def test_verify_on_the_command_line_beside_an_app_that_runs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with running("run", "app.py:app", cwd=tmp_path) as it:
        until(lambda: bool(running_servers(tmp_path / ".ingenium")), "a server")

        def has_traded() -> bool:
            try:
                store = Store.read(tmp_path / ".ingenium/live/state/fixed-quantity.db")
            except StoreError:
                return False  # It is just being made.
            try:
                return store.log_size("trade") > 3
            finally:
                store.close()

        until(has_traded, "trades")
        ended = ingenium("verify", "app.py:app", "--json", cwd=tmp_path)
        it.send(signal.SIGTERM)
        assert it.wait().code == 0
    result = json.loads(ended.out)
    assert ended.code == 0, result
    assert result["equal"] is True
    assert result["executions"] > 3
