"""Reads recorded events, and sends dead letters again."""

from __future__ import annotations

import json
from collections import deque
from contextlib import aclosing
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import events_pb as pb
from ingenium.control._gen.ingenium.control.v1.events_connect import EventService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.call_guard import caller_now, refuse
from ingenium.control.callers import AccessRole
from ingenium.control.event_messages import MOST_TEXT, cut
from ingenium.control.request_fields import page_size, time_range
from ingenium.events import encode
from ingenium.operations.apps import as_operator, stream_of
from ingenium.operations.dead_letters import DeadLetter, dead_letters_of, find_dead_letter, resend
from ingenium.recorder.instants import nanoseconds

__all__ = ["EventCalls"]

Context = RequestContext[Any, Any]


class EventCalls(EventService):
    """Implements EventService.

    Args:
        catalog: Finds apps and recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog

    async def list_events(
        self, request: pb.ListEventsRequest, _: Context, /
    ) -> pb.ListEventsResponse:
        """Return a page of recorded events."""
        app = self._catalog.resolve(request.app)
        limit = page_size(request.page_size, 500)
        wanted = request.filter or pb.EventFilter()
        since, until = time_range(request)
        table = await self._catalog.read(
            app,
            lambda records: records.events(
                app,
                type=wanted.type,
                subject=wanted.subject,
                symbol=wanted.symbol or None,
                since=since,
                until=until,
                limit=limit,
                after=request.page_token,
            ),
        )
        return pb.ListEventsResponse(
            events=[_event(row) for row in table],
            next_page_token=table.next,
            notes=list(table.notes),
        )

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, _: Context, /
    ) -> pb.ListDeadLettersResponse:
        """Return dead letters, latest first."""
        limit = page_size(request.limit, 500)
        place = self._catalog.place(self._catalog.resolve(request.app))
        # The stream is read from its beginning: only the newest are kept.
        found: deque[DeadLetter] = deque(maxlen=limit)
        async with as_operator(place) as bus:
            stream = await stream_of(bus)
            letters = dead_letters_of(stream, component=request.component or None)
            async with aclosing(letters):
                async for letter in letters:
                    found.append(letter)
        return pb.ListDeadLettersResponse(dead_letters=[_letter(each) for each in reversed(found)])

    async def retry_dead_letter(
        self, request: pb.RetryDeadLetterRequest, _: Context, /
    ) -> pb.RetryDeadLetterResponse:
        """Send the message of a dead letter again."""
        place = self._catalog.place(self._catalog.resolve(request.app))
        if request.sequence <= 0:
            raise refuse("sequence is not stated: use that of ListDeadLetters")
        async with as_operator(place) as bus:
            stream = await stream_of(bus)
            letter = await find_dead_letter(stream, request.sequence)
            if letter.moves_orders and caller_now().role < AccessRole.TRADE:
                raise ConnectError(
                    Code.PERMISSION_DENIED,
                    f"dead letter {request.sequence} is about an order: this needs the role trade",
                )
            return pb.RetryDeadLetterResponse(is_sent=await resend(stream, letter))


def _event(row: dict[str, Any]) -> pb.BusEvent:
    event = row["event"]
    text = json.dumps(event) if isinstance(event, dict) else encode(event).decode()
    return pb.BusEvent(
        received_time=row["received"],
        event_time=row["time"] or None,
        subject=row["subject"],
        type=row["type"],
        id=row["id"],
        cause=row["cause"],
        source=row["source"],
        json=cut(text),
        error=row["error"],
        stream=row["stream"],
        sequence=row["sequence"],
        is_cut=len(text) > MOST_TEXT,
    )


def _letter(letter: DeadLetter) -> pb.DeadLetter:
    event = letter.event
    return pb.DeadLetter(
        sequence=letter.sequence,
        time=nanoseconds(letter.time),
        component=event.component,
        error=event.error,
        subject=event.original_subject,
        payload=cut(event.data.decode("utf-8", "replace")),
        moves_orders=letter.moves_orders,
        id=event.id,
    )
