"""Where in a stream a component goes on, when it has been there before."""

from __future__ import annotations

from ingenium.bus.contract import Bus, Incident, IncidentKind
from ingenium.bus.stream import StreamState, check_gap
from ingenium.components import Component, Executor, Portfolio
from ingenium.delivery.store import Position
from ingenium.errors import StreamError

__all__ = ["check_history", "find_place", "remembers"]


def find_place(
    bus: Bus, component: Component, known: Position, state: StreamState, *, adopt: bool
) -> int:
    """Return behind which message to go on.

    Args:
        bus: Takes the incident when something is missing and taken as it is.
        component: Whose place it is, for the text.
        known: How far it has come.
        state: What the stream holds.
        adopt: Whether a stream that was made anew, or has lost messages, is taken as it is.

    Raises:
        StreamError: Messages that were not handled are gone. Going on could book a wrong position,
            so somebody has to look first.
    """
    try:
        check_gap(known.stream, state, known.sequence, known.created)
    except StreamError as error:
        if not adopt:
            raise StreamError(
                f"{component.role} {component.name!r} cannot go on: {error}: compare its positions "
                "with the broker's, then start with --adopt"
            ) from error
        bus.report(Incident(IncidentKind.GAP, f"{error}: taken as it is"))
    else:
        return known.sequence
    if known.created != state.created:
        # Of one that was made anew nothing was handled.
        return state.first - 1
    return max(min(known.sequence, state.last), state.first - 1, *state.missing[-1:])


def check_history(
    bus: Bus, component: Component, name: str, state: StreamState, *, adopt: bool
) -> None:
    """Make sure that a stream has all that a portfolio's books can be made of.

    Args:
        bus: Takes the incident when something is missing and taken as it is.
        component: Whose books, for the text; others than portfolios have none.
        name: Of the stream, for the text.
        state: What the stream holds.
        adopt: Whether books are made of what is left.

    Raises:
        StreamError: Messages are gone.
    """
    if not isinstance(component, Portfolio):
        return
    try:
        check_gap(name, state, 0, state.created)
    except StreamError as error:
        if not adopt:
            raise StreamError(
                f"the books of {component.role} {component.name!r} cannot be made anew: {error}: "
                "put its state file back, or compare with the broker and start with --adopt"
            ) from error
        bus.report(Incident(IncidentKind.GAP, f"{error}: taken as it is"))


def remembers(component: Component) -> bool:
    """Whether a component has a state that data of the past belongs to."""
    if isinstance(component, Portfolio | Executor):
        return True
    return type(component).get_state is not Component.get_state
