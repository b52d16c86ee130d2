"""Checks that a strategy in another language carries the trace of a bar on to its signal."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import ingenium as sdk
from ingenium import DataEvent, Ohlc, SignalEvent, decode, encode
from ingenium.bus import Message
from ingenium.ids import make_id

__all__ = ["carries_the_trace_on"]

LIMIT_SECONDS = 60
NAME = "tested"


def digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


async def carries_the_trace_on(url: str, command: Sequence[str], env: dict[str, str]) -> None:
    """Send traced bars to a strategy on AAPL, and compare the header of its first signal."""
    sent: list[str] = []
    answered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def take(message: Message) -> None:
        if not answered.done():
            answered.set_result(message)

    async with sdk.connect(url) as bus:
        await bus.bus.subscribe("ingenium.strategy.signal", take)
        process = await asyncio.create_subprocess_exec(
            *command, env=env | {"NATS_SERVER": url, "INGENIUM_COMPONENT": NAME}
        )
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                # It rises with every bar: the strategy says short once it is subscribed and warm.
                while not answered.done():
                    bar = DataEvent(
                        id=f"data_{len(sent)}",
                        type="data.type.ohlc",
                        symbol="AAPL",
                        timestamp="2024-01-03T14:30:00Z",
                        ohlc=Ohlc(close=str(len(sent) + 1)),
                    )
                    sent.append(bar.id or "")
                    trace, span = digest(f"trace{bar.id}", 32), digest(f"send{bar.id}", 16)
                    header = {"traceparent": f"00-{trace}-{span}-01"}
                    await bus.bus.publish("ingenium.ingestor.data.aapl", encode(bar), header)
                    await asyncio.wait([answered], timeout=0.05)
        finally:
            process.kill()
            await process.wait()
    message = answered.result()
    signal = decode(SignalEvent, message.payload)
    [cause] = [each for each in sent if make_id("signal", NAME, each, "0") == signal.id]
    expected = f"00-{digest(f'trace{cause}', 32)}-{digest(f'send{signal.id}', 16)}-01"
    assert message.headers.get("traceparent", "") == expected
