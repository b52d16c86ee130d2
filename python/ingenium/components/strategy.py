"""Strategies turn market data into signals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ingenium.components.component import StatefulComponent
from ingenium.components.handle import ComponentHandle, Handled
from ingenium.components.overrides import overrides_of
from ingenium.errors import ComponentError
from ingenium.events import DataEvent, Signal, SignalEvent
from ingenium.subjects.names import check_symbol
from ingenium.trading.bar import Bar
from ingenium.trading.numbers import format_decimal

__all__ = ["Strategy"]

_SIGNALS = {name: each for each in Signal for name in (each.value, each.name.lower())}
"""Signals by their names on the wire, and by short ones."""
_MEANT = {
    "buy": "; to buy is Signal.LONG",
    "sell": "; to sell short is Signal.SHORT, to close Signal.FLAT",
    "close": "; to close is Signal.FLAT",
    "exit": "; to close is Signal.FLAT",
}


class StrategyHandle(ComponentHandle):
    """Handle of a strategy.

    Args:
        strategy: The strategy.
    """

    def __init__(self, strategy: Strategy) -> None:
        super().__init__(strategy.name, "strategy")
        self._strategy = strategy
        self.reads_bars = "on_data" not in overrides_of(strategy, Strategy)
        """Whether bars go to `Strategy.on_bar` directly, without an event."""

    @property
    def max_data_age_seconds(self) -> float | None:
        """Age above which live market data is skipped, in seconds; ``None`` for never."""
        return self._strategy.max_data_age_seconds

    def handle_bar(self, bar: Bar) -> Handled:
        """Call the handler for a bar whose event has not been made yet."""
        if self.reads_bars:
            return self._strategy.on_bar(bar)
        return self._strategy.on_data(bar.event)


class Strategy(StatefulComponent):
    """Turns market data into signals.

    Args:
        symbols: The symbols whose data it sees; ``None`` for all.
        name: See `Component`.

    Raises:
        SubjectError: A symbol cannot be part of a subject.
        ComponentError: The name does not fit.
    """

    _handle: StrategyHandle

    max_data_age_seconds: float | None = None
    """Live market data older than this is skipped, up to the newest of each symbol: seconds since
    the server took it; ``None`` for never. It needs a server with JetStream."""

    def __init__(self, symbols: Sequence[str] | None = None, *, name: str | None = None) -> None:
        super().__init__(name)
        if isinstance(symbols, str):
            symbols = [symbols]
        self.symbols = None if symbols is None else tuple(symbols)
        for symbol in self.symbols or ():
            check_symbol(symbol)

    def _make_handle(self) -> StrategyHandle:
        return StrategyHandle(self)

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden.

        An event that is not a bar is skipped.
        """
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event, self.now))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar."""
        return None

    def send_signal(
        self, symbol: str, signal: Signal | str, *, strength: Decimal | int | str | None = None
    ) -> SignalEvent:
        """Send a signal.

        Args:
            symbol: Name of the instrument.
            signal: ``Signal.LONG``, ``SHORT`` or ``FLAT``; ``"long"``, ``"short"`` and
                ``"flat"`` mean the same.
            strength: Strength from 0 to 1; portfolios that weigh positions read it as the
                target weight.

        Returns:
            The event to be sent.

        Raises:
            ComponentError: The signal is unknown.
            SubjectError: The symbol cannot be part of a subject; nothing is sent.
        """
        known = _SIGNALS.get(signal)
        if known is None:
            raise ComponentError(
                f"signal {signal!r} of strategy {self.name!r} for {symbol} is unknown: use "
                f"Signal.LONG, Signal.SHORT or Signal.FLAT{_MEANT.get(str(signal).lower(), '')}"
            )
        if strength is not None and not isinstance(strength, str):
            strength = format_decimal(Decimal(strength))
        event = SignalEvent(symbol=symbol, signal=known, strength=strength)
        return self._handle.send(event, "signal")
