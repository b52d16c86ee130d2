"""A bus that somebody else wrote, with fewer guarantees, keeps the contract of every bus."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Mapping
from random import Random

import pytest

from ingenium.bus import (
    Bus,
    BusGuarantee,
    Incident,
    IncidentKind,
    Message,
    MessageHandler,
    Subscription,
)
from ingenium.errors import BusClosedError, BusError, BusTimeoutError
from ingenium.subjects.grammar import check_pattern, check_subject, matches
from ingenium.testing import BusContract


class ShuffledSubscription(Subscription):
    """Handles what has arrived in any order, one message at a time."""

    def __init__(self, bus: ShuffledBus, subject: str, handler: MessageHandler) -> None:
        self._bus = bus
        self._subject = subject
        self._handler = handler
        self._arrived = asyncio.Event()
        self._waiting: list[Message] = []
        self._ends = False
        self.task = asyncio.create_task(self._run())

    @property
    def subject(self) -> str:
        return self._subject

    def offer(self, message: Message) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def _run(self) -> None:
        while self._waiting or not self._ends:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            message = self._waiting.pop(self._bus.random.randrange(len(self._waiting)))
            try:
                answer = self._handler(message)
                if inspect.isawaitable(answer):
                    await answer
            except (Exception, asyncio.CancelledError) as error:
                if self._bus.is_closed:
                    raise
                detail = f"{type(error).__name__}: {error}"
                kind = IncidentKind.HANDLER_ERROR
                self._bus.report(Incident(kind, detail, message.subject, error))

    async def stop(self) -> None:
        self.end()
        if asyncio.current_task() is not self.task:
            await asyncio.wait([self.task], timeout=5)

    def end(self) -> None:
        self._bus.subscriptions.discard(self)
        self._ends = True
        self._arrived.set()


class ShuffledBus(Bus):
    """A bus in one process that keeps no order and knows no groups, sizes or dead letters."""

    guarantees = frozenset()

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.is_closed = False
        self.subscriptions: set[ShuffledSubscription] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._published = 0
        self._callbacks: list[Callable[[Incident], None]] = []

    @property
    def url(self) -> str:
        return "shuffled:"

    @property
    def max_payload(self) -> int:
        return 1 << 20

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._check_open()
        check_subject(subject)
        for name, value in (headers or {}).items():
            if not name or set(name) & set(" :\r\n") or set(value) & set("\r\n"):
                raise BusError(f"the header {name!r} cannot be sent")
        for subscription in self.subscriptions:
            if matches(subscription.subject, subject):
                subscription.offer(Message(subject, payload, dict(headers or {})))
        self._published += 1
        if self._published % 10 == 0:
            await asyncio.sleep(0)

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        self._check_open()
        check_pattern(subject)
        if queue_group:
            raise BusError("this bus knows no queue groups")
        subscription = ShuffledSubscription(self, subject, handler)
        self.subscriptions.add(subscription)
        self._tasks.add(subscription.task)
        return subscription

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        self._check_open()
        if timeout_seconds <= 0:
            raise BusTimeoutError("no time")

    async def drain(self) -> None:
        for subscription in list(self.subscriptions):
            subscription.end()
        if tasks := self._others():
            await asyncio.wait(tasks, timeout=5)
        await self.close()

    async def close(self) -> None:
        self.is_closed = True
        for task in self._others():
            task.cancel()
        self.subscriptions.clear()

    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        self._callbacks.append(callback)

    def report(self, incident: Incident) -> None:
        for callback in self._callbacks:
            with contextlib.suppress(Exception):
                callback(incident)

    def _others(self) -> set[asyncio.Task[None]]:
        return {task for task in self._tasks if task is not asyncio.current_task()}

    def _check_open(self) -> None:
        if self.is_closed:
            raise BusClosedError("the bus was closed")


class TestShuffledBus(BusContract, guarantees=ShuffledBus.guarantees):
    @pytest.fixture(params=range(3))
    async def bus(self, request):
        bus = ShuffledBus(request.param)
        yield bus
        await bus.close()


def collected(guarantees: frozenset[BusGuarantee]) -> set[str]:
    class Suite(BusContract, guarantees=guarantees):
        pass

    return {name for name in dir(Suite) if name.startswith("test_") and getattr(Suite, name)}


@pytest.mark.parametrize(
    ("guarantee", "tests"),
    [
        (BusGuarantee.ORDERED, {"test_many_messages_arrive_in_order"}),
        (
            BusGuarantee.QUEUE_GROUPS,
            {
                "test_queue_group_gets_each_message_once",
                "test_bad_name_of_a_queue_group_is_refused",
            },
        ),
        (
            BusGuarantee.DEAD_LETTERS,
            {
                "test_message_of_a_handler_that_raises_becomes_a_dead_letter",
                "test_dead_letter_of_a_binary_payload_keeps_its_bytes_and_form",
            },
        ),
        (
            BusGuarantee.SIZE_LIMIT,
            {"test_largest_message_passes_and_one_more_byte_is_refused"},
        ),
    ],
)
def test_guarantee_brings_its_tests_and_no_others(guarantee: BusGuarantee, tests: set[str]) -> None:
    assert collected(frozenset({guarantee})) - collected(frozenset()) == tests


@pytest.mark.parametrize("claimed", BusGuarantee)
async def test_contract_finds_a_guarantee_that_is_declared_and_not_kept(
    claimed: BusGuarantee,
) -> None:
    found = []
    for name in sorted(collected(frozenset({claimed})) - collected(frozenset())):
        bus = ShuffledBus(1)
        try:
            async with asyncio.timeout(10):
                await getattr(BusContract(), name)(bus)
        except (AssertionError, BusError, TimeoutError):
            found.append(name)
        finally:
            await bus.close()
    assert found
