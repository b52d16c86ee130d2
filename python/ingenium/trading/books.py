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
        account: Has the rows ``account`` and ``holding/<symbol>``.
        orders: Has ``orders``, ``order/<id>``, ``leg/<id>``, ``asked/<id>`` and ``heir/<id>``.
        prefix: What their keys begin with, where other rows stand beside them.
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

        It costs as much as the symbols and orders that were touched since.
        """
        prefix = self._prefix
        return {
            prefix + key: data for watch in self._watches for key, data in watch.changes().items()
        }

    def restore(self, rows: Mapping[str, bytes]) -> dict[str, bytes]:
        """Take back its rows, before anything else is noted.

        Args:
            rows: Its own, and others beside them.

        Returns:
            The others.

        Raises:
            ComponentError: A row cannot be read, or something has been noted already.
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
