"""Lease on a server without JetStream: the holder answers requests for it."""

from __future__ import annotations

import asyncio

import msgspec

from ingenium.bus.base import Bus, Message, Subscription
from ingenium.bus.lease import NOBODY, RENEW_SECONDS, Holder, Lease
from ingenium.errors import LeaseHeldError, LeaseLostError
from ingenium.subjects.names import space_subject

__all__ = ["ANSWER_SECONDS", "PresenceLease", "ask_holder"]

ANSWER_SECONDS = 0.5
"""How long the present holder has to answer."""


_LARGEST = "~"
"""A token that sorts after all others."""


class _Claim(msgspec.Struct, frozen=True):
    """Message about a lease.

    Attributes:
        holder: Sender of the message.
        held: Whether the sender holds the lease, or requests it.
    """

    holder: Holder
    held: bool


class PresenceLease(Lease):
    """Lease held by answering requests, for servers without JetStream.

    A process that wants the lease sends a request, and the holder answers. Of two simultaneous
    requests the smaller token wins. The lease is exclusive while both processes reach the same
    server: two processes cut off from each other both hold it until they are connected again, and
    then the one with the larger token loses it.

    Args:
        bus: Connection to the server.
        key: Key of the lease, one token of a subject: ``"portfolio"``.
        holder: Who asks.
        cure: Advice for the error when another process holds the lease.
        answer_seconds: How long the present holder has to answer.
    """

    def __init__(
        self,
        bus: Bus,
        key: str,
        holder: Holder,
        cure: str,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.key = key
        self.holder = holder
        self._bus = bus
        self._cure = cure
        self._answer_seconds = answer_seconds
        self._subject = space_subject(key)
        self._subscription: Subscription | None = None
        self._held = False
        self._rival: Holder | None = None
        self._has_rival = asyncio.Event()

    @property
    def is_valid(self) -> bool:
        """Whether this process holds the lease."""
        return self._held and self._rival is None

    async def acquire(self) -> None:
        """Acquire the lease; see `Lease.acquire`."""
        self._subscription = await self._bus.subscribe(self._subject, self._hear)
        try:
            await self._say(held=False)
            try:
                async with asyncio.timeout(self._answer_seconds):
                    await self._has_rival.wait()
            except TimeoutError:
                pass
            if self._rival is not None:
                raise LeaseHeldError(f"{self.key} is led by {self._rival.name}{self._cure}")
        except BaseException:
            await self.release()
            raise
        self._held = True

    async def keep(self) -> None:
        """Announce the lease periodically; see `Lease.keep`."""
        while True:
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    await self._has_rival.wait()
            except TimeoutError:
                await self._say(held=True)
                continue
            name = self._rival.name if self._rival is not None else "another process"
            raise LeaseLostError(f"{self.key} is led by {name} as well: this process ends")

    async def release(self) -> None:
        """Stop answering."""
        self._held = False
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.stop()

    async def _say(self, *, held: bool) -> None:
        await self._bus.publish(self._subject, msgspec.json.encode(_Claim(self.holder, held)))

    async def _hear(self, message: Message) -> None:
        try:
            claim = msgspec.json.decode(message.payload, type=_Claim)
        except msgspec.MsgspecError:
            return
        other = claim.holder
        if other.token == self.holder.token:
            return
        # Between two holders, or two requests, the smaller token wins.
        if claim.held > self._held or (
            claim.held == self._held and other.token < self.holder.token
        ):
            self._rival = other
            self._has_rival.set()
        else:
            await self._say(held=self._held)


async def ask_holder(bus: Bus, key: str, answer_seconds: float = ANSWER_SECONDS) -> Holder:
    """Return the holder of a lease; `NOBODY` without an answer in time.

    Args:
        bus: Connection to the server.
        key: Key, as for `PresenceLease`.
        answer_seconds: How long the holder has to answer.
    """
    answer: asyncio.Future[Holder] = asyncio.get_running_loop().create_future()

    async def hear(message: Message) -> None:
        try:
            claim = msgspec.json.decode(message.payload, type=_Claim)
        except msgspec.MsgspecError:
            return
        if claim.held and not answer.done():
            answer.set_result(claim.holder)

    subject = space_subject(key)
    subscription = await bus.subscribe(subject, hear)
    try:
        # The largest token, so that the request never wins against a starting process.
        question = _Claim(Holder("operator", _LARGEST), held=False)
        await bus.publish(subject, msgspec.json.encode(question))
        async with asyncio.timeout(answer_seconds):
            return await answer
    except TimeoutError:
        return NOBODY
    finally:
        await subscription.stop()
