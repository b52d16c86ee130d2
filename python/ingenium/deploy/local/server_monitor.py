"""Monitors the health of the server of a live app, and foreign subscribers to orders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.error import HTTPError, URLError

from ingenium.components import App, Executor
from ingenium.deploy.local.monitoring import ask_page
from ingenium.deploy.local.server_connections import (
    Connection,
    foreign_readers,
    read_connections,
)
from ingenium.subjects.names import ORDER

__all__ = ["ServerMonitor", "health_problem", "watched_server"]

_EVERY_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_READERS_EVERY = 10


class ServerMonitor:
    """Polls the health endpoint of a server once per second.

    A server with a full disk stores no more orders, but still delivers messages to connected
    clients, so a halt still reaches them.

    Args:
        monitor_url: Monitoring URL.
        app: App of the server.
        halt: Halts trading with a reason.
        on_notice: Takes what everybody must know.
        order: Subject of orders on the server.
        is_away: Whether the server is being restarted, which does not count as unhealthy.
        pause: Waits until the next poll.
        elapsed: Seconds, by a clock that only goes forward; the event loop's when left out.
    """

    def __init__(
        self,
        monitor_url: str,
        app: App,
        halt: Callable[[str], Awaitable[None]],
        on_notice: Callable[[str], None],
        *,
        order: str = ORDER,
        is_away: Callable[[], bool] = lambda: False,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._is_away = is_away
        self._url = monitor_url
        self._app = app
        self._order = order
        self._halt = halt
        self._on_notice = on_notice
        self._pause = pause
        self._elapsed = elapsed or asyncio.get_running_loop().time
        self._ill_since: float | None = None
        self._has_halted = False
        self._warned: set[str] = set()

    async def run(self) -> None:
        """Watch, until canceled."""
        looks = 0
        while True:
            if looks % _READERS_EVERY == 0:
                await self.check_readers()
            await self.check_health()
            looks += 1
            await self._pause(_EVERY_SECONDS)

    async def check_health(self) -> None:
        """Poll once; halt trading after the server has been unhealthy for too long."""
        if self._is_away():
            self._ill_since = None
            return
        problem = await asyncio.to_thread(health_problem, self._url)
        now = self._elapsed()
        if problem is None:
            if self._has_halted:
                self._on_notice("the server is well again; trading stays halted until you resume")
            self._ill_since, self._has_halted = None, False
            return
        if self._ill_since is None or self._is_away():
            self._ill_since = now
        if not self._has_halted and now - self._ill_since >= _PATIENCE_SECONDS:
            self._has_halted = True
            await self._halt(f"the server is not well: {problem}")

    async def check_readers(self) -> None:
        """Warn once of each program that subscribes to orders besides the app's executor."""
        if not isinstance(self._app.executor, Executor):
            return  # An external executor of the app is expected to subscribe.
        own = {component.name for component in self._app.components}
        connections = await asyncio.to_thread(read_connections, self._url)
        for each in foreign_readers(connections or (), own, self._order):
            reader = _description(each)
            if reader not in self._warned:
                self._warned.add(reader)
                self._on_notice(
                    f"{reader} subscribes to {self._order} too: if it works orders, each one is "
                    f"worked twice, by it and by {self._app.executor.name!r}; stop one of them"
                )


@asynccontextmanager
async def watched_server(
    monitor_url: str | None,
    app: App,
    halt: Callable[[str], Awaitable[None]],
    on_notice: Callable[[str], None],
    order: str,
    is_away: Callable[[], bool] = lambda: False,
) -> AsyncIterator[None]:
    """Monitor a server for the duration of the context; arguments as for `ServerMonitor`.

    Args:
        monitor_url: ``None`` for an external server, which is not monitored.
        app: See there.
        halt: See there.
        on_notice: See there.
        order: See there.
        is_away: See there.
    """
    if monitor_url is None:
        yield
        return
    watch = ServerMonitor(monitor_url, app, halt, on_notice, order=order, is_away=is_away)
    watching = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _description(reader: Connection) -> str:
    name = reader.name or "a program without a name"
    parts = (reader.language, f"user {reader.user}" if reader.user else "", reader.where)
    return f"{name} ({', '.join(filter(None, parts))})"


def health_problem(monitor_url: str) -> str | None:
    """Return why the server is unhealthy; ``None`` if healthy."""
    try:
        answer = ask_page(f"{monitor_url}/healthz")
    except HTTPError as error:
        with error:
            text = error.read(4096).decode("utf-8", "replace")
        try:
            return str(json.loads(text).get("error") or text)
        except (ValueError, AttributeError):
            return text or f"it answers {error.code}"
    except (URLError, OSError, ValueError) as error:
        return f"it does not answer: {error}"
    status = str(answer.get("status", "ok"))
    return None if status == "ok" else str(answer.get("error") or status)
