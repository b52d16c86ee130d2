"""The control events of a stream, and the trading switch that results from them."""

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
    """Return the trading switch after all control events, in the order of the stream.

    The last event alone is not enough: a component's event only ever tightens an operator's.

    Raises:
        BusTimeoutError: The server does not answer.
        StreamError: Control events are gone.
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
                    state=TradingState.HALTED.value,
                    reason=f"a control event cannot be read: {error}",
                )
            switch.apply(event)
            if record.sequence >= last.sequence:
                return switch
    return switch
