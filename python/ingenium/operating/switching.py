"""Halts trading, lets it only reduce, and releases it: on this machine, and on the bus."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from ingenium.bus import NatsBus
from ingenium.bus.streams import MONEY_STREAM
from ingenium.delivery.control import Reach, say
from ingenium.delivery.kill_file import Restriction
from ingenium.deploy.space import leader_of
from ingenium.errors import BusError, ConfigError, IngeniumError, StoreError
from ingenium.events import ControlEvent, TradingState
from ingenium.operating.places import Place, as_operator

__all__ = ["Switched", "release", "restrict"]

_LOOK_SECONDS = 1.5
"""How long a halt waits to learn whose subjects these are."""


class Switched(msgspec.Struct):
    """Whom a word of an operator has reached.

    Attributes:
        app: Whose trading it is about.
        state: What is to hold.
        file: The kill file.
        file_changed: Whether it was written, or taken away.
        file_error: Why it could not be; empty when it was.
        reached: Who took the event.
        server: Where that was; empty when no server was reached.
        stream: Name of the stream there.
        server_error: Why nobody took it; empty when somebody did.
    """

    app: str
    state: TradingState
    file: str
    file_changed: bool = False
    file_error: str = ""
    reached: Reach = Reach.NOBODY
    server: str = ""
    stream: str = ""
    server_error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the file is as it should be, and the word has reached a server."""
        return not self.file_error and self.reached is not Reach.NOBODY


async def restrict(
    place: Place, state: TradingState, reason: str, sender: str, now: datetime
) -> Switched:
    """Halt trading, or let it only reduce.

    The file comes first: it holds on this machine whatever the server does.

    Args:
        place: The app.
        state: ``HALTED`` or ``REDUCING``.
        reason: Why, in words.
        sender: Who says so, ``"ann@trader-1"``.
        now: The present time, UTC.
    """
    done = Switched(place.app, state, str(place.kill_file.path))
    try:
        place.kill_file.write(Restriction(state, reason, sender, now))
        done.file_changed = True
    except StoreError as error:
        done.file_error = str(error)
        # It may be there all the same, empty: a disk that is full has room for that.
        done.file_changed = place.kill_file.state() is state
    await _say(place, done, reason, sender, now)
    return done


async def release(place: Place, reason: str, sender: str, now: datetime) -> Switched:
    """Let trading go on; arguments as for `restrict`.

    The file goes first: who still saw it when the word comes would stay halted.
    """
    done = Switched(place.app, TradingState.ACTIVE, str(place.kill_file.path))
    try:
        done.file_changed = place.kill_file.remove()
    except StoreError as error:
        done.file_error = str(error)
        done.server_error = "nothing was said, since the file still halts"
        return done
    await _say(place, done, reason, sender, now)
    return done


async def _say(place: Place, done: Switched, reason: str, sender: str, now: datetime) -> None:
    event = ControlEvent(timestamp=now, state=done.state.value, reason=reason, sender=sender)
    try:
        async with as_operator(place) as bus:
            await _check_leader(bus, done.app)
            done.reached = await say(bus, event)
            done.server, done.stream = bus.url, bus.space.stream(MONEY_STREAM.name)
            if done.reached is Reach.NOBODY:
                done.server_error = (
                    f"nobody listens to {bus.space} on the server at {bus.url}: if app "
                    f"{done.app!r} runs there, set INGENIUM_PREFIX to its prefix"
                )
    except IngeniumError as error:
        done.server_error = str(error)


async def _check_leader(bus: NatsBus, app: str) -> None:
    """Refuse to speak to another app.

    Raises:
        ConfigError: Another one has these subjects.
    """
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            leader = await leader_of(bus)
    except (BusError, TimeoutError):
        return  # A halt must not fail over this.
    if leader not in {"", app}:
        raise ConfigError(
            f"{bus.space} on the server at {bus.url} is led by app {leader!r}, and nothing was "
            f"said to it: set INGENIUM_PREFIX to the prefix of app {app!r}, or name {leader!r}"
        )
