"""Halts trading, lets it only reduce, and releases it: on this machine, and on the bus."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.deploy.local.app_space import leader_of
from ingenium.errors import BusError, ConfigError, IngeniumError, StoreError
from ingenium.events import ControlEvent, TradingState
from ingenium.operations.apps import LocalApp, as_operator
from ingenium.operations.live_view import LiveView, read_live_view
from ingenium.operations.status import GATED
from ingenium.risk import STRICTNESS, state_of
from ingenium.runtime.durable.control import ControlDelivery, publish_control
from ingenium.runtime.durable.kill_file import Restriction

__all__ = ["SwitchResult", "release", "restrict"]

_LOOK_SECONDS = 1.5
"""How long a halt waits to learn whose subjects these are."""
_CONFIRM_SECONDS = 3.0
"""How long portfolio and executor have to say that they have heard it."""
_AGAIN_SECONDS = 0.05


class SwitchResult(msgspec.Struct):
    """What became of a word of an operator.

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
        confirmed: Components that say that it holds for them.
        unconfirmed: Components that run and for which it does not hold yet, or that do not answer,
            and what is known of each.
        unheard: Components that run and never say whether they trade, such as programs in other
            languages.
    """

    app: str
    state: TradingState
    file: str
    file_changed: bool = False
    file_error: str = ""
    reached: ControlDelivery = ControlDelivery.NOBODY
    server: str = ""
    stream: str = ""
    server_error: str = ""
    confirmed: list[str] = []
    unconfirmed: dict[str, str] = {}
    unheard: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether it holds: by the file, on the server, and for all that run there.

        Orders pass two components, so one of them is enough where the other one never says.
        """
        if self.file_error or self.reached is ControlDelivery.NOBODY or self.unconfirmed:
            return False
        return bool(self.confirmed) or not self.unheard

    @property
    def holds_anywhere(self) -> bool:
        """Whether anything is as it should be."""
        if self.reached is not ControlDelivery.NOBODY:
            return True
        # A file that is gone releases nothing that was said on the bus.
        return self.file_changed and self.state is not TradingState.ACTIVE


async def restrict(
    place: LocalApp, state: TradingState, reason: str, sender: str, now: datetime
) -> SwitchResult:
    """Halt trading, or let it only reduce.

    The file comes first: it holds on this machine whatever the server does.

    Args:
        place: The app.
        state: ``HALTED`` or ``REDUCING``.
        reason: Why, in words.
        sender: Who says so, ``"ann@trader-1"``.
        now: The present time, UTC.
    """
    done = SwitchResult(place.app, state, str(place.kill_file.path))
    try:
        place.kill_file.write(Restriction(state, reason, sender, now))
        done.file_changed = True
    except StoreError as error:
        done.file_error = str(error)
        # It may be there all the same, empty: a disk that is full has room for that.
        done.file_changed = place.kill_file.is_there() and place.kill_file.state() is state
    await _publish(place, done, reason, sender, now)
    return done


async def release(place: LocalApp, reason: str, sender: str, now: datetime) -> SwitchResult:
    """Let trading go on; arguments as for `restrict`.

    The file goes first: who still saw it when the word comes would stay halted.
    """
    done = SwitchResult(place.app, TradingState.ACTIVE, str(place.kill_file.path))
    try:
        done.file_changed = place.kill_file.remove()
    except StoreError as error:
        done.file_error = str(error)
        done.server_error = "nothing was said, since the file still halts"
        return done
    await _publish(place, done, reason, sender, now)
    return done


async def _publish(
    place: LocalApp, done: SwitchResult, reason: str, sender: str, now: datetime
) -> None:
    event = ControlEvent(timestamp=now, state=done.state.value, reason=reason, sender=sender)
    try:
        async with as_operator(place) as bus:
            await _check_leader(bus, done.app)
            done.reached = await publish_control(bus, event)
            done.server, done.stream = bus.url, bus.space.stream(MONEY_STREAM.name)
            if done.reached is ControlDelivery.NOBODY:
                done.server_error = (
                    f"nobody listens to {bus.space} on the server at {bus.url}: if app "
                    f"{done.app!r} runs there, set INGENIUM_PREFIX to its prefix"
                )
                return
            known = [path.stem for path in place.states]
            await _confirm(bus, done, known)
    except IngeniumError as error:
        if done.reached is ControlDelivery.NOBODY:
            done.server_error = str(error)
        else:
            done.unconfirmed.setdefault(done.app, f"it cannot be asked: {error}")


async def _confirm(bus: NatsBus, done: SwitchResult, known: list[str]) -> None:
    """Ask portfolio and executor whether they have heard it, until they say so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _CONFIRM_SECONDS
    while True:
        _compare(done, await read_live_view(bus, done.app, known))
        if not done.unconfirmed or loop.time() >= end:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


def _compare(done: SwitchResult, view: LiveView) -> None:
    """Sort the components by whether they say that it holds."""
    done.confirmed, done.unconfirmed, done.unheard = [], {}, []
    for name in sorted({*view.said, *view.observed, *view.connected}):
        heard = view.said.get(name)
        seen = heard or view.observed.get(name)
        if seen is None or seen.status.role not in GATED:
            continue
        what = f"{seen.status.role} {name!r}"
        if heard is not None and heard.answered:
            if heard.status.state in {"stopped", "failed"}:
                continue
            if _holds(done.state, heard.status.trading):
                done.confirmed.append(what)
            elif not heard.status.trading:
                done.unheard.append(what)
            else:
                words = (heard.status.trading, heard.status.trading_reason)
                done.unconfirmed[what] = f"is {': '.join(filter(None, words))}"
        elif name in view.connected:
            done.unconfirmed[what] = "does not answer"
        elif heard is None and seen.answered and seen.status.state == "running":
            done.unheard.append(what)


def _holds(wanted: TradingState, found: str | None) -> bool:
    if found is None:
        return False
    state = state_of(found)
    if wanted is TradingState.ACTIVE:
        return state is wanted
    return STRICTNESS[state] >= STRICTNESS[wanted]


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
