#!/bin/sh
# Puts what ships beside the SDK into a folder, python unless one is named: the .proto files, and the
# classes that protoc makes of them.
set -eu
cd "$(dirname "$0")/.."
out=${1:-python}

for package in ingenium/v1 ingenium/control/v1; do
  mkdir -p "$out/ingenium/protos/$package"
  cp "proto/$package"/*.proto "$out/ingenium/protos/$package/"
done
buf generate --template proto/buf.gen.protoc.yaml -o "$out"
# protoc lets each module refuse any google.protobuf that is older than protoc itself. These modules
# use nothing new, so they work with every version that the SDK works with.
for module in "$out"/ingenium/v1/*_pb2.py; do
  sed -i.bak -e '/import runtime_version/d' -e '/^_runtime_version\./,/^)/d' "$module"
  rm "$module.bak"
done
