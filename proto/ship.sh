#!/bin/sh
# Puts what ships beside the SDK into a folder, python unless one is named: the .proto files, and the
# classes that protoc makes of them.
set -eu
cd "$(dirname "$0")/.."
out=${1:-python}

mkdir -p "$out/ingenium/protos/ingenium/v1"
cp proto/ingenium/v1/*.proto "$out/ingenium/protos/ingenium/v1/"
buf generate --template proto/buf.gen.protoc.yaml -o "$out"
# protoc lets each module refuse any google.protobuf that is older than protoc itself. These modules
# use nothing new, so they work with every version that the SDK works with.
for module in "$out"/ingenium/v1/*_pb2.py; do
  sed -i.bak -e '/import runtime_version/d' -e '/^_runtime_version\./,/^)/d' "$module"
  rm "$module.bak"
done
