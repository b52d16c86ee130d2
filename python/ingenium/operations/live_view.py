"""Current statuses of the components of an app, wherever they run."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import NatsBus
from ingenium.bus.base import Message
from ingenium.bus.nats.status_stream import ask, kept_statuses
from ingenium.errors import DecodeError
from ingenium.events import decode
from ingenium.subjects.names import ask_subject, observed_subject, status_subject

__all__ = ["Heard", "LiveView", "read_live_view"]

ANSWER_SECONDS = 1.0
"""Time for components to answer."""

_SETTLE_SECONDS = 0.25
"""Time to wait for components that are not known yet."""
_POLL_SECONDS = 0.01


class Heard(msgspec.Struct):
    """Last status of a component.

    Attributes:
        status: The status.
        age_seconds: Age by the server's clock.
        answered: Whether it answers the current request.
    """

    status: ComponentStatus
    age_seconds: float = 0.0
    answered: bool = False


class LiveView(msgspec.Struct):
    """View of an app on its server.

    Attributes:
        runs: Whether any component of the app is connected.
        said: Statuses published by components, by name.
        observed: Observations by the program that started them, by name.
        connected: Names of connected and subscribed components.
        run: Process id of the run of the whole app on this machine; ``None`` for none. The run
            exists even while disconnected.
    """

    runs: bool = False
    said: dict[str, Heard] = {}
    observed: dict[str, Heard] = {}
    connected: set[str] = set()
    run: int | None = None


async def read_live_view(bus: NatsBus, app: str, known: Collection[str] = ()) -> LiveView:
    """Request the status of all components of an app.

    Args:
        bus: Connection with operator rights.
        app: Name of the app.
        known: Names of components that may be running.

    Returns:
        The answers, and the stored statuses of components that do not answer.

    Raises:
        BusError: The server does not answer.
    """
    view = LiveView()
    loop = asyncio.get_running_loop()

    def hear(message: Message) -> None:
        _note(view, app, message, 0.0, answered=True)

    subscriptions = [
        await bus.subscribe(make(app, "*"), hear) for make in (status_subject, observed_subject)
    ]
    began = loop.time()
    asking = asyncio.ensure_future(ask(bus, ask_subject(app), ANSWER_SECONDS))
    tasks: list[asyncio.Future[Any]] = [asking]
    try:
        kept = await kept_statuses(bus, app)
        for record in kept.records:
            _note(view, app, record.message, _age(record.time, kept.now), answered=False)
        names = sorted({*known, *view.said, *view.observed})
        # The server reports absent components at once; present ones answer within the second.
        connecting = asyncio.ensure_future(_connected(bus, app, names))
        tasks.append(connecting)
        while (elapsed := loop.time() - began) < ANSWER_SECONDS:
            is_asked = asking.done() and not asking.result()
            if is_asked or (connecting.done() and elapsed >= _SETTLE_SECONDS):
                waiting = connecting.result() if connecting.done() else set(names)
                if is_asked or all(_has_answered(view, name) for name in waiting):
                    break
            await asyncio.sleep(_POLL_SECONDS)
        view.connected = await connecting
        view.connected |= {name for name, heard in view.said.items() if heard.answered}
        view.runs = bool(view.connected) or await asking
        return view
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for subscription in subscriptions:
            await subscription.stop()


async def _connected(bus: NatsBus, app: str, names: list[str]) -> set[str]:
    """Return the components that are subscribed; the server reports the others at once."""
    found = await asyncio.gather(
        *(ask(bus, ask_subject(app, name), _SETTLE_SECONDS) for name in names)
    )
    return {name for name, is_there in zip(names, found, strict=True) if is_there}


def _has_answered(view: LiveView, name: str) -> bool:
    heard = view.said.get(name)
    return heard is not None and heard.answered


def _note(view: LiveView, app: str, message: Message, age: float, *, answered: bool) -> None:
    """Store a status; the subject identifies the sender, since the server enforces it."""
    name = message.subject.rpartition(".")[2]
    try:
        status = decode(ComponentStatus, message.payload)
    except DecodeError:
        return
    if (status.app, status.component) != (app, name):
        return
    place = view.said if message.subject == status_subject(app, name) else view.observed
    known = place.get(name)
    if known is None or answered or not known.answered:
        place[name] = Heard(status, age, answered)


def _age(kept_at: datetime, now: datetime | None) -> float:
    return 0.0 if now is None else max(0.0, (now - kept_at).total_seconds())
