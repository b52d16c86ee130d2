"""Trend following by the crossing of a fast and a slow moving average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingenium.components import BySymbol, Strategy
from ingenium.errors import ConfigError, StateError
from ingenium.events import Signal
from ingenium.indicators import Sma
from ingenium.trading import Bar

__all__ = ["SmaCross"]

_LONG, _SHORT = Signal.LONG, Signal.SHORT
_TIE = 1e-12
"""Relative tolerance within which averages are equal; smaller differences are rounding errors."""


class SmaCross(Strategy):
    """Signals long when the fast average crosses above the slow one, short when below.

    The signal is sent on the bar of the cross only. The first bar with both averages sets the side
    and is no cross; averages that touch and part again on the same side have not crossed.

    Args:
        symbols: The traded symbols, each by its own closes; ``None`` for all symbols received.
        fast: Bars of the fast average.
        slow: Bars of the slow average, more than ``fast``.
        name: See `Component`.

    Raises:
        ConfigError: An argument is invalid.
        SubjectError: A symbol cannot be part of a subject.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        symbols: Sequence[str] | None = None,
        *,
        fast: int = 10,
        slow: int = 30,
        name: str | None = None,
    ) -> None:
        super().__init__(symbols, name=name)
        # Refuses bad periods now, rather than at the first bar.
        _State(fast, slow)
        if fast >= slow:
            raise ConfigError(
                f"fast {fast} of {self.name} is not below slow {slow}: pass fewer bars for fast, "
                "such as fast=10, slow=30"
            )
        self._of_symbol = self.saved("averages", BySymbol(lambda: _State(fast, slow)))

    def on_bar(self, bar: Bar) -> None:
        """Update the symbol's averages and send a signal when they cross."""
        symbol, close = bar.symbol, bar.close
        state = self._of_symbol[symbol]
        slow = state.slow.update(close)
        gap = state.fast.update(close) - slow
        tie = _TIE * slow if slow > 0 else -_TIE * slow
        if gap > tie:
            side = _LONG
        elif gap < -tie:
            side = _SHORT
        else:
            return  # also for the nan of the warm-up
        if side is not state.side:
            before, state.side = state.side, side
            if before is not None:
                self.send_signal(symbol, side)


class _State:
    """The state of one symbol."""

    __slots__ = ("fast", "side", "slow")

    def __init__(self, fast: int, slow: int) -> None:
        self.fast = Sma(fast)
        self.slow = Sma(slow)
        self.side: Signal | None = None
        """Last side of the slow average on which the fast one was."""

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        side = None if self.side is None else self.side.value
        return {"fast": self.fast.state(), "slow": self.slow.state(), "side": side}

    def restore(self, state: Any) -> None:
        """Restore the result of `state`.

        Raises:
            StateError: The state has other periods, or is malformed.
        """
        try:
            fast, slow, side = state["fast"], state["slow"], state["side"]
            self.side = None if side is None else Signal(side)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"saved averages cannot be read: {error!r}") from error
        self.fast.restore(fast)
        self.slow.restore(slow)
