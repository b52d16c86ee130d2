"""The last prices of an account, saved with its portfolio."""

from __future__ import annotations

from decimal import Decimal

from ingenium.errors import DecodeError, StateError
from ingenium.trading.account import Account

__all__ = ["LastPrices"]


class LastPrices:
    """Saves the last prices of an account, so that sizes are the same after a restart.

    Equity needs the prices of all positions, and a signal may come before their next bars.

    Args:
        account: The account with the prices.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def state(self) -> dict[str, str]:
        """Return the prices as texts, by symbol."""
        return {symbol: _text(mark) for symbol, mark in self._account.marks.items()}

    def restore(self, state: dict[str, str]) -> None:
        """Restore the result of `state`.

        Raises:
            StateError: The state holds anything but prices.
        """
        try:
            for symbol, price in state.items():
                self._account.mark(symbol, price)
        except (AttributeError, TypeError, DecodeError) as error:
            raise StateError(f"saved prices cannot be read: {error}") from error


def _text(mark: object) -> str:
    if isinstance(mark, str):
        return mark
    return format(mark, "f") if isinstance(mark, Decimal) else str(getattr(mark, "close_text", ""))
