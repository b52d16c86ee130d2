"""Checks a portfolio's positions against the stream at its start, where that is cheap."""

from __future__ import annotations

from ingenium.bus.stream import Stream, StreamState, check_gap
from ingenium.components import Portfolio
from ingenium.errors import StreamError
from ingenium.runtime.durable.rebuild import rebuild
from ingenium.runtime.durable.store import Store
from ingenium.trading.money import EXACT, ZERO

__all__ = ["CHEAP_MESSAGES", "positions_off"]

CHEAP_MESSAGES = 20_000
"""Maximum messages of a stream that is read at a start: about half a second."""

_ADOPTED = "adopted difference"


async def positions_off(
    portfolio: Portfolio,
    stream: Stream,
    state: StreamState,
    handled: int,
    store: Store,
    *,
    adopt: bool,
) -> str:
    """Compare the positions of a portfolio with those of the stream.

    Args:
        portfolio: With its books restored.
        stream: Has the orders and executions.
        state: State of the stream.
        handled: Sequence of the last message that the portfolio has handled.
        store: The portfolio's file.
        adopt: Whether a difference is accepted, now and at later starts.

    Returns:
        The differences, in words; empty without any, or when the stream cannot tell because it has
        lost its beginning.
    """
    try:
        check_gap(stream.name, state, 0, state.created)
    except StreamError:
        return ""
    plain = _Quiet(name=portfolio.name)
    await rebuild(
        plain,
        stream,
        state.last,
        executions_until=handled,
        store=store,
    )
    ours, theirs = portfolio.account.quantities, plain.account.quantities
    differ = [s for s in sorted({*ours, *theirs}) if ours.get(s) != theirs.get(s)]
    # By how much, since both continue from there.
    off = ", ".join(
        f"{s} {EXACT.subtract(ours.get(s, ZERO), theirs.get(s, ZERO)):+f}" for s in differ
    )
    if off == store.meta(_ADOPTED):
        return ""
    if adopt:
        store.set_meta(_ADOPTED, off)
        return ""
    if not off:
        return ""
    text = "; ".join(
        f"{s}: portfolio {ours.get(s, ZERO):f}, stream {theirs.get(s, ZERO):f}" for s in differ
    )
    return (
        f"portfolio {portfolio.name!r} does not hold what its executions come to: {text}: compare "
        "with the broker (ingenium verify); then move its file away to make its books anew from "
        "the stream, or start with --adopt to keep them"
    )


class _Quiet(Portfolio):
    """Drops problems, which were reported when they were new."""

    def report_problem(self, text: str) -> None:
        """Drop the problem."""
