"""Make comparable items from the rows of the typed tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from ingenium.events import TradeUpdate
from ingenium.recorder.parity import ItemKind, TradingItem
from ingenium.recorder.parity_evidence import Ending
from ingenium.trading.money import ZERO
from ingenium.trading.order import protective_ids

__all__ = ["ItemRow", "bar_item", "endings_of", "trading_items"]

ItemRow = Mapping[str, Any]
"""A row of a typed table by column; ``received`` is 0 in a backtest."""

_ORDER = (
    "request", "side", "quantity", "type", "time_in_force", "limit_price", "stop_price",
    "take_profit", "trail_price", "trail_percent", "stop_loss_limit", "stop_loss",
)  # fmt: skip
_ENDED = {TradeUpdate.EXPIRED, TradeUpdate.REJECTED, TradeUpdate.CANCELED}
_LEGS = ("take_profit", "stop_loss")


def trading_items(
    signals: Iterable[ItemRow],
    orders: Iterable[ItemRow],
    executions: Iterable[ItemRow],
    cause_of: Callable[[ItemRow], int] = lambda row: row["time"],
    bar_of_fill: Callable[[ItemRow], int] = lambda row: row["time"],
    is_paper: bool = True,
) -> list[TradingItem]:
    """Return the items of a run.

    Args:
        signals: Rows of signals, in the order of their stream.
        orders: Rows of orders and of requests to cancel or replace one, likewise.
        executions: Rows of executions, likewise.
        cause_of: Returns the time of the data behind a signal or an order; in a backtest that is
            the time of its event.
        bar_of_fill: Returns the time of the bar behind a fill.
        is_paper: Whether fills state the time of the data, as those of the paper exchange do.
    """
    found = [
        TradingItem(
            ItemKind.SIGNAL,
            row["symbol"],
            cause_of(row),
            (("signal", row["signal"]), ("strength", _decimal(row["strength"]))),
            received=row["received"],
            source=row["source"],
            identifier=row["id"],
        )
        for row in signals
    ]
    numbers: dict[tuple[str, int], int] = {}
    place_of: dict[str, str] = {}
    order_of: dict[str, tuple[str, str]] = {}
    for row in orders:
        key = row["symbol"], cause_of(row)
        if row["request"] != "cancel":  # a replacement is an order under its own id
            number = numbers[key] = numbers.get(key, 0) + 1
            place_of[row["id"]] = f"{key[1]}/{number}"
            order_of[row["id"]] = (row["id"], "")
            for leg, identifier in zip(_LEGS, protective_ids(row["id"]), strict=True):
                order_of[identifier] = (row["id"], leg)
        parent, leg = order_of.get(row["order_id"], (row["order_id"], ""))
        values = tuple((name, _plain(row[name])) for name in _ORDER)
        found.append(
            TradingItem(
                ItemKind.ORDER,
                *key,
                # The order that a request concerns, by its cause, since ids differ.
                (*values, ("order", "" if row["request"] == "new" else place_of.get(parent, leg))),
                received=row["received"],
                source=row["source"],
                identifier=row["id"],
                order_id="" if row["request"] == "cancel" else row["id"],
            )
        )
    for row in executions:
        if not row["booked"]:
            continue
        parent, leg = order_of.get(row["order_id"], (row["order_id"], ""))
        found.append(
            TradingItem(
                ItemKind.FILL,
                row["symbol"],
                bar_of_fill(row),
                (
                    ("side", row["side"]),
                    ("quantity", _decimal(row["quantity"])),
                    ("price", _decimal(row["price"])),
                    ("commission", _decimal(row["commission"]) or ZERO),
                ),
                received=row["received"],
                source=row["source"],
                identifier=row["id"],
                order_id=parent,
                leg=leg,
                stamp=row["time"] if is_paper else 0,
            )
        )
    return found


def bar_item(row: ItemRow) -> TradingItem:
    """Return a bar as an item; its columns are those of the table of bars."""
    names = ("open", "high", "low", "close", "volume")
    return TradingItem(
        ItemKind.BAR,
        row["symbol"],
        row["time"],
        tuple((name, _decimal(row[name])) for name in names),
        received=row["received"],
        period=row["period"],
    )


def endings_of(executions: Iterable[ItemRow]) -> dict[str, Ending]:
    """Return the last report of each order that ended otherwise than by a fill, by its id."""
    return {
        row["order_id"]: Ending(row["update"], row["reason"])
        for row in executions
        if row["update"] in _ENDED
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, Decimal) else _decimal(value)


def _decimal(value: Any) -> Any:
    """Return a number of a row as a decimal, and any other text as it is."""
    if isinstance(value, str):
        try:
            return Decimal(value)
        except ArithmeticError:
            return value
    return value
