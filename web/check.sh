#!/bin/sh
# Types, lint and tests of the dashboard; then its generated types and its built files, which are
# in the repository, are made again and compared.
set -eu
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
  echo "npm is not on PATH, so the dashboard is not checked"
  test "${CI:-}" != true
  exit
fi
npm ci --silent --prefix web
(cd web && npm run --silent types && npm run --silent lint && npm run --silent test)

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
buf generate --template web/buf.gen.yaml -o "$fresh"
if ! diff -r "$fresh/web/src/gen" web/src/gen; then
  echo "web/src/gen is not what the schemas give: run make generate and commit" >&2
  exit 1
fi
(cd web && npm run --silent build -- --logLevel warn --outDir "$fresh/assets" --emptyOutDir)
if ! diff -r "$fresh/assets" python/ingenium/control/assets >/dev/null; then
  echo "python/ingenium/control/assets is not what web/ gives: run make assets and commit" >&2
  exit 1
fi
size=$(cat python/ingenium/control/assets/*.js | gzip -9 | wc -c)
if [ "$size" -gt 250000 ]; then
  echo "the dashboard's script has $size bytes when compressed, and may have 250000" >&2
  exit 1
fi
echo "the dashboard is built from what is written: $size bytes of compressed script"
