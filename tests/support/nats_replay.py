"""A TCP server that says again what a real nats-server has said in a recording."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Self

from support.nats_recording import RECORDINGS

__all__ = ["ReplayServer", "frames_of"]


def frames_of(name: str) -> list[tuple[str, bytes]]:
    """The pieces of a recording: ``>`` from the client, ``<`` from the server."""
    recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    return [(side, text.encode("latin-1")) for side, text in recording["frames"]]


class ReplayServer:
    """Plays one recording for each connection, and then answers pings.

    Where the recording has a piece of the client's, it waits for the last line of that piece.

    Args:
        names: Recordings, one for each connection in their order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""
        self.received: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        number = len(self.received)
        self.received.append(b"")
        if number >= len(self._names):
            writer.close()
            return
        for side, data in frames_of(self._names[number]):
            if side == "<":
                writer.write(data)
                continue
            self.received[number] += await reader.readuntil(data[data[:-2].rfind(b"\n") + 1 :])
        while data := await reader.read(65_536):
            self.received[number] += data
            writer.write(b"PONG\r\n" * data.count(b"PING\r\n"))

    def hang_up(self) -> None:
        """End the newest connection."""
        self._writers[-1].close()
