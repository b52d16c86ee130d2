"""A comparison as texts, for a terminal and for the report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ingenium.backtest.report import ReportSection
from ingenium.recorder.parity import ItemKind, TradingItem
from ingenium.recorder.parity_causes import Divergence
from ingenium.recorder.parity_result import Parity
from ingenium.recorder.record_table import time_text

__all__ = [
    "CAUSE_HEADS",
    "COUNT_HEADS",
    "DIVERGENCE_HEADS",
    "cause_rows",
    "count_rows",
    "divergence_rows",
    "parity_lines",
    "parity_section",
]

CAUSE_HEADS = ("cause", "divergences", "following from them")
COUNT_HEADS = ("", "live", "backtest", "equal", "parity")
DIVERGENCE_HEADS = ("time", "what", "symbol", "live", "backtest", "cause", "why")
_IN_REPORT = 200


def share_text(share: float) -> str:
    """Format a share; only what is equal in full is 1.0000."""
    return f"{int(share * 10_000) / 10_000:.4f}"


def parity_lines(found: Parity) -> list[tuple[str, str]]:
    """Return the first divergence and the main figures."""
    lines = []
    if found.first is not None:
        first = found.first
        item = first.pair.either
        lines += [
            ("they part", f"at {time_text(first.pair.time)} with a {item.kind} of {item.symbol}"),
            ("cause", f"{first.cause}: {first.text}"),
            ("live", item_text(first.pair.live)),
            ("backtest", item_text(first.pair.backtest)),
        ]
    lines.append(("parity", share_text(found.share)))
    if found.basis_points is not None:
        word = "worse" if found.slippage > 0 else "better"
        cost = f"{abs(found.slippage):,.2f} ({abs(found.basis_points):.2f} bp) {word}"
        lines.append(("price of fills", f"live {cost} over {found.fills:,} fills"))
    lines += [("changed", str(each)) for each in found.changes]
    lines.append(("events digest", found.events_digest))
    return lines


def count_rows(found: Parity) -> list[tuple[str, ...]]:
    """Return the counts by kind."""
    return [
        (
            f"{each.kind}s",
            f"{each.live:,}",
            f"{each.backtest:,}",
            f"{each.equal:,}",
            share_text(each.share),
        )
        for each in found.kinds
    ]


def cause_rows(found: Parity) -> list[tuple[str, ...]]:
    """Return the number of divergences by the class of their cause."""
    return [(cause.value, f"{own:,}", f"{more:,}") for cause, own, more in found.causes()]


def divergence_rows(found: Parity, limit: int) -> list[tuple[str, ...]]:
    """Return the first divergences, as many as ``limit``."""
    return [_row(each) for each in found.divergences[:limit]]


def parity_section(found: Parity) -> ReportSection:
    """Return the section of the report on a backtest."""
    rows = divergence_rows(found, _IN_REPORT)
    lines = [f"{name}: {text}" for name, text in parity_lines(found)]
    if len(found.divergences) > len(rows):
        lines.append(f"the first {len(rows):,} of {len(found.divergences):,} divergences are here")
    lines += [f"note: {each}" for each in found.notes]
    tables: list[tuple[tuple[str, ...], list[tuple[str, ...]]]] = [(COUNT_HEADS, count_rows(found))]
    if rows:
        tables.append((CAUSE_HEADS, cause_rows(found)))
        tables.append((DIVERGENCE_HEADS, rows))
    return ReportSection("Parity with the live run", lines, tables)


def _row(found: Divergence) -> tuple[str, ...]:
    pair = found.pair
    item = pair.either
    why = found.text
    if found.pair.differences:
        why = f"{', '.join(found.pair.differences)}: {why}"
    return (
        time_text(pair.time),
        item.kind.value,
        item.symbol,
        item_text(pair.live),
        item_text(pair.backtest),
        found.cause.value,
        why,
    )


def item_text(item: TradingItem | None) -> str:
    """Describe an item in a few words; ``"-"`` for one that is missing."""
    if item is None:
        return "-"
    values = dict(item.values)
    if item.kind is ItemKind.SIGNAL:
        text = str(values["signal"]).rpartition(".")[2]
        return text if values["strength"] is None else f"{text} {_plain(values['strength'])}"
    if item.kind is ItemKind.BAR:
        return " ".join(f"{name[0].upper()} {_plain(value)}" for name, value in values.items())
    if item.kind is ItemKind.FILL:
        text = f"{values['side']} {_plain(values['quantity'])} at {_plain(values['price'])}"
        return f"{text} {item.leg}".rstrip()
    if values["request"] != "new":
        return str(values["request"])
    text = f"{values['side']} {_plain(values['quantity'])} {values['type']}"
    return f"{text} {_plain(values['limit_price'])}" if values["limit_price"] else text


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
