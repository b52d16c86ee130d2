"""What has been said about trading in a stream, and what holds of it."""

from __future__ import annotations

from contextlib import aclosing

from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Stream
from ingenium.errors import DecodeError
from ingenium.events import ControlEvent, TradingState
from ingenium.risk import TradingSwitch
from ingenium.subjects.names import TRADING

__all__ = ["switch_of"]


async def switch_of(stream: Stream) -> TradingSwitch:
    """Return the switch of who has heard all that was said, in the order of the stream.

    The last word alone does not tell: a component's word only ever makes an operator's stricter.

    Raises:
        BusTimeoutError: The server does not answer.
        StreamError: Words are gone.
    """
    switch = TradingSwitch()
    last = await stream.last(TRADING)
    if last is None:
        return switch
    async with aclosing(stream.read([TRADING], 0)) as records:
        async for record in records:
            try:
                event = unpack(ControlEvent, record.message)
            except DecodeError as error:
                event = ControlEvent(
                    state=TradingState.HALTED.value, reason=f"a word cannot be read: {error}"
                )
            switch.apply(event)
            if record.sequence >= last.sequence:
                return switch
    return switch
