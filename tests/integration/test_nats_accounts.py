"""An embedded server with accounts: every role does its job, and nothing else."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from ingenium.bus import Bus, Message, NatsBus
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, has_streams, open_stream
from ingenium.bus.roles import RECORDER
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import BusConnectError, BusPermissionError
from ingenium.nats_server import EmbeddedServer, running_servers
from ingenium.nats_server.accounts import OPERATOR, READER, ROLES, Accounts
from ingenium.subjects.names import (
    EXECUTION,
    ORDER,
    SIGNAL,
    ask_subject,
    data_subject,
    dead_letter_subject,
    observed_subject,
    own_report_subject,
    report_subject,
    status_subject,
)
from ingenium.testing import Collector

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi"], "portfolio": ["pf"], "executor": ["ex"]},
    data_subjects=["acme.news.>"],
)
PRICE = data_subject("AAPL")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
async def buses(server: EmbeddedServer) -> AsyncIterator[dict[str, NatsBus]]:
    buses = {role: await NatsBus.connect(server.url_for(role), name=role) for role in ROLES}
    yield buses
    for bus in buses.values():
        await bus.close()


async def listen(bus: Bus, subject: str) -> Collector[Message]:
    got: Collector[Message] = Collector()
    await bus.subscribe(subject, got)
    return got


def subjects(got: Collector[Message]) -> list[str]:
    return [message.subject for message in got.items]


@pytest.mark.parametrize(
    ("sender", "subject", "receivers"),
    [
        ("ingestor", PRICE, ["strategy", "portfolio", "executor", READER, OPERATOR]),
        ("ingestor", "acme.news.aapl", ["strategy", "portfolio", "executor", READER]),
        ("ingestor", dead_letter_subject("csv"), [READER, OPERATOR]),
        ("ingestor", own_report_subject("app", "csv"), [OPERATOR]),
        ("ingestor", status_subject("app", "csv"), [READER, OPERATOR]),
        ("strategy", status_subject("app", "rsi"), [READER, OPERATOR]),
        ("portfolio", status_subject("app", "pf"), [READER, OPERATOR]),
        (OPERATOR, observed_subject("app", "rsi"), [READER]),
        (OPERATOR, ask_subject("app"), ["ingestor", "strategy", "portfolio", "executor"]),
        (OPERATOR, ask_subject("app", "rsi"), ["strategy"]),
        ("strategy", SIGNAL, ["portfolio", READER, OPERATOR]),
        ("strategy", dead_letter_subject("rsi"), [READER, OPERATOR]),
        ("strategy", own_report_subject("app", "rsi"), [OPERATOR]),
        ("portfolio", ORDER, ["executor", READER, OPERATOR]),
        ("portfolio", dead_letter_subject("pf"), [READER, OPERATOR]),
        ("portfolio", "ingenium.control.halt", ["executor", READER, OPERATOR]),
        ("executor", EXECUTION, ["portfolio", READER, OPERATOR]),
        ("executor", report_subject("app"), [OPERATOR]),
        (OPERATOR, "ingenium.control.halt", ["portfolio", "executor", READER]),
        (OPERATOR, SIGNAL, ["portfolio", READER]),
        (OPERATOR, ORDER, ["executor", READER]),
    ],
)
async def test_what_a_role_sends_reaches_its_readers_once(
    buses: dict[str, NatsBus], sender: str, subject: str, receivers: list[str]
) -> None:
    got = {role: await listen(buses[role], subject) for role in receivers}
    for payload in (b"1", b"2"):
        await buses[sender].publish(subject, payload)
    await buses[sender].flush()
    for role in receivers:
        messages = await got[role].wait(2)
        await buses[role].flush()
        assert [m.payload for m in messages] == [b"1", b"2"], role
        assert set(subjects(got[role])) == {subject}


async def test_reader_sees_all_events_with_one_wildcard(buses: dict[str, NatsBus]) -> None:
    got = await listen(buses[READER], "ingenium.>")
    sent = {"ingestor": PRICE, "strategy": SIGNAL, "portfolio": ORDER, "executor": EXECUTION}
    for role, subject in sent.items():
        await buses[role].publish(subject, b"1")
        await buses[role].flush()
    await got.wait(4)
    await buses[READER].flush()
    assert sorted(subjects(got)) == sorted(sent.values())


async def test_signal_is_acknowledged_and_kept_once_across_accounts(
    buses: dict[str, NatsBus],
) -> None:
    kept = await open_stream(buses[OPERATOR], MONEY_STREAM)
    assert (await kept.state()).last == 0
    stream = NatsStream(buses["strategy"], MONEY_STREAM.name)
    first = await stream.append(SIGNAL, b"1", {MESSAGE_ID: "signal_1"})
    again = await stream.append(SIGNAL, b"1", {MESSAGE_ID: "signal_1"})
    assert (first.sequence, first.duplicate) == (1, False)
    assert (again.sequence, again.duplicate) == (1, True)
    # A plain publish, as of a component in Go, is kept as well.
    await buses["strategy"].publish(SIGNAL, b"2")
    await buses["strategy"].flush()
    order = await NatsStream(buses["portfolio"], MONEY_STREAM.name).append(ORDER, b"3")
    assert order.sequence == 3


async def test_streams_are_there_for_those_who_need_them(buses: dict[str, NatsBus]) -> None:
    there = {role: await has_streams(bus) for role, bus in buses.items()}
    assert there == dict.fromkeys(ROLES, True) | {"ingestor": False, READER: False, RECORDER: False}


async def test_portfolio_and_executor_may_use_streams_and_leases(
    buses: dict[str, NatsBus],
) -> None:
    portfolio, executor = buses["portfolio"], buses["executor"]
    orders = await open_stream(portfolio, MONEY_STREAM)
    await orders.append(ORDER, b"1", {MESSAGE_ID: "order_1"})
    kept = await open_stream(executor, MONEY_STREAM)
    async with asyncio.timeout(5), aclosing(kept.read([ORDER], 0)) as records:
        async for record in records:
            assert record.message.payload == b"1"
            break
    last = await kept.last(ORDER)
    assert last is not None
    assert last.sequence == 1
    leases = await executor.client.jetstream().create_key_value(bucket="lease", ttl=10)
    revision = await leases.create("account", b"1")
    await leases.update("account", b"2", last=revision)
    assert (await leases.get("account")).value == b"2"


FORBIDDEN = [
    ("ingestor", SIGNAL),
    ("ingestor", ORDER),
    ("ingestor", dead_letter_subject("pf")),
    ("strategy", PRICE),
    ("strategy", ORDER),
    ("strategy", EXECUTION),
    ("strategy", "ingenium.control.resume"),
    ("portfolio", PRICE),
    ("portfolio", EXECUTION),
    ("portfolio", "$JS.API.STREAM.DELETE.INGENIUM"),
    ("executor", ORDER),
    ("executor", "$JS.API.STREAM.PURGE.INGENIUM"),
    (READER, SIGNAL),
    (READER, "ingenium.control.halt"),
    (OPERATOR, "$JS.API.STREAM.DELETE.INGENIUM"),
]


@pytest.mark.parametrize(("role", "subject"), FORBIDDEN)
async def test_forbidden_publish_is_refused_by_name(
    buses: dict[str, NatsBus], role: str, subject: str
) -> None:
    await buses[role].publish(subject, b"1")
    with pytest.raises(BusPermissionError, match="forbids publishing") as raised:
        await buses[role].flush()
    assert raised.value.subject == subject


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("ingestor", SIGNAL),
        ("strategy", ORDER),
        ("portfolio", "_INBOX.executor.>"),
        ("executor", SIGNAL),
        (READER, "$JS.>"),
        (READER, "_INBOX.operator.>"),
    ],
)
async def test_forbidden_subscription_is_refused_by_name(
    buses: dict[str, NatsBus], role: str, subject: str
) -> None:
    with pytest.raises(BusPermissionError, match="forbids subscribing") as raised:
        await listen(buses[role], subject)
    assert raised.value.subject == subject


async def test_answers_to_one_role_are_not_heard_by_another(buses: dict[str, NatsBus]) -> None:
    got = await listen(buses["portfolio"], "_INBOX.>")
    await buses[OPERATOR].publish("_INBOX.executor.1", b"secret")
    await buses[OPERATOR].publish("_INBOX.portfolio.1", b"own")
    await got.wait(1)
    await buses["portfolio"].flush()
    assert [m.payload for m in got.items] == [b"own"]


async def test_addresses_are_in_private_files_one_for_each_role(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    folder = tmp_path / "nats"
    assert len({server.url_for(role) for role in ROLES}) == len(ROLES)
    files = {"address": READER} | {f"address.{role}": role for role in ROLES}
    for name, role in files.items():
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert (folder / name).read_text() == server.url_for(role)
    assert running_servers(tmp_path) == [server.url_for(READER)]
    assert running_servers(tmp_path, OPERATOR) == [server.url_for(OPERATOR)]
    with pytest.raises(BusConnectError, match="use url_for"):
        assert server.url
    log = (folder / "server.log").read_text()
    for role in ROLES:
        assert server.url_for(role).split(":")[2].split("@")[0] not in log
    await server.stop()
    assert not list(folder.glob("address*"))


async def test_wrong_password_is_refused_with_the_users_name(server: EmbeddedServer) -> None:
    url = server.url_for("strategy").replace("nats://strategy:", "nats://portfolio:")
    with pytest.raises(BusConnectError, match="as user 'portfolio': authorization violation"):
        await NatsBus.connect(url)


async def test_server_without_accounts_has_one_address_for_every_role(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        assert {server.url_for(role) for role in ROLES} == {server.url}
        assert running_servers(tmp_path, OPERATOR) == [server.url]
