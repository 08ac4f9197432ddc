# `make run` and `make test` need Python 3.11 or later, make, and a package index pip can reach. Nothing else.

PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run example test test-providers browser check format bench bench-peers faults docs lock clean

help:  ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: .venv/run  ## Serve Ostiary on SQLite; options go into ARGS, as in make run ARGS="--port 9000"
	@$(BIN)/ostiary serve $(ARGS)

example: .venv/dev  ## Run one of the example applications; make example NAME=event_platform
	@$(BIN)/python -m examples.$(NAME) $(ARGS)

# Each process has its own share of the shuffled tests, and servers of its own; who has finished takes from the others.
# One more than there are cores, as tests wait for processes, too.
PROCESSES = $(shell $(BIN)/python -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))')
test: .venv/dev browser  ## Run every test on SQLite, PostgreSQL and the rest; options go into ARGS, as in make test ARGS="-n 0"
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal $(ARGS)

test-providers: .venv/dev .providers/ready  ## Test against the certified OpenID provider and Firebase's emulator; needs node 20 and npm
	@$(BIN)/python -m pytest tests/providers $(ARGS)

# The browser of the tests is no Python package: where it is missing and may be installed, it is.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0; \
	  echo "Installing Chromium"; apt-get -qq update \
	  && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null 2>&1 || true

check: .venv/dev  ## Format, lint, types, import contracts, generated documentation
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy -p examples.event_platform -p examples.food_market.market -p examples.practice
	@$(BIN)/lint-imports
	@$(BIN)/ostiary reference --check docs/reference

format: .venv/dev  ## Write the code the way the formatter wants it
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: .venv/dev  ## Measure, side by side; options go into ARGS, as in make bench ARGS="--quick"
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: .venv/dev .bench/python/ready .bench/node/ready  ## Measure beside the peers; needs node 20 and npm for one of them
	@$(BIN)/python -m benchmarks.peers $(ARGS)

faults: .venv/dev  ## Break real servers on purpose and check what clients saw; options go into ARGS, as in make faults ARGS="--only F03"
	@$(BIN)/python -m tests.faults.harness $(ARGS)

docs: .venv/dev  ## Write the generated reference
	@$(BIN)/ostiary reference docs/reference

lock: .venv/dev  ## Lock the newest fitting versions of every dependency
	@$(PIP) install uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-annotate pyproject.toml requirements/build.in -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-annotate pyproject.toml requirements/build.in --group dev \
	  -c requirements/run.txt -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-annotate benchmarks/peers/requirements.in -o benchmarks/peers/requirements.txt

clean:  ## Remove the environment and every cache, but no data
	@rm -rf .venv .bench .providers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)' \
	  || { echo "Ostiary needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

# The development environment holds what running needs at the same versions, so either may come first.
.venv/run: requirements/run.txt pyproject.toml | .venv/pip
	@echo "Installing what Ostiary runs on"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt .venv/run
	@echo "Installing what tests and checks need"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# The peers of the benchmark have packages of their own, at versions that would not fit beside ours.
.bench/python/ready: benchmarks/peers/requirements.txt
	@echo "Installing the peers that are written in Python"
	@$(PYTHON) -m venv .bench/python
	@.bench/python/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Without npm, or when a package cannot be had, the benchmark says who is missing and goes on.
.bench/node/ready: benchmarks/peers/package.json benchmarks/peers/package-lock.json
	@echo "Installing the peer that runs on node"
	@mkdir -p .bench/node && cp $^ .bench/node/
	@cd .bench/node && npm ci --silent --no-audit --no-fund && touch ready || echo "better-auth was not installed"

# What cannot be installed fails here: whoever asks for these tests wants them to run.
.providers/ready: tests/providers/servers/package.json tests/providers/servers/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null \
	  || { echo "The tests against real providers need node 20 or later and npm: install them, or run make test."; exit 1; }
	@echo "Installing the providers that run on node"
	@mkdir -p .providers && cp $^ .providers/
	@cd .providers && npm ci --silent --ignore-scripts --omit=optional --no-audit --no-fund
	@touch $@
