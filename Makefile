# Every target sets up what it needs; nothing is asked of the machine but Python 3.11+, make and a registry.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos third_party -name '*.proto')
PYTEST_WORKERS ?= 2
WEB := clients/web
GENERATORS := generate generate_web reference guarantees profile_figures

.PHONY: help setup web web-lint gen gen-check fmt lint types contracts test check run demo requirements eval bench-ocr bench-events bench-library bench-batch bench-capture bench-web screenshots simulate test-soak mutate lock models system clean check-observability

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@cd $(WEB) && npm ci --no-progress --loglevel=error >/dev/null
	@touch $@

$(WEB)/app/dist/index.html: $(WEB)/node_modules/.installed $(shell find $(WEB)/app $(WEB)/client gen/ts -path '*/dist' -prune -o -type f -print 2>/dev/null)
	@cd $(WEB) && npm run --silent build

web: $(WEB)/app/dist/index.html ## Build the pages

models: $(VENV)/.installed
	@$(BIN)/vidence models pull

setup: $(VENV)/.installed models ## Virtual environment, packages, models

system: $(VENV)/.installed
	@tools/system-packages

gen: $(VENV)/.installed $(WEB)/node_modules/.installed ## Generate gen/ from protos/, docs/reference/ from the code
	@for tool in $(GENERATORS); do $(BIN)/python tools/$$tool.py || exit 1; done

gen-check: $(VENV)/.installed $(WEB)/node_modules/.installed
	@for tool in $(GENERATORS); do $(BIN)/python tools/$$tool.py --check || exit 1; done

fmt: $(VENV)/.installed ## Format Python and protos
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format --quiet . && $(BIN)/buf format -w protos

web-lint: $(WEB)/node_modules/.installed
	@cd $(WEB) && npm run --silent lint && npm test --silent

lint: $(VENV)/.installed gen-check types contracts web-lint ## Lint, format check, types, import contracts, generation freshness
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/buf lint && $(BIN)/buf format -d --exit-code protos

types: $(VENV)/.installed
	@$(BIN)/mypy services clients/python tests tools benchmarks

contracts: $(VENV)/.installed
	@$(BIN)/lint-imports --no-logo

test: setup web system ## All tests that run in minutes
	@$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup -m "not soak"

bench-events: setup ## The bus beside naive gRPC, NATS, Redis and polling
	@benchmarks/bench-events

bench-batch: setup ## Batches: workers, first result, overhead, what live readings notice
	@benchmarks/bench-batch

bench-capture: setup ## Capture sessions: frame to verdict, sessions per core
	@benchmarks/bench-capture

bench-library: setup ## Vectors kept and searched beside usearch, lancedb, sqlite-vec, pgvector
	@benchmarks/bench-library

bench-web: setup web system ## The pages in a browser: latency, streams, a busy feed, size
	@benchmarks/bench-web

screenshots: setup web system ## A picture of each page, in build/screenshots
	@$(BIN)/python tools/screenshots.py

simulate: setup ## 10,000 simulated histories of the streams, about a minute
	@$(BIN)/python tests/simulation/run.py --seeds 10000 --jobs 2

check-observability: setup ## Alert rules and dashboard with promtool and a real Prometheus (needs both installed)
	@$(BIN)/python tools/check_observability.py

test-soak: setup system ## The long tests
	@$(BIN)/pytest -n $(PYTEST_WORKERS) -m soak --timeout 7200

check: setup lint web requirements ## What CI runs: everything above, tests last
	@$(MAKE) --no-print-directory system
	@$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup -m "not soak" --cov --cov-report= --coverage-floor

requirements: $(VENV)/.installed ## Which requirement is shown by which test
	@$(BIN)/python tools/requirements.py

run: setup web ## Start the suite, read samples live, stay up until Ctrl-C
	@$(BIN)/python tools/run_suite.py

demo: setup web ## The same, then exit
	@$(BIN)/python tools/run_suite.py --once

eval: setup system ## How exactly documents are read, every miss printed
	@for kind in mrz decklists receipts cards degradation faces; do $(BIN)/python benchmarks/eval_$$kind.py || exit 1; done

bench-ocr: setup system ## Reading speed and accuracy beside the peers
	@benchmarks/bench-ocr

mutate: setup ## Mutants of the MRZ reader and the field rules (MUTANTS="glob …"; all take hours)
	@tools/mutate $(MUTANTS)

lock: $(VENV)/.installed ## Resolve the requirement files anew
	@tools/lock

clean: ## Remove what the targets made
	rm -rf $(VENV) .venv-bench .venv-mutate .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
