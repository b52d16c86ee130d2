"""Text output of account, positions, orders, fills and denials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from rich.console import Console

from ingenium.cli.console import printable
from ingenium.cli.rich_tables import Column, print_lines, print_table
from ingenium.clock import format_second
from ingenium.trading.tally import counted

if TYPE_CHECKING:
    from ingenium.operations.account_money import AppMoney
    from ingenium.operations.today import DenialView, FillView, Today

__all__ = ["denial_line", "fill_line", "print_money"]

_UNKNOWN = "unknown"
_SHOWN = 10
_AVERAGE_PLACES = Decimal("1e-8")

_POSITION = (
    Column("symbol"),
    Column("quantity", right=True),
    Column("average cost", right=True, rank=3),
    Column("last price", right=True, rank=2),
    Column("seen at", rank=4),
    Column("unrealized P&L", right=True),
    Column("realized P&L", right=True, rank=1),
)
_WORKING = (
    Column("symbol"),
    Column("side"),
    Column("quantity", right=True),
    Column("filled", right=True),
    Column("type", rank=1),
    Column("price", right=True),
    Column("state", rank=2),
    Column("order", rank=3),
)
_FILL = (
    Column("time", rank=1),
    Column("symbol"),
    Column("side"),
    Column("quantity", right=True),
    Column("price", right=True),
    Column("commission", right=True, rank=2),
    Column("order", rank=3),
)
_DENIAL = (
    Column("time", rank=2),
    Column("symbol"),
    Column("side"),
    Column("quantity", right=True),
    Column("reason"),
    Column("by", rank=1),
    Column("detail", rank=3, folds=24),
)


def print_money(console: Console, money: AppMoney) -> None:
    """Print account, positions, working orders, and the day's fills and denials."""

    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    say("")
    if not money.source:
        say(f"account is unknown: {money.why}")
    else:
        say(f"account, {_source(money)}")
        print_lines(
            console,
            [
                (name, amount(text))
                for name, text in (
                    ("equity", money.equity),
                    ("cash", money.cash),
                    ("unrealized P&L", money.unrealized_pnl),
                    ("realized P&L", money.realized_pnl),
                    ("commissions", money.commissions),
                )
            ],
        )
        _print_positions(console, money, say)
    if not money.working_source:
        say("working orders are unknown: neither executor nor portfolio reports them")
    elif not money.working_count:
        say(f"no orders work, by the {money.working_source}")
    else:
        _print_orders(console, money)
    _print_today(console, money.today, say)


def fill_line(fill: FillView) -> str:
    """Format a fill as one line."""
    price = f" at {fill.price}" if fill.price else ", no price stated"
    fee = f", commission {fill.commission}" if fill.commission.strip("0.") else ""
    what = " ".join(filter(None, (fill.side, fill.quantity, fill.symbol or "of order")))
    return printable(f"{_time(fill.time)}  FILL    {what}{price}{fee}  {fill.order_id}")


def denial_line(denial: DenialView) -> str:
    """Format a denied order and its reason as one line."""
    what = " ".join(filter(None, (denial.side, denial.quantity, denial.symbol)))
    return printable(
        f"{_time(denial.time)}  DENIED  {what}: {denial.reason} ({denial.component}): "
        f"{denial.detail}"
    )


def amount(text: str | None) -> str:
    """Format an exact decimal with all its digits: ``1,234.50``."""
    if text is None:
        return _UNKNOWN
    try:
        number = Decimal(text)
        shown = f"{number:,f}"
    except (InvalidOperation, ValueError):
        return text
    whole, _, part = shown.partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


def quantity(text: str) -> str:
    """Format a number of shares or units: ``1,000`` or ``0.5``."""
    return amount(text).removesuffix(".00")


def _source(money: AppMoney) -> str:
    if money.source == "portfolio":
        return "as its portfolio says now"
    if money.source == "portfolio at its end":
        return "as its portfolio said when it stopped"
    if money.source == "state file":
        return "as the portfolio's state file on this machine has it"
    return f"as its portfolio said {money.age_seconds or 0:.0f} s ago"


def _print_positions(console: Console, money: AppMoney, say: Callable[[str], None]) -> None:
    if not money.positions:
        say("no positions")
        return
    rows = [
        (
            each.symbol,
            quantity(each.quantity),
            "" if each.average_cost is None else _average(each.average_cost),
            amount(each.last_price),
            _time(each.last_price_time),
            amount(each.unrealized_pnl),
            amount(each.realized_pnl),
        )
        for each in money.positions
    ]
    count = money.open_positions or 0
    title = "1 open position" if count == 1 else f"{count:,} open positions"
    console.print()
    print_table(console, _POSITION, rows, title=title)
    shown = sum(each.average_cost is not None for each in money.positions)
    if shown < count:
        say(f"{count - shown:,} more are open: the totals above include them")
    console.print()


def _print_orders(console: Console, money: AppMoney) -> None:
    count = money.working_count or 0
    rows = []
    for each in money.working_orders:
        limit = "" if each.limit_price is None else amount(each.limit_price)
        stop = "" if each.stop_price is None else f"stop {amount(each.stop_price)}"
        rows.append(
            (
                each.symbol,
                each.side,
                quantity(each.quantity),
                quantity(each.filled),
                each.type,
                " ".join(filter(None, (limit, stop))),
                each.state or "working",
                each.order_id,
            )
        )
    listed = "" if len(rows) == count else f", the first {len(rows)}"
    title = f"{count:,} working order{'s' * (count != 1)}, by the {money.working_source}{listed}"
    print_table(console, _WORKING, rows, title=title)
    console.print()


def _print_today(console: Console, today: Today | None, say: Callable[[str], None]) -> None:
    if today is None:
        say("today's fills and denials are unknown: no server keeps the stream of orders")
        return
    least = "" if today.complete else "at least "
    say(
        f"today, {today.day} UTC: {least}{counted(today.fill_count, 'fill')}, "
        f"{counted(today.denial_count, 'denial')}"
    )
    if today.fills:
        rows = [
            (
                _time(each.time),
                each.symbol or "?",
                each.side or "?",
                quantity(each.quantity),
                amount(each.price) if each.price else _UNKNOWN,
                amount(each.commission or "0"),
                each.order_id,
            )
            for each in today.fills[-_SHOWN:]
        ]
        print_table(console, _FILL, rows, title=_last(rows, today.fill_count, "fill"))
    if today.denials:
        rows = [
            (
                _time(each.time),
                each.symbol,
                each.side,
                quantity(each.quantity) if each.quantity else "",
                each.reason,
                each.component,
                each.detail,
            )
            for each in today.denials[-_SHOWN:]
        ]
        print_table(console, _DENIAL, rows, title=_last(rows, today.denial_count, "denial"))


def _last(rows: Sequence[object], count: int, what: str) -> str:
    return f"last {len(rows)} of {counted(count, what)}"


def _average(text: str) -> str:
    """Round an average cost, which may not terminate, to eight decimals; JSON has all digits."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        number = number.quantize(_AVERAGE_PLACES)
    return amount(format(number, "f"))


def _time(time: datetime | None) -> str:
    return "" if time is None else format_second(time)
