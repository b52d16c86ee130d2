"""Denials of orders."""

from __future__ import annotations

import msgspec

from ingenium.events import DenialReason

__all__ = ["Denial"]


class Denial(msgspec.Struct, frozen=True, gc=False):
    """The reason for which a risk gate stopped an order.

    Attributes:
        reason: The limit that was violated.
        detail: Description with the numbers that were compared.
        is_exit: Whether the order would only have reduced a position: a person should check, since
            the position stays open.
    """

    reason: DenialReason
    detail: str
    is_exit: bool = False

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"
