"""Reports the market data that a component has missed, and the consequences."""

from __future__ import annotations

from datetime import datetime

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.bus.stream import StreamState
from ingenium.clock import format_second
from ingenium.components import Component, Executor
from ingenium.components.component import role_of
from ingenium.components.handle_of import handle_of
from ingenium.runtime.durable.store import Store, StreamPosition

__all__ = ["Gaps", "note_stopped", "take_stopped"]

_STOPPED = "stopped"
"""Key in a component's file: whether it stopped cleanly when it last ran."""

_OLDER = (
    "its prices are outdated until the next bar of each symbol; positions and orders are not "
    "affected"
)
_EFFECTS = {
    "strategy": "its indicators continue without that data",
    "portfolio": _OLDER,
    "executor": "no order was matched against those prices",
}


def take_stopped(store: Store) -> bool:
    """Return whether a component stopped cleanly when it last ran, and mark it as running."""
    was_stopped = store.meta(_STOPPED) == "yes"
    store.set_meta(_STOPPED, "")
    return was_stopped


def note_stopped(store: Store) -> None:
    """Store that a component stopped cleanly, with all data handled."""
    store.set_meta(_STOPPED, "yes")


class Gaps:
    """Resolves where a component resumes in a stream of market data, and reports missed data.

    The stream is in the server's memory, so it is empty after a restart of the server.

    Args:
        bus: Receives the incidents.
        component: The reader.
        was_stopped: Whether its last run stopped cleanly, with all data handled.
    """

    def __init__(self, bus: Bus, component: Component, *, was_stopped: bool) -> None:
        self._bus = bus
        self._component = component
        self._was_stopped = was_stopped
        self._is_first = True

    def start(self, state: StreamState, known: StreamPosition | None, name: str) -> int:
        """Return the sequence after which to read, and report data missing before it.

        Args:
            state: State of the stream.
            known: Position of the component; ``None`` for new data only.
            name: Name of the stream.
        """
        is_first, self._is_first = self._is_first, False
        if known is None:
            return state.last
        if known.created != state.created:
            # When an app was stopped and started with its server, nothing was sent in between.
            if not (is_first and self._was_stopped and state.last == 0):
                self._report(
                    name, known, _time(state.time), "the server was restarted without that data"
                )
            # All messages of the stream came after it was created.
            return max(0, state.first - 1)
        if state.last < known.sequence:
            self._report(name, known, _time(state.time), "the stream has lost its end")
            return state.last
        if state.first > known.sequence + 1:
            missing = state.first - known.sequence - 1
            self._report(
                name,
                known,
                f"message {state.first - 1:,}",
                f"the stream dropped {missing:,} messages before they were read",
            )
            return state.first - 1
        return known.sequence

    def _report(self, name: str, known: StreamPosition, to: str, why: str) -> None:
        component = self._component
        begin = f"message {known.sequence:,}"
        if known.mark:
            begin = f"{_time(datetime.fromisoformat(known.mark))} ({begin})"
        effect = _EFFECTS.get(role_of(component), "")
        if isinstance(component, Executor) and handle_of(component).works_at_broker:
            effect = _OLDER
        text = (
            f"{component} has missed market data of stream {name} from "
            f"{begin} to {to}: {why}; {effect}"
        )
        self._bus.report(Incident(IncidentKind.GAP, text))


def _time(time: datetime | None) -> str:
    return "now" if time is None else format_second(time)
