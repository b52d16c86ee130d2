"""An account and its orders, saved together as rows."""

from __future__ import annotations

from collections.abc import Mapping

from ingenium.state.rows import RowWatch
from ingenium.trading.account import Account
from ingenium.trading.order_tracker import OrderTracker

__all__ = ["Books"]

_OF_ACCOUNT = frozenset({"account", "holding"})
_OF_ORDERS = frozenset({"orders", "order", "leg", "asked", "heir"})


class Books:
    """The rows of an account and its orders, and which of them have changed.

    Args:
        account: Account, saved as rows ``account`` and ``holding/<symbol>``.
        orders: Orders, saved as rows ``orders``, ``order/<id>``, ``leg/<id>``, ``asked/<id>`` and
            ``heir/<id>``.
        prefix: Prefix of their keys, for a store that holds other rows too.
    """

    def __init__(self, account: Account, orders: OrderTracker, prefix: str = "") -> None:
        self._account = account
        self._orders = orders
        self._prefix = prefix
        self._watches = RowWatch(account), RowWatch(orders)

    def rows(self) -> dict[str, bytes]:
        """Return all rows."""
        prefix = self._prefix
        return {prefix + key: data for watch in self._watches for key, data in watch.rows().items()}

    def changes(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time.

        The cost is proportional to the symbols and orders changed since then.
        """
        prefix = self._prefix
        return {
            prefix + key: data for watch in self._watches for key, data in watch.changes().items()
        }

    def restore(self, rows: Mapping[str, bytes]) -> dict[str, bytes]:
        """Restore saved rows, before any fill or order is recorded.

        Args:
            rows: The rows of these books, possibly with others.

        Returns:
            The other rows.

        Raises:
            ComponentError: A row cannot be read, or a fill or an order has been recorded already.
        """
        account: dict[str, bytes] = {}
        orders: dict[str, bytes] = {}
        others: dict[str, bytes] = {}
        for key, data in rows.items():
            own = key.removeprefix(self._prefix)
            kind = own.partition("/")[0]
            if not key.startswith(self._prefix):
                others[key] = data
            elif kind in _OF_ACCOUNT:
                account[own] = data
            elif kind in _OF_ORDERS:
                orders[own] = data
            else:
                others[key] = data
        self._account.restore(account)
        self._orders.restore(orders)
        return others
