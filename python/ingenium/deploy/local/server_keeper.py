"""Restarts the embedded server of a live app after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ingenium.backoff import Backoff, RestartPolicy
from ingenium.deploy.local.child_process import how_of
from ingenium.deploy.local.supervisor import CrashLoopError
from ingenium.errors import BusConnectError
from ingenium.nats_server import EmbeddedServer

__all__ = ["SERVER_RESTARTS", "ServerKeeper"]

# Five failed restarts follow the first crash, which is not a failed restart itself.
SERVER_RESTARTS = RestartPolicy(first_seconds=0.25, crashes=6)
"""Restart policy of the server."""


class ServerKeeper:
    """Watches an embedded server, and restarts it with its store and port.

    Args:
        server: A running server.
        on_notice: Receives notices of a crash and a restart.
        on_restarted: Called after a restart.
        policy: Restart delays, and when to give up.
        pause: Sleeps for some seconds.
    """

    def __init__(
        self,
        server: EmbeddedServer,
        on_notice: Callable[[str], None],
        on_restarted: Callable[[], Awaitable[None]],
        policy: RestartPolicy | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._on_notice = on_notice
        self._on_restarted = on_restarted
        self._policy = policy or SERVER_RESTARTS
        self._pause = pause
        self._is_away = False

    def is_away(self) -> bool:
        """Whether the server has ended and is not running again yet."""
        return self._is_away

    async def run(self) -> None:
        """Keep the server running, until canceled.

        Raises:
            CrashLoopError: The server cannot be restarted, or crashes repeatedly.
        """
        now = asyncio.get_running_loop().time
        backoff = Backoff(self._policy)
        where = self._server.safe_url
        began = now()
        while True:
            problem = f"the server at {where} {how_of(await self._server.ended())}"
            self._is_away = True
            ended = now()
            while True:
                seconds = backoff.crashed(now() - began, now())
                if seconds is None:
                    count, window = self._policy.crashes - 1, self._policy.window_seconds
                    raise CrashLoopError(
                        f"{problem}; {count} restarts within {window:g} s did not help, so the "
                        f"run ends; its log is {self._server.log_path}"
                    )
                self._on_notice(
                    f"{problem}; nothing is sent or received; it is started again in {seconds:g} s"
                )
                await self._pause(seconds)
                began = now()
                try:
                    await self._server.restart()
                except BusConnectError as error:
                    problem = str(error)
                    continue
                break
            self._is_away = False
            self._on_notice(
                f"the server at {where} runs again after {now() - ended:.1f} s, on its store: "
                "signals, orders and executions go on where they were"
            )
            await self._on_restarted()
