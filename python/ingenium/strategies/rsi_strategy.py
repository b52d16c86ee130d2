"""Mean reversion by the relative strength index: buys weakness, sells strength."""

from __future__ import annotations

from collections.abc import Sequence

from ingenium.components import BySymbol, Strategy
from ingenium.errors import ConfigError
from ingenium.events import Signal
from ingenium.indicators import Rsi
from ingenium.trading import Bar

__all__ = ["RsiStrategy"]


class RsiStrategy(Strategy):
    """Signals long when the index is below one threshold, short when it is above another.

    The signal is repeated on every bar beyond a threshold; between them there is no signal.

    Args:
        symbols: The traded symbols, each by its own closes; ``None`` for all symbols received.
        period: Length of the index, in bars.
        buy_below: Long below this, from 0 to 100.
        sell_above: Short above this, from 0 to 100; not below ``buy_below``.
        name: See `Component`.

    Raises:
        ConfigError: An argument is invalid.
        SubjectError: A symbol cannot be part of a subject.
        ComponentError: The name is invalid.

    References:
        L. Connors, C. Alvarez, "Short Term Trading Strategies That Work", 2008, for a period of 2.
    """

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        period: int = 2,
        buy_below: float = 5,
        sell_above: float = 95,
        name: str | None = None,
    ) -> None:
        super().__init__(symbols, name=name)
        # This also refuses nan.
        if not (0 <= buy_below <= 100 and 0 <= sell_above <= 100):
            raise ConfigError(
                f"buy_below {buy_below!r} and sell_above {sell_above!r} of {self.name} do not fit: "
                "the index runs from 0 to 100, so pass numbers such as 5 and 95"
            )
        if buy_below > sell_above:
            raise ConfigError(
                f"buy_below {buy_below!r} of {self.name} is above sell_above {sell_above!r}, so "
                "one bar could trigger both signals: swap them"
            )
        Rsi(period)  # refuses a bad period now, rather than at the first bar
        self._buy_below = buy_below
        self._sell_above = sell_above
        self._of_symbol = self.saved("rsi", BySymbol(lambda: Rsi(period)))

    def on_bar(self, bar: Bar) -> None:
        """Update the symbol's index and send a signal beyond a threshold."""
        value = self._of_symbol[bar.symbol].update(bar.close)
        # Both comparisons are false for the nan of the warm-up.
        if value < self._buy_below:
            self.send_signal(bar.symbol, Signal.LONG)
        elif value > self._sell_above:
            self.send_signal(bar.symbol, Signal.SHORT)
