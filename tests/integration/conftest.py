"""Fixtures that several tests of real servers and processes share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.delivering import Desk, connected, jetstream
from support.http_broker import BrokerProcess
from support.postgresql import PostgresServer, find_programs
from support.recorded_market import Market, open_market

from ingenium.bus import NatsBus


@pytest.fixture
async def desk(tmp_path: Path, make_server: Any) -> Desk:
    """A small app on a server of its own."""
    server = make_server(jetstream(tmp_path / "js"))
    return Desk(server.url, tmp_path)


@pytest.fixture
async def bus(desk: Desk) -> AsyncIterator[NatsBus]:
    """A connection to the desk's server."""
    async with connected(desk.url) as bus:
        yield bus


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A broker in a process of its own."""
    process = BrokerProcess(tmp_path).start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run; on CI it has to be installed."""
    programs = find_programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no PostgreSQL is installed, and CI has to have one")
        pytest.skip("no PostgreSQL is installed here")
    server = PostgresServer(programs).start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "record.db")
    server: PostgresServer = request.getfixturevalue("postgresql")
    return server.make_database(f"test_{uuid4().hex}")


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    async with open_market(tmp_path / "server") as market:
        yield market
