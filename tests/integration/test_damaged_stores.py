"""A component whose file was damaged on the disk: made anew from the stream, or refused."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.delivering import Desk, EverySignal, FillAll, connected, jetstream
from support.http_broker import HttpBroker

from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.bus import MemoryBus, NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Stream
from ingenium.components import Strategy, handle_of
from ingenium.errors import StoreDamagedError
from ingenium.events import ExecutionEvent, OrderEvent, encode
from ingenium.operations.verify import verify
from ingenium.runtime.durable import Change, Outgoing, Store
from ingenium.runtime.durable.salvage import open_store
from ingenium.subjects.names import EXECUTION, ORDER

MakeServer = Callable[[str], Any]
_SEEDS = 25
_SIGNALS = 20
_NAME = "every-signal.db"


class Counting(EverySignal):
    """Keeps a state of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_execution(self, event: ExecutionEvent) -> None:
        self.count += 1

    def get_state(self) -> object:
        return self.count

    def set_state(self, state: Any) -> None:
        self.count = state


@pytest.fixture
async def stream(bus: NatsBus) -> Stream:
    return await open_stream(bus, MONEY_STREAM)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as disk, disk:
        for statement in statements:
            disk.execute(statement)


@pytest.mark.timeout(240)
async def test_portfolio_whose_file_has_a_flipped_bit_has_the_same_books(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """Fault 65: one bit at many places; positions are those of the fills each time."""
    server = make_server(jetstream(tmp_path / "store"))
    desk = Desk(server.url, tmp_path)
    async with connected(desk.url) as bus:
        stream = await open_stream(bus, MONEY_STREAM)
        async with desk.both() as (portfolio, _):
            for number in range(_SIGNALS):
                await desk.signal(bus, number)
            await desk.check(bus, portfolio, _SIGNALS)
        pristine = tmp_path / "pristine"
        pristine.mkdir()
        shutil.copy(tmp_path / _NAME, pristine)
        # One that comes while it is down, and that it must not miss.
        await desk.signal(bus, _SIGNALS)
        anew = 0
        for seed in range(_SEEDS):
            chance = Random(seed)
            again = Desk(desk.url, tmp_path / f"{seed}")
            again.folder.mkdir()
            raw = bytearray((pristine / _NAME).read_bytes())
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            (again.folder / _NAME).write_bytes(raw)
            async with again.running(EverySignal()) as portfolio:
                assert portfolio.position("AAPL").quantity == _SIGNALS, seed
                await desk.until(lambda it=portfolio: _has_orders(it), "the order")  # type: ignore[misc]
            set_aside = list(again.folder.glob("*.damaged-1"))
            anew += len(set_aside)
            assert all(path.read_bytes() == raw for path in set_aside)
            result = await verify(EverySignal(), stream, again.folder / _NAME)
            assert result.differences == [], seed
        assert anew >= _SEEDS // 5
        orders = await desk.records(bus, ORDER)
    # All of them send the same order for the last signal, or pass it over.
    assert len(orders) == _SIGNALS + 1


async def _has_orders(portfolio: EverySignal) -> bool:
    return bool(portfolio.orders)


async def test_all_that_is_whole_is_kept(desk: Desk, bus: NatsBus, stream: Stream) -> None:
    async with desk.running(FillAll(desk.ledger)), desk.running(Counting()) as counting:
        for number in range(3):
            await desk.signal(bus, number)

        async def booked() -> bool:
            return counting.account.bookings == 3 and counting.count == 3

        await desk.until(booked, "fills")
    path = desk.folder / _NAME
    # It dies with an order that is not sent, and a signal and a fill come before it is back.
    waiting = OrderEvent(id="order_9", symbol="AAPL", side="buy", quantity="7", type="limit",
                         limit_price="90")  # fmt: skip
    store = Store.open(path, owner="every-signal")
    counting = Counting()
    handle_of(counting).restore_rows(store.rows())
    handle_of(counting).books.recall(waiting)
    sent = (await desk.records(bus, ORDER))[0]
    headers = {k: v for k, v in sent.message.headers.items() if k != MESSAGE_ID}
    outgoing = [Outgoing("order_9", ORDER, encode(waiting), headers)]
    store.commit(Change(rows=handle_of(counting).changed_rows(), outbox=outgoing))
    lives = store.meta("lives")
    store.close()
    await desk.signal(bus, 3)
    fill = ExecutionEvent(id="exec_x", order_id="order_x", symbol="AAPL", side="buy", quantity="2",
                          price="90", update="filled")  # fmt: skip
    await stream.append(EXECUTION, encode(fill), {MESSAGE_ID: "exec_x"})
    change(path, "UPDATE state SET value = x'7b7d' WHERE key = 'holding/AAPL'")
    async with desk.running(Counting()) as counting:

        async def has_all() -> bool:
            # Its own count, what waited, the signal and the fill.
            return counting.account.bookings == 4 and len(counting.orders) == 2

        await desk.until(has_all, "the fill, and the order of the signal")
        assert counting.count == 4
        assert counting.position("AAPL").quantity == 5
        assert counting.pending("AAPL") == 7 + 1
    with closing(Store.read(path)) as store:
        assert int(store.meta("lives")) == int(lives) + 1
    assert len(await desk.records(bus, ORDER)) == 5
    assert (await verify(Counting(), stream, path)).differences == []
    # Once it has started, it is a file as any other.
    async with desk.running(Counting()) as counting:
        assert counting.position("AAPL").quantity == 5
    assert [each.name for each in desk.folder.glob("*damaged*")] == [f"{_NAME}.damaged-1"]


async def test_state_of_a_class_that_is_gone_is_refused(
    desk: Desk, bus: NatsBus, stream: Stream
) -> None:
    async with desk.running(FillAll(desk.ledger)), desk.running(Counting()) as counting:
        await desk.signal(bus, 1)

        async def booked() -> bool:
            return counting.count == 1

        await desk.until(booked, "a fill")
    path = desk.folder / _NAME
    change(path, "UPDATE state SET value = x'39' WHERE key = 'user'")
    with pytest.raises(
        StoreDamagedError,
        match=r"row 'user' of table state: its checksum does not match.* but the state of its "
        r"class \(get_state\) is not\. Move its file away",
    ):
        open_store(MemoryBus(), path, "every-signal", Counting())
    # Nothing was touched.
    assert [each.name for each in desk.folder.glob("*.db*") if "damaged" in each.name] == []


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BrokerExecutor(HttpBroker(1)), "an executor is not in the stream. Compare"),
        (PaperExecutor, "are not in the stream. Move it.db and it.db-wal away"),
        (lambda: Strategy(name="s"), "The state of strategy 's' is not in the stream. Move it.db"),
    ],
    ids=["broker", "paper", "strategy"],
)  # fmt: skip
def test_file_of_others_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[], Any], text: str
) -> None:
    path = tmp_path / "it.db"
    store = open_store(MemoryBus(), path, "it", make())
    store.commit(Change(rows={"broker/position/AAPL": b'"5"'}))
    store.close()
    change(path, "UPDATE state SET value = '\"7\"'")
    with pytest.raises(StoreDamagedError) as raised:
        open_store(MemoryBus(), path, "it", make())
    assert str(raised.value).startswith(
        f"{path} is damaged: row 'broker/position/AAPL' of table state: its value is of type str"
    )
    assert text in str(raised.value)
    assert path.exists()
    # As it says.
    for each in (path, path.with_name("it.db-wal")):
        each.unlink(missing_ok=True)
    store = open_store(MemoryBus(), path, "it", make())
    assert store.rows() == {}
    store.close()
