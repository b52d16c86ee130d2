"""Add up the realized profit of changes of positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ingenium.recorder.instants import datetime_of, nanoseconds
from ingenium.trading.money import EXACT, ZERO

__all__ = ["profit_rows"]


def profit_rows(
    changes: Iterable[Any],
    by: str,
    since: datetime | None,
    until: datetime | None,
    strategies: Mapping[str, str],
) -> list[tuple[Any, ...]]:
    """Return profit and commissions by day, symbol or strategy.

    Args:
        changes: All changes in order: scope, symbol, time, cumulative profit, commission, the
            sequence of the fill, which is ``None`` after its deletion, and the id of its order.
        by: ``"day"``, ``"symbol"`` or ``"strategy"``.
        since: First time that counts.
        until: Time after the last one that counts.
        strategies: Names of strategies by the ids of their orders.

    Returns:
        Scope, key, number of fills, profit, commissions, and both together.

    Raises:
        ConfigError: A time has no zone.
    """
    first = None if since is None else nanoseconds(since)
    end = None if until is None else nanoseconds(until)
    before: dict[tuple[str, str], Decimal] = {}
    found: dict[tuple[str, str], list[Any]] = {}
    for scope, symbol, time, realized, commission, fill, order_id in changes:
        change = EXACT.subtract(realized, before.get((scope, symbol), ZERO))
        before[scope, symbol] = realized
        # The last change before a deletion is kept without its fill.
        is_early = fill is None or (first is not None and time < first)
        if is_early or (end is not None and time >= end):
            continue
        if by == "strategy":
            key = strategies.get(order_id, "")
        else:
            key = symbol if by == "symbol" else datetime_of(time).strftime("%Y-%m-%d")
        sums = found.setdefault((scope, key), [0, ZERO, ZERO])
        sums[0] += 1
        sums[1] = EXACT.add(sums[1], change)
        sums[2] = EXACT.add(sums[2], commission or ZERO)
    return [
        (scope, key, count, profit, costs, EXACT.subtract(profit, costs))
        for (scope, key), (count, profit, costs) in sorted(found.items())
    ]
