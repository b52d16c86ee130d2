"""What operators did while an app ran live: pauses and stops of components, and halts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingenium.events import TradingState
from ingenium.recorder.record_table import time_text

__all__ = ["OperatorAct", "acts_of"]

_ALWAYS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """A time during which an operator kept a component, or all trading, from its work.

    Attributes:
        begin: When the stream stored the event that began it, in nanoseconds since 1970.
        end: The same of the event that ended it, or of the next start of the app.
        component: Name of the component; empty for trading as a whole.
        text: Who did what, and when.
    """

    begin: int
    end: int
    component: str
    text: str


def acts_of(
    commands: Iterable[tuple[int, bytes]],
    controls: Iterable[tuple[int, str, str, str]],
    starts: Sequence[int],
) -> list[OperatorAct]:
    """Return what operators did, by its beginning.

    Args:
        commands: When each command was stored, and its payload; see
            `ingenium.operations.component_services.command`. Payloads that cannot be read are
            skipped.
        controls: When each control event was stored, its state, reason and sender.
        starts: When the app was started, in order: a new start is not paused.
    """
    found: list[OperatorAct] = []

    def add(begin: int, end: int, component: str, text: str) -> None:
        again = [each for each in starts if begin < each] if component else []
        found.append(OperatorAct(begin, min([end, *again]), component, text))

    paused: dict[str, tuple[int, str]] = {}
    for received, payload in commands:
        try:
            values = json.loads(payload)
            component, command = str(values["Component"]), values["Command"]
            sender = str(values.get("Sender") or "an operator")
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
        if command == "pause":
            text = f"{component} was paused by {sender} at {time_text(received)}"
            paused.setdefault(component, (received, text))
        elif command == "resume" and component in paused:
            begin, text = paused.pop(component)
            add(begin, received, component, text)
        elif command == "stop":
            text = f"{component} was stopped by {sender} at {time_text(received)}"
            add(received, _ALWAYS, component, text)
    for component, (begin, text) in paused.items():
        add(begin, _ALWAYS, component, text)
    restricted: tuple[int, str] | None = None
    for received, state, reason, sender in controls:
        if restricted is not None:
            add(restricted[0], received, "", restricted[1])
            restricted = None
        if state in {TradingState.HALTED, TradingState.REDUCING}:
            why = f": {reason}" if reason else ""
            text = f"trading was {state} by {sender} at {time_text(received)}{why}"
            restricted = received, text
    if restricted is not None:
        add(restricted[0], _ALWAYS, "", restricted[1])
    return sorted(found, key=lambda each: each.begin)
