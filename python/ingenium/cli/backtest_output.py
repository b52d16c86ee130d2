"""Text output of results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from ingenium.cli.console import escaped, make_console, print_error, printable
from ingenium.cli.rich_tables import Column, print_lines, print_table
from ingenium.runtime.replay import ReplayResult
from ingenium.runtime.replay.fill_days import FillDays

__all__ = [
    "escaped",
    "make_console",
    "print_error",
    "print_problems",
    "print_result",
    "print_trades",
    "printable",
    "result_as_json",
]

_MIDNIGHT = time_of_day(0)
_SHOWN_PROBLEMS = 12


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
    """Print the first problems of a result, and the number of the others."""
    for problem in problems[:_SHOWN_PROBLEMS]:
        # Not as markup: the text may contain brackets.
        console.print(Text.assemble(("problem:", "yellow"), " ", printable(problem)))
    if len(problems) > _SHOWN_PROBLEMS:
        left = len(problems) - _SHOWN_PROBLEMS
        console.print(f"[yellow]problem:[/] and {left} more, with --json", highlight=False)


def _period(result: ReplayResult) -> str:
    if result.first is None or result.last is None:
        return "no data"
    # A bar that ends at midnight belongs to the previous day.
    first, last = (time - timedelta.resolution for time in (result.first, result.last))
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {result.steps:,} steps"


def _moment(time: datetime) -> str:
    """Format a time without its time of day when that is midnight, as for daily bars."""
    return f"{time:%Y-%m-%d}" if time.time() == _MIDNIGHT else f"{time:%Y-%m-%d %H:%M}"


def print_trades(console: Console, result: ReplayResult, most: int, zone: tzinfo = UTC) -> None:
    """Print the last trades of a result as a table; print nothing without trades."""
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
    """Format a price with two decimals, or with more when the price has more."""
    decimals = -int(number.normalize().as_tuple().exponent)
    return f"{number:,.{min(max(decimals, 2), 8)}f}"


def result_as_json(result: ReplayResult) -> dict[str, object]:
    """Return the result of a replay as JSON values; money is a decimal string."""
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
        "denials": [each.to_json() for each in result.denials],
        "problems": list(result.problems),
    }
