# Every target sets up what it needs; nothing is asked of the machine but Python 3.11+, make and a registry.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(shell find protos third_party -name '*.proto')
PYTEST_WORKERS ?= 2

.PHONY: help setup gen gen-check fmt lint types contracts test check run demo requirements eval bench-ocr bench-events simulate test-soak lock models system clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

models: $(VENV)/.installed
	@$(BIN)/vidence models pull

setup: $(VENV)/.installed models ## Virtual environment, packages, models

system: $(VENV)/.installed
	@tools/system-packages

gen: $(VENV)/.installed ## Generate gen/ from protos/, docs/reference/ from the code
	@$(BIN)/python tools/generate.py && $(BIN)/python tools/reference.py && $(BIN)/python tools/guarantees.py

gen-check: $(VENV)/.installed
	@$(BIN)/python tools/generate.py --check && $(BIN)/python tools/reference.py --check && $(BIN)/python tools/guarantees.py --check

fmt: $(VENV)/.installed ## Format Python and protos
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format --quiet . && $(BIN)/buf format -w protos

lint: $(VENV)/.installed gen-check types contracts ## Lint, format check, types, import contracts, generation freshness
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/buf lint && $(BIN)/buf format -d --exit-code protos

types: $(VENV)/.installed
	@$(BIN)/mypy services clients/python tests tools benchmarks

contracts: $(VENV)/.installed
	@$(BIN)/lint-imports --no-logo

test: setup system ## All tests that run in minutes
	@$(BIN)/pytest -n $(PYTEST_WORKERS) -m "not soak"

bench-events: setup ## The bus beside naive gRPC, NATS, Redis and polling
	@benchmarks/bench-events

simulate: setup ## 10,000 simulated histories of the streams, about a minute
	@$(BIN)/python tests/simulation/run.py --seeds 10000 --jobs 2

test-soak: setup system ## The long tests
	@$(BIN)/pytest -n $(PYTEST_WORKERS) -m soak --timeout 7200

check: setup lint requirements ## What CI runs: everything above, tests last
	@$(MAKE) --no-print-directory system
	@$(BIN)/pytest -n $(PYTEST_WORKERS) -m "not soak" --cov --cov-report= --coverage-floor

requirements: $(VENV)/.installed ## Which requirement is shown by which test
	@$(BIN)/python tools/requirements.py

run: setup ## Start the suite, read samples live, stay up until Ctrl-C
	@$(BIN)/python tools/run_suite.py

demo: setup ## The same, then exit
	@$(BIN)/python tools/run_suite.py --once

eval: setup system ## How exactly documents are read, every miss printed
	@$(BIN)/python benchmarks/eval_mrz.py

bench-ocr: setup system ## Reading speed and accuracy beside the peers
	@benchmarks/bench-ocr

lock: $(VENV)/.installed ## Resolve the requirement files anew
	@tools/lock

clean: ## Remove what the targets made
	rm -rf $(VENV) .venv-bench .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
