"""Fixtures that several tests of real servers and processes share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.delivering import Desk, connected, jetstream
from support.http_broker import BrokerProcess

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
