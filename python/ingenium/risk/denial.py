"""Why an order was stopped."""

from __future__ import annotations

import msgspec

from ingenium.events import DenialReason

__all__ = ["Denial"]


class Denial(msgspec.Struct, frozen=True, gc=False):
    """What a risk gate says of an order that does not pass.

    Attributes:
        reason: Which limit it was.
        detail: The same in words, with the numbers that were compared.
        is_exit: Whether the order would only have made a position smaller: then a person should
            look, since the position stays as it is.
    """

    reason: DenialReason
    detail: str
    is_exit: bool = False

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"
