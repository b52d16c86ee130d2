"""Starts the embedded server of a live app again when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ingenium.backoff import RestartPolicy, Restarts
from ingenium.deploy.local.child_process import how_of
from ingenium.deploy.local.supervisor import CrashLoopError
from ingenium.errors import BusConnectError
from ingenium.nats_server import EmbeddedServer

__all__ = ["SERVER_RESTARTS", "ServerKeeper"]

# The first death is no failure of a restart yet: five restarts that fail come after it.
SERVER_RESTARTS = RestartPolicy(first_seconds=0.25, crashes=6)
"""When the server is started again."""


class ServerKeeper:
    """Watches an embedded server, and starts it again on its store and its port.

    Args:
        server: One that runs.
        on_notice: Told that it ended, and that it is back.
        on_restarted: Called when it runs again.
        policy: When to start it again, and when to give up.
        pause: Waits for some seconds.
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
        """Whether the server has ended and does not run again yet."""
        return self._is_away

    async def run(self) -> None:
        """Keep the server running, until canceled.

        Raises:
            CrashLoopError: It cannot be started again, or ends again and again.
        """
        now = asyncio.get_running_loop().time
        restarts = Restarts(self._policy)
        where = self._server.safe_url
        began = now()
        while True:
            problem = f"the server at {where} {how_of(await self._server.ended())}"
            self._is_away = True
            ended = now()
            while True:
                seconds = restarts.crashed(now() - began, now())
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
