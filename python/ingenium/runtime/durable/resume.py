"""Resolves the sequence of a stream from which a component resumes."""

from __future__ import annotations

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.bus.stream import Stream, StreamState, check_gap
from ingenium.components import Component, Executor, Portfolio
from ingenium.components.component import StatefulComponent
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.errors import StreamError
from ingenium.runtime.durable.store import StreamPosition

__all__ = ["check_history", "resume_position", "mark_of", "remembers"]


class _RefilledError(StreamError):
    """New messages have taken the sequences of lost ones."""


async def resume_position(
    bus: Bus,
    component: Component,
    known: StreamPosition,
    stream: Stream,
    state: StreamState,
    *,
    adopt: bool,
) -> int:
    """Resolve the sequence after which to resume.

    Args:
        bus: Receives the incident when missing messages are accepted.
        component: The component, for the text.
        known: Its stored position.
        stream: The stream.
        state: State of the stream.
        adopt: Whether a stream that was recreated or has lost messages is accepted as it is.

    Raises:
        StreamError: Messages that were not handled are gone. Resuming could book a wrong position,
            so an operator has to decide first.
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
        # Of a recreated stream nothing was handled; of one whose sequences were reused, handled
        # messages are known by their ids.
        return state.first - 1
    return max(min(known.sequence, state.last), state.first - 1, *state.missing[-1:])


async def _check_mark(stream: Stream, known: StreamPosition, state: StreamState) -> None:
    """Check that the last handled message still has its sequence.

    A stream that has lost its end reuses the sequences of the lost messages.
    """
    if not known.mark or not state.first <= known.sequence <= state.last:
        return
    if await mark_of(stream, known.sequence) != known.mark:
        raise _RefilledError(
            f"message {known.sequence} of stream {known.stream} is not the one that was "
            "handled: its end was lost, and others have taken that place"
        )


async def mark_of(stream: Stream, sequence: int) -> str:
    """Return the mark of the message at a sequence; empty when there is none."""
    found = await stream.at(sequence) if sequence else None
    return "" if found is None else found.mark


def check_history(
    bus: Bus, component: Component, name: str, state: StreamState, *, adopt: bool
) -> None:
    """Check that a stream has all messages needed to rebuild a portfolio's books.

    Args:
        bus: Receives the incident when missing messages are accepted.
        component: The component, for the text; only portfolios have books.
        name: Name of the stream, for the text.
        state: State of the stream.
        adopt: Whether books are rebuilt from the remaining messages.

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
                f"the books of {component} cannot be rebuilt: {error}: restore its state file, "
                "or compare with the broker and start with --adopt"
            ) from error
        bus.report(Incident(IncidentKind.GAP, f"{error}: taken as it is"))


def remembers(component: Component) -> bool:
    """Whether a component has state to which past data belongs."""
    if isinstance(component, Portfolio | Executor):
        return True
    if handle_of(component).state_refused:
        return False
    saves = isinstance(component, StatefulComponent) and "get_state" in overrides_of(
        component, StatefulComponent
    )
    return saves or bool(handle_of(component).saved_parts.names)
