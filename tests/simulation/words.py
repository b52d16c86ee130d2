"""What the words about trading in a stream come to."""

from __future__ import annotations

from collections.abc import Iterable

from ingenium.bus.stream import Record
from ingenium.events import ControlEvent, TradingState, decode
from ingenium.risk.switch import is_operator
from ingenium.subjects import TRADING

__all__ = ["said"]


def said(records: Iterable[Record]) -> TradingState:
    """Return the state of trading that some messages say.

    A word that comes twice was said when it came first.
    """
    halted = False
    heard: set[str] = set()
    for record in records:
        if record.message.subject == TRADING:
            event = decode(ControlEvent, record.message.payload)
            if event.id:
                if event.id in heard:
                    continue
                heard.add(event.id)
            if event.state == TradingState.HALTED:
                halted = True
            elif event.state == TradingState.ACTIVE and is_operator(event.sender):
                halted = False
    return TradingState.HALTED if halted else TradingState.ACTIVE
