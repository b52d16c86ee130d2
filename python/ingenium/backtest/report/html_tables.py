"""The tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from datetime import time as time_of_day
from decimal import Decimal
from html import escape

from ingenium.backtest.formatting import figures, session
from ingenium.backtest.manifest import Manifest
from ingenium.backtest.report.reported_run import ReportedRun
from ingenium.events import Side
from ingenium.runtime.replay import DeniedOrders, ReplayResult
from ingenium.trading import Position, Trade

__all__ = [
    "denial_table",
    "figure_table",
    "manifest_table",
    "plain_table",
    "position_table",
    "trade_table",
]

_MIDNIGHT = time_of_day(0)
SHOWN_TRADES = 25
_NOTES = 50


def figure_table(result: ReportedRun, stressed: ReportedRun | None) -> str:
    """Return all figures, next to those of the stressed run."""
    zone = result.equity.zone
    rows = figures(result.stats, zone)
    if stressed is None:
        return plain_table(("", "this run"), ((name, (text,)) for name, text in rows))
    others = [text for _, text in figures(stressed.stats, zone)]
    return plain_table(
        ("", "this run", "harsher"),
        ((name, (text, other)) for (name, text), other in zip(rows, others, strict=True)),
    )


def manifest_table(manifest: Manifest, replay: ReplayResult, zone: tzinfo) -> str:
    """Return the inputs of the run, and its number of events."""
    rows: list[tuple[str, tuple[str, ...]]] = [
        ("app", (manifest.app,)),
        ("digest of its file", (manifest.app_digest or "-",)),
    ]
    rows += [(role, (f"{name}: {cls}",)) for role, name, cls in manifest.components]
    rows += [(f"program {f.name}", (f"{f.sha256}, {f.size:,} bytes",)) for f in manifest.programs]
    rows += [(f"data {f.name}", (f"{f.sha256}, {f.size:,} bytes",)) for f in manifest.data]
    rows += [
        (f"{note.kind} in {note.source}", (f"{note.count:,}: {note.text}",))
        for note in manifest.notes[:_NOTES]
    ]
    if len(manifest.notes) > _NOTES:
        rows.append(("more notes", (f"{len(manifest.notes) - _NOTES:,}, in to_json()",)))
    rows += [
        ("from", (moment(manifest.start, zone) if manifest.start else "the first bar",)),
        ("to", (session(manifest.end, zone) if manifest.end else "the last bar",)),
        *(
            (("figures from", (moment(manifest.figures_from, zone),)),)
            if manifest.figures_from
            else ()
        ),
        ("zone of days and months", (manifest.timezone,)),
        ("policy of fills", (manifest.policy or "-",)),
        ("fees", (manifest.fees or "-",)),
        ("slippage", (manifest.slippage or "-",)),
        ("events", (_counts(replay),)),
        ("versions", (f"ingenium {manifest.ingenium}, Python {manifest.python}",)),
        ("digest of all events", (replay.events_digest or "-",)),
    ]
    return plain_table(None, rows, name="manifest")


def _counts(replay: ReplayResult) -> str:
    return (
        f"{replay.data:,} data, {replay.signals:,} signals, {replay.orders:,} orders, "
        f"{replay.executions:,} executions"
    )


def trade_table(trades: Sequence[Trade], zone: tzinfo) -> str:
    """Return the last trades, newest first; the script can sort and show all of them."""
    names = ("symbol", "side", "entered", "exited", "quantity", "entry", "exit", "net P&L", "fees")
    head = "".join(
        f'<th scope="col"><button type="button" data-column="{place}">{escape(name)}</button></th>'
        for place, name in enumerate(names)
    )
    rows = "".join(_trade_row(trade, zone) for trade in reversed(trades[-SHOWN_TRADES:]))
    return (
        f'<div class="wide"><table id="trades"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _trade_row(trade: Trade, zone: tzinfo) -> str:
    texts = (
        trade.symbol,
        "long" if trade.side is Side.BUY else "short",
        moment(trade.entry_time, zone),
        moment(trade.exit_time, zone),
        number(trade.quantity),
        number(trade.entry_price),
        number(trade.exit_price),
        f"{trade.net_pnl:,.2f}",
        f"{trade.commission:,.2f}",
    )
    sign = "won" if trade.net_pnl > 0 else "lost"
    cells = "".join(
        f'<td class="{sign}">{escape(text)}</td>' if place == 7 else f"<td>{escape(text)}</td>"
        for place, text in enumerate(texts)
    )
    return f"<tr>{cells}</tr>"


def position_table(positions: Iterable[Position]) -> str:
    """Return the positions open at the end; empty when there are none."""
    rows = [
        (
            position.symbol,
            (
                number(position.quantity),
                number(position.average_price),
                "-" if position.last_price is None else number(position.last_price),
                f"{position.unrealized_pnl:,.2f}",
            ),
        )
        for position in positions
    ]
    heads = ("symbol", "quantity", "average price", "last price", "unrealized P&L")
    return plain_table(heads, rows) if rows else ""


def denial_table(denials: Iterable[DeniedOrders], zone: tzinfo) -> str:
    """Return the orders that risk limits stopped, by limit."""
    rows = [
        (
            each.reason,
            (
                f"{each.count:,}",
                "-" if each.time is None else moment(each.time, zone),
                each.symbol,
                each.detail,
            ),
        )
        for each in denials
    ]
    return plain_table(("limit", "orders denied", "first", "symbol", "what was compared"), rows)


def plain_table(
    heads: Sequence[str] | None,
    rows: Iterable[tuple[str, Sequence[str]]],
    *,
    name: str = "figures",
) -> str:
    """Return a table whose rows have a heading of their own.

    Args:
        heads: Headings of the columns, that of the rows' headings included.
        rows: Heading and cells of each row.
        name: Class of the table in the style sheet.
    """
    head = ""
    if heads is not None:
        cells = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
        head = f"<thead><tr>{cells}</tr></thead>"
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in texts)
        + "</tr>"
        for first, texts in rows
    )
    return f'<div class="wide"><table class="{name}">{head}<tbody>{body}</tbody></table></div>'


def moment(time: datetime, zone: tzinfo) -> str:
    """Format a time in a zone as short as possible: daily bars show no time of day."""
    time = time.astimezone(zone)
    return f"{time:%Y-%m-%d}" if time.time() == _MIDNIGHT else f"{time:%Y-%m-%d %H:%M}"


def number(value: Decimal) -> str:
    """Format a quantity or price with up to 8 decimals."""
    text = f"{value:,.8f}"
    return text.rstrip("0").rstrip(".")
