"""Events and results as lines and tables for a person."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from decimal import Decimal
from math import isfinite

from rich.console import Console
from rich.text import Text

from ingenium.bus.contract import Message
from ingenium.bus.envelope import content_type_of, unpack
from ingenium.cli.console import escaped, make_console, print_error, printable
from ingenium.cli.tables import Column, print_lines, print_table
from ingenium.clock import format_time
from ingenium.errors import DecodeError, WireError
from ingenium.events import (
    CancelEvent,
    ContentType,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    encode,
)
from ingenium.lockstep import ReplayResult
from ingenium.lockstep.fill_days import FillDays
from ingenium.subjects import event_type_of

__all__ = [
    "describe_message",
    "escaped",
    "make_console",
    "message_as_json",
    "print_error",
    "print_problems",
    "print_result",
    "print_trades",
    "printable",
    "result_as_json",
]

_MIDNIGHT = time_of_day(0)
_SHOWN_PROBLEMS = 12


def describe_message(message: Message) -> str:
    """Say in one line what a message is, readable or not."""
    kind = event_type_of(message.subject)
    if kind is None:
        own = _own_event(message.payload)
        if own is None:
            return f"?         {printable(message.subject)}  {_preview(message.payload)}"
        text = json.dumps(own, ensure_ascii=False)
        return f"own       {printable(message.subject)}  {printable(text)}"
    try:
        event = unpack(kind, message)
    except WireError as error:
        return (
            f"broken    {printable(message.subject)}  {printable(str(error))}  "
            f"{_preview(message.payload)}"
        )
    return printable(_describe(event))


def _own_event(payload: bytes) -> dict[str, object] | None:
    """Read an event of a user's own type; ``None`` when the payload is no object of JSON."""
    try:
        event = json.loads(payload.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _finite(text: str) -> float:
    number = float(text)
    # It would be written as a word that is not JSON.
    if not isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def _preview(payload: bytes, most: int = 120) -> str:
    text = payload[:most].decode("utf-8", "backslashreplace")
    return printable(text) + (f"... ({len(payload)} bytes)" if len(payload) > most else "")


def _words(*parts: str | None) -> str:
    return "  ".join(part for part in parts if part)


def _time(event: Event) -> str:
    time = event.timestamp
    if not time:
        return "-"
    return time if isinstance(time, str) else format_time(time)


def _describe(event: Event) -> str:
    if isinstance(event, DataEvent):
        bar = event.ohlc
        prices = (
            event.type
            if bar is None
            else f"O {bar.open}  H {bar.high}  L {bar.low}  C {bar.close}  V {bar.volume or '-'}"
        )
        return _words("data     ", _time(event), event.symbol, prices, bar.period if bar else None)
    if isinstance(event, SignalEvent):
        return _words(
            "signal   ",
            _time(event),
            event.symbol,
            event.signal.removeprefix("ingenium.signal."),
            event.strength and f"strength {event.strength}",
        )
    if isinstance(event, OrderEvent):
        return _words(
            "order    ",
            _time(event),
            event.symbol,
            f"{event.side} {event.quantity} {event.type}",
            event.limit_price and f"limit {event.limit_price}",
            event.stop_price and f"stop {event.stop_price}",
            event.time_in_force,
            event.id,
        )
    if isinstance(event, CancelEvent):
        return _words("cancel   ", _time(event), event.symbol, event.order_id)
    if isinstance(event, ReplaceEvent):
        return _words(
            "replace  ",
            _time(event),
            event.symbol,
            event.order_id,
            "by",
            event.quantity,
            event.limit_price and f"limit {event.limit_price}",
            event.stop_price and f"stop {event.stop_price}",
            event.trail_price and f"trail {event.trail_price}",
            event.trail_percent and f"trail {event.trail_percent} %",
            event.time_in_force,
            event.id,
        )
    if isinstance(event, ExecutionEvent):
        return _words(
            "execution",
            _time(event),
            event.symbol or "-",
            event.update or "filled",
            event.side,
            event.quantity,
            event.price and f"at {event.price}",
            event.reason,
            event.order_id,
        )
    if isinstance(event, DenialEvent):
        return _words(
            "denial", _time(event), event.symbol, event.component, event.reason, event.detail
        )
    if isinstance(event, ControlEvent):
        return _words("control", _time(event), event.state, event.sender, event.reason)
    return _describe_dead_letter(event)


def _describe_dead_letter(event: DeadLetterEvent) -> str:
    return _words(
        "deadletter",
        _time(event),
        event.component,
        event.reason,
        f"on {event.original_subject}",
        event.error.strip().rpartition("\n")[2],
    )


def message_as_json(message: Message) -> str:
    """Write a message as one line of JSON, readable or not.

    Returns:
        ``{"subject", "type", "headers", "event"}``, the type ``null`` for one that is
        not ours, or with ``"error"`` and ``"data_base64"`` in place of ``"event"`` when the payload
        is no event.
    """
    kind = event_type_of(message.subject)
    line: dict[str, object] = {
        "subject": message.subject,
        "type": None if kind is None else kind.__name__,
        "headers": dict(message.headers),
    }
    try:
        if kind is not None:
            event = unpack(kind, message)
            # What is JSON already may have keys that the schema does not know.
            is_json = content_type_of(kind, message) is ContentType.JSON
            line["event"] = json.loads(message.payload if is_json else encode(event))
        elif (own := _own_event(message.payload)) is not None:
            line["event"] = own
        else:
            raise DecodeError("event", "", "expected a JSON object")
    except WireError as error:
        line["error"] = str(error)
        line["data_base64"] = base64.b64encode(message.payload).decode()
    return json.dumps(line)


def _money(number: Decimal) -> str:
    return f"{number:,.2f}"


def _coloured(number: Decimal) -> Text:
    style = "green" if number > 0 else "red" if number < 0 else ""
    return Text(_money(number), style=style)


def print_result(console: Console, result: ReplayResult, *, trades: int) -> None:
    """Print the last trades, the account and the digest."""
    account = result.account
    print_trades(console, result, trades)
    print_lines(
        console,
        [
            ("period", _period(result)),
            ("events", _counts(result)),
            ("closed trades", f"{len(result.trades):,}"),
            ("realized P&L", _with(account.realized_pnl, "before commissions")),
            ("unrealized P&L", _coloured(account.unrealized_pnl)),
            ("commissions", _money(account.commissions)),
            ("equity", Text(_money(account.equity), style="bold")),
            ("start equity", _money(account.starting_cash)),
            ("events digest", result.events_digest),
        ],
    )
    print_problems(console, result.problems)
    for reason in result.inexact:
        console.print(f"[yellow]not exact:[/] {escaped(reason)}", highlight=False)
    if result.dead_letters:
        console.print(f"[yellow]{result.dead_letters} payloads could not be read[/]")


def _counts(result: ReplayResult) -> str:
    return (
        f"{result.data:,} bars, {result.signals:,} signals, {result.orders:,} orders, "
        f"{result.executions:,} executions"
    )


def _with(number: Decimal, remark: str) -> Text:
    return _coloured(number).append(f" {remark}", style="dim")


def print_problems(console: Console, problems: Sequence[str]) -> None:
    """Print the first problems of a result, and how many more there are."""
    for problem in problems[:_SHOWN_PROBLEMS]:
        # Not as markup: it may hold brackets.
        console.print(Text.assemble(("problem:", "yellow"), " ", printable(problem)))
    if len(problems) > _SHOWN_PROBLEMS:
        left = len(problems) - _SHOWN_PROBLEMS
        console.print(f"[yellow]problem:[/] and {left} more, with --json", highlight=False)


def _period(result: ReplayResult) -> str:
    if result.first is None or result.last is None:
        return "no data"
    # A bar that ends at midnight is of the day before.
    first, last = (time - timedelta.resolution for time in (result.first, result.last))
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {result.steps:,} steps"


def _moment(time: datetime) -> str:
    """Write a time as short as it can be: daily bars carry no time of day."""
    return f"{time:%Y-%m-%d}" if time.time() == _MIDNIGHT else f"{time:%Y-%m-%d %H:%M}"


def print_trades(console: Console, result: ReplayResult, most: int, zone: tzinfo = UTC) -> None:
    """Print the last trades of a result as a table; nothing when there are none."""
    trades = result.trades
    shown = min(most, len(trades))
    if not shown:
        return
    days = FillDays(result.fills, result.fill_steps)
    columns = [
        Column("symbol"),
        Column("side"),
        Column("entered", rank=2),
        Column("exited", rank=1),
        Column("quantity", right=True),
        Column("entry", right=True, rank=4),
        Column("exit", right=True, rank=3),
        Column("P&L", right=True),
    ]
    rows: list[list[str | Text]] = [
        [
            trade.symbol,
            "long" if trade.side == "buy" else "short",
            _moment(days.session(trade.symbol, trade.entry_time, trade.entry_price, zone)),
            _moment(days.session(trade.symbol, trade.exit_time, trade.exit_price, zone)),
            f"{trade.quantity.normalize():f}",
            _price(trade.entry_price),
            _price(trade.exit_price),
            _coloured(trade.net_pnl),
        ]
        for trade in trades[-shown:]
    ]
    title = f"last {shown} of {len(trades):,} trades, P&L after commissions"
    print_table(console, columns, rows, title=title)
    console.print()


def _price(number: Decimal) -> str:
    """Write a price with two decimals, or with as many as it has."""
    decimals = -int(number.normalize().as_tuple().exponent)
    return f"{number:,.{min(max(decimals, 2), 8)}f}"


def result_as_json(result: ReplayResult) -> dict[str, object]:
    """Return what came out of a replay as JSON values; money is a decimal string."""
    account = result.account
    return {
        "complete": result.complete,
        "steps": result.steps,
        "first": result.first and result.first.isoformat(),
        "last": result.last and result.last.isoformat(),
        "counts": {
            "data": result.data,
            "signals": result.signals,
            "orders": result.orders,
            "executions": result.executions,
            "dead_letters": result.dead_letters,
        },
        "events_digest": result.events_digest,
        "inexact": list(result.inexact),
        "cash": str(account.cash),
        "equity": str(account.equity),
        "realized_pnl": str(account.realized_pnl),
        "unrealized_pnl": str(account.unrealized_pnl),
        "commissions": str(account.commissions),
        "trades": [
            {
                "symbol": trade.symbol,
                "side": "long" if trade.side == "buy" else "short",
                "quantity": str(trade.quantity),
                "entry_time": trade.entry_time.isoformat(),
                "entry_price": str(trade.entry_price),
                "exit_time": trade.exit_time.isoformat(),
                "exit_price": str(trade.exit_price),
                "pnl": str(trade.pnl),
                "net_pnl": str(trade.net_pnl),
                "commission": str(trade.commission),
                "exit_fills": trade.exit_fills,
            }
            for trade in result.trades
        ],
        "rejected_orders": result.rejected_orders,
        "problems": list(result.problems),
    }
