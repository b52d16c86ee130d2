"""Portfolio and executor on a real server that is killed, paused, emptied and set back."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support.delivering import Desk, EverySignal, FillAll, connected, jetstream
from support.running import ingenium, running, until

from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.stream_layout import MONEY_STREAM, StreamLayout, open_stream
from ingenium.errors import BusConnectError, StoreError, StreamError
from ingenium.events import ContentType
from ingenium.operations.dead_letters import dead_letters_of, original_of
from ingenium.runtime.durable import Store
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL, dead_letter_subject

MakeServer = Callable[[str], Any]
APP = (Path(__file__).parent / "test_run_accounts.py").read_text().split('APP = """')[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def server(make_server: MakeServer, folder: Path) -> Any:
    return make_server(jetstream(folder))


@pytest.fixture
def desk(server: Any, tmp_path: Path) -> Desk:
    return Desk(server.url, tmp_path)


async def test_server_killed_under_load_loses_nothing_and_repeats_nothing(
    desk: Desk, server: Any
) -> None:
    """Faults 1 and 2: what was handled right before the kill is not handled again."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        for cycle in range(5):
            sending = asyncio.gather(*(desk.signal(bus, cycle * 20 + n) for n in range(20)))
            await desk.until(
                lambda n=cycle: _booked(portfolio, n * 20 + 5),  # type: ignore[misc]
                "some fills",
            )
            server.kill()
            server.start()
            await sending
        await desk.check(bus, portfolio, 100)
    assert len(desk.ledger) == len(set(desk.ledger)) == 100


async def test_components_that_send_binary_go_on_from_stream_and_store(
    server: Any, tmp_path: Path
) -> None:
    desk = Desk(server.url, tmp_path, ContentType.PROTOBUF)
    async with connected(desk.url) as bus:
        async with desk.both() as (portfolio, _):
            for number in range(10):
                await desk.signal(bus, number)
            await desk.check(bus, portfolio, 10)
        # Without its file, the portfolio has its past from the messages alone.
        (tmp_path / "every-signal.db").unlink()
        async with desk.both() as (portfolio, _):
            assert portfolio.position("AAPL").quantity == 10
            await desk.signal(bus, 10)
            await desk.check(bus, portfolio, 11)
        records = await desk.records(bus, ORDER, EXECUTION)
    forms = [record.message.headers["Content-Type"] for record in records]
    assert forms == ["application/protobuf"] * 22


async def test_binary_dead_letter_leads_to_the_bytes_and_form_of_what_was_refused(
    server: Any, tmp_path: Path
) -> None:
    desk = Desk(server.url, tmp_path, ContentType.PROTOBUF)
    headers = {"Content-Type": "application/protobuf"}
    async with connected(desk.url) as bus, desk.running(EverySignal()):
        stream = await open_stream(bus, MONEY_STREAM)
        await stream.append(SIGNAL, b"\x0a\x05AA", headers)

        async def buried() -> bool:
            return await stream.last(dead_letter_subject("every-signal")) is not None

        await desk.until(buried, "a dead letter")
        (letter,) = [letter async for letter in dead_letters_of(stream)]
        assert letter.event.content_type == "application/protobuf"
        assert "are not a binary ingenium.v1.SignalEvent" in letter.event.error
        original = await original_of(stream, letter)
    assert (original.payload, original.headers) == (b"\x0a\x05AA", headers)


async def _repeated(desk: Desk) -> bool:
    return desk.timeouts > 0


async def _booked(portfolio: EverySignal, count: int) -> bool:
    return portfolio.account.bookings >= count


async def test_server_that_stands_still_keeps_one_copy_of_what_was_repeated(
    desk: Desk, server: Any
) -> None:
    """Fault 3."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)
        server.pause()
        try:
            # It has reached the portfolio's hands, but no answer will come for a while.
            portfolio.send_order("AAPL", "buy", 1)
            sending = asyncio.create_task(desk.signal(bus, 1))
            await desk.until(lambda: _repeated(desk), "a second attempt")
        finally:
            server.go_on()
        await sending
        await desk.check(bus, portfolio, 3)
    assert len(desk.ledger) == len(set(desk.ledger)) == 3


async def test_restart_of_both_with_the_server_down_in_between(desk: Desk, server: Any) -> None:
    """Fault 33: a stop without a server ends in time and keeps the outbox."""
    async with connected(desk.url) as bus:
        async with desk.both() as (portfolio, _):
            for number in range(3):
                await desk.signal(bus, number)
            await desk.check(bus, portfolio, 3)
            server.kill()
            portfolio.send_order("AAPL", "buy", 1)
        server.start()
        async with desk.both() as (portfolio, _):
            await desk.check(bus, portfolio, 4)


async def test_stream_set_back_to_an_older_copy_is_refused(
    desk: Desk, server: Any, folder: Path, tmp_path: Path
) -> None:
    """Fault 21: as after a power failure on a server that does not sync."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)
    server.kill()
    shutil.copytree(folder, tmp_path / "copy")
    server.start()
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 1)
        await desk.check(bus, portfolio, 2)
    server.kill()
    shutil.rmtree(folder)
    shutil.move(tmp_path / "copy", folder)
    server.start()
    with pytest.raises(StreamError, match=r"'every-signal' cannot go on: .*its end is lost"):
        async with desk.running(EverySignal()):
            pass
    with pytest.raises(StreamError, match=r"'fill-all' cannot go on: .*--adopt"):
        async with desk.running(FillAll([])):
            pass
    async with desk.running(EverySignal(), adopt=True) as portfolio:
        assert portfolio.position("AAPL").quantity == 2


async def test_stream_set_back_and_filled_anew_is_refused(
    desk: Desk, server: Any, folder: Path, tmp_path: Path
) -> None:
    """Fault 21, when others have taken the places of what is lost, for starts and for readers."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)
    server.kill()
    shutil.copytree(folder, tmp_path / "copy")
    server.start()
    async with connected(desk.url) as bus:
        async with desk.both() as (portfolio, _):
            await desk.signal(bus, 1)
            await desk.check(bus, portfolio, 2)
        stream = await open_stream(bus, MONEY_STREAM)
        after = (await stream.state()).last - 1
        async with aclosing(stream.read(["ingenium.>"], after)) as records:
            await anext(records)
            server.kill()
            shutil.rmtree(folder)
            shutil.move(tmp_path / "copy", folder)
            server.start()
            async with connected(desk.url) as other:
                for number in range(10, 15):
                    await desk.signal(other, number)
            with pytest.raises(StreamError, match="is not the one that was read before"):
                await anext(records)
    with pytest.raises(StreamError, match=r"'every-signal' cannot go on: .* is not the one that"):
        async with desk.running(EverySignal()):
            pass


async def test_emptied_server_is_refused(desk: Desk, server: Any, folder: Path) -> None:
    """Fault 20."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)
    server.kill()
    shutil.rmtree(folder)
    server.start()
    with pytest.raises(StreamError, match=r"'every-signal' cannot go on: .*was recreated"):
        async with desk.running(EverySignal()):
            pass


async def test_messages_that_fell_out_before_they_were_read_are_refused(desk: Desk) -> None:
    """Fault 24."""
    async with connected(desk.url) as bus:
        await _make_small(bus, MONEY_STREAM)
        async with desk.running(EverySignal()):
            pass
        for number in range(30):
            await desk.signal(bus, number)
        with pytest.raises(StreamError, match=r"no longer holds messages 1 to \d+"):
            async with desk.running(EverySignal()):
                pass


async def _make_small(bus: Any, layout: StreamLayout) -> None:
    """Make the stream as an operator may: of this size, whatever falls out."""
    await bus.client.jetstream().add_stream(
        name=layout.name,
        subjects=list(layout.subjects),
        max_bytes=5_000,  # about half of what the test sends
        max_msg_size=layout.max_message_bytes,
        duplicate_window=layout.duplicate_window_seconds,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
    )


async def test_second_portfolio_on_the_same_files_is_refused(desk: Desk) -> None:
    """Fault 29, on one machine."""
    async with desk.running(EverySignal()):
        with pytest.raises(StoreError, match=r"in use by process \d+ on"):
            async with desk.running(EverySignal()):
                pass


def test_server_without_streams_works_under_a_banner(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """Fault 19."""
    (tmp_path / "app.py").write_text(APP.split('"""')[0])
    env = {"NATS_SERVER": make_server("").url}
    with (
        running("run", "app.py:app", cwd=tmp_path, env=env) as it,
        running("tap", "ingenium.portfolio.order", "--count", "2", cwd=tmp_path, env=env) as tap,
    ):
        it.until_line("AT MOST ONCE: the server keeps no streams (JetStream is off)")
        assert tap.wait().code == 0
        assert "order" in tap.out
    assert not (tmp_path / ".ingenium" / "live" / "state").exists()


def test_stream_of_another_shape_is_refused_in_one_line(
    make_server: MakeServer, tmp_path: Path, folder: Path
) -> None:
    """Fault 19."""
    server = make_server(jetstream(folder))

    async def make_wrong() -> None:
        async with connected(server.url) as bus:
            await bus.client.jetstream().add_stream(name="INGENIUM", subjects=["ingenium.>"])

    asyncio.run(make_wrong())
    (tmp_path / "app.py").write_text(APP.split('"""')[0])
    ended = ingenium("run", "app.py:app", cwd=tmp_path, env={"NATS_SERVER": server.url})
    assert ended.code == 1
    assert "stream INGENIUM on the server at" in ended.err
    assert "is not as it should be: subjects is ingenium.>" in ended.err
    assert "Traceback" not in ended.err


def _facts(path: Path) -> tuple[str, int]:
    """Return how often the portfolio was started, and how many orders it has."""
    try:
        store = Store.read(path)
        try:
            return store.meta("lives"), len(store.rows("order/"))
        finally:
            store.close()
    except StoreError:
        return "", 0  # It is just being made.


def test_live_app_goes_on_after_it_was_killed(tmp_path: Path) -> None:
    """Fault 27, for all of an app at once: the orders of before are there again."""
    (tmp_path / "app.py").write_text(APP.split('"""')[0])
    file = tmp_path / ".ingenium" / "live" / "state" / "fixed-quantity.db"
    with running("run", "app.py:app", cwd=tmp_path) as it:
        until(lambda: _facts(file)[1] >= 3, "three orders")
        it.send(signal.SIGKILL)
        it.wait()
    before = _facts(file)[1]
    with running("run", "app.py:app", cwd=tmp_path):
        until(lambda: _facts(file)[0] == "2" and _facts(file)[1] > before, "more orders")


async def test_server_without_room_refuses_a_connection_with_its_reason(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """Fault 15."""
    server = make_server(jetstream(tmp_path / "full") + "\nmax_connections: 3")
    desk = Desk(server.url, tmp_path)
    async with connected(server.url) as bus, desk.both() as (portfolio, _):
        options = NatsOptions(connect_timeout_seconds=1)
        with pytest.raises(BusConnectError, match=r"maximum connections exceeded|max_connections"):
            await NatsBus.connect(server.url, options=options)
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)


async def test_server_that_leaves_in_order_is_followed_by_its_successor(
    desk: Desk, server: Any
) -> None:
    """Fault 18: the lame duck closes its connections, and another server takes its port."""
    async with connected(desk.url) as bus, desk.both() as (portfolio, _):
        await desk.signal(bus, 0)
        await desk.check(bus, portfolio, 1)
        server.process.send_signal(signal.SIGUSR2)
        await asyncio.to_thread(server.process.wait, 40)
        server.start()
        await desk.signal(bus, 1)
        await desk.check(bus, portfolio, 2)
