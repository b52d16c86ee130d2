"""Headers that a middleware adds to the messages of events, and what becomes of broken ones."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ingenium import Middleware, Strategy
from ingenium.bus import MemoryBus
from ingenium.bus.base import Message
from ingenium.bus.envelope import cause_header, headers_for
from ingenium.components import Component
from ingenium.events import Event, Signal, encode
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.durable import Store
from ingenium.runtime.durable.transaction import Transaction
from ingenium.runtime.live import LiveRunner
from ingenium.subjects.names import subject_of
from ingenium.testing import data_event, signal_event, wait_until
from ingenium.trading import Bar

NOW = datetime(2024, 1, 3, tzinfo=UTC)


class Speaker(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG)


class Stamp(Middleware):
    def __init__(self, name: str) -> None:
        self.name = name

    def on_publish(self, component: Component, event: Event) -> dict[str, str]:
        return {f"Stamp-{self.name}": f"{component.name} {event.id}"}


class Broken(Middleware):
    """Returns a header that would end the block early."""

    def on_publish(self, component: Component, event: Event) -> dict[str, str]:
        return {"Broken": "yes\r\nIngenium-Source: another"}


OWN = {
    "Ingenium-Source": "speaker",
    "Content-Type": "application/json",
    "Nats-Msg-Id": "signal_1",
}
EVENT = signal_event(id="signal_1")


def added(*middleware: Middleware, headers: Mapping[str, str] | None = None) -> Mapping[str, str]:
    dispatcher = Dispatcher(Speaker(name="speaker"), middleware)
    return dispatcher.add_headers(EVENT, headers or headers_for(EVENT, "speaker"))


def test_headers_of_each_middleware_are_behind_those_of_the_event() -> None:
    found = added(Stamp("A"), Middleware(), Stamp("B"))
    assert list(dict(found).items()) == [
        *OWN.items(), ("Stamp-A", "speaker signal_1"), ("Stamp-B", "speaker signal_1"),
    ]  # fmt: skip


def test_headers_without_a_middleware_that_adds_any_are_the_same_object() -> None:
    headers = headers_for(EVENT, "speaker")
    assert added(headers=headers) is headers
    assert added(Middleware(), headers=headers) is headers


def test_headers_that_are_a_plain_mapping_are_not_changed() -> None:
    headers = {"Own": "1"}
    assert added(Stamp("A"), headers=headers) == {"Own": "1", "Stamp-A": "speaker signal_1"}
    assert headers == {"Own": "1"}


def test_broken_header_is_left_out_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher(Speaker(name="speaker"), [Broken(), Stamp("A")])
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = dispatcher.add_headers(EVENT, headers_for(EVENT, "speaker"))
            assert dict(found) == OWN | {"Stamp-A": "speaker signal_1"}
    [text] = [each.getMessage() for each in caplog.records]
    assert text.startswith("Broken failed before a publish of strategy 'speaker': ")
    assert "line break" in text


async def test_message_on_the_bus_has_the_headers_of_the_middleware() -> None:
    bus = MemoryBus()
    messages: list[Message] = []
    await bus.subscribe("ingenium.strategy.signal", messages.append)
    runner = LiveRunner(bus, Speaker(name="speaker"), middleware=[Stamp("A")])
    await runner.start()
    bar = data_event(id="data_1")
    await bus.publish(subject_of(bar), encode(bar))
    await wait_until(lambda: bool(messages), what="the signal")
    await runner.stop()
    [message] = messages
    assert message.headers["Stamp-A"] == f"speaker {message.headers['Nats-Msg-Id']}"
    assert message.headers["Ingenium-Cause"] == "data_1"


def test_cause_is_stored_and_does_not_change_the_id_of_the_message() -> None:
    stored = []
    for handled in (None, data_event(id="data_1")):
        store = Store(sqlite3.connect(":memory:"))
        transaction = Transaction(Speaker(name="speaker"), store, 10_000, secret="a secret")
        transaction.send([EVENT], NOW, NOW, handled)
        transaction.commit()
        stored += store.outbox(10)
        store.close()
    plain, caused = stored
    assert plain.id == caused.id
    assert caused.headers == {**plain.headers, "Ingenium-Cause": "data_1"}


@pytest.mark.parametrize("identifier", ["", "a\r\nIngenium-Source: another", "größer", "x" * 201])
def test_id_that_no_header_can_hold_is_left_out(identifier: str) -> None:
    assert cause_header(data_event(id=identifier)) == {}
    assert cause_header(None) == {}


@pytest.mark.parametrize("secret", ["", "a secret"])
def test_added_headers_are_stored_and_do_not_change_the_id_of_the_message(secret: str) -> None:
    dispatcher = Dispatcher(Speaker(name="speaker"), [Stamp("A")])
    stored = []
    options: list[dict[str, Any]] = [{}, {"add_headers": dispatcher.add_headers}]
    for more in options:
        store = Store(sqlite3.connect(":memory:"))
        transaction = Transaction(dispatcher.component, store, 10_000, secret=secret, **more)
        transaction.send([EVENT], NOW)
        transaction.commit()
        stored += store.outbox(10)
        store.close()
    plain, stamped = stored
    assert plain.id == stamped.id
    assert plain.id.startswith("signal_1")
    assert stamped.headers == {**plain.headers, "Stamp-A": "speaker signal_1"}
