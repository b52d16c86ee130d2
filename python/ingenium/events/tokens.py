"""The words that events hold: constants for the open strings of the schema.

The fields are plain strings on the wire and in the dataclasses, since other components may send
words that this version does not know. Each class below is a ``StrEnum``: its members *are* the
wire's strings, so ``event.signal == Signal.LONG`` and ``SignalEvent(signal=Signal.LONG)`` both
work, and an unknown word stays what it is.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "DataType",
    "DeadLetterReason",
    "OrderType",
    "Side",
    "Signal",
    "TimeInForce",
    "TradeUpdate",
    "TradingState",
]


class DataType(StrEnum):
    """Kinds of ``DataEvent``."""

    OHLC = "data.type.ohlc"


class Signal(StrEnum):
    """Opinions of a ``SignalEvent``."""

    LONG = "ingenium.signal.long"
    SHORT = "ingenium.signal.short"
    FLAT = "ingenium.signal.flat"


class Side(StrEnum):
    """Directions of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The other direction."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Kinds of orders; the words beyond market and limit are Alpaca's."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order works; the words beyond day and gtc are Alpaca's."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"


class TradeUpdate(StrEnum):
    """What an execution reports of its order."""

    NEW = "new"
    ACCEPTED = "accepted"
    PARTIAL_FILL = "partial_fill"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REPLACED = "replaced"
    HELD = "held"


class DeadLetterReason(StrEnum):
    """Why a payload was refused."""

    UNDECODABLE = "undecodable"
    WRONG_SUBJECT = "wrong_subject"
    HANDLER_ERROR = "handler_error"


class TradingState(StrEnum):
    """Whether there is to be trading."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Only orders that make positions smaller."""
    HALTED = "halted"
    """No orders, and the working ones are canceled."""
