"""Detection of orders that only reduce a position, which no limit of size or price denies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from ingenium.events import OrderType, Side
from ingenium.risk.account_view import AccountView
from ingenium.risk.exposure import describe, reach
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order

__all__ = ["DeniedExit", "closing_part", "exit_note", "only_reduces"]

_KINDS = (
    frozenset({OrderType.MARKET}),
    frozenset({OrderType.LIMIT}),
    frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP}),
)
_KIND_OF = {type: kind for kind in _KINDS for type in kind}


class DeniedExit(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An exit denied by a gate, with no later exit of its symbol that passed.

    Attributes:
        reason: The violated limit, as a token.
        detail: Description, with the order.
        time: Time of the denial, UTC.
    """

    reason: str
    detail: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]


def only_reduces(order: Order, added: Decimal, view: AccountView) -> bool:
    """Return whether an order can only reduce a position: closes, covers or protects it.

    This holds when all working orders on its side and this order together cannot cross zero, in
    whatever sequence they fill. A market order, a target (limit) and a stop are three ways out of
    the same position, of which one is meant to fill: each of them may close all of it, as long as
    the position could never become larger than it is if more than one of them fills.

    Working orders of the other side do not count: they may never fill.

    Args:
        order: The order.
        added: The quantity that the order adds to the working orders: all of it, or for a
            replacement the difference to the old order.
        view: The account before the order.
    """
    held = view.position(order.symbol)
    if held == ZERO or (held > ZERO) is (order.side is Side.BUY):
        return False
    if order.is_bracket:
        return False  # its protective orders would open a new position
    past_zero = reach(order, added, view)
    if past_zero <= ZERO:
        return True
    size = held.copy_abs()
    same_way_out = view.leaves(order.symbol, order.side, _KIND_OF[order.type])
    return EXACT.add(same_way_out, added) <= size and past_zero <= size


def closing_part(order: Order, view: AccountView) -> Order | None:
    """Return the part of an order that only reduces, such as the close of a reversal.

    Args:
        order: An order that does more than reduce.
        view: The account before it.

    Returns:
        The largest part for which `only_reduces` holds, without the protective orders of a bracket,
        which would open a new position; ``None`` when there is none.
    """
    held = view.position(order.symbol)
    if held == ZERO or (held > ZERO) is (order.side is Side.BUY):
        return None
    size = held.copy_abs()
    leaves = view.leaves(order.symbol, order.side)
    same_way_out = view.leaves(order.symbol, order.side, _KIND_OF[order.type])
    # The two conditions of `only_reduces`, solved for the quantity.
    room = max(
        EXACT.subtract(size, leaves),
        min(
            EXACT.subtract(size, same_way_out),
            EXACT.subtract(EXACT.add(size, size), leaves),
        ),
    )
    quantity = min(room, order.quantity)
    if quantity <= ZERO:
        return None
    return msgspec.structs.replace(
        order, quantity=quantity, take_profit=None, stop_loss=None, stop_loss_limit=None
    )


def exit_note(order: Order, view: AccountView) -> str:
    """Return the note that a denied order was an exit."""
    held = view.position(order.symbol)
    return f"EXIT DENIED, {describe(order)} only reduces the position of {held:f}"
