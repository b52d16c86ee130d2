"""Warms up a strategy so that history, data stream and live data join without a gap."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record, Stream, StreamState
from ingenium.components import Component, Strategy
from ingenium.components.component import role_of
from ingenium.components.handle_of import handle_of
from ingenium.components.saved_parts import SAVED
from ingenium.errors import DecodeError, StreamError
from ingenium.events import DataEvent
from ingenium.runtime.durable.data_reader import OpenStream
from ingenium.runtime.durable.store import Store, StreamPosition
from ingenium.runtime.durable.unsaved_indicators import unsaved_indicators
from ingenium.runtime.subscriptions import wants
from ingenium.runtime.warm_up import WarmUp
from ingenium.trading.bar import Bar

__all__ = ["check_state", "say_refused", "warm_start"]

_log = logging.getLogger("ingenium.warm_up")


def check_state(component: Component, rows: Mapping[str, bytes], warm_up: WarmUp | None) -> None:
    """Refuse saved state that does not record which data it has seen, before it is restored.

    Data in history would be handled twice. Without a warm-up this cannot happen.
    """
    if warm_up is None or not _has_state(rows):
        return
    if not any(key.startswith(f"{SAVED}/~history/") for key in rows):
        handle_of(
            component
        ).state_refused = (
            "it was saved without App(warm_up=...), and does not record which data was handled"
        )


def say_refused(component: Component, warm_up: WarmUp | None) -> None:
    """Report a component that starts without its saved state."""
    if not handle_of(component).state_refused:
        return
    if not isinstance(component, Strategy):
        then = "account and orders are restored anyway"
    elif warm_up is None:
        then = "the strategy starts cold, without values until its indicators have enough bars"
    else:
        then = "the strategy is warmed up again"
    _log.warning(
        "saved state of %s %r is not used: %s; %s",
        role_of(component),
        component.name,
        handle_of(component).state_refused,
        then,
    )


async def warm_start(
    warm_up: WarmUp,
    component: Component,
    store: Store,
    open_data: OpenStream | None,
    subjects: Sequence[str],
) -> StreamPosition | None:
    """Warm up a strategy, or feed the data it has missed since it saved its state.

    The position from which live data is read is fixed first, so that data arriving meanwhile is
    handled afterwards.

    Args:
        warm_up: Feeds it.
        component: The strategy, restored and started.
        store: Its file.
        open_data: Opens the stream of market data; ``None`` where no stream has it.
        subjects: The data that it wants.

    Returns:
        The sequence after which to resume; ``None`` where the stream reader resumes by itself.

    Raises:
        DataFileError: History cannot be read, and nothing is saved.
        ConfigError: The history has nothing that the strategy wants.
        ComponentError: A handler raised.
    """
    has_state = not handle_of(component).state_refused and _has_state(
        store.rows(SAVED) | store.rows("user")
    )
    if has_state and (cold := unsaved_indicators(component)):
        _log.warning(
            "%s %r resumes from its saved state, which lacks its %s, so they start cold: pass "
            "them to self.saved(name, ...) in its constructor",
            role_of(component),
            component.name,
            " and ".join(cold),
        )
    if open_data is None:
        await (warm_up.resume(None) if has_state else warm_up.begin())
        return None
    stream = await open_data()
    state = await stream.state()
    if not has_state:
        await warm_up.begin()
        await _take_kept(warm_up, component, stream, subjects, state.last)
        return StreamPosition(stream.name, state.created, state.last)
    known = store.position(stream.name)
    goes_on = known is not None and _goes_on(known, state)
    after = known.sequence if known is not None and goes_on else max(state.first - 1, 0)
    first = None
    async with aclosing(_kept(stream, subjects, after, state.last)) as records:
        async for record in records:
            first = _time_of(record)
            break
    await warm_up.resume(first)
    return None if goes_on else StreamPosition(stream.name, state.created, after)


def _has_state(rows: Mapping[str, bytes]) -> bool:
    return SAVED in rows or "user" in rows


def _goes_on(known: StreamPosition, state: StreamState) -> bool:
    """Whether a stream has every message after a position."""
    is_same = known.created == state.created
    return is_same and state.first - 1 <= known.sequence <= state.last


async def _take_kept(
    warm_up: WarmUp, component: Component, stream: Stream, subjects: Sequence[str], last: int
) -> None:
    """Feed data that the stream kept before the start, as far as history lacked it."""
    first = (await stream.state()).first
    try:
        async with aclosing(_kept(stream, subjects, max(first - 1, 0), last)) as records:
            async for record in records:
                try:
                    event = unpack(DataEvent, record.message)
                except DecodeError:
                    continue  # It was a dead letter when it came.
                if wants(component, event, record.message):
                    await warm_up.take(event, record.time)
    except StreamError as error:
        _log.warning(
            "%s: market data of the stream before the start is lost: %s", component.name, error
        )


async def _kept(
    stream: Stream, subjects: Sequence[str], after: int, last: int
) -> AsyncGenerator[Record, None]:
    """Yield a stream's messages of some subjects after a position up to a message, and end."""
    end = 0
    for subject in subjects:
        if subject.endswith(">"):
            end = last
        elif (newest := await stream.last(subject)) is not None:
            end = max(end, newest.sequence)
    if min(end, last) <= after:
        return
    async with aclosing(stream.read(subjects, after)) as records:
        async for record in records:
            if record.sequence > last:
                return
            yield record
            if record.sequence >= end:
                return


def _time_of(record: Record) -> datetime | None:
    try:
        event = unpack(DataEvent, record.message)
        return record.time if event.ohlc is None else Bar.from_event(event, record.time).end
    except DecodeError:
        return record.time
