"""The AsyncAPI document says what the code does, and real messages fit it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from asyncapi.channels import CHANNELS, COMPONENTS, parameters_of
from asyncapi.document import make_document
from asyncapi.formats import format_of
from asyncapi.page import render
from asyncapi.source import read_schemas
from asyncapi.text import to_yaml
from google.protobuf import descriptor_pb2, descriptor_pool  # type: ignore[import-untyped]
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from ingenium import encode
from ingenium._gen.ingenium import v1
from ingenium.bus import client
from ingenium.events import Event
from ingenium.nats_server.accounts import Accounts
from ingenium.subjects.grammar import matches
from ingenium.subjects.names import event_type_of
from ingenium.testing import data_event, execution_event, order_event, signal_event

TOP = Path(__file__).parents[3]
GOLDEN = TOP / "tests" / "golden"
TYPES = {
    "data": "DataEvent",
    "signal": "SignalEvent",
    "order": "OrderEvent",
    "execution": "ExecutionEvent",
}
# Readable, but not what a component should send: the field that nobody has filled, or with no time.
UNFIT = {
    "documented/data_empty": "Symbol",
    "documented/data_html": "Timestamp",
    "documented/execution_empty": "OrderId",
    "documented/order_empty": "Symbol",
    # Read as numbers; a plain decimal is what is to be written.
    "original/order_large_exponent": "Quantity",
    "original/order_small_exponent": "Quantity",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = (TOP / "docs" / "asyncapi.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _validator(document: dict[str, Any], name: str) -> Draft7Validator:
    schema = {**document, "$ref": f"#/components/schemas/{name}"}
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


def _errors(document: dict[str, Any], name: str, payload: Any) -> list[str]:
    errors: list[ValidationError] = list(_validator(document, name).iter_errors(payload))
    return [".".join(str(part) for part in error.absolute_path) for error in errors]


def test_committed_document_and_page_are_what_the_schemas_give() -> None:
    made = make_document(read_schemas())
    for name, text in (("asyncapi.yaml", to_yaml(made)), ("asyncapi.html", render(made))):
        committed = (TOP / "docs" / name).read_text("utf-8")
        assert text == committed, f"docs/{name} is stale: run make generate"


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_payload_of_a_go_component_fits_its_schema(document: dict[str, Any], path: Path) -> None:
    name = TYPES[path.stem.split("_", maxsplit=1)[0]]
    errors = _errors(document, name, json.loads(path.read_bytes()))
    unfit = UNFIT.get(f"{path.parent.name}/{path.stem}")
    assert unfit in errors if unfit else errors == []


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_examples_fit_their_schemas(document: dict[str, Any], channel: Any) -> None:
    examples = document["components"]["messages"][channel.message]["examples"]
    assert examples
    for example in examples:
        assert _errors(document, channel.message, example["payload"]) == []
        for name, value in example.get("headers", {}).items():
            assert _errors(document, "EventHeaders", {name: value}) == []


@pytest.mark.parametrize("make", [data_event, signal_event, order_event, execution_event])
def test_what_our_codec_writes_fits_its_schema(document: dict[str, Any], make: Any) -> None:
    event: Event = make(id="")
    assert _errors(document, type(event).__name__, json.loads(encode(event))) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("OrderEvent", {"LimitPrice": 12.5}),
        ("OrderEvent", {"LimitPrice": "1e-5"}),
        ("OrderEvent", {"Quantity": "-10"}),
        ("OrderEvent", {"Quantity": ""}),
        ("OrderEvent", {"Side": "hold"}),
        ("OrderEvent", {"Timestamp": "yesterday"}),
        ("OrderEvent", {"StopLoss": {"LimitPrice": "x", "StopPrice": ""}}),
        ("OrderEvent", {"Id": "exec_2YvmpUh3PgXRhQ8yhXTdRnF0vDE"}),
        ("SignalEvent", {"Symbol": ""}),
        ("SignalEvent", {"Strength": "1.5"}),
        ("DataEvent", {"Timestamp": "yesterday"}),
        ("DataEvent", {"Ohlc": None}),
        ("ControlEvent", {"State": "paused"}),
        ("LockstepReport", {"DataHandled": -1}),
    ],
)
def test_payload_that_is_wrong_does_not_fit(
    document: dict[str, Any], name: str, change: dict[str, Any]
) -> None:
    payload = document["components"]["messages"][name]["examples"][0]["payload"]
    assert _errors(document, name, payload) == []
    [key] = change
    errors = _errors(document, name, {**payload, **change})
    assert errors
    assert all(error.partition(".")[0] == key for error in errors)


def test_word_that_is_not_known_fits_where_words_are_open(document: dict[str, Any]) -> None:
    signal = {"Symbol": "AAPL", "Signal": "ingenium.signal.sideways"}
    assert _errors(document, "SignalEvent", signal) == []


def test_required_key_that_is_missing_does_not_fit(document: dict[str, Any]) -> None:
    assert _errors(document, "SignalEvent", {"Symbol": "AAPL"}) == [""]


def test_every_message_of_the_schemas_is_described_with_its_comments() -> None:
    messages = read_schemas()
    made = make_document(messages)
    for name, message in messages.items():
        schema = made["components"]["schemas"][name]
        assert schema["description"] == message.comment != ""
        assert [p["description"] for p in schema["properties"].values()] == [
            field.comment for field in message.fields
        ]
    texts = [
        (message.name, field.name)
        for message in messages.values()
        for field in message.fields
        if field.type == "string"
    ]
    written = [
        line
        for name in ("events", "lockstep", "status")
        for line in (TOP / "proto/ingenium/v1" / f"{name}.proto").read_text().splitlines()
        if line.startswith(("  string ", "  optional string "))
    ]
    assert len(texts) == len(written)
    for name, field in texts:
        assert format_of(getattr(v1, name).DESCRIPTOR.fields_by_name[field])["type"] == "string"


def test_new_field_and_new_event_stop_the_generator_until_it_knows_them() -> None:
    messages = read_schemas()
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="new.proto", package="new", syntax="proto3")
    file.message_type.add(name="NewEvent").field.add(name="text", number=1, type=9, label=1)
    pool.Add(file)
    field = pool.FindMessageTypeByName("new.NewEvent").fields_by_name["text"]
    with pytest.raises(RuntimeError, match=r"new\.NewEvent\.text has the format '': give it one"):
        format_of(field)
    new = {**messages, "NewsEvent": messages["StopLoss"]}
    with pytest.raises(RuntimeError, match="NewsEvent is on no channel: add one to"):
        make_document(new)


def test_prefixes_of_ids_are_those_that_the_bus_gives() -> None:
    given = {kind.__name__: prefix for kind, prefix in client._PREFIXES.items()}
    assert given == {
        "DataEvent": "data",
        "SignalEvent": "signal",
        "OrderEvent": "order",
        "CancelEvent": "cancel",
        "ReplaceEvent": "order",
        "ExecutionEvent": "exec",
        "DenialEvent": "denial",
        "ControlEvent": "control",
        "DeadLetterEvent": "dead",
    }


def test_addresses_are_those_that_readers_know() -> None:
    for channel in CHANNELS:
        address = re.sub(r"\{\w+\}", "x", channel.address)
        assert matches(re.sub(r"\{\w+\}", "x", channel.subscription), address)
        assert set(parameters_of(channel)) == set(re.findall(r"\{(\w+)\}", channel.address))
        if address.startswith("ingenium."):
            kind = event_type_of(address)
            assert kind is not None
            assert kind.__name__ == channel.message


@pytest.mark.parametrize("role", [*COMPONENTS, "operator", "reader"])
def test_operations_agree_with_the_rights_of_each_role(document: dict[str, Any], role: str) -> None:
    """A role may do what the document says it does, and what it may not do is not in it."""
    rights = Accounts("x", {name: ["x"] for name in COMPONENTS}).permissions_of(role)
    for channel in CHANNELS:
        address = re.sub(r"\{\w+\}", "x", channel.address)
        may_send = any(matches(allowed, address) for allowed in rights["publish"]["allow"])
        may_receive = any(matches(allowed, address) for allowed in rights["subscribe"]["allow"])
        if role in channel.senders:
            assert may_send, f"{role} may not publish to {address}"
        elif role in COMPONENTS:
            assert not may_send, f"{role} may publish to {address}, and the document is silent"
        if channel.message != "LockstepGrant":  # A replay has one user who may do everything.
            if role in channel.receivers:
                assert may_receive, f"{role} may not subscribe to {address}"
            elif role == "strategy":
                assert not may_receive, f"{role} may read {address}, and the document is silent"


def test_operations_are_one_for_each_role_and_channel(document: dict[str, Any]) -> None:
    expected = sum(len(channel.senders) + len(channel.receivers) for channel in CHANNELS)
    assert len(document["operations"]) == expected
    order = document["operations"]["executorReceivesOrders"]
    assert order["x-nats-subject"] == "ingenium.portfolio.*"
    assert order["channel"] == {"$ref": "#/channels/orders"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src"}:
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_needs_nothing_from_outside_and_its_links_lead_somewhere() -> None:
    text = (TOP / "docs" / "asyncapi.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert "http" not in text.replace("http-equiv", "")
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (TOP / "docs" / link).exists()
    assert len(text) < 100_000


def test_page_escapes_what_the_schemas_say() -> None:
    made = make_document(read_schemas())
    made["components"]["schemas"]["Ohlc"]["properties"]["Open"]["description"] = '<b>&"x<y"'
    page = render(made).partition('<section id="Ohlc">')[2]
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page
