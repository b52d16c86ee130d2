"""A stock grpcio client of the control plane: whether an app is safe, what runs, and the next fill.

pip install grpcio-tools, and run it where ``ingenium dashboard`` runs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from ingenium.protos import FOLDER

PACKAGE = "ingenium.control.v1"
POOL = DescriptorPool()
with TemporaryDirectory() as folder:
    schema = Path(folder, "control.binpb")
    options = [f"-I{FOLDER}", "--include_imports", f"--descriptor_set_out={schema}"]
    protoc.main(["protoc", *options, f"{PACKAGE.replace('.', '/')}/watch.proto"])
    for file in FileDescriptorSet.FromString(schema.read_bytes()).file:
        POOL.Add(file)

access = json.loads(Path(".ingenium/control.json").read_text("utf-8"))
credentials = (("authorization", f"Bearer {access['tokens']['read']}"),)


def call(channel: grpc.Channel, service: str, method: str, **fields: object) -> Iterator[Any]:
    """Call a method of the package, and yield its answers."""
    described = POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[method]
    make, read = (GetMessageClass(each) for each in (described.input_type, described.output_type))
    path = f"/{PACKAGE}.{service}/{method}"
    send = channel.unary_stream(path, make.SerializeToString, read.FromString)
    return send(make(**fields), metadata=credentials)


with grpc.insecure_channel(access["url"].removeprefix("http://")) as channel:
    for answer in call(channel, "TradingService", "GetOverview"):
        print(f"{answer.overview.app}: {answer.overview.summary}")
    for answer in call(channel, "ComponentService", "ListComponents"):
        for each in answer.components:
            print(f"{each.role} {each.name} has handled {each.handled} events")
    for answer in call(channel, "WatchService", "Watch", topics=["TOPIC_TRANSACTIONS"]):
        if answer.WhichOneof("update") == "transaction":
            fill = answer.transaction
            print(f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}")
            break
