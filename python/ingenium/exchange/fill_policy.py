"""Fill policy of the simulated exchange: the options of docs/exchange.md, frozen and named."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal

from ingenium.errors import ConfigError

__all__ = ["FillPolicy"]

_STANDARD = "conservative-v1"


@dataclass(frozen=True, slots=True)
class FillPolicy:
    """The configurable fill rules.

    Attributes:
        touch_fills: Whether a limit order fills when the bar only touches its limit. Off: the price
            must go through the limit, since at the limit other orders are ahead in the queue.
        price_improvement: Whether a limit order fills at the open when the bar opens better. Off:
            at its limit, a price that may lie outside the bar.
        volume_cap: Largest fraction of a bar's volume that one order gets, above 0 and at most 1;
            ``None`` for no cap.
        name: Name in reports; derived from the non-default options when omitted.
        no_volume: Effect of a bar with zero or unknown volume: ``"fill"`` orders without a cap, or
            make them ``"wait"``, since nothing was traded. An ``ioc`` or ``fok`` order is canceled
            by a bar that fills nothing.

    Raises:
        ConfigError: The volume cap is not above 0 and at most 1, or ``no_volume`` is invalid.
    """

    touch_fills: bool = False
    price_improvement: bool = True
    volume_cap: Decimal | None = Decimal("0.10")
    name: str = ""
    no_volume: Literal["fill", "wait"] = "fill"

    def __post_init__(self) -> None:
        cap: object = self.volume_cap
        if cap is not None and not (isinstance(cap, Decimal) and cap.is_finite() and 0 < cap <= 1):
            raise ConfigError(
                f"volume_cap is {cap!r}: use a Decimal above 0 and at most 1, such as "
                "Decimal('0.10') for a tenth, or None"
            )
        if self.no_volume not in ("fill", "wait"):
            raise ConfigError(f"no_volume is {self.no_volume!r}: use 'fill' or 'wait'")
        if not self.name:
            object.__setattr__(self, "name", self._describe())

    def _describe(self) -> str:
        changes = [
            f"{option.name}={value}"
            for option in fields(self)
            if option.name != "name" and (value := getattr(self, option.name)) != option.default
        ]
        return f"{_STANDARD} with {', '.join(changes)}" if changes else _STANDARD
