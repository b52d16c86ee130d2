"""Streams on a server that has little room: they get what there is, and that is said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, StreamLayout, open_stream
from ingenium.errors import StreamError
from ingenium.subjects.names import ORDER

MakeServer = Callable[[str], Any]
MIB = 2**20


@pytest.mark.parametrize(
    ("layout", "room", "expected", "setting"),
    [
        # The largest of 1024, 512, ... 64 MiB, or of 32, 16, ... 2 MiB, that fits.
        (MONEY_STREAM, 300, 256 * MIB, "max_file_store"),
        (MONEY_STREAM, 64, 64 * MIB, "max_file_store"),
        (DATA_STREAM, 20, 16 * MIB, "max_memory_store"),
    ],
)
async def test_stream_gets_the_room_that_there_is(
    make_server: MakeServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    layout: StreamLayout,
    room: int,
    expected: int,
    setting: str,
) -> None:
    server = make_server(
        f'jetstream {{\n store_dir: "{tmp_path / "js"}"\n {setting}: {room * MIB}\n}}\n'
    )
    bus = await NatsBus.connect(server.url)
    with caplog.at_level(logging.WARNING, logger="ingenium.bus"):
        stream = await open_stream(bus, layout)
    info = await bus.client.jetstream().stream_info(layout.name)
    assert info.config.max_bytes == expected
    [line] = [record.getMessage() for record in caplog.records]
    assert f"keeps {expected // MIB} MiB and not {layout.max_bytes // MIB}" in line
    assert f"raise {setting} in the jetstream block" in line
    if layout is MONEY_STREAM:
        assert (await stream.append(ORDER, b"1")).sequence == 1
    # The next one takes it as it is.
    await open_stream(bus, layout)
    await bus.close()


async def test_server_without_room_is_an_error_with_its_cure(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(
        f'jetstream {{\n store_dir: "{tmp_path / "js"}"\n max_file_store: {63 * MIB}\n}}\n'
    )
    bus = await NatsBus.connect(server.url)
    with pytest.raises(
        StreamError, match=r"insufficient storage.*free some, or raise max_file_store in the"
    ):
        await open_stream(bus, MONEY_STREAM)
    await bus.close()
