"""A recording with many fills, written as rows, and the equity after each by integers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ingenium.recorder.live_recording import open_database

__all__ = ["CASH", "Moment", "record_fills"]

CASH = 10_000_000
"""Starting cash."""
_STEP = 1_000_000_000
_SYMBOLS = ("AAPL", "IBM", "MSFT")


@dataclass(frozen=True, slots=True)
class Moment:
    """The account after a fill, in whole cents."""

    time: int
    equity: int
    exposure: int


def record_fills(path: Path, count: int, *, seed: int = 1) -> list[Moment]:
    """Write a recording of the app ``many`` in which each fill has a price of its own.

    Returns:
        The account after each fill.
    """
    open_database(str(path)).engine.dispose()
    random = Random(seed)
    cash, held, prices = CASH * 100, dict.fromkeys(_SYMBOLS, 0), dict.fromkeys(_SYMBOLS, 10_000)
    moments: list[Moment] = []
    events, fills, accounts, positions = [], [], [], []
    for number in range(1, count + 1):
        symbol = random.choice(_SYMBOLS)
        prices[symbol] = max(100, prices[symbol] + random.randint(-50, 50))
        units = random.choice((-1, 1)) * random.randint(1, 9)
        price, time = prices[symbol], number * _STEP
        held[symbol] += units
        cash -= units * price
        exposure = sum(held[each] * prices[each] for each in _SYMBOLS)
        moments.append(Moment(time, cash + exposure, exposure))
        side = "buy" if units > 0 else "sell"
        place = "many/live", number
        body = b"x" * 300
        events.append((*place, "s", "ExecutionEvent", f"e{number}", "", time, time, b"", body, ""))
        fills.append(
            (*place, f"e{number}", f"o{number}", symbol, time, "fill", side, str(abs(units)),
             _text(price), "0", "0", "", 1, "")
        )  # fmt: skip
        accounts.append((*place, time, _text(cash - CASH * 100), "0", "0"))
        positions.append((*place, symbol, time, str(held[symbol]), "0", "0"))
    with sqlite3.connect(path) as database:
        for table, rows in (
            ("events", events),
            ("executions", fills),
            ("account_snapshots", accounts),
            ("position_changes", positions),
            ("position", [("many/live", "many", "live", 1, count, count * _STEP, "", 0)]),
        ):
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                database.executemany(f"insert into {table} values ({marks})", rows)
    database.close()
    return moments


def _text(cents: int) -> str:
    """Return cents as money."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"
