"""Receive messages that no stream stores: all without JetStream, and custom events of the user.

A message published while no recorder listens, or faster than it can be written, is lost.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.recorder.batch import RecordedStream

__all__ = ["CoreFeed"]

_LIMIT_BYTES = 64 * 1_048_576
_OVERHEAD = 512


class CoreFeed:
    """Messages in order of arrival, numbered by the recorder.

    Args:
        bus: The connection.
        stream: Recorded position; the next message gets the sequence after it.
        subjects: Subjects or wildcards to listen to.
        on_message: Called when a message or a gap has arrived.
    """

    def __init__(
        self,
        bus: NatsBus,
        stream: RecordedStream,
        subjects: Sequence[str],
        on_message: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._label = stream.label
        self._subjects = subjects
        self._on_message = on_message
        self._next = stream.sequence + 1
        self._arrived: deque[KeptMessage] = deque()
        self._size = 0
        self._sids: list[int] = []
        self._gaps: dict[int, tuple[int, str]] = {}

    def open(self) -> None:
        """Start listening."""
        self._bus.on_incident(self._on_incident)
        self._sids = [
            self._bus.client.listen(self._bus.space.to_server(subject), "", self._deliver)
            for subject in self._subjects
        ]

    def close(self) -> None:
        """Stop listening."""
        self._bus.forget_incident(self._on_incident)
        for sid in self._sids:
            self._bus.client.forget(sid)

    def take(self, count: int) -> list[KeptMessage]:
        """Return the messages that have arrived, at most ``count``."""
        taken = [self._arrived.popleft() for _ in range(min(count, len(self._arrived)))]
        self._size -= sum(map(_size_of, taken))
        return taken

    def take_gaps(self) -> list[tuple[str, int, int, int, str]]:
        """Return rows of `GAPS` for messages dropped, or maybe missed, since the last call."""
        now, gaps = time.time_ns(), self._gaps
        self._gaps = {}
        return [(self._label, first, last, now, why) for first, (last, why) in gaps.items()]

    def _deliver(self, subject: bytes, _reply: bytes, headers: bytes, payload: bytes) -> None:
        sequence = self._next
        self._next += 1
        message = KeptMessage(
            sequence,
            time.time_ns(),
            self._bus.space.from_server(subject.decode("utf-8", "backslashreplace")),
            headers,
            payload,
        )
        size = _size_of(message)
        if self._size + size > _LIMIT_BYTES:
            self._drop(sequence)
        else:
            self._arrived.append(message)
            self._size += size
        self._on_message()

    def _drop(self, sequence: int) -> None:
        for first, (last, why) in self._gaps.items():
            if last == sequence - 1 and why == "too fast":
                self._gaps[first] = sequence, why
                return
        self._gaps[sequence] = sequence, "too fast"

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind is IncidentKind.DISCONNECTED:
            # The number of missed messages is unknown: an empty gap, whose end is before its start.
            self._gaps.setdefault(self._next, (self._next - 1, "connection lost"))
            self._on_message()


def _size_of(message: KeptMessage) -> int:
    return len(message.payload) + len(message.headers) + _OVERHEAD
