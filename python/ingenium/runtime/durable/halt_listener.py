"""Listens for halts on core NATS, in case JetStream is unavailable."""

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
    """Return the handler of control events that arrive over the plain bus.

    An event that restricts trading takes effect before all waiting events, and again when it comes
    from the stream, which then changes nothing. A release waits for its place in the stream. An
    unreadable event is reported when it comes from there.

    Args:
        dispatcher: Calls the component that is to halt.
        arrivals: The inbox in which the halt waits for its turn.
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
