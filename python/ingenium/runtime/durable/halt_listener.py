"""Hears that trading is to stop, also when the stream that keeps such words is frozen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.errors import DecodeError
from ingenium.events import ControlEvent, TradingState
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.durable.inbox import ExternalChange, Inbox

__all__ = ["listen_for_halts"]


def listen_for_halts(dispatcher: Dispatcher, arrivals: Inbox) -> Callable[[Message], None]:
    """Return what handles control events as they come over the plain bus.

    One that restricts trading takes effect before all that waits, and once more when it comes out
    of the stream, which changes nothing then. One that releases has to wait for its place in the
    stream. What cannot be read is reported when it comes from there.

    Args:
        dispatcher: Calls the component that is to halt.
        arrivals: Where it waits for its turn.
    """

    def receive(message: Message) -> None:
        try:
            event = unpack(ControlEvent, message)
        except DecodeError:
            return
        if event.state == TradingState.ACTIVE:
            return

        def act() -> None:
            dispatcher.apply_control(event)

        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda done: done.cancelled() or done.exception())
        arrivals.put_act(ExternalChange(f"halt/{event.id}", act, done))

    return receive
