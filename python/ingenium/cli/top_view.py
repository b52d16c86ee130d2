"""An app as text, for ``ingenium top``."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from ingenium.cli.backtest_output import printable
from ingenium.cli.money import denial_line, fill_line
from ingenium.cli.rich_tables import Column, print_table
from ingenium.clock import SystemClock, format_second

if TYPE_CHECKING:
    from datetime import datetime

    from ingenium.operations.component_services import RunningComponent
    from ingenium.operations.live_rates import AppView, ComponentRates

__all__ = ["print_view", "text_of_view"]

_SHOWN = 10
_COMPONENTS = (
    Column("component"),
    Column("role", rank=4),
    Column("language", rank=6),
    Column("state"),
    Column("trading", rank=1),
    Column("handled", right=True, rank=2),
    Column("handled/s", right=True),
    Column("sent/s", right=True),
    Column("failed", right=True),
    Column("lag", right=True),
    Column("last event", rank=3),
    Column("at", rank=5),
)
_POSITIONS = (
    Column("symbol"),
    Column("quantity", right=True),
    Column("last price", right=True, rank=1),
    Column("realized P&L", right=True, rank=1),
)


def text_of_view(view: AppView, width: int) -> str:
    """Return a view as text, for the lines of a screen."""
    console = Console(file=StringIO(), width=max(40, width), color_system=None)
    print_view(console, view)
    file = console.file
    assert isinstance(file, StringIO)  # noqa: S101 - made above
    return file.getvalue()


def print_view(console: Console, view: AppView) -> None:
    """Print an app: trading, account, components, positions, and the last fills and denials."""

    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    status, money = view.status, view.status.money
    say(f"{status.app}: {status.trading}, {format_second(SystemClock().now())}")
    if view.error:
        say(f"  {view.error}")
    facts = (("equity", money.equity), ("cash", money.cash), ("realized P&L", money.realized_pnl))
    say("  ".join(f"{name} {value}" for name, value in facts if value is not None))
    cells = [_cells(row, view.rates[row.instance]) for row in view.components]
    print_table(console, _COMPONENTS, cells, has_json=False)
    for row in view.components:
        for text in filter(None, (row.problem, row.last_error)):
            say(f"  {row.name}: {text}")
    if held := [each for each in money.positions if each.quantity != "0"][:_SHOWN]:
        rows = [
            (each.symbol, each.quantity, each.last_price or "", each.realized_pnl) for each in held
        ]
        title = f"positions, {money.open_positions} open"
        print_table(console, _POSITIONS, rows, title=title, has_json=False)
    if money.today is not None and (last := money.today.fills[-_SHOWN:]):
        say("last fills")
        for fill in last:
            say(f"  {fill_line(fill)}")
    if money.today is not None and (denied := money.today.denials[-_SHOWN:]):
        say("last denials")
        for denial in denied:
            say(f"  {denial_line(denial)}")


def _cells(row: RunningComponent, rates: ComponentRates) -> list[str]:
    return [
        row.name,
        row.role,
        row.language,
        "paused" if row.paused else row.state,
        row.trading,
        f"{row.handled:,}",
        _rate(rates.handled),
        _rate(rates.sent),
        f"{row.failed:,}",
        "" if row.lag_seconds is None else f"{row.lag_seconds:.1f} s",
        row.last_event,
        "" if row.last_time is None else _day_or_time(row.last_time),
    ]


def _day_or_time(time: datetime) -> str:
    """Return the time of a moment of today, in UTC, and the day of an earlier one."""
    text, now = format_second(time), format_second(SystemClock().now())
    day, _, clock = text.partition("T")
    return clock if now.startswith(day) else day


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"
