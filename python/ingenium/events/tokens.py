"""Tokens of events: constants for the open strings of the schema.

The fields are plain strings on the wire and in the dataclasses, since other components may send
tokens unknown to this version. Each class below is a ``StrEnum``: its members *are* the wire's
strings, so ``event.signal == Signal.LONG`` and ``SignalEvent(signal=Signal.LONG)`` both work, and
an unknown token is kept unchanged.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "DataType",
    "DeadLetterReason",
    "DenialReason",
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
    """Values of ``SignalEvent.signal``."""

    LONG = "ingenium.signal.long"
    SHORT = "ingenium.signal.short"
    FLAT = "ingenium.signal.flat"


class Side(StrEnum):
    """Directions of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The opposite direction."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Kinds of orders; the tokens beyond market and limit are Alpaca's."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order works; the tokens beyond day and gtc are Alpaca's."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"


class TradeUpdate(StrEnum):
    """Kind of report on an order."""

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
    """State of the trading switch."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Only orders that reduce positions."""
    HALTED = "halted"
    """No orders, and working orders are canceled."""


class DenialReason(StrEnum):
    """Risk limit that stopped an order, or kept a signal from becoming one."""

    LATE = "late"
    HALTED = "halted"
    REDUCING = "reducing"
    SYMBOL_HALTED = "symbol_halted"
    MAX_ORDERS_PER_SECOND = "max_orders_per_second"
    SYMBOL_NOT_ALLOWED = "symbol_not_allowed"
    MARKET_CLOSED = "market_closed"
    NO_PRICE = "no_price"
    STALE_DATA = "stale_data"
    MAX_ORDER_QUANTITY = "max_order_quantity"
    MAX_ORDER_NOTIONAL = "max_order_notional"
    PRICE_COLLAR = "price_collar"
    MAX_SYMBOL_NOTIONAL = "max_symbol_notional"
    MAX_GROSS_NOTIONAL = "max_gross_notional"
    MAX_OPEN_ORDERS = "max_open_orders"
    MAX_DAILY_LOSS = "max_daily_loss"
    DUPLICATE = "duplicate"
