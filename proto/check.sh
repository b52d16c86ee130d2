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
buf generate --template proto/buf.gen.control.yaml -o "$fresh"
if ! diff -r --exclude=__pycache__ "$fresh/python/ingenium/control/_gen" python/ingenium/control/_gen; then
  echo "python/ingenium/control/_gen is not what the schemas give: run make generate and commit" >&2
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
# The library of a language, its folder of generated code, and the program that its generator needs.
library() {
  if [ -n "$3" ] && ! command -v "$3" >/dev/null; then
    echo "$3 is not on PATH, so $1/$2 is not compared"
    test "${CI:-}" != true
    return
  fi
  if [ "$1" = typescript ]; then
    npm ci --silent --ignore-scripts --prefix typescript
  fi
  buf generate --template "$1/buf.gen.yaml" -o "$fresh"
  if ! diff -r "$fresh/$1/$2" "$1/$2"; then
    echo "$1/$2 is not what the schemas give: run make generate and commit" >&2
    exit 1
  fi
}
library go gen go
library java gen ""
library rust gen cargo
library typescript src/gen npm
echo "schemas and generated code agree"
