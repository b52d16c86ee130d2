"""Detects, from the server's subscriptions, when a program without reports is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from ingenium.components import App, External
from ingenium.deploy.local.monitoring import ask_page
from ingenium.deploy.local.program_subjects import subjects_needed
from ingenium.errors import DeployError
from ingenium.subjects.space import DOCUMENTED, SubjectSpace

__all__ = ["SubscriptionProbe"]

_POLL_SECONDS = 0.05
_BLIND_SECONDS = 2.0


class SubscriptionProbe:
    """Counts the server's subscriptions on the subjects of programs without reports.

    Args:
        monitor_url: Monitoring URL; ``None`` if unknown, as for an external server. `wait` then
            only waits for a fixed time.
        app: App whose programs without reports are watched.
        space: Subject space on the server.
    """

    def __init__(self, monitor_url: str | None, app: App, space: SubjectSpace = DOCUMENTED) -> None:
        self._monitor_url = monitor_url
        self._space = space
        self._programs = [
            c for c in app.components if isinstance(c, External) and not c.reports and c.command
        ]
        self._before: dict[str, int] = {}

    async def observe(self) -> None:
        """Count the subscriptions before the programs start."""
        for subject in self._wanted():
            self._before[subject] = await self._count(subject)

    async def wait(self, go_on: Callable[[], bool], timeout_seconds: float = 60.0) -> None:
        """Wait until the programs have subscribed.

        Args:
            go_on: Polled for whether to keep waiting; may raise.
            timeout_seconds: Maximum time to wait.

        Raises:
            DeployError: The programs have not subscribed in time.
        """
        loop = asyncio.get_running_loop()
        if self._monitor_url is None:
            end = loop.time() + (_BLIND_SECONDS if self._programs else 0)
            # There is no way to tell when the programs are ready.
            while loop.time() < end and go_on():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
            return
        end = loop.time() + timeout_seconds
        for subject, wanted in self._wanted().items():
            while await self._count(subject) < self._before[subject] + wanted:
                if not go_on():
                    return
                if loop.time() > end:
                    names = ", ".join(program.name for program in self._programs)
                    raise DeployError(
                        f"{names} did not subscribe to {subject} within {timeout_seconds:g} s: "
                        "does it run, on the server that NATS_SERVER names?"
                    )
                await asyncio.sleep(_POLL_SECONDS)

    def _wanted(self) -> dict[str, int]:
        """Return the number of subscriptions to wait for, by subject."""
        wanted: dict[str, int] = {}
        for program in self._programs:
            for subject in subjects_needed(program):
                wanted[subject] = wanted.get(subject, 0) + 1
        return wanted

    async def _count(self, subject: str) -> int:
        if self._monitor_url is None:
            return 0
        on_server = quote(self._space.to_server(subject), safe="")
        url = f"{self._monitor_url}/subsz?subs=1&limit=4096&test={on_server}"
        return await asyncio.to_thread(_count_at, url)


def _count_at(url: str) -> int:
    try:
        found = ask_page(url, timeout_seconds=5)
    except (OSError, ValueError) as error:
        raise DeployError(f"cannot ask the server for its subscriptions: {error}") from error
    return len(found.get("subscriptions_list") or ())
