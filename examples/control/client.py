"""A stock grpcio client: whether an app is safe, what runs, and the next fill."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from ingenium.protos import FOLDER

PACKAGE, POOL, SCHEMA = "ingenium.control.v1", DescriptorPool(), ".ingenium/control.binpb"
FILE = f"{PACKAGE.replace('.', '/')}/watch.proto"
protoc.main(["protoc", f"-I{FOLDER}", "--include_imports", f"-o{SCHEMA}", FILE])
for file in FileDescriptorSet.FromString(Path(SCHEMA).read_bytes()).file:
    POOL.Add(file)
access = json.loads(Path(".ingenium/control.json").read_text("utf-8"))
token = [("authorization", f"Bearer {access['tokens']['read']}")]


def call(service: str, method: str, **fields: object) -> Iterator[Any]:
    """Call a method, and yield its answers."""
    found = POOL.FindMethodByName(f"{PACKAGE}.{service}.{method}")
    make, read = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
    path = f"/{PACKAGE}.{service}/{method}"
    send = channel.unary_stream(path, make.SerializeToString, read.FromString)
    return send(make(**fields), metadata=token)


with grpc.insecure_channel(access["url"].removeprefix("http://")) as channel:
    for answer in call("TradingService", "GetOverview"):
        print(f"{answer.overview.app}: {answer.overview.summary}")
    for answer in call("ComponentService", "ListComponents"):
        for each in answer.components:
            print(f"{each.role} {each.name} is {each.language}")
    for answer in call("WatchService", "Watch", topics=["TOPIC_TRANSACTIONS"]):
        if (fill := answer.transaction).id:
            print(f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}")
            break
