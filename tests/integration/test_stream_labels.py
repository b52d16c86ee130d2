"""What a NATS user sees of streams and consumers: descriptions and metadata."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import StreamConfig
from support.delivering import Desk
from support.live_app import APP
from support.running import running, until

from ingenium.bus import NatsBus
from ingenium.bus.nats.labels import Labels
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID
from ingenium.nats_server import running_servers
from ingenium.nats_server.accounts import OPERATOR
from ingenium.subjects.names import SIGNAL

_TEXT = "Ingenium: signals, orders, executions, denials, dead letters, control"


async def ask(bus: NatsBus, call: str, **request: Any) -> Any:
    answer = await bus.client.request(f"$JS.API.{call}", json.dumps(request).encode(), timeout=5)
    return json.loads(answer.data)


async def test_new_streams_say_what_they_are_for(desk: Desk, bus: NatsBus) -> None:
    await open_stream(bus, MONEY_STREAM, Labels("live", "rsi", "strategy"))
    await open_stream(bus, DATA_STREAM)
    config = (await ask(bus, "STREAM.INFO.INGENIUM"))["config"]
    assert config["description"] == _TEXT
    # That of all components of the app, whoever makes it.
    assert config["metadata"]["app"] == "live"
    assert config["metadata"]["purpose"] == "events"
    assert "component" not in config["metadata"]
    config = (await ask(bus, "STREAM.INFO.INGENIUM_DATA"))["config"]
    assert config["description"] == "Ingenium: market data of the last day"


async def test_consumer_says_who_reads(desk: Desk, bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM, Labels("live", "desk", "portfolio"))
    await stream.append(SIGNAL, b"1", {MESSAGE_ID: "a"})
    async with asyncio.timeout(10), aclosing(stream.read([SIGNAL], 0)) as records:
        async for _ in records:
            break
        (consumer,) = (await ask(bus, "CONSUMER.LIST.INGENIUM"))["consumers"]
    config = consumer["config"]
    assert config["description"] == ("portfolio desk of app live: reads ingenium.strategy.signal")
    labels = {key: value for key, value in config["metadata"].items() if key[0] != "_"}
    assert labels == {"app": "live", "component": "desk", "role": "portfolio", "purpose": "read"}


async def test_stream_of_the_version_before_is_labeled_and_loses_nothing(
    desk: Desk, bus: NatsBus
) -> None:
    layout = MONEY_STREAM
    # As the version before made it, with what an operator has changed since.
    made = StreamConfig(
        name=layout.name,
        subjects=list(layout.subjects),
        max_bytes=2 * layout.max_bytes,
        max_msg_size=layout.max_message_bytes,
        duplicate_window=layout.duplicate_window_seconds + 60,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
        metadata={"owner": "ann"},
    )
    js = bus.client.jetstream()
    await js.add_stream(made)
    await bus.client.jetstream().publish(SIGNAL, b"1", headers={MESSAGE_ID: "a"})
    before = await ask(bus, "STREAM.INFO.INGENIUM")
    assert "description" not in before["config"]
    for _ in range(2):
        await open_stream(bus, layout, Labels("live"), is_labeled=True)
    after = await ask(bus, "STREAM.INFO.INGENIUM")
    assert after["config"].pop("description") == _TEXT
    metadata = after["config"].pop("metadata")
    assert (metadata["owner"], metadata["app"]) == ("ann", "live")
    before["config"].pop("metadata")
    assert after["config"] == before["config"]
    assert after["created"] == before["created"]
    assert after["state"]["messages"] == 1
    assert after["state"]["last_seq"] == 1


async def test_stream_is_left_as_it_is_without_the_wish_to_label(desk: Desk, bus: NatsBus) -> None:
    await open_stream(bus, MONEY_STREAM, Labels("one"))
    await open_stream(bus, MONEY_STREAM, Labels("other"))
    config = (await ask(bus, "STREAM.INFO.INGENIUM"))["config"]
    assert config["metadata"]["app"] == "one"


def test_live_app_labels_all_that_it_makes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with running("run", "app.py:app", cwd=tmp_path) as it:
        until(lambda: bool(running_servers(tmp_path / ".ingenium")), "a server")
        (url,) = running_servers(tmp_path / ".ingenium", OPERATOR)

        async def consumers() -> dict[str, list[str]]:
            bus = await NatsBus.connect(url)
            try:
                found = (await ask(bus, "CONSUMER.LIST.INGENIUM")).get("consumers") or []
            finally:
                await bus.close()
            return {
                each["config"].get("description", ""): [
                    each["config"]["metadata"].get(name, "")
                    for name in ("app", "component", "role")
                ]
                for each in found
            }

        until(lambda: len(asyncio.run(consumers())) >= 2, "consumers")
        found = asyncio.run(consumers())
        it.send(signal.SIGTERM)
        assert it.wait().code == 0
    texts = sorted(found)
    assert texts[0].startswith("executor fill-all of app live: reads ingenium.portfolio.")
    assert texts[1].startswith("portfolio fixed-quantity of app live: reads ingenium.")
    assert sorted(found.values()) == [
        ["live", "fill-all", "executor"],
        ["live", "fixed-quantity", "portfolio"],
    ]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (Labels(), "reads x"),
        (Labels("live"), "app live: reads x"),
        (Labels("live", "a", "strategy"), "strategy a of app live: reads x"),
        (Labels("", "a"), "a: reads x"),
    ],
)
def test_description_names_what_is_known(labels: Labels, text: str) -> None:
    assert labels.describe("reads x") == text
