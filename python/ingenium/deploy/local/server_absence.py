"""Reports while the server of a live app is unreachable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.nats.bus import NatsBus
from ingenium.clock import Clock, SystemClock, format_time
from ingenium.errors import BusClosedError

__all__ = ["ServerAbsence"]

_LOOK_SECONDS = 0.5
_FIRST_SECONDS = 2.0
_LONGEST_SECONDS = 300.0


class ServerAbsence:
    """Watches the connections of a run to an external server.

    Connections reconnect by themselves without limit. Until then nothing is sent or received, which
    must be visible.

    Args:
        buses: Connections; the first one determines whether the server is reachable.
        on_notice: Called after 2 s of absence, then whenever the absence has doubled but at
            least every five minutes, and once on return.
        on_back: Called when the server is back.
        halt: Halts trading on this machine; called with the reason.
        halt_seconds: Absence after which `halt` is called; never by default.
        clock: Source of the times in the texts.
        elapsed: Seconds, by a clock that only goes forward; the event loop's when left out.
    """

    def __init__(
        self,
        buses: Sequence[NatsBus],
        on_notice: Callable[[str], None],
        on_back: Callable[[], Awaitable[None]],
        halt: Callable[[str], None],
        halt_seconds: float | None = None,
        *,
        clock: Clock | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._url = buses[0].url
        self._on_notice = on_notice
        self._on_back = on_back
        self._halt = halt
        self._halt_seconds = halt_seconds
        self._clock = clock or SystemClock()
        self._elapsed = elapsed or asyncio.get_running_loop().time
        self._since: float | None = None
        self._since_time: datetime | None = None
        self._was_away = 0.0
        self._next_notice = _FIRST_SECONDS
        self._is_told = False
        self._has_halted = False
        self._woken = asyncio.Event()
        self._closed: str | None = None
        buses[0].on_incident(self._on_incident)
        for bus in buses:
            bus.on_incident(self._on_close)

    def is_away(self) -> bool:
        """Whether there is no connection."""
        return self._since is not None

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind is IncidentKind.DISCONNECTED and self._since is None:
            self._since, self._since_time = self._elapsed(), self._clock.now()
            self._next_notice, self._has_halted = _FIRST_SECONDS, False
        elif incident.kind is IncidentKind.RECONNECTED and self._since is not None:
            self._was_away, self._since = self._elapsed() - self._since, None
        self._woken.set()

    def _on_close(self, incident: Incident) -> None:
        if incident.kind is IncidentKind.CLOSED:
            self._closed = incident.detail
            self._woken.set()

    async def run(self) -> None:
        """Watch, until canceled.

        Raises:
            BusClosedError: A connection is gone for good, for example because the server no
                longer accepts its password.
        """
        while True:
            if self._closed is not None:
                raise BusClosedError(self._closed)
            await self.observe()
            try:
                async with asyncio.timeout(None if self._since is None else _LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue
            self._woken.clear()

    async def observe(self) -> None:
        """Send the notices that are due."""
        if self._since is None:
            if self._was_away:
                away, self._was_away = self._was_away, 0.0
                if self._is_told:
                    self._on_notice(f"the server at {self._url} is back after {away:.1f} s")
                self._is_told = False
                await self._on_back()
            return
        away = self._elapsed() - self._since
        if away >= self._next_notice:
            self._next_notice = away + min(max(away, _FIRST_SECONDS), _LONGEST_SECONDS)
            self._is_told = True
            since = "" if self._since_time is None else f" since {format_time(self._since_time)}"
            self._on_notice(
                f"NO SERVER: {self._url} is away{since} ({away:.0f} s): no market data, signal or "
                "order gets through, and orders at a broker stay as they are; it is tried again "
                "twice a second"
            )
        if self._halt_seconds is not None and away >= self._halt_seconds and not self._has_halted:
            self._has_halted = True
            self._halt(f"the server at {self._url} has been away for {away:.0f} s")
