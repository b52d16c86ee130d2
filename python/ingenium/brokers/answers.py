"""The answers of a broker's adapter, validated in one place before anything else sees them.

An adapter translates a venue's JSON, and may return anything: a float, a naive time, a dict. Code
behind this module need not expect that.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from ingenium.brokers.broker import Broker, BrokerFill, BrokerOrder
from ingenium.errors import (
    BrokerTimeoutError,
    ConfigError,
    DecodeError,
    EncodeError,
    SubjectError,
)
from ingenium.events import Side, TradeUpdate
from ingenium.ids import make_id
from ingenium.subjects.names import check_symbol
from ingenium.trading import Order
from ingenium.trading.numbers import WHOLE_DIGITS, as_written

__all__ = [
    "BadAnswerError",
    "BadFill",
    "CheckedBroker",
    "FillList",
    "OrderList",
    "PositionList",
    "check_adapter",
    "fill_fault",
    "order_fault",
]

_LONGEST_ID = 200
_LONGEST_REASON = 1000
_LONGEST_SHOWN = 300
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
# More digits than this before or after the point are no number of a market, and writing them out
# would take memory without end.
_SMALLEST_EXPONENT = -40
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class BadAnswerError(BrokerTimeoutError):
    """An adapter broke the `Broker` contract with its return value, or could not read an answer.

    The outcome of the call is unknown, and a retry is unlikely to help.
    """


class BadFill(msgspec.Struct, frozen=True):
    """A fill that cannot be booked, since it breaks the contract.

    Attributes:
        key: Identifies it; the same whenever it is returned.
        order_id: The client id that it names; empty when unreadable.
        symbol: The instrument that it names; empty when unreadable.
        text: Its fault.
    """

    key: str
    order_id: str
    symbol: str
    text: str


class FillList(msgspec.Struct):
    """The result of `Broker.fills`: the fills in order, and the invalid ones."""

    fills: list[BrokerFill]
    bad: list[BadFill]


class OrderList(msgspec.Struct):
    """The result of `Broker.open_orders`, and the faults of invalid orders, by client id."""

    orders: list[BrokerOrder]
    bad: dict[str, str]


class PositionList(msgspec.Struct):
    """The result of `Broker.positions`, and the faults of invalid positions, by symbol."""

    held: dict[str, Decimal]
    bad: dict[str, str]


class CheckedBroker:
    """A broker whose answers are checked against its contract.

    The methods are those of `Broker`; each raises `BadAnswerError` when its whole answer is not
    usable.

    Args:
        broker: The adapter.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def idempotent(self) -> bool:
        """Whether the broker accepts a client id only once."""
        return self._broker.idempotent

    @property
    def lists_positions(self) -> bool:
        """Whether the broker can list the account's positions."""
        return self._broker.lists_positions

    async def submit(self, order: Order) -> BrokerOrder:
        """Place an order."""
        return _checked_order(await self._broker.submit(order), "submit")

    async def cancel(self, client_order_id: str) -> None:
        """Ask to cancel an order."""
        await self._broker.cancel(client_order_id)

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Replace a working order."""
        return _checked_order(await self._broker.replace(client_order_id, order), "replace")

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order of a client id, ``None`` when there is none."""
        answer: object = await self._broker.find(client_order_id)
        if answer is None:
            return None
        found = _checked_order(answer, "find")
        if found.client_order_id != client_order_id:
            raise BadAnswerError(
                f"the adapter's find({client_order_id!r}) returned order {found.client_order_id!r}"
            )
        return found

    async def open_orders(self) -> OrderList:
        """Return the orders that may still be filled."""
        result = OrderList([], {})
        for order in _checked_list(await self._broker.open_orders(), "open_orders", "BrokerOrder"):
            fault = order_fault(order)
            if fault:
                # Orders of other clients are left alone, so their faults may share the empty id.
                result.bad[_id_of(order, "client_order_id")] = (
                    f"open_orders returned an order: {fault}"
                )
            else:
                result.orders.append(order)
        return result

    async def fills(self, after: str) -> FillList:
        """Return the fills after a given one."""
        result = FillList([], [])
        for fill in _checked_list(await self._broker.fills(after), "fills", "BrokerFill"):
            fault = fill_fault(fill)
            if fault:
                result.bad.append(_bad_fill(fill, fault))
            else:
                result.fills.append(fill)
        return result

    async def positions(self) -> PositionList:
        """Return the account's positions."""
        answer: object = await self._broker.positions()
        if not isinstance(answer, Mapping):
            raise BadAnswerError(
                f"the adapter's positions() returned {shown(answer)}: expected a mapping of "
                "symbols to Decimals; set lists_positions = False if the broker has no such list"
            )
        result = PositionList({}, {})
        for symbol, quantity in answer.items():
            fault = _symbol_fault(symbol) or _number_fault("the quantity", quantity)
            if fault:
                name = symbol if isinstance(symbol, str) else shown(symbol)
                result.bad[name.encode("ascii", "backslashreplace").decode()] = fault
            else:
                result.held[symbol] = quantity
        return result

    async def updates(self) -> AsyncGenerator[BrokerOrder | str, None]:
        """Yield orders as they change, and a text for each invalid one."""
        stream: object = self._broker.updates()
        if not isinstance(stream, AsyncIterator):
            if inspect.iscoroutine(stream):
                stream.close()
            raise BadAnswerError(
                f"the adapter's updates() returned {shown(stream)}: expected an async iterator, "
                "such as a method with 'async def' and 'yield'"
            )
        try:
            async for told in stream:
                fault = order_fault(told)
                yield f"updates yielded an order: {fault}" if fault else told
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()


def check_adapter(broker: Broker) -> None:
    """Refuse an adapter whose attributes are not usable.

    Raises:
        ConfigError: The text names the attribute and its value.
    """
    if fault := _text_fault("account", broker.account):
        raise ConfigError(f"the broker's {fault}: set it to the name or number of the account")
    for name in ("idempotent", "lists_positions"):
        value: object = getattr(broker, name, None)
        # A text like "no" would count as true, and send an order twice.
        if not isinstance(value, bool):
            raise ConfigError(f"the broker's {name} is {shown(value)}: set it to True or False")


def fill_fault(fill: object) -> str:
    """Return the fault of a supposed `BrokerFill`; empty for none."""
    if not isinstance(fill, BrokerFill):
        return f"it is {shown(fill)}, not a BrokerFill"
    return (
        _text_fault("id", fill.id)
        or _text_fault("client_order_id", fill.client_order_id, may_be_empty=True)
        or _symbol_fault(fill.symbol)
        or _member_fault("side", fill.side, Side)
        or _number_fault("quantity", fill.quantity)
        or _number_fault("price", fill.price)
        or _number_fault("commission", fill.commission)
        or _time_fault("time", fill.time)
    )


def order_fault(order: object) -> str:
    """Return the fault of a supposed `BrokerOrder`; empty for none."""
    if not isinstance(order, BrokerOrder):
        return f"it is {shown(order)}, not a BrokerOrder"
    fault = (
        _text_fault("client_order_id", order.client_order_id, may_be_empty=True)
        or _text_fault("venue_order_id", order.venue_order_id, may_be_empty=True)
        or _symbol_fault(order.symbol)
        or _member_fault("side", order.side, Side)
        or _member_fault("update", order.update, TradeUpdate)
        or _number_fault("quantity", order.quantity)
        or _number_fault("filled", order.filled)
    )
    if fault:
        return fault
    if order.filled < 0:
        return f"filled is {order.filled}: expected 0 or more"
    reason: object = order.reason
    if not isinstance(reason, str) or len(reason) > _LONGEST_REASON or not _is_text(reason):
        return f"reason is {shown(reason)}: expected a text of at most {_LONGEST_REASON} letters"
    return ""


def shown(value: object) -> str:
    """Return a value as a short text that is the same in each run."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a broken object must be named all the same
        text = f"a {type(value).__name__} that cannot be printed ({type(error).__name__})"
    text = _ADDRESS.sub("", text).encode("ascii", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _checked_order(answer: object, method: str) -> BrokerOrder:
    if fault := order_fault(answer):
        raise BadAnswerError(f"the adapter's {method}() returned an order: {fault}")
    assert isinstance(answer, BrokerOrder)  # noqa: S101 - for the type checker
    return answer


def _checked_list(answer: object, method: str, kind: str) -> Sequence[Any]:
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes | bytearray):
        return answer
    raise BadAnswerError(
        f"the adapter's {method}() returned {shown(answer)}: expected a list of {kind}"
    )


def _bad_fill(fill: object, fault: str) -> BadFill:
    text = f"fill {shown(getattr(fill, 'id', ''))} cannot be booked: {fault}"
    symbol = getattr(fill, "symbol", "")
    return BadFill(
        key=make_id("fill", shown(fill), fault),
        order_id=_id_of(fill, "client_order_id"),
        symbol="" if _symbol_fault(symbol) else symbol,
        text=text,
    )


def _id_of(value: object, name: str) -> str:
    found = getattr(value, name, "")
    return "" if _text_fault(name, found, may_be_empty=True) else str(found)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _text_fault(name: str, value: object, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        return f"{name} is {shown(value)}: expected a string"
    if not value:
        return "" if may_be_empty else f"{name} is empty"
    # Neither surrogates nor control characters are printable.
    if len(value) > _LONGEST_ID or not value.isprintable():
        return f"{name} is {shown(value)}: expected at most {_LONGEST_ID} printable letters"
    return ""


def _symbol_fault(value: object) -> str:
    if not isinstance(value, str):
        return f"symbol is {shown(value)}: expected a string"
    try:
        check_symbol(value)
    except SubjectError as error:
        return str(error)
    return ""


def _member_fault(name: str, value: object, kind: type[Side | TradeUpdate]) -> str:
    # A plain string compares equal to a member, and fails later where a member is needed.
    if isinstance(value, kind):
        return ""
    return f"{name} is {shown(value)}: expected a member of {kind.__name__}"


def _number_fault(name: str, value: object) -> str:
    if not isinstance(value, Decimal):
        return f"{name} is {shown(value)}: expected a Decimal"
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return f"{name} is {value}: expected a finite number"
    if value.adjusted() >= WHOLE_DIGITS or exponent < _SMALLEST_EXPONENT:
        return f"{name} is {shown(value)}: expected a number below 10^15 with at most 28 decimals"
    try:
        as_written(value)
    except (DecodeError, EncodeError):
        return f"{name} is {shown(value)}: expected a number below 10^15 with at most 28 decimals"
    return ""


def _time_fault(name: str, value: object) -> str:
    if not isinstance(value, datetime):
        return f"{name} is {shown(value)}: expected a datetime"
    if value.utcoffset() is None:
        return f"{name} is {shown(value)}, without a time zone: expected one in UTC"
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        return f"{name} is {shown(value)}: expected a year from {_FIRST_YEAR} to {_LAST_YEAR}"
    value.astimezone(UTC)
    return ""
