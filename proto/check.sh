#!/bin/sh
# Lints the schemas, holds them against the last release, and the generated code against them.
set -eu
cd "$(dirname "$0")/.."

buf lint
buf breaking --against proto/release.binpb

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
buf generate -o "$fresh"
if ! diff -r --exclude=__pycache__ "$fresh/python/ingenium/_gen" python/ingenium/_gen; then
  echo "python/ingenium/_gen is not what the schemas give: run make generate and commit" >&2
  exit 1
fi
sh proto/ship.sh "$fresh/python"
for folder in protos v1; do
  if ! diff -r --exclude=__pycache__ --exclude=__init__.py "$fresh/python/ingenium/$folder" "python/ingenium/$folder"; then
    echo "python/ingenium/$folder is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
done
mkdir "$fresh/docs"
PYTHONPATH=proto python -m asyncapi "$fresh/docs"
for page in asyncapi.yaml asyncapi.html; do
  if ! diff "$fresh/docs/$page" "docs/$page"; then
    echo "docs/$page is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
done
if command -v go >/dev/null; then
  buf generate --template examples/go/buf.gen.yaml -o "$fresh"
  if ! diff -r "$fresh/examples/go/gen" examples/go/gen; then
    echo "examples/go/gen is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
else
  echo "go is not on PATH, so examples/go/gen is not compared"
  test "${CI:-}" != true
fi
buf generate --template examples/java/buf.gen.yaml -o "$fresh"
if ! diff -r "$fresh/examples/java/gen" examples/java/gen; then
  echo "examples/java/gen is not what the schemas give: run make generate and commit" >&2
  exit 1
fi
if command -v cargo >/dev/null; then
  buf generate --template examples/rust/buf.gen.yaml -o "$fresh"
  if ! diff -r "$fresh/examples/rust/gen" examples/rust/gen; then
    echo "examples/rust/gen is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
else
  echo "cargo is not on PATH, so examples/rust/gen is not compared"
  test "${CI:-}" != true
fi
if command -v npm >/dev/null; then
  npm ci --silent --ignore-scripts --prefix examples/typescript
  buf generate --template examples/typescript/buf.gen.yaml -o "$fresh"
  if ! diff -r "$fresh/examples/typescript/src/gen" examples/typescript/src/gen; then
    echo "examples/typescript/src/gen is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
else
  echo "npm is not on PATH, so examples/typescript/src/gen is not compared"
  test "${CI:-}" != true
fi
echo "schemas and generated code agree"
