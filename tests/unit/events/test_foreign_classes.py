"""Events in classes that are not the SDK's own, and the schemas that ship with it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from hypothesis import given
from support.wire_messages import EVENTS

import ingenium
from ingenium import ContentType, OrderEvent, Signal, SignalEvent, StopLoss
from ingenium._gen.ingenium import v1
from ingenium.bus import MemoryBus
from ingenium.bus.client import EventBus
from ingenium.errors import ConfigError, DecodeError, EncodeError, SubjectError
from ingenium.events import decode, decode_binary, encode, encode_binary
from ingenium.protos import FOLDER, LANGUAGES, write_protos
from ingenium.testing import Collector, execution_event, order_event
from ingenium.v1 import events_pb2, lockstep_pb2, status_pb2

TOP = Path(__file__).parents[3]


def foreign(package: str, **fields: int) -> Any:
    """Make a message class of google.protobuf that nobody knows, with fields of these types."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package.replace('.', '/')}/made.proto", package=package, syntax="proto3"
    )
    message = file.message_type.add(name="OrderEvent")
    for number, (name, kind) in enumerate(fields.items(), 1):
        message.field.add(
            name=name,
            number=number,
            type=kind,
            label=1,
            json_name=name.title(),
            proto3_optional=False,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.OrderEvent"))


@pytest.mark.parametrize("name", v1.__all__)
def test_classes_of_protoc_have_the_schema_of_the_sdk(name: str) -> None:
    modules = (events_pb2, lockstep_pb2, status_pb2)
    cls = next(found for module in modules if (found := getattr(module, name, None)))
    ours = getattr(v1, name)
    assert cls.DESCRIPTOR.full_name == ours.DESCRIPTOR.full_name == f"ingenium.v1.{name}"
    assert [(f.name, f.number, f.type, f.json_name) for f in cls.DESCRIPTOR.fields] == [
        (f.name, f.number, f.type, f.json_name) for f in ours.DESCRIPTOR.fields
    ]


@given(EVENTS)
def test_event_of_a_protoc_class_travels_as_that_of_the_sdk(event: Any) -> None:
    payload, binary = encode(event), encode_binary(event)
    modules = (events_pb2, lockstep_pb2, status_pb2)
    name = type(event).__name__
    cls = next(found for module in modules if (found := getattr(module, name, None)))
    theirs = cls.FromString(binary)
    assert decode(cls, payload) == theirs
    assert decode_binary(cls, binary) == theirs
    # Each way gives an event that reads as the same.
    assert decode(type(event), encode(theirs)) == decode(type(event), payload)
    assert decode_binary(type(event), encode_binary(theirs)) == decode_binary(type(event), binary)


@pytest.mark.parametrize("content_type", list(ContentType))
async def test_event_of_a_protoc_class_is_published_and_received(content_type: ContentType) -> None:
    order = events_pb2.OrderEvent(symbol="AAPL", side="buy", quantity="1e1", type="market")
    async with ingenium.connect("memory:", content_type=content_type) as bus:
        own: Collector[OrderEvent] = Collector()
        theirs: Collector[Any] = Collector()
        await bus.subscribe(OrderEvent, handler=own)
        await bus.subscribe(events_pb2.OrderEvent, symbol="AAPL", handler=theirs)
        await bus.publish(order)
        [got], [same] = await own.wait(1), await theirs.wait(1)
    assert (got.symbol, got.quantity, got.type) == ("AAPL", "10", "market")
    assert got.id.startswith("order_")
    assert got.timestamp is not None
    assert isinstance(same, events_pb2.OrderEvent)
    assert (same.id, same.quantity) == (got.id, "10")
    assert order.id == ""
    assert not order.HasField("timestamp")


async def test_message_of_a_protoc_class_of_ones_own_needs_a_subject() -> None:
    cls = foreign("acme.v1", symbol=9, score=1)
    message = cls(symbol="AAPL", score=0.5)
    async with EventBus(MemoryBus()) as bus:
        with pytest.raises(SubjectError) as caught:
            await bus.publish(message)
        assert str(caught.value) == (
            "acme.v1.OrderEvent has no subject of its own: pass subject='...', or send "
            "ingenium.v1.OrderEvent, which has one"
        )
        got: Collector[Any] = Collector()
        await bus.subscribe(cls, subject="acme.orders", handler=got)
        await bus.publish(message, subject="acme.orders")
        assert await got.wait(1) == [message]
    assert encode(cls(score=0.5)) == b'{"Symbol":"","Score":0.5}'
    assert decode(cls, b'{"Symbol":"AAPL","Score":0.5,"New":{}}') == message
    assert decode_binary(cls, encode_binary(message)) == message


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"Symbol":5}', b"\xff", b'{"Score":"x"}'])
def test_payload_that_is_no_message_of_a_protoc_class_is_a_decode_error(payload: bytes) -> None:
    with pytest.raises(DecodeError, match="cannot decode OrderEvent"):
        decode(foreign("acme.v1", symbol=9, score=1), payload)
    with pytest.raises(DecodeError, match="cannot decode OrderEvent"):
        decode_binary(foreign("acme.v1", symbol=9, score=1), b"\x09x")
    if payload != b'{"Score":"x"}':
        with pytest.raises(DecodeError, match="cannot decode SignalEvent"):
            decode(events_pb2.SignalEvent, payload)


class Unknown:
    """What betterproto2 makes without descriptors looks like this to the SDK."""


async def test_class_without_a_descriptor_is_refused_with_the_cure() -> None:
    async with EventBus(MemoryBus()) as bus:
        with pytest.raises(SubjectError, match="the option google_protobuf_descriptors"):
            await bus.publish(Unknown())
        with pytest.raises(SubjectError, match="the option google_protobuf_descriptors"):
            bus.subscribe(Unknown)
        with pytest.raises(EncodeError, match="the option google_protobuf_descriptors"):
            await bus.publish(Unknown(), subject="acme.x")


@given(EVENTS)
def test_to_json_of_an_event_is_its_payload(event: Any) -> None:
    text = event.to_json()
    assert text.encode() == encode(event)
    assert type(event).from_json(text) == decode(type(event), encode(event))
    assert json.loads(event.to_json(indent=2)) == json.loads(text)


def test_to_json_with_words_of_betterproto2_is_as_betterproto2_writes_it() -> None:
    signal = SignalEvent(symbol="AAPL", signal=Signal.LONG)
    assert signal.to_json() == '{"Symbol":"AAPL","Signal":"ingenium.signal.long"}'
    assert json.loads(signal.to_json(include_default_values=True))["symbol"] == "AAPL"
    loss = StopLoss(stop_price="1")
    assert loss.to_json() == '{"LimitPrice":"","StopPrice":"1"}'
    assert StopLoss.from_json(b'{"stopprice":"1","New":1}') == loss
    with pytest.raises(KeyError):
        StopLoss.from_json('{"New":1}', ignore_unknown_fields=False)
    with pytest.raises(DecodeError, match="cannot decode StopLoss"):
        StopLoss.from_json("{")


def test_to_json_of_orders_and_executions_reads_back() -> None:
    for event in (
        order_event("BRK.B"),
        execution_event(execution_timestamp=datetime(2024, 1, 3, tzinfo=UTC)),
    ):
        assert type(event).from_json(event.to_json()) == event


def test_shipped_schemas_are_those_of_the_repository() -> None:
    source = TOP / "proto" / "ingenium" / "v1"
    names = {path.name for path in source.glob("*.proto")}
    assert {path.name for path in (FOLDER / "ingenium" / "v1").glob("*.proto")} == names
    for name in names:
        shipped = FOLDER / "ingenium" / "v1" / name
        assert shipped.read_bytes() == (source / name).read_bytes(), "run make generate"


def test_wheel_has_the_schemas_and_the_classes_of_protoc(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=TOP / "python", capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    assert names >= {
        f"ingenium/{name}"
        for schema in ("events", "lockstep", "options", "status")
        for name in (
            f"protos/ingenium/v1/{schema}.proto",
            f"v1/{schema}_pb2.py",
            f"v1/{schema}_pb2.pyi",
        )
    }


@pytest.mark.parametrize("language", ["", *LANGUAGES])
def test_protos_are_written_with_files_that_buf_takes(tmp_path: Path, language: str) -> None:
    done = write_protos(tmp_path, language)
    names = {path.relative_to(tmp_path).as_posix() for path in done.written}
    control = {name for name in names if name.startswith("proto/ingenium/control/v1/")}
    assert {Path(name).name for name in control} >= {"session.proto", "trading.proto"}
    assert names - control == {
        "proto/ingenium/v1/events.proto",
        "proto/ingenium/v1/lockstep.proto",
        "proto/ingenium/v1/options.proto",
        "proto/ingenium/v1/status.proto",
        "buf.yaml",
    } | ({"buf.gen.yaml"} if language else set())
    assert done.kept == []
    buf = Path(sys.executable).with_name("buf")
    for command in (["lint"], ["build"]):
        built = subprocess.run(
            [buf, *command], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
        )
        assert built.returncode == 0, built.stdout + built.stderr


def test_protos_written_again_are_renewed_and_what_is_the_users_stays(tmp_path: Path) -> None:
    write_protos(tmp_path, "python")
    events, mine = tmp_path / "proto/ingenium/v1/events.proto", tmp_path / "buf.gen.yaml"
    text = events.read_text()
    events.write_text("old")
    mine.write_text("version: v2\n")
    done = write_protos(tmp_path, "go")
    assert done.written == [events]
    assert mine in done.kept
    assert (events.read_text(), mine.read_text()) == (text, "version: v2\n")


def test_go_module_is_that_of_the_project(tmp_path: Path) -> None:
    def module() -> str:
        text = (tmp_path / "buf.gen.yaml").read_text()
        (tmp_path / "buf.gen.yaml").unlink()
        return text.partition("value: ")[2].partition("\n")[0]

    write_protos(tmp_path, "go")
    assert module() == "example.com/acme/gen"
    (tmp_path / "go.mod").write_text("// mine\nmodule example.org/mine\n\ngo 1.24\n")
    write_protos(tmp_path, "go")
    assert module() == "example.org/mine/gen"
    write_protos(tmp_path, "go", "example.net/other")
    assert module() == "example.net/other/gen"


def test_protos_that_cannot_be_written_say_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="language 'cobol' is unknown: use one of python, go"):
        write_protos(tmp_path, "cobol")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write the schemas into"):
        write_protos(tmp_path / "file")


def test_command_writes_the_schemas(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ingenium", "protos", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else f"{done.returncode} {done.stderr}"

    assert "wrote buf.gen.yaml" in run(".", "--language", "rust")
    assert "left  buf.yaml as it is" in run(".")
    assert json.loads(run("x", "--json"))["written"][-1] == "x/buf.yaml"
    assert run("--path") == f"{FOLDER}\n"
    assert run().startswith("2 error: no folder is named")
