"""Asking a server: requests and answers get lost, come late, or come twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from simulation.chaos import Chaos
from simulation.process import Process

from ingenium.errors import IngeniumError

__all__ = ["Peer", "call"]

_T = TypeVar("_T")


class Peer:
    """A server.

    Args:
        chaos: Decides what goes wrong.
        name: For the trace.
    """

    def __init__(self, chaos: Chaos, name: str) -> None:
        self.chaos = chaos
        self.name = name
        self.up = True


async def call(
    process: Process,
    peer: Peer,
    what: str,
    serve: Callable[[], _T],
    *,
    seconds: float,
    silence: Callable[[str], Exception],
    away: Callable[[str], Exception] | None = None,
    may_double: bool = True,
    trouble: float = 0.0,
) -> _T:
    """Ask a server and wait for its answer.

    Args:
        process: Who asks.
        peer: The server.
        what: Is asked; for the trace.
        serve: What the server does when the request arrives; may raise.
        seconds: How long to wait.
        silence: Makes the error when no answer comes.
        away: Makes that of a server that cannot be reached at all; the same when left out.
        may_double: Whether the request may arrive twice.
        trouble: How much more often request or answer gets lost.
    """
    chaos, options = peer.chaos, peer.chaos.options
    process.effect(f"asks {peer.name} to {what}")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def deliver(result: _T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def arrive(is_copy: bool) -> None:
        if not peer.up:
            chaos.trace(f"{peer.name} is away: {what} of {process.name}")
            return
        error: Exception | None = None
        result: _T | None = None
        try:
            result = serve()
        except IngeniumError as raised:
            error = raised
        if chaos.roll(options.unanswered + trouble):
            chaos.fault("unanswered", f"{peer.name} {what} of {process.name}")
            if chaos.random.random() < 0.5:
                chaos.later(chaos.delay(), deliver, None, silence(f"{peer.name} fails"))
        elif not is_copy:
            chaos.later(chaos.delay(), deliver, result, error)

    if not peer.up and chaos.random.random() < 0.5:
        # A connection that is known to be broken, at once.
        deliver(None, (away or silence)(f"no connection to {peer.name}"))
    elif chaos.roll(options.lost + trouble / 2):
        chaos.fault("lost", f"{peer.name} {what} of {process.name}")
    else:
        chaos.later(chaos.delay(), arrive, False)
        if may_double and chaos.roll(options.doubled):
            chaos.fault("doubled", f"{peer.name} {what} of {process.name}")
            chaos.later(chaos.delay() + chaos.delay(), arrive, True)
    timer = loop.call_later(
        seconds, deliver, None, silence(f"no answer of {peer.name} within {seconds:g} s")
    )
    try:
        result = await answer
    finally:
        timer.cancel()
    process.effect(f"hears that {peer.name} did {what}")
    return result
