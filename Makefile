# Everything happens in .venv; `make setup` fills it, and every other target sees to that itself.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
READY_TO_BENCH := .venv/.ready-to-bench
CHECKED := python/ingenium python/house.py tests examples bench proto deploy

.PHONY: help setup demo demo-dashboard demo-go demo-java demo-rust demo-typescript test simulate chaos chaos-recorder mutate endure check format ci generate compile bench differential conformance assets lock clean

# A test compares this list with the targets. Times are of a machine with two cores.
help:
	@echo "target           needs besides Python           takes   purpose"
	@echo "setup            Python 3.11, network           1 min   install everything into .venv"
	@echo "demo             -                              20 s    thirteen years of prices through four processes over NATS; RECORD=1 records them"
	@echo "demo-dashboard   a browser                      5 s     a live app on made-up prices and the URL of its dashboard, until Ctrl+C"
	@echo "demo-go          Go 1.24                        1 min   the demo with the strategy in Go, in three ways"
	@echo "demo-java        JDK 17, Maven                  1 min   the demo with the strategy in Java"
	@echo "demo-rust        cargo 1.89                     2 min   the demo with the strategy in Rust"
	@echo "demo-typescript  Node.js 20, npm                1 min   the demo with the strategy in TypeScript"
	@echo "test             Go, Node.js, JDK, cargo, tmux  30 min  the test suite; tests of other languages skip without their tools"
	@echo "check            -                              2 min   lint, types, imports, schemas, generated code; changes nothing"
	@echo "format           -                              1 s     format the Python code and apply safe lint fixes"
	@echo "ci               Debian or Ubuntu               45 min  what the build runs, on a clean clone: setup, test, conformance, check, demo"
	@echo "simulate         -                              10 min  the money path in SEEDS=20000 seeded worlds with faults; SEED=7 traces one"
	@echo "chaos            PostgreSQL 15                  7 min   kill real processes under load CYCLES=100 times, then check the books"
	@echo "chaos-recorder   PostgreSQL 15                  15 min  kill recorder and database KILLS=20 times over EVENTS=1000000 events, then compare"
	@echo "mutate           -                              20 min  change the code in N=50 places of ROOMS, one at a time, and count what tests find"
	@echo "endure           -                              60 min  an app under load for MINUTES=60: memory and disk use stay bounded"
	@echo "conformance      as for test                    5 min   every runtime against every vector of the wire format"
	@echo "differential     Go 1.24                        5 min   PAYLOADS=1000000 random payloads through the codec and through Go"
	@echo "bench            network, C compiler            15 min  speed, as ratios to peers measured in the same run"
	@echo "compile          C compiler                     1 min   compile the inner loop of backtests; COMPILE=0 removes the result"
	@echo "generate         Go, cargo, npm                 1 min   regenerate code from proto/, docs/asyncapi.yaml, deploy/; skips absent tools"
	@echo "assets           Node.js 20.19, npm             1 min   build the dashboard's pages from web/ into the Python package"
	@echo "lock             network                        1 min   renew python/requirements*.lock from pyproject.toml"
	@echo "clean            -                              1 s     remove .venv, .ingenium, caches and compiled modules"
	@echo "help             -                              1 s     this list"

setup: $(READY)

$(READY): python/requirements.lock python/pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Ingenium needs Python 3.11 or later, and {sys.executable} is {v[0]}.{v[1]}: run make PYTHON=python3.11 or the like")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (half a minute or so)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r python/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e python
	@touch $(READY)

# The peers that the benchmarks compare with; nothing else needs them.
$(READY_TO_BENCH): $(READY) python/requirements-bench.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r python/requirements-bench.lock
	@touch $(READY_TO_BENCH)

RECORD ?=

demo: $(READY)
	$(BIN)/ingenium run examples/demo/app.py --processes --verify $(if $(RECORD),--record)

demo-dashboard: $(READY)
	$(BIN)/ingenium run examples/live/app.py --record --dashboard

demo-go: $(READY)
	@$(BIN)/python examples/demo/with_language.py go

demo-java demo-rust demo-typescript: demo-%: $(READY)
	@$(BIN)/python examples/demo/with_language.py $*

# A build server runs a failed test a second time; .ci/run lists such tests, and allows three.
test: $(READY)
	$(BIN)/python -m pytest tests -n $(JOBS) $(if $(CI),--reruns 1 -r aR)

JOBS ?= 2
CYCLES ?= 100
SEED ?=
SEEDS ?= 20000
FIRST ?= 0

simulate: $(READY)
	@cd tests && ../$(BIN)/python -m simulation $(if $(SEED),$(SEED) --verbose,--seeds $(SEEDS) --first $(FIRST))

chaos: $(READY)
	@cd tests && ../$(BIN)/python -m chaos --cycles $(CYCLES) $(if $(SEED),--seed $(SEED))
	@cd tests && ../$(BIN)/python -m pytest -q chaos/test_network.py -m minutes
	@cd tests && ../$(BIN)/python -m chaos.record_run --events 20000 --kills 6 $(if $(SEED),--seed $(SEED))

EVENTS ?= 1000000
KILLS ?= 20

chaos-recorder: $(READY)
	@cd tests && ../$(BIN)/python -m chaos.record_run --events $(EVENTS) --kills $(KILLS) $(if $(SEED),--seed $(SEED))

ROOMS ?= trading risk exchange brokers components runtime state
N ?= 50
MIN ?= 90

mutate: $(READY)
	@cd tests && ../$(BIN)/python -m mutation --rooms "$(ROOMS)" -n $(N) --seed $(or $(SEED),1) --min $(MIN)

MINUTES ?= 60
RATE ?= 50
CACHES ?= full

endure: $(READY)
	@$(BIN)/python -m bench.endure --minutes $(MINUTES) --rate $(RATE) --caches $(CACHES)

check: $(READY)
	$(BIN)/ruff check --config python/pyproject.toml $(CHECKED)
	$(BIN)/ruff format --check --config python/pyproject.toml $(CHECKED)
	cd python && ../$(BIN)/mypy ingenium house.py ../tests ../examples/demo ../bench ../proto ../deploy
	cd python && ../$(BIN)/lint-imports
	PYTHONPATH=proto $(BIN)/python -m only_home
	$(BIN)/python python/house.py
	$(BIN)/python deploy/observability/render.py --check
	PATH="$(CURDIR)/$(BIN):$$PATH" sh proto/check.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" sh web/check.sh

format: $(READY)
	$(BIN)/ruff check --config python/pyproject.toml --fix $(CHECKED)
	$(BIN)/ruff format --config python/pyproject.toml $(CHECKED)

ci:
	.ci/run

generate: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" buf generate
	PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template proto/buf.gen.control.yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" sh proto/ship.sh
	PYTHONPATH=proto $(BIN)/python -m asyncapi
	$(BIN)/python deploy/observability/render.py
	@if command -v go >/dev/null; then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template go/buf.gen.yaml; \
	else echo "go is not on PATH, so go/gen is as it was"; fi
	PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template java/buf.gen.yaml
	@if command -v cargo >/dev/null; then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template rust/buf.gen.yaml; \
	else echo "cargo is not on PATH, so rust/gen is as it was"; fi
	@if command -v npm >/dev/null; then \
	  npm ci --silent --ignore-scripts --prefix typescript && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template typescript/buf.gen.yaml; \
	  npm ci --silent --prefix web && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" buf generate --template web/buf.gen.yaml; \
	else echo "npm is not on PATH, so typescript/src/gen and web/src/gen are as they were"; fi

assets: $(READY)
	npm ci --silent --prefix web
	cd web && npm run --silent build -- --logLevel warn

# Takes away what compiled with COMPILE=0; nothing is done that has been done.
COMPILE ?= 1
compile: $(READY)
	@$(BIN)/python python/compiling.py $(if $(filter 0,$(COMPILE)),--remove)

bench: $(READY_TO_BENCH) compile
	$(BIN)/python -m bench

PAYLOADS ?= 1000000

differential: $(READY)
	@$(BIN)/python -m bench.differential $(PAYLOADS)

conformance: $(READY)
	@cd tests && ../$(BIN)/python -m conformance

PIN := ../$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra server --group dev

lock: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	cd python && $(PIN) pyproject.toml -o requirements.lock
	cd python && $(PIN) --group bench pyproject.toml -o requirements-bench.lock

clean:
	rm -f python/ingenium__mypyc.*; find python/ingenium -name "*.so" -delete
	rm -rf .venv .ingenium tests/conformance/build python/.mypy_cache python/.ruff_cache python/.pytest_cache
