"""The order in which an instant's signals are handled, whatever order they arrive in."""

from __future__ import annotations

from collections.abc import Iterable

from ingenium.bus.base import Message
from ingenium.bus.envelope import source_of, unpack
from ingenium.components import App, External
from ingenium.errors import DecodeError
from ingenium.events import SignalEvent

__all__ = ["SignalOrder"]


class SignalOrder:
    """Sorts the signals of one instant by strategy, in the order of the app.

    Signals of one strategy keep their order, except for a program that reports nothing: the
    original Go library handles each symbol in a thread of its own, so its signals are sorted by
    symbol. A signal without a source is attributed to the first other program; where several
    report nothing, those of one symbol are sorted by their content, since the sender is unknown.

    Args:
        app: Names the strategies.
    """

    def __init__(self, app: App) -> None:
        self._places = {strategy.name: i for i, strategy in enumerate(app.strategies)}
        self._silent = {
            i
            for i, strategy in enumerate(app.strategies)
            if isinstance(strategy, External) and not strategy.reports
        }
        self._nameless = next(
            (i for i, s in enumerate(app.strategies) if isinstance(s, External)),
            len(app.strategies),
        )

    def sort(self, messages: Iterable[Message]) -> list[Message]:
        """Return the messages of one instant in the order in which they are handled."""
        return sorted(messages, key=self._key)

    def _key(self, message: Message) -> tuple[int, str, str, str]:
        source = source_of(message)
        place = self._places.get(source, len(self._places)) if source else self._nameless
        if place not in self._silent:
            return place, "", "", ""
        try:
            signal = unpack(SignalEvent, message)
        except DecodeError:
            return place, "", "", ""
        if source or len(self._silent) == 1:
            return place, signal.symbol, "", ""
        return place, signal.symbol, signal.signal, signal.strength or ""
