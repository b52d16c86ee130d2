"""Messages of the present step that the conductor has seen, and counts since the start."""

from __future__ import annotations

from ingenium.bus.base import Message
from ingenium.components import Component
from ingenium.events import (
    CancelEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)
from ingenium.subjects.names import subject_for

__all__ = ["StepCounts"]

_KINDS: tuple[type[Event], ...] = (DataEvent, SignalEvent, OrderEvent, ExecutionEvent)


class StepCounts:
    """Counts messages by kind, and keeps those of one step."""

    def __init__(self) -> None:
        self._totals: dict[type[Event], int] = dict.fromkeys(_KINDS, 0)
        self._seen: dict[type[Event], list[Message]] = {kind: [] for kind in _KINDS}
        self._data_subjects: dict[str, int] = {}

    def add(self, kind: type[Event], message: Message) -> bool:
        """Count a message; return whether its kind is counted."""
        if kind is CancelEvent or kind is ReplaceEvent:
            kind = OrderEvent  # all messages of a portfolio have one order
        if kind not in self._totals:
            return False
        self._totals[kind] += 1
        self._seen[kind].append(message)
        if kind is DataEvent:
            count = self._data_subjects.get(message.subject, 0)
            self._data_subjects[message.subject] = count + 1
        return True

    def total(self, kind: type[Event]) -> int:
        """Return how many of a kind have arrived since the start."""
        return self._totals[kind]

    @property
    def all(self) -> int:
        """The number of messages of any kind that have arrived since the start."""
        return sum(self._totals.values())

    def take_step(self) -> tuple[list[Message], list[Message], list[Message], list[Message]]:
        """Return data, signals, orders and executions of the present step, and begin another."""
        data, signals, orders, executions = (self._seen[kind] for kind in _KINDS)
        self._seen = {kind: [] for kind in _KINDS}
        return data, signals, orders, executions

    def data_for(self, component: Component) -> int:
        """Return how many messages of market data were sent to a component since the start."""
        subjects = _data_subjects(component)
        if subjects is None:
            return self._totals[DataEvent]
        return sum(self._data_subjects.get(subject, 0) for subject in subjects)

    def has_data_for(self, component: Component) -> bool:
        """Return whether any of the present step's market data is for a component."""
        subjects = _data_subjects(component)
        seen = self._seen[DataEvent]
        return bool(seen) if subjects is None else any(m.subject in subjects for m in seen)


def _data_subjects(component: Component) -> set[str] | None:
    symbols = getattr(component, "symbols", None)
    return None if symbols is None else {subject_for(DataEvent, symbol) for symbol in symbols}
