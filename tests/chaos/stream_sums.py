"""What a stream holds, read by nats-py and added up from the JSON, without any code of ours."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from decimal import Decimal

import nats
from nats.aio.msg import Msg

__all__ = ["StreamSums", "read_streams"]

_LIMIT_SECONDS = 900.0


class StreamSums:
    """Adds up the messages of one stream.

    Attributes:
        count: Number of messages.
        last: Sequence of the last one.
        kinds: Number of readable events by the last part of the subject; bars are ``data``.
        volume: Sum over all bars.
        ordered: Sum of the quantities of all orders.
        fills: Number of fills; one that was sent again counts once.
        filled: Sum of their quantities.
        held: Bought less sold, by symbol.
        cash: Received less paid, after commissions.
    """

    def __init__(self) -> None:
        self.count = self.last = 0
        self.kinds: Counter[str] = Counter()
        self.volume = self.ordered = self.filled = self.cash = Decimal(0)
        self.held: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._digest = hashlib.sha256()
        self._seen: set[str] = set()

    @property
    def fills(self) -> int:
        """Number of different fills."""
        return len(self._seen)

    @property
    def digest(self) -> str:
        """SHA-256 over sequence, subject and body of each message."""
        return self._digest.hexdigest()

    def add(self, sequence: int, subject: str, body: bytes) -> None:
        """Add the next message."""
        self.add_bytes(sequence, subject, body)
        try:
            event = json.loads(body)
        except ValueError:
            return
        parts = subject.split(".")
        kind = "data" if parts[1] == "ingestor" else parts[2]
        self.kinds[kind] += 1
        if kind == "data":
            self.volume += Decimal(event["Ohlc"]["Volume"])
        elif kind == "order":
            self.ordered += Decimal(event["Quantity"])
        elif kind == "execution" and event["Id"] not in self._seen:
            self._seen.add(event["Id"])
            quantity = Decimal(event["Quantity"])
            signed = quantity if event["Side"] == "buy" else -quantity
            self.filled += quantity
            self.held[event["Symbol"]] += signed
            self.cash -= signed * Decimal(event["Price"]) + Decimal(event["Commission"])

    def add_bytes(self, sequence: int, subject: str, body: bytes) -> None:
        """Add a message to number and digest only."""
        self.count += 1
        self.last = sequence
        self._digest.update(f"{sequence} {subject} {len(body)} ".encode() + body)


async def read_streams(url: str, streams: dict[str, tuple[str, int]]) -> dict[str, StreamSums]:
    """Read streams from their beginning by nats-py's ordered consumer.

    Args:
        url: Of the server.
        streams: Subject that stands for all of the stream, and its last sequence, by its name.
    """
    client = await nats.connect(url)
    found = {}
    for name, (subject, last) in streams.items():
        sums, done = StreamSums(), asyncio.Event()

        async def take(
            message: Msg, sums: StreamSums = sums, done: asyncio.Event = done, last: int = last
        ) -> None:
            sums.add(message.metadata.sequence.stream, message.subject, message.data)
            if sums.last >= last:
                done.set()

        await client.jetstream().subscribe(subject, stream=name, ordered_consumer=True, cb=take)
        async with asyncio.timeout(_LIMIT_SECONDS):
            await done.wait()
        found[name] = sums
    await client.close()
    return found
