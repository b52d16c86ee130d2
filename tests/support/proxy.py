"""A TCP proxy in front of a server, that delays, stands still, refuses and cuts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Proxy"]

_CHUNK = 65_536


class Proxy:
    """Forwards connections to a port of this machine.

    Args:
        target: The port.

    Attributes:
        port: Where it listens, once it is started.
        delay_seconds: How much later each byte arrives.
        refuses: Whether new connections are ended at once.
        cut_after: After how many more bytes from a client all connections are cut; ``None`` for
            never. It may be in the middle of a frame.
        cuts: How often that was done.
        connections: How many were made.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay_seconds = 0.0
        self.refuses = False
        self.cut_after: int | None = None
        self.cuts = self.connections = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for connection in list(self._open):
            await connection.ended

    def freeze(self) -> None:
        """Forward nothing any more on the connections there are, and keep them open."""
        for connection in self._open:
            connection.flows.clear()

    def cut(self) -> None:
        """Cut all connections there are."""
        for connection in self._open:
            connection.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        self.connections += 1
        connection = _Connection(self, writer)
        self._open.add(connection)
        try:
            await connection.run(reader)
        finally:
            self._open.discard(connection)
            connection.ended.set_result(None)

    def room(self, count: int) -> int:
        """Return how many of so many bytes from a client may still pass."""
        if self.cut_after is None:
            return count
        passing = min(count, self.cut_after)
        self.cut_after -= passing
        return passing


class _Connection:
    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self.flows = asyncio.Event()
        self.flows.set()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._proxy = proxy
        self._client = client
        self._upstream: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, client: asyncio.StreamReader) -> None:
        try:
            upstream, self._upstream = await asyncio.open_connection(
                "127.0.0.1", self._proxy.target
            )
        except OSError:
            self.cut()
            return
        self._tasks = [
            asyncio.create_task(self._pump(client, self._upstream, from_client=True)),
            asyncio.create_task(self._pump(upstream, self._client, from_client=False)),
        ]
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._client.transport.abort()
        if self._upstream is not None:
            self._upstream.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        write = asyncio.create_task(self._write(late, writer))
        try:
            with suppress(OSError):
                while data := await reader.read(_CHUNK):
                    await self.flows.wait()
                    passing = self._proxy.room(len(data)) if from_client else len(data)
                    now = asyncio.get_running_loop().time()
                    late.put_nowait((now + self._proxy.delay_seconds, data[:passing]))
                    if passing < len(data):
                        self._proxy.cuts += 1
                        self._proxy.cut_after = None
                        await late.join()
                        self._proxy.cut()
                        return
        finally:
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)

    async def _write(
        self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await late.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self.flows.wait()
            with suppress(OSError):
                writer.write(data)
                await writer.drain()
            late.task_done()
