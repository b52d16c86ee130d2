"""A lease on a server that keeps nothing: its holder answers everyone who asks for it."""

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
"""A token behind those of all others."""


class _Claim(msgspec.Struct, frozen=True):
    """What is said about a lease.

    Attributes:
        holder: Who says it.
        held: Whether it has the lease, or asks for it.
    """

    holder: Holder
    held: bool


class PresenceLease(Lease):
    """A lease that is held by being there, for servers without JetStream.

    Whoever wants it asks, and whoever has it answers. Of two that ask at once the one with the
    smaller token gets it. It holds as long as both reach the same server: two that were cut off
    from each other both have it until they meet again, when the one with the larger token loses it.

    Args:
        bus: The connection.
        key: What it is for, one part of a subject: ``"portfolio"``.
        holder: Who asks.
        cure: What to do when another one has it, as the end of the error.
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
        """Whether we have it."""
        return self._held and self._rival is None

    async def acquire(self) -> None:
        """Get the lease; see `Lease.acquire`."""
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
        """Say now and then that we have it; see `Lease.keep`."""
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
        """Answer no more."""
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
        # Of two that both have it, or both ask, the smaller token stays.
        if claim.held > self._held or (
            claim.held == self._held and other.token < self.holder.token
        ):
            self._rival = other
            self._has_rival.set()
        else:
            await self._say(held=self._held)


async def ask_holder(bus: Bus, key: str, answer_seconds: float = ANSWER_SECONDS) -> Holder:
    """Return who has a lease; `NOBODY` if nobody says so in time.

    Args:
        bus: The connection.
        key: What it is for, as for `PresenceLease`.
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
        # With the largest token, so that it is in nobody's way who starts in this moment.
        question = _Claim(Holder("operator", _LARGEST), held=False)
        await bus.publish(subject, msgspec.json.encode(question))
        async with asyncio.timeout(answer_seconds):
            return await answer
    except TimeoutError:
        return NOBODY
    finally:
        await subscription.stop()
