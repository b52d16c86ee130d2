"""Halt, reduce and resume trading, on this machine and over the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from ingenium.runtime.durable.control_publisher import ControlDelivery, publish_control
from ingenium.runtime.durable.kill_file import Restriction

__all__ = ["SwitchResult", "release", "restrict"]

_LOOK_SECONDS = 1.5
"""Time that a halt waits to learn which app holds the subject space."""
_CONFIRM_SECONDS = 3.0
"""Time for portfolio and executor to confirm."""
_AGAIN_SECONDS = 0.05

OnProgress = Callable[["SwitchResult"], None]
"""Called with what is known so far, each time components were asked."""


class SwitchResult(msgspec.Struct):
    """Delivery result of a control event.

    Attributes:
        app: Name of the app.
        state: Requested state.
        file: The kill file.
        file_changed: Whether the kill file was written or removed.
        file_error: Why the kill file could not be changed; empty on success.
        reached: Reach of the control event.
        server: Server that received the event; empty if none.
        stream: Name of the stream there.
        server_error: Why the event was not delivered; empty on success.
        confirmed: Components that confirmed the state.
        unconfirmed: Running components that are in another state or do not answer, with what is
            known of each.
        unheard: Running components that never report their state of trading, such as programs
            in other languages.
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
        """Whether the state is in effect in the file, on the server, and in all components.

        Orders pass two components, so one confirmation suffices if the other never reports.
        """
        if self.file_error or self.reached is ControlDelivery.NOBODY or self.unconfirmed:
            return False
        return bool(self.confirmed) or not self.unheard

    @property
    def holds_anywhere(self) -> bool:
        """Whether the state is in effect anywhere."""
        if self.reached is not ControlDelivery.NOBODY:
            return True
        # Removing the file does not undo a control event.
        return self.file_changed and self.state is not TradingState.ACTIVE


async def restrict(
    place: LocalApp,
    state: TradingState,
    reason: str,
    sender: str,
    now: datetime,
    on_progress: OnProgress | None = None,
) -> SwitchResult:
    """Halt trading, or restrict it to reducing orders.

    The file is written first, since it works on this machine without the server.

    Args:
        place: The app.
        state: ``HALTED`` or ``REDUCING``.
        reason: Reason, as text.
        sender: Sender, ``"ann@trader-1"``.
        now: Current time, UTC.
        on_progress: Receives the result so far.
    """
    done = SwitchResult(place.app, state, str(place.kill_file.path))
    try:
        place.kill_file.write(Restriction(state, reason, sender, now))
        done.file_changed = True
    except StoreError as error:
        done.file_error = str(error)
        # An empty file may exist all the same: a full disk still has space for it.
        done.file_changed = place.kill_file.is_there() and place.kill_file.state() is state
    await _publish(place, done, reason, sender, now, on_progress)
    return done


async def release(
    place: LocalApp,
    reason: str,
    sender: str,
    now: datetime,
    on_progress: OnProgress | None = None,
) -> SwitchResult:
    """Resume trading; arguments as for `restrict`.

    The file is removed first: a component that still sees it when the event arrives would stay
    halted.
    """
    done = SwitchResult(place.app, TradingState.ACTIVE, str(place.kill_file.path))
    try:
        done.file_changed = place.kill_file.remove()
    except StoreError as error:
        done.file_error = str(error)
        done.server_error = "nothing was said, since the file still halts"
        return done
    await _publish(place, done, reason, sender, now, on_progress)
    return done


async def _publish(
    place: LocalApp,
    done: SwitchResult,
    reason: str,
    sender: str,
    now: datetime,
    on_progress: OnProgress | None,
) -> None:
    event = ControlEvent(timestamp=now, state=done.state.value, reason=reason, sender=sender)
    try:
        async with as_operator(place) as bus:
            await _check_leader(bus, done.app)
            done.reached = await publish_control(bus, event)
            done.server, done.stream = bus.url, bus.space.stream(MONEY_STREAM.name)
            if done.reached is ControlDelivery.NOBODY:
                done.server_error = (
                    f"no component is subscribed to {bus.space} on the server at {bus.url}: if app "
                    f"{done.app!r} runs there, set INGENIUM_PREFIX to its prefix"
                )
                return
            known = [path.stem for path in place.states]
            await _confirm(bus, done, known, on_progress)
    except IngeniumError as error:
        if done.reached is ControlDelivery.NOBODY:
            done.server_error = str(error)
        else:
            done.unconfirmed.setdefault(done.app, f"it cannot be asked: {error}")


async def _confirm(
    bus: NatsBus, done: SwitchResult, known: list[str], on_progress: OnProgress | None
) -> None:
    """Poll portfolio and executor until they confirm."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _CONFIRM_SECONDS
    while True:
        _compare(done, await read_live_view(bus, done.app, known))
        if on_progress is not None:
            on_progress(done)
        if not done.unconfirmed or loop.time() >= end:
            return
        await asyncio.sleep(_AGAIN_SECONDS)


def _compare(done: SwitchResult, view: LiveView) -> None:
    """Sort the components by whether they confirm the state."""
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
    """Refuse to send a control event to another app.

    Raises:
        ConfigError: Another app holds these subjects.
    """
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            leader = await leader_of(bus)
    except (BusError, TimeoutError):
        return  # This check must not prevent a halt.
    if leader not in {"", app}:
        raise ConfigError(
            f"{bus.space} on the server at {bus.url} is led by app {leader!r}, and nothing was "
            f"said to it: set INGENIUM_PREFIX to the prefix of app {app!r}, or name {leader!r}"
        )
