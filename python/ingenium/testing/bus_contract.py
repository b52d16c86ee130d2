"""Contract tests that every bus must pass.

Derive a class from `BusContract` with the guarantees of your bus and a fixture named ``bus`` that
opens a fresh one. pytest collects the class, with pytest-asyncio in its automatic mode::

    class TestMyBus(BusContract, guarantees=MyBus.guarantees):
        @pytest.fixture
        async def bus(self):
            bus = await MyBus.open()
            yield bus
            await bus.close()

The tests of a guarantee that is not declared are not part of the class.
"""

# ruff: noqa: S101 - these are tests
from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import ClassVar, TypeVar

from ingenium.bus.base import Bus, BusGuarantee, IncidentKind, Message
from ingenium.bus.envelope import unpack
from ingenium.errors import BusClosedError, BusError, EventTooLargeError, SubjectError
from ingenium.events import DeadLetterEvent, DeadLetterReason
from ingenium.subjects.names import DEAD_LETTER
from ingenium.testing.waiting import Collector, IncidentLog, wait_until

__all__ = ["BusContract"]

_BAD_SUBJECTS = [
    "",
    "a b",
    "a\tb",
    "a\r\nPUB x 0",
    ".a",
    "a.",
    "a..b",
    "a\x00b",
    "a\x0bb",
    "x" * 1025,
]


def _raises(error_type: type[BaseException], error: BaseException | None) -> None:
    assert isinstance(error, error_type), f"expected {error_type.__name__}, got {error!r}"


async def _error_of(awaitable: object) -> BaseException | None:
    try:
        await awaitable  # type: ignore[misc]
    except Exception as error:  # noqa: BLE001 - looked at by the caller
        return error
    return None


_Test = TypeVar("_Test", bound=Callable[..., object])


def _tests(guarantee: BusGuarantee) -> Callable[[_Test], _Test]:
    """Mark a test of an optional guarantee."""

    def mark(test: _Test) -> _Test:
        test.__dict__["guarantee"] = guarantee
        return test

    return mark


class BusContract:
    """Tests of the promises of `Bus`; the module docstring shows how to use them.

    Attributes:
        guarantees: Guarantees that the bus declares; the class keyword of the same name.
    """

    guarantees: ClassVar[frozenset[BusGuarantee]] = frozenset(BusGuarantee)

    def __init_subclass__(cls, *, guarantees: Collection[BusGuarantee] | None = None) -> None:
        """Leave out the tests of guarantees that the bus does not declare."""
        super().__init_subclass__()
        if guarantees is None:
            return
        cls.guarantees = frozenset(guarantees)
        for name in dir(BusContract):
            guarantee = getattr(getattr(BusContract, name), "guarantee", None)
            if guarantee is not None and guarantee not in cls.guarantees:
                setattr(cls, name, None)

    async def test_bus_declares_the_guarantees_that_are_tested(self, bus: Bus) -> None:
        """The bus class and the suite declare the same guarantees."""
        assert bus.guarantees == self.guarantees

    async def test_message_arrives_as_it_was_published(self, bus: Bus) -> None:
        """Subject, payload and headers arrive unchanged, and a payload may hold any bytes."""
        got = Collector[Message]()
        await bus.subscribe("a.b", got)
        payload = bytes(range(256)) + b"\r\nPUB x 1\r\n"
        await bus.publish("a.b", payload, {"Ingenium-Source": "test", "X-Text": "schön: gut"})
        (message,) = await got.wait(1)
        assert message.subject == "a.b"
        assert message.payload == payload
        assert dict(message.headers) == {"Ingenium-Source": "test", "X-Text": "schön: gut"}
        assert message.reply == ""

    async def test_message_without_headers_or_payload_arrives(self, bus: Bus) -> None:
        """Headers are optional, and a payload may be empty."""
        got = Collector[Message]()
        await bus.subscribe("a.b", got)
        await bus.publish("a.b", b"")
        (message,) = await got.wait(1)
        assert message.payload == b""
        assert dict(message.headers) == {}

    @_tests(BusGuarantee.ORDERED)
    async def test_many_messages_arrive_in_order(self, bus: Bus) -> None:
        """One publisher's messages on one subject keep their order."""
        got = Collector[Message]()
        await bus.subscribe("a.b", got)
        for number in range(5000):
            await bus.publish("a.b", b"%d" % number)
        messages = await got.wait(5000)
        assert [int(message.payload) for message in messages] == list(range(5000))

    async def test_wildcards_cover_what_they_should(self, bus: Bus) -> None:
        """A star matches one token, > one or more."""
        one, rest, exact = Collector[Message](), Collector[Message](), Collector[Message]()
        await bus.subscribe("w.*.c", one)
        await bus.subscribe("w.>", rest)
        await bus.subscribe("w.b", exact)
        for subject in ("w.b", "w.b.c", "w.x.c", "w.b.c.d", "w", "v.b"):
            await bus.publish(subject, subject.encode())
        await rest.wait(4)
        await one.wait(2)
        await exact.wait(1)
        subjects = sorted(message.subject for message in rest.items)
        assert subjects == ["w.b", "w.b.c", "w.b.c.d", "w.x.c"]
        assert sorted(message.subject for message in one.items) == ["w.b.c", "w.x.c"]
        assert [message.subject for message in exact.items] == ["w.b"]

    async def test_every_subscription_gets_each_message(self, bus: Bus) -> None:
        """Two subscriptions to one subject both get the message."""
        first, second = Collector[Message](), Collector[Message]()
        await bus.subscribe("a.b", first)
        await bus.subscribe("a.b", second)
        await bus.publish("a.b", b"1")
        await first.wait(1)
        await second.wait(1)

    @_tests(BusGuarantee.QUEUE_GROUPS)
    async def test_queue_group_gets_each_message_once(self, bus: Bus) -> None:
        """One member of a group gets each message; subscriptions outside of it do too."""
        first, second, outside = Collector[Message](), Collector[Message](), Collector[Message]()
        await bus.subscribe("a.b", first, queue_group="workers")
        await bus.subscribe("a.b", second, queue_group="workers")
        await bus.subscribe("a.b", outside)
        for number in range(200):
            await bus.publish("a.b", b"%d" % number)
        await outside.wait(200)
        await wait_until(lambda: len(first.items) + len(second.items) >= 200)
        together = sorted(int(message.payload) for message in first.items + second.items)
        assert together == list(range(200))
        assert first.items
        assert second.items

    async def test_async_handler_runs_for_one_message_at_a_time(self, bus: Bus) -> None:
        """The next message waits until the handler has returned."""
        running = most = 0
        handled: list[int] = []

        async def handler(message: Message) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(int(message.payload) % 3):
                await asyncio.sleep(0)
            handled.append(int(message.payload))
            running -= 1

        await bus.subscribe("a.b", handler)
        for number in range(50):
            await bus.publish("a.b", b"%d" % number)
        await wait_until(lambda: len(handled) == 50)
        assert most == 1
        assert sorted(handled) == list(range(50))

    async def test_handler_may_publish_to_its_own_subject(self, bus: Bus) -> None:
        """A handler may publish to its own subject without a deadlock."""
        seen: list[int] = []

        async def handler(message: Message) -> None:
            number = int(message.payload)
            seen.append(number)
            if number < 300:
                await bus.publish("a.b", b"%d" % (number + 1))

        await bus.subscribe("a.b", handler)
        await bus.publish("a.b", b"0")
        await wait_until(lambda: len(seen) == 301)

    async def test_handler_that_raises_becomes_an_incident(self, bus: Bus) -> None:
        """The subscription continues, and the incident names the error."""
        log = IncidentLog()
        handled: list[bytes] = []
        bus.on_incident(log)

        def handler(message: Message) -> None:
            if message.payload == b"bad":
                raise ValueError("no such thing")
            handled.append(message.payload)

        await bus.subscribe("a.b", handler)
        for payload in (b"1", b"bad", b"2"):
            await bus.publish("a.b", payload)
        await wait_until(lambda: len(handled) == 2)
        (incident,) = await log.wait_for(IncidentKind.HANDLER_ERROR)
        assert incident.subject == "a.b"
        assert incident.detail == "ValueError: no such thing"
        assert isinstance(incident.error, ValueError)

    @_tests(BusGuarantee.DEAD_LETTERS)
    async def test_message_of_a_handler_that_raises_becomes_a_dead_letter(self, bus: Bus) -> None:
        """The payload is not lost, and the dead letter names the error."""
        letters = Collector[Message]()

        def handler(message: Message) -> None:
            raise ValueError("no such thing")

        await bus.subscribe("a.b", handler)
        await bus.subscribe(f"{DEAD_LETTER}.>", letters)
        await bus.publish("a.b", b"bad")
        (message,) = await letters.wait(1)
        letter = unpack(DeadLetterEvent, message)
        assert letter.reason == DeadLetterReason.HANDLER_ERROR
        assert letter.original_subject == "a.b"
        assert letter.data == b"bad"
        assert "ValueError: no such thing" in letter.error

    @_tests(BusGuarantee.DEAD_LETTERS)
    async def test_dead_letter_of_a_binary_payload_keeps_its_bytes_and_form(self, bus: Bus) -> None:
        """A refused payload can be inspected, and sent again unchanged."""
        letters = Collector[Message]()

        def handler(message: Message) -> None:
            raise ValueError("no")

        await bus.subscribe("a.b", handler)
        await bus.subscribe(f"{DEAD_LETTER}.>", letters)
        payload = bytes(range(256))
        await bus.publish("a.b", payload, {"Content-Type": "application/protobuf"})
        (message,) = await letters.wait(1)
        assert message.headers["Content-Type"] == bus.content_type
        letter = unpack(DeadLetterEvent, message)
        assert (letter.data, letter.content_type) == (payload, "application/protobuf")

    async def test_handler_that_waits_for_a_canceled_task_goes_on(self, bus: Bus) -> None:
        """A CancelledError of another task is a handler error and does not end the subscription."""
        log, handled = IncidentLog(), Collector[Message]()
        bus.on_incident(log)

        async def handler(message: Message) -> None:
            if not handled.items and not log.items:
                task = asyncio.create_task(asyncio.sleep(60))
                task.cancel()
                await task
            handled(message)

        await bus.subscribe("a.b", handler)
        await bus.publish("a.b", b"1")
        await bus.publish("a.b", b"2")
        await handled.wait(1)
        assert len(handled.items) == 1
        assert len(log.of(IncidentKind.HANDLER_ERROR)) == 1

    async def test_incident_callback_that_raises_harms_nobody(self, bus: Bus) -> None:
        """The other callbacks and the subscription continue."""
        log, got = IncidentLog(), Collector[Message]()

        def broken(incident: object) -> None:
            raise RuntimeError(f"cannot take {incident}")

        def handler(message: Message) -> None:
            got(message)
            raise ValueError("no")

        bus.on_incident(broken)
        bus.on_incident(log)
        await bus.subscribe("a.b", handler)
        await bus.publish("a.b", b"1")
        await bus.publish("a.b", b"2")
        await got.wait(2)
        await log.wait_for(IncidentKind.HANDLER_ERROR, 2)

    async def test_what_a_plain_handler_returns_does_not_matter(self, bus: Bus) -> None:
        """A lambda that returns a number is a valid handler."""
        log, got = IncidentLog(), Collector[Message]()
        bus.on_incident(log)

        def handler(message: Message) -> int:
            got(message)
            return 5

        await bus.subscribe("a.b", handler)  # type: ignore[arg-type]
        await bus.publish("a.b", b"1")
        await got.wait(1)
        assert log.items == []

    async def test_publish_to_a_bad_subject_is_refused(self, bus: Bus) -> None:
        """Wildcards, whitespace and empty tokens are refused before anything is sent."""
        got = Collector[Message]()
        await bus.subscribe(">", got)
        for subject in [*_BAD_SUBJECTS, "a.*", "a.>"]:
            _raises(SubjectError, await _error_of(bus.publish(subject, b"")))
        await bus.publish("a.b", b"end")
        assert [message.payload for message in await got.wait(1)] == [b"end"]

    async def test_subscribe_to_a_bad_subject_is_refused(self, bus: Bus) -> None:
        """Misplaced wildcards are refused too."""
        got = Collector[Message]()
        for subject in [*_BAD_SUBJECTS, "a.>.b", "a.b*", ">a"]:
            _raises(SubjectError, await _error_of(bus.subscribe(subject, got)))

    @_tests(BusGuarantee.QUEUE_GROUPS)
    async def test_bad_name_of_a_queue_group_is_refused(self, bus: Bus) -> None:
        """A group's name is one token."""
        subscription = bus.subscribe("a.b", Collector[Message](), queue_group="two words")
        _raises(SubjectError, await _error_of(subscription))

    async def test_header_that_could_end_the_block_is_refused(self, bus: Bus) -> None:
        """A header value contains no line break, and a header name is a token."""
        for headers in ({"A": "1\r\nB: 2"}, {"A": "1\n"}, {"A B": "1"}, {"A:": "1"}, {"": "1"}):
            _raises(BusError, await _error_of(bus.publish("a.b", b"", headers)))

    @_tests(BusGuarantee.SIZE_LIMIT)
    async def test_largest_message_passes_and_one_more_byte_is_refused(self, bus: Bus) -> None:
        """The limit includes headers, and after a refusal the bus works as before."""
        got = Collector[Message]()
        await bus.subscribe("a.b", got)
        headers = {"Nats-Msg-Id": "x"}
        block = len(b"NATS/1.0\r\nNats-Msg-Id: x\r\n\r\n")
        fits = bus.max_payload - block
        await bus.publish("a.b", b"x" * fits, headers)
        error = await _error_of(bus.publish("a.b", b"x" * (fits + 1), headers))
        assert isinstance(error, EventTooLargeError)
        assert (error.size, error.limit) == (bus.max_payload + 1, bus.max_payload)
        _raises(EventTooLargeError, await _error_of(bus.publish("a.b", b"x" * (fits + block + 1))))
        await bus.publish("a.b", b"end")
        messages = await got.wait(2)
        assert [len(message.payload) for message in messages] == [fits, 3]

    async def test_stopped_subscription_has_handled_what_arrived(self, bus: Bus) -> None:
        """No message is handled after stop, and a second stop has no effect."""
        handled: list[bytes] = []

        async def handler(message: Message) -> None:
            await asyncio.sleep(0)
            handled.append(message.payload)

        subscription = await bus.subscribe("a.b", handler)
        assert subscription.subject == "a.b"
        for number in range(100):
            await bus.publish("a.b", b"%d" % number)
        await bus.flush()
        await subscription.stop()
        assert len(handled) == 100
        await bus.publish("a.b", b"late")
        await bus.flush()
        await subscription.stop()
        assert len(handled) == 100

    async def test_handler_may_stop_its_own_subscription(self, bus: Bus) -> None:
        """Stop does not deadlock, and the messages that had arrived are handled."""
        got = Collector[Message]()

        async def handler(message: Message) -> None:
            got(message)
            if message.payload == b"0":
                await subscription.stop()

        subscription = await bus.subscribe("a.b", handler)
        await bus.publish("a.b", b"0")
        await got.wait(1)
        await bus.flush()
        other = Collector[Message]()
        await bus.subscribe("a.b", other)
        await bus.publish("a.b", b"1")
        await other.wait(1)
        assert [message.payload for message in got.items] == [b"0"]

    async def test_drain_handles_what_has_arrived_and_closes(self, bus: Bus) -> None:
        """Messages that handlers publish during a drain are sent; afterwards the bus is closed."""
        handled: list[bytes] = []

        async def handler(message: Message) -> None:
            await asyncio.sleep(0)
            handled.append(message.payload)
            await bus.publish("c.d", message.payload)

        await bus.subscribe("a.b", handler)
        for number in range(100):
            await bus.publish("a.b", b"%d" % number)
        await bus.flush()
        await asyncio.gather(bus.drain(), bus.drain())
        assert len(handled) == 100
        _raises(BusClosedError, await _error_of(bus.publish("a.b", b"")))
        await bus.drain()

    async def test_drain_from_a_handler_does_not_wait_for_itself(self, bus: Bus) -> None:
        """A handler may drain the bus without a deadlock."""
        done = asyncio.Event()

        async def handler(message: Message) -> None:
            await bus.drain()
            done.set()

        await bus.subscribe("a.b", handler)
        await bus.publish("a.b", b"1")
        await asyncio.wait_for(done.wait(), 3.0)

    async def test_closed_bus_refuses_everything(self, bus: Bus) -> None:
        """Closing twice has no effect."""
        await bus.subscribe("a.b", Collector[Message]())
        await bus.close()
        await bus.close()
        for awaitable in (
            bus.publish("a.b", b""),
            bus.publish("new.subject", b""),
            bus.subscribe("a.b", Collector[Message]()),
            bus.flush(),
        ):
            _raises(BusClosedError, await _error_of(awaitable))
        await bus.drain()

    async def test_publisher_that_never_waits_lets_handlers_run(self, bus: Bus) -> None:
        """A loop that only publishes must not starve the other tasks."""
        got = Collector[Message]()
        await bus.subscribe("a.b", got)
        payload = b"x" * 1000
        for _ in range(20_000):
            await bus.publish("a.b", payload)
            if got.items:
                return
        raise AssertionError("20,000 messages were published before one was handled")
