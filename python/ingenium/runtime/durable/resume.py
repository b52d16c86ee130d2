"""Where in a stream a component goes on, when it has been there before."""

from __future__ import annotations

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.bus.stream import Stream, StreamState, check_gap
from ingenium.components import Component, Executor, Portfolio
from ingenium.components.base import StatefulComponent
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.errors import StreamError
from ingenium.runtime.durable.store import StreamPosition

__all__ = ["check_history", "resume_position", "mark_of", "remembers"]


class _RefilledError(StreamError):
    """Others have taken the places of messages that were lost."""


async def resume_position(
    bus: Bus,
    component: Component,
    known: StreamPosition,
    stream: Stream,
    state: StreamState,
    *,
    adopt: bool,
) -> int:
    """Return behind which message to go on.

    Args:
        bus: Takes the incident when something is missing and taken as it is.
        component: Whose place it is, for the text.
        known: How far it has come.
        stream: In which.
        state: What that holds.
        adopt: Whether a stream that was made anew, or has lost messages, is taken as it is.

    Raises:
        StreamError: Messages that were not handled are gone. Going on could book a wrong position,
            so somebody has to look first.
    """
    try:
        check_gap(known.stream, state, known.sequence, known.created)
        await _check_mark(stream, known, state)
    except StreamError as error:
        is_refilled = isinstance(error, _RefilledError)
        if not adopt:
            raise StreamError(
                f"{component} cannot go on: {error}: compare its positions "
                "with the broker's, then start with --adopt"
            ) from error
        bus.report(Incident(IncidentKind.GAP, f"{error}: taken as it is"))
    else:
        return known.sequence
    if known.created != state.created or is_refilled:
        # Of one that was made anew nothing was handled; of one whose places were taken by others,
        # what was handled is known by its ids.
        return state.first - 1
    return max(min(known.sequence, state.last), state.first - 1, *state.missing[-1:])


async def _check_mark(stream: Stream, known: StreamPosition, state: StreamState) -> None:
    """Make sure that the last message that was handled is still the one in its place.

    A stream that has lost its end gives the numbers of what is lost to what comes next.
    """
    if not known.mark or not state.first <= known.sequence <= state.last:
        return
    if await mark_of(stream, known.sequence) != known.mark:
        raise _RefilledError(
            f"message {known.sequence} of stream {known.stream} is not the one that was "
            "handled: its end was lost, and others have taken that place"
        )


async def mark_of(stream: Stream, sequence: int) -> str:
    """Return the mark of the message at a place; empty when none is there."""
    found = await stream.at(sequence) if sequence else None
    return "" if found is None else found.mark


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
                f"the books of {component} cannot be made anew: {error}: "
                "put its state file back, or compare with the broker and start with --adopt"
            ) from error
        bus.report(Incident(IncidentKind.GAP, f"{error}: taken as it is"))


def remembers(component: Component) -> bool:
    """Whether a component has a state that data of the past belongs to."""
    if isinstance(component, Portfolio | Executor):
        return True
    if handle_of(component).state_refused:
        return False
    saves = isinstance(component, StatefulComponent) and "get_state" in overrides_of(
        component, StatefulComponent
    )
    return saves or bool(handle_of(component).saved_parts.names)
