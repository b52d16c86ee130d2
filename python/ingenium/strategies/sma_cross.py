"""Follows the trend: a fast moving average that crosses a slow one."""

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
"""Averages closer than this part of their size are equal; what is left is rounding."""


class SmaCross(Strategy):
    """Says long when the fast average crosses the slow one upwards, short when downwards.

    It speaks on the bar of the cross only. The first bar that has both averages shows a side, not a
    cross; averages that touch and part again on the same side have not crossed.

    Args:
        symbols: The symbols that it trades, each by its own closes; ``None`` for all it sees.
        fast: Bars of the fast average.
        slow: Bars of the slow average, more than ``fast``.
        name: See `Component`.

    Raises:
        ConfigError: An argument makes no sense.
        SubjectError: A symbol cannot be part of a subject.
        ComponentError: The name does not fit.
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
        """Update the symbol's averages and say when they cross."""
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
    """What is known of one symbol."""

    __slots__ = ("fast", "side", "slow")

    def __init__(self, fast: int, slow: int) -> None:
        self.fast = Sma(fast)
        self.slow = Sma(slow)
        self.side: Signal | None = None
        """On which side of the slow average the fast one was last."""

    def state(self) -> dict[str, Any]:
        """Return what `restore` takes."""
        side = None if self.side is None else self.side.value
        return {"fast": self.fast.state(), "slow": self.slow.state(), "side": side}

    def restore(self, state: Any) -> None:
        """Take back what `state` returned.

        Raises:
            StateError: It is of other periods, or is none.
        """
        try:
            fast, slow, side = state["fast"], state["slow"], state["side"]
            self.side = None if side is None else Signal(side)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"saved averages cannot be read: {error!r}") from error
        self.fast.restore(fast)
        self.slow.restore(slow)
