"""When recorded events were stored by the server, and who sent them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from ingenium.recorder.schema import EVENTS

__all__ = ["receptions"]

_AT_ONCE = 500


def receptions(
    connection: Connection, places: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, str]]:
    """Return the time of reception, in nanoseconds since 1970, and the sender of events.

    Args:
        connection: Connection to the database.
        places: Streams and sequences; one whose event was deleted is left out of the result.
    """
    numbers: dict[str, list[int]] = {}
    for stream, sequence in places:
        numbers.setdefault(stream, []).append(sequence)
    columns = EVENTS.c.stream, EVENTS.c.sequence, EVENTS.c.received, EVENTS.c.source
    found: dict[tuple[str, int], tuple[int, str]] = {}
    for stream, wanted in numbers.items():
        for first in range(0, len(wanted), _AT_ONCE):
            query = select(*columns).where(
                EVENTS.c.stream == stream, EVENTS.c.sequence.in_(wanted[first : first + _AT_ONCE])
            )
            for row in connection.execute(query):
                found[row[0], row[1]] = row[2], row[3]
    return found
