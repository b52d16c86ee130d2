"""Notices of the risk gates of a replay: denials, and control events between the gates."""

from __future__ import annotations

from ingenium.bus.base import Message
from ingenium.bus.envelope import source_of
from ingenium.components import App, Component, External
from ingenium.events import ControlEvent, DenialEvent, Event
from ingenium.runtime.lockstep.reports import Reports

__all__ = ["GateNotices"]


class GateNotices:
    """Counts the denials and control events of portfolio and executor, and keeps those of one step.

    Args:
        app: Its portfolio and executor may have risk gates.
        reports: Have the counts that each has sent.
    """

    def __init__(self, app: App, reports: Reports) -> None:
        self._reports = reports
        # In the order of the log.
        gated = [c for c in (app.portfolio, app.executor) if c is not None]
        self._seen: dict[str, list[Message]] = {
            c.name: [] for c in gated if not isinstance(c, External)
        }
        self._totals = dict.fromkeys(self._seen, 0)

    def add(self, kind: type[Event], message: Message) -> bool:
        """Take a message; return whether its kind is one of a risk gate.

        A notice of another sender, such as an operator, is no part of the replay.
        """
        if kind is not DenialEvent and kind is not ControlEvent:
            return False
        source = source_of(message)
        if source in self._seen:
            self._seen[source].append(message)
            self._totals[source] += 1
        return True

    def take_step(self) -> list[Message]:
        """Return the notices of the present step, the portfolio's first, and begin another step."""
        found = [message for messages in self._seen.values() for message in messages]
        if found:
            self._seen = {name: [] for name in self._seen}
        return found

    def controls_between(self, sender: Component, reader: Component) -> int | None:
        """Return how many control events one component has sent for the other to handle.

        ``None`` where there are none, or one of the two is another program, which has no gate.
        """
        if sender.name not in self._seen or reader.name not in self._seen:
            return None
        return self._reports[sender.name].controls_sent

    def has_handled(self, component: Component, controls: int) -> bool:
        """Whether a component has handled so many control events."""
        return (self._reports[component.name].controls_handled or 0) >= controls

    def missing(self) -> str:
        """Describe sent notices that have not arrived; empty when all have."""
        for name, arrived in self._totals.items():
            report = self._reports[name]
            if arrived < (report.denials_sent or 0) + (report.controls_sent or 0):
                return f"denials or control events of {name!r} did not arrive here"
        return ""
